"""The third leg of an accepted INVITE: our ACK, and our 2xx that waits for theirs.

Both lie outside the transactions (RFC 3261 sections 13.2.2.4 and 13.3.1.4) and are the same for the first
INVITE of a call and for a re-INVITE.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dialog.authentication import credentials_of
from dialog.dialog import Dialog
from dialog.flow import Flow
from dialog.message import Request
from dialog.timers import Timer
from dialog.transaction.server import ServerTransaction

if TYPE_CHECKING:
    from dialog.core import Core


class SentAck:
    """The ACK for one 2xx: sent at once, and again each time the 2xx comes again."""

    __slots__ = ("_core", "_sent")

    def __init__(
        self, core: Core, dialog: Dialog, invite: Request, body: bytes = b"", content_type: str = ""
    ) -> None:
        """`invite` is the request that was accepted; its CSeq number and credentials go into the ACK."""
        self._core = core
        self._sent: tuple[Flow, bytes] | None = None
        headers = credentials_of(invite)
        if body:
            headers.append(("Content-Type", content_type))
        ack = dialog.request("ACK", invite.cseq.number, headers, body)
        core.send_ack(ack, dialog.next_hop, self._remember, dialog.flow)

    def _remember(self, flow: Flow, data: bytes) -> None:
        self._sent = flow, data

    def again(self) -> None:
        """The 2xx was repeated: so is the ACK."""
        if self._sent is not None:
            self._core.send(*self._sent)


class Accepted:
    """A 2xx of ours, resent until its ACK comes or 64*T1 have passed, over any transport."""

    __slots__ = ("_core", "_data", "_interval", "_patience", "_resending", "_transaction", "_unacknowledged")

    def __init__(
        self, core: Core, transaction: ServerTransaction, data: bytes, unacknowledged: Callable[[], None]
    ) -> None:
        self._core = core
        self._transaction = transaction
        self._data = data
        self._unacknowledged = unacknowledged
        self._interval = core.config.timers.T1
        self._resending: Timer | None = core.queue.start(self._interval, self._resend)
        self._patience: Timer | None = core.queue.start(core.config.timers.patience, self._give_up)

    def stop(self) -> None:
        """The ACK came, or it does not matter any more."""
        if self._resending is not None:
            self._resending.cancel()
            self._resending = None
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _resend(self) -> None:
        self._transaction.respond(200, self._data)
        self._interval = min(self._interval * 2, self._core.config.timers.T2)
        self._resending = self._core.queue.start(self._interval, self._resend)

    def _give_up(self) -> None:
        self.stop()
        self._unacknowledged()


def carries_session(message: Request, accepted_types: tuple[str, ...]) -> bool:
    """Whether an ACK carries a session description."""
    return bool(message.body) and message.content_type in accepted_types
