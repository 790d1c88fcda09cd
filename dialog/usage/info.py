"""INFO inside a call (RFC 6086), of the kind without a package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dialog.events import InfoReceived
from dialog.incoming import IncomingRequest
from dialog.message import Response
from dialog.transaction.client import ClientTransaction

if TYPE_CHECKING:
    from dialog.usage.invite import InviteUsage


class Info:
    """One INFO of ours."""

    __slots__ = ("_usage",)

    def __init__(self, usage: InviteUsage, content_type: str, body: bytes) -> None:
        self._usage = usage
        dialog = usage.confirmed_dialog
        headers = [("Content-Type", content_type)] if body else []
        request = dialog.request("INFO", dialog.next_sequence(), headers, body)
        usage.core.send_request(request, self, dialog.next_hop, otherwise=dialog.flow)

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        """Only a peer that does not know the dialog matters (RFC 3261 section 12.2.1.2)."""
        if response.status == 481:
            self._usage.dialog_is_gone(481, "remote")

    def on_failure(
        self, transaction: ClientTransaction | None, cause: Literal["timeout", "transport"]
    ) -> None:
        """It was not answered."""
        self._usage.dialog_is_gone(408 if cause == "timeout" else 503, cause)


def receive_info(usage: InviteUsage, incoming: IncomingRequest) -> None:
    """An INFO of a package we never offered gets 469; one of old (DTMF relay) is taken."""
    request = incoming.request
    if "Info-Package" in request.headers:
        incoming.respond(469, None, (("Recv-Info", ""),))
        return
    incoming.respond(200)
    usage.core.emit(InfoReceived(usage, request.content_type or "", request.body))
