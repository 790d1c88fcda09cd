"""The caller's side of an INVITE (RFC 3261 sections 9.1, 13.1 and 13.2), forked, redirected, or not.

Each To tag in a response is a dialog of its own, a `Branch`. The first 2xx makes its branch the call's; a 2xx
of any other, or one that crosses our CANCEL, is acknowledged and ended by BYE at once. A 3xx, and a 422 that
wants a longer session interval, are answered by another INVITE of the same call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dialog.bodies import session_description
from dialog.dialog import Dialog, next_hop
from dialog.errors import LocalProtocolError
from dialog.events import (
    CallAnswered,
    CallConfirmed,
    CallFailed,
    FailureCause,
    Progress,
    Redirected,
    SessionAnswer,
    SessionOffer,
    SessionPreview,
    Trying,
)
from dialog.message import Request, Response
from dialog.status import reason_phrase
from dialog.timers import Timer
from dialog.transaction.client import ClientTransaction, cancel_for
from dialog.transaction.tables import State
from dialog.usage.acknowledgement import SentAck
from dialog.usage.branch import Branch
from dialog.usage.ending import Bye
from dialog.usage.exchange import Exchange
from dialog.usage.prack import Prack, reliable_sequence
from dialog.usage.redirect import FOLLOWED, TargetSet
from dialog.usage.state import UsageState

if TYPE_CHECKING:
    from dialog.flow import Flow
    from dialog.outgoing import Outgoing
    from dialog.usage.invite import InviteUsage

MAX_EARLY_DIALOGS = 32
"""Branches of one call that are told apart; a peer that invents more of them is not followed."""

_OF_ONE_TRY = ("Via", "Contact", "Session-Expires", "Min-SE", "Authorization", "Proxy-Authorization")


class Caller:
    """Our INVITE until its last 2xx has been acknowledged."""

    def __init__(self, usage: InviteUsage, request: Request, offered: bool, held: bool = False) -> None:
        self._usage = usage
        self._core = usage.core
        self._request = request
        self._offered = offered
        self._cancel_reason: str | None = None
        self._cancelled = False
        self._patience: Timer | None = None
        self._targets: TargetSet | None = None
        self._branches: dict[str, Branch] = {}
        self._previews: dict[str, bytes] = {}
        self._pracks: dict[str, Prack] = {}
        self._acks: dict[str, SentAck] = {}
        self._winner: str | None = None
        self.flow: Flow | None = None
        """The way the last response came."""
        self._outgoing = None if held else self._send()

    @property
    def early_dialogs(self) -> list[str]:
        """The remote tags of the dialogs there are so far."""
        return list(self._branches)

    def branch(self, tag: str) -> Branch | None:
        """The early dialog with this remote tag."""
        return self._branches.get(tag)

    @property
    def branches(self) -> list[Branch]:
        """The early dialogs, oldest first."""
        return list(self._branches.values())

    # What the application does.

    def cancel(self, reason: str | None) -> None:
        """Give up the call. Before any provisional response the CANCEL is held back (section 9.1)."""
        self._cancelled = True
        self._cancel_reason = reason
        self._usage.state = UsageState.ENDING
        if self._outgoing is not None:
            self._outgoing.abandoned = True
        transaction = self._transaction
        if transaction is None:
            self._fail(487, reason_phrase(487), "cancelled")
        elif transaction.state is State.PROCEEDING:
            self._send_cancel()

    def start(self, body: bytes, content_type: str) -> None:
        """Send the INVITE that was held back, with our offer if there is one."""
        if self._outgoing is not None:
            raise LocalProtocolError("the INVITE of this call was sent before")
        self._offered = bool(body)
        if body:
            self._request.headers.add("Content-Type", content_type)
            self._request.body = body
        self._outgoing = self._send()

    def accept(self, body: bytes) -> None:
        """Put the answer to a late offer into the ACK."""
        self._end_late_offer(body)
        self._usage.state = UsageState.CONFIRMED
        self._core.emit(CallConfirmed(self._usage))

    def reject(self, status: int) -> None:
        """A late offer in a 2xx cannot be refused but by BYE."""
        self._usage.bye(f'SIP;cause={status};text="{reason_phrase(status)}"')

    def refuse_late_offer(self) -> None:
        """A late offer that we cannot answer: the 2xx must have its ACK all the same."""
        self._end_late_offer(b"")

    # What the transaction tells.

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        """A response to the INVITE, or (ignored) to its CANCEL."""
        if transaction.request.method == "CANCEL":
            return
        self.flow = transaction.flow
        if response.status < 200:
            self._on_provisional(response)
        elif response.status < 300:
            self._on_success(response)
        elif not self._tried_again(response):
            cause: FailureCause = "cancelled" if self._cancelled else "rejected"
            self._fail(response.status, response.reason, cause, response)

    def on_failure(
        self, transaction: ClientTransaction | None, cause: Literal["timeout", "transport"]
    ) -> None:
        """No final response will come (section 8.1.3.1: as if 408 or 503 had come)."""
        if transaction is not None and transaction.request.method == "CANCEL":
            return
        if self._cancelled:
            self._fail(487, reason_phrase(487), "cancelled")
        elif not self._tried_next(408 if cause == "timeout" else 503):
            status = 408 if cause == "timeout" else 503
            why = "" if self._outgoing is None else self._outgoing.why
            self._fail(status, why or reason_phrase(status), cause)

    # Tries.

    @property
    def _transaction(self) -> ClientTransaction | None:
        """The newest one; none before the INVITE has left."""
        return None if self._outgoing is None else self._outgoing.transaction

    def _send(self) -> Outgoing:
        request = self._request
        return self._core.send_request(
            request, self, next_hop(request), contact=True, contact_user=request.from_.uri
        )

    def _send_again(self, target: str) -> None:
        """The same call by another INVITE (section 8.1.3.4: To, From tag, and Call-ID stay the same)."""
        self._forget_early_dialogs()
        before = self._request
        headers = before.headers.copy()
        for name in _OF_ONE_TRY:
            headers.remove(name)
        headers.set("CSeq", f"{before.cseq.number + 1} INVITE")
        for name, value in self._usage.timer.request_fields():
            headers.add(name, value)
        self._request = Request("INVITE", target, headers, before.body)
        self._outgoing = self._send()

    def _tried_again(self, response: Response) -> bool:
        """Whether a final response of refusal is answered by another INVITE."""
        status = response.status
        if self._cancelled or self._usage.state is UsageState.ENDED or self._winner is not None:
            return False
        if status == 422 and self._usage.timer.ask_for_more(response):
            self._send_again(self._request.request_uri)
            return True
        limit = self._core.config.max_redirects
        if status in FOLLOWED and limit > 0:
            if self._targets is None:
                self._targets = TargetSet(self._usage.request.uri, limit)
            self._targets.add(response.contacts)
        return status < 600 and self._tried_next(status)

    def _tried_next(self, status: int) -> bool:
        """Go on to the next address of a redirected call, if there is one."""
        target = self._targets.next() if self._targets is not None else None
        if target is None:
            return False
        self._core.emit(Redirected(self._usage, status, str(target)))
        self._send_again(str(target))
        return True

    # Responses.

    def _on_provisional(self, response: Response) -> None:
        if self._cancelled:
            if self._patience is None:
                self._send_cancel()
            return
        if self._winner is not None:
            return
        usage = self._usage
        if response.status == 100:
            self._core.emit(Trying(usage))
            return
        tag = response.to.tag or ""
        branch = self._note_branch(tag, response)
        sequence = reliable_sequence(response)
        prack = None
        if sequence is not None and branch is not None:
            prack = self._prack_of(branch)
            if not prack.is_new(sequence):
                return
        usage.state = UsageState.RINGING
        self._core.emit(Progress(usage, response.status, response.reason, tag, response))
        if prack is not None:
            prack.take(response)
        elif response.body and (branch is None or not branch.settled):
            self._preview(tag, response)

    def _preview(self, tag: str, response: Response) -> None:
        """The body of an unreliable 18x. It comes again with each resent or later one: it is shown once."""
        body = session_description(response, self._core.config.accept)
        if body is not None and self._offered and self._previews.get(tag) != body.content:
            if tag in self._previews or len(self._previews) < MAX_EARLY_DIALOGS:
                self._previews[tag] = body.content
            self._core.emit(SessionPreview(self._usage, body.content, tag))

    def _prack_of(self, branch: Branch) -> Prack:
        prack = self._pracks.get(branch.tag)
        if prack is None:
            prack = self._pracks[branch.tag] = Prack(self._usage, branch, self._request.cseq.number)
        return prack

    def _note_branch(self, tag: str, response: Response) -> Branch | None:
        if not tag:
            return None
        branch = self._branches.get(tag)
        if branch is not None:
            branch.dialog.refresh_target(response)
        elif len(self._branches) < MAX_EARLY_DIALOGS:
            branch = self._branches[tag] = self._new_branch(response)
            self._core.dialogs.add(branch.dialog.key, self._usage)
        if branch is not None:
            branch.note_peer(response)
        return branch

    def _new_branch(self, response: Response) -> Branch:
        dialog = Dialog.from_response(self._request, response)
        dialog.flow = self.flow
        return Branch(self._usage, dialog, Exchange.OURS if self._offered else Exchange.NOTHING)

    def _on_success(self, response: Response) -> None:
        tag = response.to.tag or ""
        ack = self._acks.get(tag)
        if ack is not None:
            ack.again()
            return
        if tag == self._winner:
            return  # a late offer: its ACK leaves when the answer is there
        branch = self._branches.get(tag)
        if branch is None:
            branch = self._new_branch(response)
        else:
            branch.dialog.confirm(response)
        if self._winner is not None or self._usage.state in (UsageState.ENDING, UsageState.ENDED):
            self._refuse(tag, branch.dialog)
            if self._cancelled:
                self._fail(487, reason_phrase(487), "cancelled")
        else:
            self._win(tag, branch, response)

    def _win(self, tag: str, branch: Branch, response: Response) -> None:
        usage = self._usage
        self._winner = tag
        self._forget_early_dialogs(branch)
        found = session_description(response, self._core.config.accept)
        body = b"" if found is None else found.content
        preview = self._previews.get(tag, b"")
        self._previews.clear()
        agreed = branch.settled
        if not body and self._offered:
            body = preview  # the answer came in the 18x only (section 13.2.1 allows it if reliable)
        unanswered = branch.exchange is Exchange.THEIRS and not agreed
        if unanswered or not (body or agreed):
            self._refuse(tag, branch.dialog, 'SIP;cause=488;text="No session description in the 2xx"')
            self._fail(488, "No session description in the 2xx", "no_description", response)
            return
        branch.note_peer(response)
        usage.establish(branch)
        usage.timer.agreed(response)
        if not self._offered and not agreed:
            usage.state = UsageState.ANSWERED
            branch.ask(self)
            self._core.emit(SessionOffer(usage, body, found.content_type if found else "", tag))
            self._core.emit(CallAnswered(usage, tag, response))
            return
        self._acknowledge(tag, branch.dialog)
        usage.state = UsageState.CONFIRMED
        if not agreed:
            branch.exchange = Exchange.AGREED
            self._core.emit(SessionAnswer(usage, body, tag, body == preview))
        self._core.emit(CallAnswered(usage, tag, response))
        self._core.emit(CallConfirmed(usage))

    def _end_late_offer(self, body: bytes) -> None:
        assert self._winner is not None
        self._usage.confirmed_branch.answered()
        self._acknowledge(self._winner, self._usage.confirmed_dialog, body)

    def _acknowledge(self, tag: str, dialog: Dialog, body: bytes = b"") -> None:
        content_type = self._core.config.accept[0]
        self._acks[tag] = SentAck(self._core, dialog, self._request, body, content_type)

    def _refuse(self, tag: str, dialog: Dialog, reason: str | None = None) -> None:
        """Acknowledge a dialog that we do not want and end it."""
        if len(self._acks) < MAX_EARLY_DIALOGS:
            self._acknowledge(tag, dialog)
            Bye(self._core, dialog, reason, _nothing)

    # The end.

    def _send_cancel(self) -> None:
        transaction = self._transaction
        if transaction is None:
            return
        cancel = cancel_for(transaction.request, self._cancel_reason)
        self._core.layer.request(cancel, transaction.flow, self).start()
        # Section 9.1: without a final response in 64*T1 the INVITE is as good as cancelled.
        self._patience = self._core.queue.start(self._core.config.timers.patience, self._abandon)

    def _abandon(self) -> None:
        if self._transaction is not None:
            self._transaction.give_up()
        self._fail(487, reason_phrase(487), "cancelled")

    def _fail(self, status: int, reason: str, cause: FailureCause, response: Response | None = None) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        self._forget_early_dialogs()
        self._usage.finish(CallFailed(self._usage, status, reason, cause, response))

    def release(self) -> None:
        """The call is over. What still comes, 2xx of other branches or the same again, needs no more than
        the flow it comes on."""
        self._outgoing = None

    def _forget_early_dialogs(self, winner: Branch | None = None) -> None:
        for branch in self._branches.values():
            if branch is not winner:
                branch.stop()
                self._core.dialogs.remove(branch.dialog.key)
        self._branches.clear()
        self._pracks.clear()


def _nothing() -> None:
    """Nobody waits for the BYE of a branch that lost."""


def check_before_answer(state: UsageState) -> None:
    """LocalProtocolError unless the call can still be cancelled."""
    if state in (UsageState.ANSWERED, UsageState.CONFIRMED):
        raise LocalProtocolError("the call was answered already: end it with bye(), not cancel()")
