"""A request that came, with what is needed to answer it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dialog.message import Request, Response
from dialog.transaction.server import ServerTransaction
from dialog.uri import SipUri, Uri

if TYPE_CHECKING:
    from dialog.core import Core
    from dialog.flow import Flow


class IncomingRequest:
    """One request, its transaction, and the flow it came on.

    `to_tag`, the transaction's, is put into the To of responses when the request has none.
    """

    __slots__ = ("_core", "flow", "request", "transaction")

    def __init__(self, core: Core, request: Request, transaction: ServerTransaction, flow: Flow) -> None:
        self._core = core
        self.request = request
        self.transaction = transaction
        self.flow = flow

    @property
    def to_tag(self) -> str:
        """Our tag in the responses to a request that has none: drawn when it is wanted first."""
        transaction = self.transaction
        if not transaction.to_tag:
            transaction.to_tag = self._core.new_tag()
        return transaction.to_tag

    @property
    def contact(self) -> str:
        """Our Contact towards this peer: the user it called, at the address it reached."""
        return self._core.contact_for(self.flow, self.request.uri, secure=_wants_sips(self.request))

    def respond(
        self,
        status: int,
        reason: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        record_route: bool = False,
    ) -> bytes:
        """Send a response; gives its bytes. LocalProtocolError, and nothing sent, when it is too long."""
        data = self.compose(status, reason, headers, body, record_route=record_route)
        self.transaction.respond(status, data)
        return data

    def compose(
        self,
        status: int,
        reason: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        record_route: bool = False,
    ) -> bytes:
        """The bytes of a response (section 8.2.6), not sent."""
        if status == 100 and "Timestamp" in self.request.headers:
            headers = (*headers, ("Timestamp", self.request.headers.get("Timestamp") or ""))
        response = Response.to_request(
            self.request,
            status,
            reason,
            to_tag=None if status == 100 or self.request.to.tag else self.to_tag,
            record_route=record_route,
            headers=(*self._core.server_headers, *headers),
            body=body,
        )
        return bytes(response)


def _wants_sips(request: Request) -> bool:
    """Whether our Contact must be a SIPS URI (section 12.1.1)."""
    if _is_sips(request.uri):
        return True
    first = request.record_routes[:1] or request.contacts[:1]
    return bool(first) and _is_sips(first[0].uri)


def _is_sips(uri: Uri) -> bool:
    return isinstance(uri, SipUri) and uri.scheme == "sips"
