"""A dialog (RFC 3261 section 12): what two user agents must remember to send each other requests."""

from __future__ import annotations

from collections.abc import Iterable

from dialog.address import NameAddr
from dialog.addressee import as_request_uri
from dialog.flow import Flow
from dialog.message import Request, Response
from dialog.uri import SipUri, Uri

DialogKey = tuple[str, str, str]
"""Call-ID, local tag, remote tag. A peer of RFC 2543 has the tag ''."""


class Dialog:
    """One dialog, early or confirmed.

    `local` and `remote` are the From and To values of our requests, tags included. `local_sequence` is the
    CSeq number last used by us, `remote_sequence` the last one seen from the peer, None before any.
    """

    __slots__ = (
        "call_id",
        "flow",
        "key",
        "local",
        "local_sequence",
        "local_target",
        "remote",
        "remote_sequence",
        "remote_target",
        "route_set",
    )

    def __init__(
        self,
        call_id: str,
        local: str,
        local_tag: str,
        remote: str,
        remote_tag: str,
        remote_target: Uri,
        route_set: tuple[NameAddr, ...],
        local_sequence: int,
        remote_sequence: int | None,
    ) -> None:
        self.call_id = call_id
        self.key: DialogKey = (call_id, local_tag, remote_tag)
        self.local = local
        self.remote = remote
        self.remote_target = remote_target
        self.route_set = route_set
        self.local_sequence = local_sequence
        self.remote_sequence = remote_sequence
        self.local_target: Uri | None = None
        """Our own Contact in the request that made the dialog. Some peers send it back as theirs, and what is
        sent to it would reach ourselves."""
        self.flow: Flow | None = None
        """Where the peer was heard. A request goes there when its Contact leads nowhere: a tel: URI, a name
        that only the peer can look up, a transport that we do not speak. Real phones send all three."""

    @classmethod
    def from_request(cls, request: Request, local_tag: str, local_sequence: int) -> Dialog:
        """The callee's side of a dialog (section 12.1.1); the To of `request` has no tag yet.

        A request without Contact leaves the From URI as remote target: better than refusing RFC 2543 peers.
        """
        contacts = request.contacts
        return cls(
            request.call_id,
            f"{request.headers.get('To')};tag={local_tag}",
            local_tag,
            request.headers.get("From") or "",
            request.from_.tag or "",
            contacts[0].uri if contacts else request.from_.uri,
            request.record_routes,
            local_sequence,
            request.cseq.number,
        )

    @classmethod
    def from_response(cls, request: Request, response: Response) -> Dialog:
        """The caller's side of a dialog (section 12.1.2), from a response that has a To tag."""
        dialog = cls(
            request.call_id,
            request.headers.get("From") or "",
            request.from_.tag or "",
            response.headers.get("To") or "",
            response.to.tag or "",
            request.uri,
            response.record_routes[::-1],
            request.cseq.number,
            None,
        )
        ours = request.contacts
        dialog.local_target = ours[0].uri if ours else None
        dialog.refresh_target(response)
        return dialog

    @classmethod
    def from_notify(cls, subscribe: Request, notify: Request) -> Dialog:
        """The subscriber's side of a dialog that a NOTIFY makes (RFC 6665 section 4.4.1)."""
        contacts = notify.contacts
        return cls(
            subscribe.call_id,
            subscribe.headers.get("From") or "",
            subscribe.from_.tag or "",
            notify.headers.get("From") or "",
            notify.from_.tag or "",
            contacts[0].uri if contacts else notify.from_.uri,
            notify.record_routes,
            subscribe.cseq.number,
            notify.cseq.number,
        )

    def confirm(self, response: Response) -> None:
        """The 2xx of an early dialog of the caller: take the route set anew (section 13.2.2.4)."""
        self.route_set = response.record_routes[::-1]
        self.refresh_target(response)

    def refresh_target(self, message: Request | Response) -> None:
        """Take the Contact of a target refresh request or of its 2xx (sections 12.2.1.2 and 12.2.2)."""
        contacts = message.contacts
        if contacts and contacts[0].uri != self.local_target:
            self.remote_target = contacts[0].uri

    def accepts_sequence(self, request: Request) -> bool:
        """Whether the CSeq of a request is not lower than the last; if so it is now the last (12.2.2)."""
        number = request.cseq.number
        if self.remote_sequence is not None and number < self.remote_sequence:
            return False
        self.remote_sequence = number
        return True

    def next_sequence(self) -> int:
        """The CSeq number of our next request; an ACK has its INVITE's."""
        self.local_sequence += 1
        return self.local_sequence

    def request(
        self,
        method: str,
        sequence: int,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> DialogRequest:
        """A request in this dialog (section 12.2.1.1), without Via and Contact."""
        request_uri, routes = self._request_uri_and_routes()
        fields = [("Max-Forwards", "70")]
        fields += [("Route", str(route)) for route in routes]
        fields += [
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{sequence} {method}"),
        ]
        fields += headers
        return DialogRequest(self, method, request_uri, fields, body)

    @property
    def next_hop(self) -> Uri:
        """Where requests in this dialog go: to the first router, loose or strict, or to the remote target."""
        return self.route_set[0].uri if self.route_set else self.remote_target

    def _request_uri_and_routes(self) -> tuple[Uri, tuple[NameAddr, ...]]:
        if not self.route_set:
            return self.remote_target, ()
        first = self.route_set[0].uri
        if not isinstance(first, SipUri) or first.is_loose_router:
            return self.remote_target, self.route_set
        # A strict router: it wants to find itself in the Request-URI, and our target as the last Route.
        return as_request_uri(first), (*self.route_set[1:], NameAddr(self.remote_target))


class DialogRequest(Request):
    """A request inside a dialog. It knows whose counter gave its CSeq: sent once more, it takes the next."""

    __slots__ = ("dialog",)

    def __init__(
        self, dialog: Dialog, method: str, uri: Uri, headers: Iterable[tuple[str, str]], body: bytes
    ) -> None:
        super().__init__(method, uri, headers, body)
        self.dialog = dialog


def next_hop(request: Request) -> Uri:
    """Where a request outside a dialog goes: to its first loose Route, or to its Request-URI (8.1.2)."""
    if "Route" in request.headers:
        routes = request.routes
        first = routes[0].uri if routes else None
        if isinstance(first, SipUri) and first.is_loose_router:
            return first
    return request.uri
