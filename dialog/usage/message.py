"""A MESSAGE that came (RFC 3428 section 7); those we send are Questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialog.errors import LocalProtocolError
from dialog.incoming import IncomingRequest
from dialog.service_events import IncomingMessage

if TYPE_CHECKING:
    from dialog.core import Core
    from dialog.usage.invite import InviteUsage


class ReceivedMessage:
    """The `source` of an IncomingMessage. Say one of the two at once: the sender waits."""

    __slots__ = ("_core", "_incoming")

    def __init__(self, core: Core, incoming: IncomingRequest) -> None:
        self._core = core
        self._incoming: IncomingRequest | None = incoming

    def accept(self) -> None:
        """It reached whom it is for: 200."""
        self._take().respond(200)

    def reject(self, status: int, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """It did not."""
        if not 300 <= status <= 699:
            raise LocalProtocolError(f"{status} does not refuse a message: use 300 to 699")
        self._take().respond(status, None, headers)

    def _take(self) -> IncomingRequest:
        incoming, self._incoming = self._incoming, None
        if incoming is None:
            raise LocalProtocolError("the message was answered already")
        self._core.act()
        return incoming


def receive_message(core: Core, incoming: IncomingRequest, usage: InviteUsage | None = None) -> None:
    """A MESSAGE outside a dialog, or in that of a call."""
    core.emit(IncomingMessage(ReceivedMessage(core, incoming), usage, incoming.request))
