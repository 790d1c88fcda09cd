"""Several usages in one dialog (RFC 5057), and who is given a request in a dialog.

A dialog is made by its first usage, a call or a subscription, and lives until its last one is over: the
NOTIFY that tells how a transfer went comes after the BYE of the call it was asked for in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from dialog.core import Core
    from dialog.dialog import Dialog
    from dialog.incoming import IncomingRequest
    from dialog.message import Request

GoneCause = Literal["remote", "timeout", "transport"]
"""Why a dialog is over for all its usages: the peer does not know it, does not answer, or is out of reach."""


class DialogUser(Protocol):
    """Who owns a dialog of the core's table."""

    def receive_request(self, incoming: IncomingRequest) -> None:
        """A request in the dialog, other than ACK and CANCEL. It must be answered."""

    def receive_ack(self, ack: Request) -> None:
        """An ACK in the dialog that belongs to no transaction."""


class Sharer(Protocol):
    """A usage in the dialog of another one."""

    def takes(self, request: Request) -> bool:
        """Whether a request in the dialog is for this usage: by its method, and its Event header."""

    def receive_request(self, incoming: IncomingRequest) -> None:
        """A request that it takes; its CSeq has been checked."""

    def dialog_is_gone(self, status: int, cause: GoneCause) -> None:
        """The dialog is over for all its usages (RFC 5057 section 5.1)."""


class Sharers:
    """The usages that share the dialog of another one."""

    __slots__ = ("_members",)

    def __init__(self) -> None:
        self._members: list[Sharer] = []

    def __bool__(self) -> bool:
        return bool(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def add(self, sharer: Sharer) -> None:
        """It takes part from now on; the latest is asked first."""
        self._members.insert(0, sharer)

    def remove(self, sharer: Sharer) -> None:
        """It is over."""
        if sharer in self._members:
            self._members.remove(sharer)

    def find(self, request: Request) -> Sharer | None:
        """Whom a request is for, if for one of these."""
        for member in self._members:
            if member.takes(request):
                return member
        return None

    def dialog_is_gone(self, status: int, cause: GoneCause) -> None:
        """Tell all of them."""
        for member in list(self._members):
            member.dialog_is_gone(status, cause)


class Host(Protocol):
    """Who has a dialog that others may share: a call, or an OwnDialog."""

    sharers: Sharers

    @property
    def confirmed_dialog(self) -> Dialog:
        """The dialog."""

    def leave(self, sharer: Sharer) -> None:
        """A usage that shares the dialog is over."""


class OwnDialog:
    """A dialog without a call, made for a subscription: it lives as long as somebody shares it."""

    __slots__ = ("_core", "confirmed_dialog", "sharers")

    def __init__(self, core: Core, dialog: Dialog, first: Sharer) -> None:
        self._core = core
        self.confirmed_dialog = dialog
        self.sharers = Sharers()
        self.sharers.add(first)
        core.dialogs.add(dialog.key, self)

    def receive_request(self, incoming: IncomingRequest) -> None:
        """Give a request to whoever takes it; nobody else is here."""
        if not self.confirmed_dialog.accepts_sequence(incoming.request):
            incoming.respond(500, "CSeq Out Of Order")
            return
        sharer = self.sharers.find(incoming.request)
        if sharer is None:
            incoming.respond(481)
        else:
            sharer.receive_request(incoming)

    def receive_ack(self, ack: Request) -> None:
        """There is no INVITE here that an ACK could be for."""

    def leave(self, sharer: Sharer) -> None:
        """The last one takes the dialog with it."""
        self.sharers.remove(sharer)
        if not self.sharers:
            self._core.dialogs.remove(self.confirmed_dialog.key)
