"""The callee's side of an INVITE (RFC 3261 sections 9.2 and 13.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from dialog.bodies import session_description
from dialog.errors import LocalProtocolError
from dialog.events import CallAnswered, CallCancelled, CallConfirmed, CallFailed, SessionAnswer
from dialog.incoming import IncomingRequest
from dialog.message import Request
from dialog.status import reason_phrase
from dialog.usage.acknowledgement import Accepted
from dialog.usage.branch import Branch
from dialog.usage.exchange import Exchange
from dialog.usage.provisional import Provisionals
from dialog.usage.state import UsageState

if TYPE_CHECKING:
    from dialog.usage.invite import InviteUsage


class Callee:
    """Their INVITE until our 2xx has been acknowledged, or it was refused."""

    def __init__(self, usage: InviteUsage, incoming: IncomingRequest, branch: Branch) -> None:
        self._usage = usage
        self._core = usage.core
        self._incoming = incoming
        self._branch = branch
        self._accepted: Accepted | None = None
        self._provisionals: Provisionals | None = None
        incoming.transaction.user = self
        incoming.transaction.start_trying(lambda: incoming.compose(100))

    @property
    def provisionals(self) -> Provisionals:
        """The provisional responses, and what acknowledges them."""
        if self._provisionals is None:
            self._provisionals = Provisionals(self._usage, self._branch, self._incoming, self._no_prack)
        return self._provisionals

    @property
    def holds_final(self) -> bool:
        """The 2xx waits for a PRACK."""
        return self._provisionals is not None and self._provisionals.holds_final

    # What the application does.

    def progress(self, status: int, body: bytes = b"") -> None:
        """Send a provisional response. A body in a reliable one is our answer, or our offer; in any other it
        is a preview of the answer."""
        if not 101 <= status <= 199:
            raise LocalProtocolError(f"{status} is not a provisional status (101 to 199)")
        branch = self._branch
        if body and self.provisionals.possible:
            if branch.exchange is Exchange.NOTHING:
                branch.exchange = Exchange.OURS
            elif branch.exchange is Exchange.THEIRS:
                branch.exchange = Exchange.AGREED
            else:
                body = b""  # it was said, and must not be said otherwise (RFC 3262 section 5)
        self.provisionals.send(status, body)
        self._usage.state = UsageState.RINGING

    def check_acceptable(self, body: bytes) -> None:
        """LocalProtocolError unless the call can be answered with `body`, or needs none any more."""
        exchange = self._branch.exchange
        if self._branch.asker is not None:
            raise LocalProtocolError("an offer of the caller is unanswered: answer_offer() first")
        if exchange is Exchange.OURS:
            raise LocalProtocolError("our offer in a provisional response has no answer yet")
        if not body and exchange is not Exchange.AGREED:
            raise LocalProtocolError("an accepted INVITE must carry a session description: the body is empty")

    def accept(self, body: bytes) -> None:
        """Send the 2xx, as soon as every description before it has been acknowledged.

        `body` is our answer, or our offer when the INVITE had none; it is left out when a reliable response
        brought it.
        """
        self._usage.state = UsageState.ANSWERED
        if self._provisionals is None:
            self._accept(body)
        else:
            self._provisionals.when_acknowledged(lambda: self._accept(body))

    def reject(self, status: int, reason: str | None = None, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Send a final response of refusal."""
        self._incoming.respond(status, reason, headers)
        self.stop()

    # What the peer does.

    def on_ack(self, ack: Request) -> None:
        """The ACK for our 2xx; repeated ones change nothing."""
        if self._accepted is None or ack.cseq.number != self._incoming.request.cseq.number:
            return
        offered = self._branch.exchange is Exchange.OURS
        self.stop()
        usage = self._usage
        if usage.state is UsageState.ENDING:
            usage.send_held_bye()
            return
        usage.state = UsageState.CONFIRMED
        if not offered:
            self._core.emit(CallConfirmed(usage))
            return
        self._branch.offer_failed()
        answer = session_description(ack, self._core.config.accept)
        if answer is not None:
            self._core.emit(SessionAnswer(usage, answer.content, self._branch.tag))
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
        """The caller's connection is gone, and it cannot be called back: there is nobody to answer any more.

        Over UDP one datagram that was lost says little; and a refusal that got no ACK is the caller's affair.
        """
        if (
            cause == "transport"
            and self._incoming.flow.connection
            and not self._incoming.transaction.answered
        ):
            self.reject(503)
            self._usage.finish(CallFailed(self._usage, 503, "The caller's connection broke", "transport"))

    def stop(self) -> None:
        """Send nothing again."""
        if self._provisionals is not None:
            self._provisionals.stop()
        if self._accepted is not None:
            self._accepted.stop()
            self._accepted = None

    def release(self) -> None:
        """The call is over: let the transaction linger without it."""
        self.stop()
        if self._provisionals is not None:
            self._provisionals.release()
        self._incoming.transaction.user = None

    @property
    def awaits_ack(self) -> bool:
        """Our 2xx has no ACK yet."""
        return self._accepted is not None

    def _accept(self, body: bytes) -> None:
        branch = self._branch
        if branch.exchange is Exchange.AGREED:
            body = b""
        headers = [("Contact", self._incoming.contact), *self._core.capabilities]
        headers += self._usage.timer.answer_fields(self._incoming.request)
        if body:
            headers.append(("Content-Type", self._core.config.accept[0]))
        data = self._incoming.respond(200, None, headers, body, record_route=True)
        branch.asker = None
        branch.exchange = Exchange.OURS if branch.exchange is Exchange.NOTHING else Exchange.AGREED
        self._accepted = Accepted(self._core, self._incoming.transaction, data, self._unacknowledged)
        self._core.emit(CallAnswered(self._usage, branch.tag))

    def _unacknowledged(self) -> None:
        """Section 13.3.1.4: a 2xx without ACK for 64*T1 ends the session by BYE."""
        self._accepted = None
        usage = self._usage
        if usage.state is UsageState.ENDING:
            usage.send_held_bye()
            return
        usage.send_last_bye('SIP;cause=408;text="No ACK"')
        usage.finish(CallFailed(usage, 408, "No ACK", "no_ack"))

    def _no_prack(self) -> None:
        """RFC 3262 section 3: a reliable response without PRACK for 64*T1 ends the call by a 5xx."""
        self.reject(504)
        self._usage.finish(CallFailed(self._usage, 504, reason_phrase(504), "no_ack"))
