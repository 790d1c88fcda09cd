"""The caller's side of an INVITE (RFC 3261 sections 9.1, 13.1 and 13.2), forked or not.

Each To tag in a response is a dialog of its own. The first 2xx makes its dialog the call's; a 2xx of any
other dialog, or one that crosses our CANCEL, is acknowledged and ended by BYE at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dialog.dialog import Dialog, next_hop
from dialog.errors import LocalProtocolError
from dialog.events import (
    CallAnswered,
    CallConfirmed,
    CallFailed,
    FailureCause,
    Progress,
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
from dialog.usage.ending import Bye
from dialog.usage.state import UsageState

if TYPE_CHECKING:
    from dialog.usage.invite import InviteUsage

MAX_EARLY_DIALOGS = 32
"""Branches of one call that are told apart; a peer that invents more of them is not followed."""


class Caller:
    """Our INVITE until its last 2xx has been acknowledged."""

    def __init__(self, usage: InviteUsage, request: Request, offered: bool) -> None:
        self._usage = usage
        self._core = usage.core
        self._request = request
        self._offered = offered
        self._cancel_reason: str | None = None
        self._cancelled = False
        self._patience: Timer | None = None
        self._early: dict[str, Dialog] = {}
        self._previews: dict[str, bytes] = {}
        self._acks: dict[str, SentAck] = {}
        self._winner: str | None = None
        self._outgoing = self._core.send_request(
            request, self, next_hop(request), contact=True, contact_user=request.from_.uri
        )

    @property
    def early_dialogs(self) -> list[str]:
        """The remote tags of the dialogs there are so far."""
        return list(self._early)

    # What the application does.

    def cancel(self, reason: str | None) -> None:
        """Give up the call. Before any provisional response the CANCEL is held back (section 9.1)."""
        self._cancelled = True
        self._cancel_reason = reason
        self._usage.state = UsageState.ENDING
        self._outgoing.abandoned = True
        if self._outgoing.transaction is None:
            self._fail(487, reason_phrase(487), "cancelled")
        elif self._outgoing.transaction.state is State.PROCEEDING:
            self._send_cancel()

    def answer_offer(self, body: bytes) -> None:
        """Put the answer to a late offer into the ACK."""
        assert self._winner is not None
        self._acknowledge(self._winner, self._usage.confirmed_dialog, body)
        self._usage.state = UsageState.CONFIRMED
        self._core.emit(CallConfirmed(self._usage))

    def refuse_late_offer(self) -> None:
        """A late offer that we cannot answer: the 2xx must have its ACK all the same."""
        assert self._winner is not None
        self._acknowledge(self._winner, self._usage.confirmed_dialog)

    # What the transaction tells.

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        """A response to the INVITE, or (ignored) to its CANCEL."""
        if transaction.request.method == "CANCEL":
            return
        if response.status < 200:
            self._on_provisional(response)
        elif response.status < 300:
            self._on_success(response)
        else:
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
        else:
            status = 408 if cause == "timeout" else 503
            self._fail(status, reason_phrase(status), cause)

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
        self._note_early_dialog(tag, response)
        usage.state = UsageState.RINGING
        self._core.emit(Progress(usage, response.status, response.reason, tag))
        # The same description comes again with each resent or later 18x: it is shown once.
        if response.body and self._is_session(response) and self._previews.get(tag) != response.body:
            if tag in self._previews or len(self._previews) < MAX_EARLY_DIALOGS:
                self._previews[tag] = response.body
            self._core.emit(SessionPreview(usage, response.body, tag))

    def _note_early_dialog(self, tag: str, response: Response) -> None:
        if not tag:
            return
        dialog = self._early.get(tag)
        if dialog is not None:
            dialog.refresh_target(response)
        elif len(self._early) < MAX_EARLY_DIALOGS:
            dialog = self._early[tag] = self._dialog(response)
            self._core.add_dialog(dialog.key, self._usage)

    def _dialog(self, response: Response) -> Dialog:
        dialog = Dialog.from_response(self._request, response)
        transaction = self._outgoing.transaction
        dialog.flow = None if transaction is None else transaction.flow
        return dialog

    def _on_success(self, response: Response) -> None:
        tag = response.to.tag or ""
        ack = self._acks.get(tag)
        if ack is not None:
            ack.again()
            return
        if tag == self._winner:
            return  # a late offer: its ACK leaves when the answer is there
        dialog = self._early.get(tag)
        if dialog is None:
            dialog = self._dialog(response)
        else:
            dialog.confirm(response)
        if self._winner is not None or self._usage.state in (UsageState.ENDING, UsageState.ENDED):
            self._refuse(tag, dialog)
            if self._cancelled:
                self._fail(487, reason_phrase(487), "cancelled")
        else:
            self._win(tag, dialog, response)

    def _win(self, tag: str, dialog: Dialog, response: Response) -> None:
        usage = self._usage
        self._winner = tag
        self._forget_early_dialogs()
        body = response.body if self._is_session(response) else b""
        preview = self._previews.get(tag, b"")
        self._previews.clear()
        if not body and self._offered:
            body = preview  # the answer came in the 18x only (section 13.2.1 allows it if reliable)
        if not body:
            self._refuse(tag, dialog, 'SIP;cause=488;text="No session description in the 2xx"')
            self._fail(488, "No session description in the 2xx", "rejected", response)
            return
        usage.peer_allows = response.allowed_methods
        usage.establish(dialog)
        if not self._offered:
            usage.state = UsageState.ANSWERED
            self._core.emit(SessionOffer(usage, body, response.content_type or ""))
            self._core.emit(CallAnswered(usage))
            return
        self._acknowledge(tag, dialog)
        usage.state = UsageState.CONFIRMED
        self._core.emit(SessionAnswer(usage, body, tag, body == preview))
        self._core.emit(CallAnswered(usage))
        self._core.emit(CallConfirmed(usage))

    def _acknowledge(self, tag: str, dialog: Dialog, body: bytes = b"") -> None:
        content_type = self._core.config.accept[0]
        self._acks[tag] = SentAck(self._core, dialog, self._request, body, content_type)

    def _refuse(self, tag: str, dialog: Dialog, reason: str | None = None) -> None:
        """Acknowledge a dialog that we do not want and end it."""
        if len(self._acks) < MAX_EARLY_DIALOGS:
            self._acknowledge(tag, dialog)
            Bye(self._core, dialog, reason, _nothing)

    def _is_session(self, response: Response) -> bool:
        return response.content_type in self._core.config.accept

    def _send_cancel(self) -> None:
        transaction = self._outgoing.transaction
        if transaction is None:
            return
        cancel = cancel_for(transaction.request, self._cancel_reason)
        self._core.layer.request(cancel, transaction.flow, self).start()
        # Section 9.1: without a final response in 64*T1 the INVITE is as good as cancelled.
        self._patience = self._core.queue.start(self._core.config.timers.patience, self._abandon)

    def _abandon(self) -> None:
        if self._outgoing.transaction is not None:
            self._outgoing.transaction.give_up()
        self._fail(487, reason_phrase(487), "cancelled")

    def _fail(self, status: int, reason: str, cause: FailureCause, response: Response | None = None) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        self._forget_early_dialogs()
        self._usage.finish(CallFailed(self._usage, status, reason, cause, response))

    def _forget_early_dialogs(self) -> None:
        for dialog in self._early.values():
            self._core.remove_dialog(dialog.key)
        self._early.clear()


def _nothing() -> None:
    """Nobody waits for the BYE of a branch that lost."""


def check_before_answer(state: UsageState) -> None:
    """LocalProtocolError unless the call can still be cancelled."""
    if state in (UsageState.ANSWERED, UsageState.CONFIRMED):
        raise LocalProtocolError("the call was answered already: end it with bye(), not cancel()")
