"""What phones and calls tell the application: one frozen dataclass an event.

phone.on("incoming_call", handler)      IncomingCall
phone.on("call_created", handler)       CallCreated: every call, also those we place
phone.on("registered", handler)         Registered             phone.on("unregistered", handler)  Unregistered
phone.on("registration_failed", handler)  RegistrationFailed
phone.on("error", handler)              ErrorOccurred: also what goes wrong in a call of its

call.on("ringing", handler)             Ringing        call.on("held", handler)      Held
call.on("progress", handler)            Progress       call.on("resumed", handler)   Resumed
call.on("answered", handler)            Answered       call.on("ended", handler)     Ended
call.on("media", handler)               MediaStarted   call.on("dtmf", handler)      Dtmf
call.on("error", handler)               ErrorOccurred   call.on("mark", handler)      MarkReached
call.on("redirected", handler)          Redirected
call.on("media_lost", handler)          MediaLost      call.on("media_regained", handler)  MediaRegained

Transfers, messages and subscriptions: :mod:`sipmedia.service_events`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sipmedia.account import Account
    from sipmedia.call import Call

PhoneEventName = Literal[
    "incoming_call", "call_created", "registered", "registration_failed", "unregistered", "error"
]
CallEventName = Literal[
    "ringing",
    "progress",
    "redirected",
    "answered",
    "media",
    "media_lost",
    "media_regained",
    "dtmf",
    "mark",
    "held",
    "resumed",
    "ended",
    "error",
]
Party = Literal["local", "remote"]
DtmfMethod = Literal["rfc4733", "info", "inband"]
EndedBy = Literal["local", "remote", "timeout", "transport", "closed"]


@dataclass(frozen=True, slots=True)
class ErrorOccurred:
    """Something failed that nobody awaits; ``doing`` says in words what was being done."""

    error: Exception
    doing: str


@dataclass(frozen=True, slots=True)
class Registered:
    """The account is registered for ``expires`` seconds, at ``contact``; ``renewal``: as it was before."""

    account: Account
    expires: int
    contact: str
    renewal: bool


@dataclass(frozen=True, slots=True)
class RegistrationFailed:
    """The registrar refused, or did not answer (408, 503). ``why`` is what more we know of it.

    ``retry_in``: seconds until it is asked again; ``None`` when that would be of no use.
    """

    account: Account
    status: int
    reason: str
    why: str
    retry_in: float | None


@dataclass(frozen=True, slots=True)
class Unregistered:
    """The account is not registered any more, as we wanted. ``status`` is the registrar's answer, 0: none."""

    account: Account
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """Somebody calls: ``await event.call.answer()`` or ``event.call.reject()``, now or later."""

    call: Call


@dataclass(frozen=True, slots=True)
class CallCreated:
    """A call begins, in either direction; its trace and events can be listened to from the start."""

    call: Call


@dataclass(frozen=True, slots=True)
class Ringing:
    """180: the far end rings (an outgoing call), or we told the caller so (an incoming one)."""

    call: Call


@dataclass(frozen=True, slots=True)
class Progress:
    """Another provisional answer (181, 182, 183 ...). Early media, if there is any, shows as ``media``."""

    call: Call
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Redirected:
    """Our call goes on to ``target``, which a 3xx named; what was tried before answered ``status``."""

    call: Call
    target: str
    status: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The call is up. ``codec`` is what we send with, ``None`` when no sound was agreed upon yet."""

    call: Call
    codec: str | None


@dataclass(frozen=True, slots=True)
class MediaStarted:
    """The first sound from the far end has come, from ``source`` (host, port)."""

    call: Call
    codec: str | None
    source: tuple[str, int] | None


@dataclass(frozen=True, slots=True)
class MediaLost:
    """Nothing came for ``silent_s`` seconds (``PhoneConfig.media_timeout``): the far end may be gone."""

    call: Call
    silent_s: float


@dataclass(frozen=True, slots=True)
class MediaRegained:
    """After ``media_lost`` it is heard again, ``silent_s`` seconds after it was heard last."""

    call: Call
    silent_s: float


@dataclass(frozen=True, slots=True)
class Dtmf:
    """The far end pressed a key; emitted once a key, whatever was lost or repeated on the way.

    ``method`` is the way it came first: as telephone-event, in a SIP INFO, or in the sound.
    """

    call: Call
    digit: str
    duration_ms: int
    method: DtmfMethod = "rfc4733"


@dataclass(frozen=True, slots=True)
class MarkReached:
    """What was written before ``call.mark(name)`` is sent; ``sent`` is False if some of it never will be."""

    call: Call
    name: str
    sent: bool


@dataclass(frozen=True, slots=True)
class Held:
    """The call is on hold; ``by`` says whose doing it is."""

    call: Call
    by: Party


@dataclass(frozen=True, slots=True)
class Resumed:
    """The hold is over; ``by`` says who ended it."""

    call: Call
    by: Party


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over, answered or not: the last event of every call.

    ``status`` is the SIP status of a call that was never answered, 0 of one that was; ``reason`` is the
    words of the far end, or ours.
    """

    call: Call
    by: EndedBy
    status: int
    reason: str
    duration: float
