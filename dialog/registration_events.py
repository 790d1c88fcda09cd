"""What the core tells about registrations (RFC 3261 section 10.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dialog.message import Response
    from dialog.registration import Registration


@dataclass(frozen=True, slots=True)
class RegistrationEvent:
    """An event of one registration."""

    registration: Registration


@dataclass(frozen=True, slots=True)
class Registered(RegistrationEvent):
    """The registrar keeps our binding for `expires` seconds; `renewal`: as it did before."""

    expires: int
    renewal: bool = False


@dataclass(frozen=True, slots=True)
class RegistrationFailed(RegistrationEvent):
    """The registrar refused, or did not answer (408, 503: `why` tells what was in the way).

    `retry_in`: seconds until it is asked again, None when that would be of no use.
    """

    status: int
    reason: str
    retry_in: float | None
    response: Response | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Unregistered(RegistrationEvent):
    """A registration is over, as we wanted. `status` is the registrar's answer, 0 when it was not asked."""

    status: int
    reason: str
