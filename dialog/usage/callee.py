"""The callee's side of an INVITE (RFC 3261 sections 9.2 and 13.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from dialog.dialog import Dialog
from dialog.errors import LocalProtocolError
from dialog.events import CallAnswered, CallCancelled, CallConfirmed, CallFailed, SessionAnswer
from dialog.incoming import IncomingRequest
from dialog.message import Request
from dialog.timers import Timer
from dialog.usage.acknowledgement import Accepted, carries_session
from dialog.usage.state import UsageState

if TYPE_CHECKING:
    from dialog.usage.invite import InviteUsage

PROVISIONAL_EVERY = 60.0
"""A provisional response is repeated each minute, or proxies give the call up (section 13.3.1.1)."""


class Callee:
    """Their INVITE until our 2xx has been acknowledged, or it was refused."""

    def __init__(self, usage: InviteUsage, incoming: IncomingRequest, dialog: Dialog, offered: bool) -> None:
        self._usage = usage
        self._core = usage.core
        self._incoming = incoming
        self._dialog = dialog
        self._offered = offered
        self._accepted: Accepted | None = None
        self._reminder: Timer | None = None
        incoming.transaction.user = self
        incoming.transaction.start_trying(lambda: incoming.compose(100))

    # What the application does.

    def progress(self, status: int, body: bytes = b"") -> None:
        """Send a provisional response; a body in it is a preview of the answer."""
        if not 101 <= status <= 199:
            raise LocalProtocolError(f"{status} is not a provisional status (101 to 199)")
        headers = [("Contact", self._incoming.contact)]
        if body:
            headers.append(("Content-Type", self._core.config.accept[0]))
        data = self._incoming.respond(status, None, headers, body, record_route=True)
        self._usage.state = UsageState.RINGING
        self._remind(status, data)

    def accept(self, body: bytes) -> None:
        """Send the 2xx: `body` is our answer, or our offer when the INVITE had none."""
        headers = (
            ("Contact", self._incoming.contact),
            *self._core.capabilities,
            ("Content-Type", self._core.config.accept[0]),
        )
        data = self._incoming.respond(200, None, headers, body, record_route=True)
        self._stop_reminding()
        self._accepted = Accepted(self._core, self._incoming.transaction, data, self._unacknowledged)
        self._usage.state = UsageState.ANSWERED
        self._core.emit(CallAnswered(self._usage))

    def reject(self, status: int, reason: str | None = None, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Send a final response of refusal."""
        self._incoming.respond(status, reason, headers)
        self.stop()

    # What the peer does.

    def on_ack(self, ack: Request) -> None:
        """The ACK for our 2xx; repeated ones change nothing."""
        if self._accepted is None or ack.cseq.number != self._incoming.request.cseq.number:
            return
        self.stop()
        usage = self._usage
        if usage.state is UsageState.ENDING:
            usage.send_held_bye()
            return
        usage.state = UsageState.CONFIRMED
        if self._offered:
            self._core.emit(CallConfirmed(usage))
        elif carries_session(ack, self._core.config.accept):
            self._core.emit(SessionAnswer(usage, ack.body, ack.from_.tag or ""))
            self._core.emit(CallConfirmed(usage))
        else:
            usage.hang_up('SIP;cause=488;text="No session description in the ACK"')

    def on_cancel(self, cancel: Request) -> None:
        """The caller gave up (section 9.2)."""
        self.reject(487)
        self._usage.finish(CallCancelled(self._usage, cancel.headers.get("Reason") or ""))

    def on_bye(self, reason: str) -> bool:
        """BYE came; True when that was before we answered, so that it works as a CANCEL (section 15.1.2)."""
        if self._incoming.transaction.answered:
            self.stop()
            return False
        self.reject(487)
        self._usage.finish(CallCancelled(self._usage, reason))
        return True

    def on_response_lost(self, cause: Literal["timeout", "transport"]) -> None:
        """A refusal of ours got no ACK, or could not be sent: the caller's own timers end the call there."""

    def stop(self) -> None:
        """Send nothing again."""
        self._stop_reminding()
        if self._accepted is not None:
            self._accepted.stop()
            self._accepted = None

    def release(self) -> None:
        """The call is over: let the transaction linger without it."""
        self.stop()
        self._incoming.transaction.user = None

    @property
    def awaits_answer(self) -> bool:
        """Our offer is in the 2xx, its answer will come in the ACK."""
        return self._accepted is not None and not self._offered

    @property
    def awaits_ack(self) -> bool:
        """Our 2xx has no ACK yet."""
        return self._accepted is not None

    def _unacknowledged(self) -> None:
        """Section 13.3.1.4: a 2xx without ACK for 64*T1 ends the session by BYE."""
        self._accepted = None
        usage = self._usage
        if usage.state is UsageState.ENDING:
            usage.send_held_bye()
            return
        usage.send_last_bye('SIP;cause=408;text="No ACK"')
        usage.finish(CallFailed(usage, 408, "No ACK", "no_ack"))

    def _remind(self, status: int, data: bytes) -> None:
        self._stop_reminding()

        def again() -> None:
            self._incoming.transaction.respond(status, data)
            self._remind(status, data)

        self._reminder = self._core.queue.start(PROVISIONAL_EVERY, again)

    def _stop_reminding(self) -> None:
        if self._reminder is not None:
            self._reminder.cancel()
            self._reminder = None
