"""What the core tells its application, as frozen dataclasses.

Every body is opaque bytes; `dialog` never reads one. It says what a body *is* by where it stood (RFC
3261 section 13.2.1, RFC 6337): an offer, an answer, or a preview (the body of an unreliable 18x, which
binds nobody). `early_dialog` is the remote tag of the dialog a message belongs to, so that the branches
of a forked call are told apart.

The order in which a call's events come:

    caller   Trying?  Progress*  (SessionPreview)*  SessionAnswer  CallAnswered  CallConfirmed
             late offer:                            SessionOffer   CallAnswered  (answer_offer)  CallConfirmed
             reliable 18x: Progress  SessionAnswer or SessionOffer (answer_offer)  CallAnswered ...
    callee   IncomingCall  SessionOffer?  (accept)  CallAnswered  SessionAnswer?  CallConfirmed
             reliable 18x: (progress)  SessionAnswer? or SessionOffer?  (accept)  CallAnswered  CallConfirmed
    both     (SessionOffer | OfferWanted | SessionAnswer | ModifyAccepted | ModifyFailed | InfoReceived)*
             and once, last: CallFailed (never answered), CallCancelled (callee), or CallEnded.

What is told besides calls: `dialog.service_events` and `dialog.registration_events`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dialog.registration_events import RegistrationEvent
from dialog.service_events import ServiceEvent

if TYPE_CHECKING:
    from dialog.message import Request, Response
    from dialog.usage.invite import InviteUsage

FailureCause = Literal["rejected", "timeout", "transport", "cancelled", "no_ack", "no_description"]
EndedBy = Literal["remote", "local", "timeout", "transport"]


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """An event of one call; `usage` is the call."""

    usage: InviteUsage


@dataclass(frozen=True, slots=True)
class IncomingCall(UsageEvent):
    """A new INVITE. A SessionOffer follows when it carries an offer; none follows for a late offer.

    `replaces` is the call whose place it is to take (RFC 3891): accept this one and end that one, or refuse.
    """

    request: Request
    replaces: InviteUsage | None = None


@dataclass(frozen=True, slots=True)
class Trying(UsageEvent):
    """100 came: the next hop has our INVITE."""


@dataclass(frozen=True, slots=True)
class Progress(UsageEvent):
    """A provisional response other than 100; a reliable one (RFC 3262) has been acknowledged."""

    status: int
    reason: str
    early_dialog: str
    response: Response


@dataclass(frozen=True, slots=True)
class Redirected(UsageEvent):
    """The call goes on to another address, `target`: a 3xx named it, and what was tried before failed."""

    status: int
    target: str


@dataclass(frozen=True, slots=True)
class SessionOffer(UsageEvent):
    """The peer's offer; `usage.accept`, `usage.answer_offer` or `usage.reject_offer` is the reply."""

    body: bytes
    content_type: str = "application/sdp"
    early_dialog: str = ""


@dataclass(frozen=True, slots=True)
class SessionAnswer(UsageEvent):
    """The peer's answer to our offer, once per offer.

    `repeated`: the same bytes already came as the SessionPreview of this early dialog.
    """

    body: bytes
    early_dialog: str = ""
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class SessionPreview(UsageEvent):
    """A session description in an unreliable 18x: good for early media, binding nobody (RFC 6337 3.1.1)."""

    body: bytes
    early_dialog: str


@dataclass(frozen=True, slots=True)
class OfferWanted(UsageEvent):
    """A re-INVITE without a body: `usage.answer_offer(body)` puts our offer into the 200."""


@dataclass(frozen=True, slots=True)
class OfferNotAnswered(UsageEvent):
    """The ACK of a re-INVITE without a body did not answer our offer: the session is as it was before."""


@dataclass(frozen=True, slots=True)
class CallAnswered(UsageEvent):
    """Caller: a 2xx came. Callee: our 2xx has left. `early_dialog` is the one that became the call's."""

    early_dialog: str = ""
    response: Response | None = None


@dataclass(frozen=True, slots=True)
class CallConfirmed(UsageEvent):
    """Caller: our ACK has left. Callee: the ACK came. From here re-INVITEs may be sent."""


@dataclass(frozen=True, slots=True)
class CallFailed(UsageEvent):
    """The call was never established. `response` is the final response, when there was one.

    Causes: "rejected" (by a final response), "timeout" (none came), "transport" (could not be sent),
    "cancelled" (we cancelled it), "no_ack" (callee: our 2xx was never acknowledged), "no_description"
    (caller: the 2xx lacked the session description that was due, and we hung up).
    """

    status: int
    reason: str
    cause: FailureCause
    response: Response | None = None


@dataclass(frozen=True, slots=True)
class CallCancelled(UsageEvent):
    """Callee: the caller gave up before we answered. `reason` is the CANCEL's Reason header, or ''."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class CallEnded(UsageEvent):
    """An established call is over. `reason` is the Reason header of the BYE, or our own words."""

    by: EndedBy
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ModifyAccepted(UsageEvent):
    """Our re-INVITE or UPDATE was accepted."""


@dataclass(frozen=True, slots=True)
class ModifyFailed(UsageEvent):
    """Our re-INVITE or UPDATE was refused; the session is as it was before it.

    `ends_call`: the peer does not know the call any more, or is gone; CallEnded comes next.
    """

    status: int
    reason: str
    ends_call: bool = False


@dataclass(frozen=True, slots=True)
class RefreshWanted(UsageEvent):
    """The session is to be refreshed by an offer: `usage.refresh(body)`, with the description that was sent
    last (RFC 4028 section 7.4). A call whose session nobody refreshes ends when it expires."""


@dataclass(frozen=True, slots=True)
class InfoReceived(UsageEvent):
    """An INFO in the call's dialog (already answered 200)."""

    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class OptionsAnswered:
    """The outcome of `options(target)`; `response` is None when nobody answered."""

    target: str
    response: Response | None


Event = UsageEvent | OptionsAnswered | ServiceEvent | RegistrationEvent
"""Everything `Core.take_events()` can give."""
