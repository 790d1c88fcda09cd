"""Several usages in one dialog (RFC 5057), and who is given a request in a dialog.

A dialog is made by its first usage, a call or a subscription, and lives until its last one is over: the
NOTIFY that tells how a transfer went comes after the BYE of the call it was asked for in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
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
