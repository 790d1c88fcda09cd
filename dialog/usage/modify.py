"""Re-INVITE in both directions (RFC 3261 section 14, RFC 5407, RFC 6337).

At most one INVITE of each side is in progress. Glare is refused with 491 by both and tried again after a
random time that differs by who owns the Call-ID. A re-INVITE that fails leaves the session as it was,
except for 481 and 408, after which there is no dialog (section 12.2.1.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dialog.bodies import session_description
from dialog.errors import LocalProtocolError
from dialog.events import (
    ModifyAccepted,
    ModifyFailed,
    OfferNotAnswered,
    OfferWanted,
    SessionAnswer,
    SessionOffer,
)
from dialog.incoming import IncomingRequest
from dialog.message import Request, Response
from dialog.status import reason_phrase
from dialog.timers import Timer
from dialog.transaction.client import ClientTransaction
from dialog.usage.acknowledgement import Accepted, SentAck
from dialog.usage.exchange import Exchange
from dialog.usage.glare import MAX_GLARE_RETRIES, glare_delay
from dialog.usage.prack import Prack, reliable_sequence
from dialog.usage.state import UsageState

if TYPE_CHECKING:
    from dialog.outgoing import Outgoing
    from dialog.usage.invite import InviteUsage


class ModifyClient:
    """One re-INVITE of ours, retried after glare, until its outcome is known and its 2xx acknowledged."""

    def __init__(self, usage: InviteUsage, body: bytes) -> None:
        self._usage = usage
        self._core = usage.core
        self._branch = usage.confirmed_branch
        self._prack: Prack | None = None
        self.body = body
        """The offer, also of the tries to come; empty to ask for one."""
        self._retries = 0
        self._retry: Timer | None = None
        self._outgoing: Outgoing | None = None
        self._request: Request
        self._ack: SentAck | None = None
        self.done = False
        self.awaits_answer = False
        """A 2xx with the peer's offer waits for our answer."""
        self._send()

    @property
    def in_progress(self) -> bool:
        """An INVITE of ours is on the wire (not: waiting to be tried again)."""
        return not self.done and self._retry is None

    def accept(self, body: bytes) -> None:
        """Put the answer into the ACK."""
        self.awaits_answer = False
        self._branch.answered()
        self._acknowledge(body)
        self._succeed()

    def reject(self, status: int) -> None:
        """An offer in a 2xx cannot be refused but by BYE."""
        self._usage.bye(f'SIP;cause={status};text="{reason_phrase(status)}"')

    def abandon(self) -> None:
        """The call ends: no retry, no events; a 2xx that still comes is acknowledged."""
        if self.done:
            return
        self.done = True
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self.awaits_answer:
            self.awaits_answer = False
            self._acknowledge()
        elif self._outgoing is not None:
            transaction = self._outgoing.transaction
            if transaction is None:
                self._outgoing.abandoned = True
            else:
                # After a 1xx no timer of the transaction's own would ever end it.
                self._core.queue.start_cleanup(self._core.config.timers.patience, transaction.give_up)

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        """A response to our re-INVITE."""
        status = response.status
        if status < 200:
            self._on_provisional(response)
        elif status < 300:
            self._on_success(response)
        elif not self.done:
            if status == 491 and self._retries < MAX_GLARE_RETRIES:
                self._close_exchange()
                self._try_again_later()
            elif status == 422 and self._usage.timer.ask_for_more(response):
                self._send()
            else:
                gone = status in (408, 481)
                self._fail(status, response.reason, ends_call=gone)
                if gone:
                    self._usage.dialog_is_gone(status, "remote")

    def on_failure(
        self, transaction: ClientTransaction | None, cause: Literal["timeout", "transport"]
    ) -> None:
        """No final response: the peer is gone, and the dialog with it."""
        if not self.done:
            status = 408 if cause == "timeout" else 503
            self._fail(status, reason_phrase(status), ends_call=True)
            self._usage.dialog_is_gone(status, cause)

    def _send(self) -> None:
        usage, core = self._usage, self._core
        dialog = usage.confirmed_dialog
        self._retry = None
        self._ack = None
        self._prack = None
        self._branch.exchange = Exchange.OURS if self.body else Exchange.NOTHING
        headers = [*core.capabilities, *usage.timer.request_fields()]
        if self.body:
            headers.append(("Content-Type", core.config.accept[0]))
        self._request = dialog.request("INVITE", dialog.next_sequence(), headers, self.body)
        self._outgoing = core.send_request(
            self._request,
            self,
            dialog.next_hop,
            contact=True,
            contact_user=usage.local_uri.uri,
            otherwise=dialog.flow,
        )

    def _on_provisional(self, response: Response) -> None:
        """Only a reliable one matters: it needs its PRACK, and may bring the answer or the offer."""
        sequence = reliable_sequence(response)
        if sequence is None or self.done:
            return
        if self._prack is None:
            self._prack = Prack(self._usage, self._branch, self._request.cseq.number)
        if self._prack.is_new(sequence):
            self._prack.take(response)

    def _on_success(self, response: Response) -> None:
        if self._ack is not None:
            self._ack.again()
            return
        if self.awaits_answer:
            return
        usage, branch = self._usage, self._branch
        branch.dialog.refresh_target(response)
        branch.note_peer(response)
        if self.done:
            self._acknowledge()
            return
        usage.timer.agreed(response)
        found = session_description(response, self._core.config.accept)
        if branch.exchange is Exchange.AGREED:  # by reliable provisional responses
            self._acknowledge()
            self._succeed()
        elif found is None:
            self._acknowledge()
            self._fail(488, "No session description in the 2xx")
        elif self.body:
            self._acknowledge()
            branch.exchange = Exchange.AGREED
            self._core.emit(SessionAnswer(usage, found.content, branch.tag))
            self._succeed()
        else:
            self.awaits_answer = True
            branch.ask(self)
            self._core.emit(SessionOffer(usage, found.content, found.content_type, branch.tag))

    def _acknowledge(self, body: bytes = b"") -> None:
        self._ack = SentAck(
            self._core, self._usage.confirmed_dialog, self._request, body, self._core.config.accept[0]
        )

    def _try_again_later(self) -> None:
        self._retries += 1
        self._retry = self._core.queue.start(glare_delay(self._usage), self._retry_now)

    def _retry_now(self) -> None:
        if self._usage.modify_busy_in or not self._branch.quiet:
            self._try_again_later()
        else:
            self._send()

    def _succeed(self) -> None:
        self.done = True
        self._outgoing = None
        self._core.emit(ModifyAccepted(self._usage))

    def _fail(self, status: int, reason: str, *, ends_call: bool = False) -> None:
        self.done = True
        self._outgoing = None
        self._close_exchange()
        self._usage.timer.refresh_failed()
        self._core.emit(ModifyFailed(self._usage, status, reason, ends_call))

    def _close_exchange(self) -> None:
        """What was agreed before holds on."""
        if self._branch.exchange in (Exchange.OURS, Exchange.NOTHING):
            self._branch.exchange = Exchange.AGREED


class ModifyServer:
    """One re-INVITE of the peer, until it is refused or our 2xx acknowledged."""

    def __init__(self, usage: InviteUsage, incoming: IncomingRequest) -> None:
        self._usage = usage
        self._core = usage.core
        self._branch = usage.confirmed_branch
        self._incoming = incoming
        self._offered = False
        self._accepted: Accepted | None = None
        incoming.transaction.user = self

    def start(self) -> None:
        """Ask the application for the answer, or for an offer."""
        self._incoming.transaction.start_trying(lambda: self._incoming.compose(100))
        offer = session_description(self._incoming.request, self._core.config.accept)
        self._offered = offer is not None
        self._branch.ask(self, offered=self._offered)
        if offer is not None:
            self._core.emit(SessionOffer(self._usage, offer.content, offer.content_type, self._branch.tag))
        else:
            self._core.emit(OfferWanted(self._usage))

    @property
    def unanswered(self) -> bool:
        """It has no final response yet."""
        return not self._incoming.transaction.answered

    @property
    def awaits_answer(self) -> bool:
        """Our offer is in the 2xx, its answer will come in the ACK."""
        return self._accepted is not None and not self._offered

    @property
    def sequence(self) -> int:
        """The CSeq number of this INVITE, which its ACK repeats."""
        return self._incoming.request.cseq.number

    def accept(self, body: bytes) -> None:
        """200 with our answer or offer; only now the peer's new Contact counts (RFC 6141 section 4.4)."""
        branch = self._branch
        branch.answered()
        if not self._offered:
            branch.exchange = Exchange.OURS
        branch.dialog.refresh_target(self._incoming.request)
        branch.note_peer(self._incoming.request)
        headers = [("Contact", self._incoming.contact), *self._core.capabilities]
        headers += self._usage.timer.answer_fields(self._incoming.request)
        headers.append(("Content-Type", self._core.config.accept[0]))
        data = self._incoming.respond(200, None, headers, body)
        self._accepted = Accepted(self._core, self._incoming.transaction, data, self._unacknowledged)

    def reject(self, status: int) -> None:
        """A final response of refusal: the session stays as it is."""
        self._branch.answered()
        self._incoming.respond(status)

    def on_ack(self, ack: Request) -> None:
        """The ACK for our 2xx."""
        if self._accepted is None or ack.cseq.number != self.sequence:
            return
        self.stop()
        if self._offered:
            return
        self._branch.offer_failed()
        if self._usage.state is not UsageState.CONFIRMED:
            return
        answer = session_description(ack, self._core.config.accept)
        if answer is not None:
            self._core.emit(SessionAnswer(self._usage, answer.content, self._branch.tag))
        else:
            self._core.emit(OfferNotAnswered(self._usage))

    def on_cancel(self, cancel: Request) -> None:
        """The peer takes its re-INVITE back; the application's answer is not wanted any more."""
        self.reject(487)
        self._core.emit(ModifyFailed(self._usage, 487, reason_phrase(487)))

    def on_response_lost(self, cause: Literal["timeout", "transport"]) -> None:
        """A refusal got no ACK: it changes nothing."""

    def stop(self) -> None:
        """Send nothing again; what is unanswered gets 487 (section 15.1.2)."""
        if self._accepted is not None:
            self._accepted.stop()
            self._accepted = None
        if self.unanswered:
            self.reject(487)

    def _unacknowledged(self) -> None:
        self._accepted = None
        self._usage.dialog_is_gone(408, "timeout")


def check_confirmed(state: UsageState) -> None:
    """LocalProtocolError unless requests inside the session are allowed."""
    if state in (UsageState.CALLING, UsageState.RINGING):
        raise LocalProtocolError("the call is not answered yet: wait for CallConfirmed")
    if state is UsageState.ANSWERED:
        raise LocalProtocolError("the ACK is still missing: wait for CallConfirmed")
    if state is not UsageState.CONFIRMED:
        raise LocalProtocolError("the call is over")
