"""What a registration is asked for, and where it stands."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from dialog.address import NameAddr
from dialog.uri import SipUri


class RegistrationState(enum.Enum):
    """Where a registration stands."""

    REGISTERING = enum.auto()
    REGISTERED = enum.auto()
    WAITING = enum.auto()
    FAILED = enum.auto()
    UNREGISTERING = enum.auto()
    ENDED = enum.auto()


@dataclass(frozen=True, slots=True)
class RegistrationSettings:
    """What to register, and where."""

    address_of_record: NameAddr
    """From and To."""
    registrar: SipUri
    """The Request-URI: the domain, without a user."""
    hop: SipUri | None = None
    """Where the requests go, if not where `registrar` leads: a registrar given by its address."""
    route_set: tuple[NameAddr, ...] = ()
    """Preloaded routes, the outbound proxy for instance."""
    expires: int = 3600
    """Seconds to ask for; the registrar decides."""
    instance: str = ""
    """A URN that is ours for ever (``urn:uuid:...``); asks for a GRUU."""
    reg_id: int = 0
    """Over 0: the number of this flow among several of one instance (RFC 5626)."""
    contacts: tuple[str, ...] = ()
    """Further Contact values to register with ours, as they are to be written."""
