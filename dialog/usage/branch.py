"""One dialog of a call with its offer/answer exchange and its UPDATEs.

A caller has one for each To tag that answered its INVITE, a callee has one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from dialog.dialog import Dialog
from dialog.message import Request, Response
from dialog.usage.exchange import Exchange
from dialog.usage.update import Updating

if TYPE_CHECKING:
    from dialog.usage.invite import InviteUsage


class Asker(Protocol):
    """Who waits for the application to give a session description."""

    def accept(self, body: bytes) -> None:
        """Here it is: the answer, or the offer that was asked for."""

    def reject(self, status: int) -> None:
        """There is none: the offer is refused."""


class Branch:
    """One dialog of a call, early or confirmed."""

    __slots__ = ("_updating", "_usage", "asker", "dialog", "exchange", "peer_allows", "settled")

    def __init__(self, usage: InviteUsage, dialog: Dialog, exchange: Exchange) -> None:
        self.dialog = dialog
        self.exchange = exchange
        self.asker: Asker | None = None
        """Who waits for the application's answer or offer."""
        self.settled = False
        """Whether the exchange of the INVITE is over; one of an UPDATE may be open all the same."""
        self.peer_allows: frozenset[str] = frozenset()
        """Methods that the peer's Allow named last."""
        self._usage: InviteUsage | None = usage
        self._updating: Updating | None = None

    @property
    def tag(self) -> str:
        """The remote tag: what events call `early_dialog`."""
        return self.dialog.key[2]

    @property
    def updating(self) -> Updating:
        """Its UPDATEs; made when there is one, for most calls have none."""
        if self._updating is None:
            assert self._usage is not None, "nothing is asked of a branch whose call is over"
            self._updating = Updating(self._usage, self)
        return self._updating

    @property
    def updating_out(self) -> bool:
        """An UPDATE of ours is on its way, or waits to be tried again."""
        return self._updating is not None and self._updating.busy_out

    def note_peer(self, message: Request | Response) -> None:
        """Take what a message says about the peer."""
        if "Allow" in message.headers:
            self.peer_allows = message.allowed_methods

    def ask(self, asker: Asker, *, offered: bool = True) -> None:
        """The application is to give an answer (or, not `offered`, an offer)."""
        self.asker = asker
        if offered:
            self.exchange = Exchange.THEIRS

    def answered(self) -> None:
        """The application was asked, and has answered or refused."""
        self.asker = None
        if self.exchange is Exchange.THEIRS:
            self.exchange = Exchange.AGREED

    def offer_failed(self) -> None:
        """Our offer was refused, or its answer never came: what was agreed before holds on."""
        if self.exchange is Exchange.OURS:
            self.exchange = Exchange.AGREED

    @property
    def quiet(self) -> bool:
        """Nobody's offer is open and nobody was asked for one."""
        return self.exchange is Exchange.AGREED and self.asker is None

    def stop(self) -> None:
        """The call, or this branch of it, is over."""
        if self._updating is not None:
            self._updating.stop()
        self.asker = None

    def release(self) -> None:
        """The dialog is over. Without the way back the call is freed with its last user, and a busy phone
        need not stop for the collector of cycles."""
        self._usage = self._updating = None
