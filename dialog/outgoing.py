"""A request of ours on its way: to the first server that takes it (RFC 3263 section 4.3).

A server that cannot be connected to, does not answer, or answers 503 is left for the next that its URI leads
to, with a new branch; who sent the request hears only of the last. A connection that was open before and
turns out to be dead is made anew, once: servers close idle ones without a word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from dialog.flow import Flow
from dialog.message import Request, Response
from dialog.uri import SipUri, Uri

if TYPE_CHECKING:
    from dialog.core import Core
    from dialog.transaction.client import ClientTransaction, ClientUser

MAX_UDP_REQUEST = 1300
"""Longer requests go by TCP where the URI leaves it open (section 18.1.1)."""
_VIA, _CONTACT = 100, 60
"""About as much as they will add."""
_MOST_SECONDS = 3600.0


class Outgoing:
    """A request on its way to a transaction; it has none while its flow is looked for.

    `transaction` is the newest one: a request that is challenged is sent again. An `abandoned` one is not,
    and one that is `settled` goes to no other server. `why` says in words why there was no way. `user` is
    who hears what becomes of the request.
    """

    __slots__ = (
        "_cause",
        "_contact",
        "_core",
        "_heard",
        "_hop",
        "_otherwise",
        "_request",
        "_retried",
        "_way",
        "abandoned",
        "settled",
        "transaction",
        "user",
        "why",
    )

    def __init__(
        self,
        core: Core,
        request: Request,
        hop: Uri,
        contact: Callable[[Flow], None] | None,
        otherwise: Flow | None,
    ) -> None:
        self._core = core
        self._request = request
        self._hop = hop
        self._contact = contact
        self._otherwise = otherwise
        self._heard = False
        self._retried = False
        self._way = core.locator.way(hop)
        self.user: ClientUser
        self.transaction: ClientTransaction | None = None
        self.abandoned = False
        self.settled = False
        self.why = ""
        self._cause: Literal["timeout", "transport"] = "transport"

    def start(self) -> None:
        """Look for the first flow. `user` is never called before this returns."""
        self._way.large = is_large(self._request)
        if self._otherwise is not None and is_no_place(self._hop):
            self._found(None)
        else:
            self._way.next(self._found)

    def send_changed(self, flow: Flow) -> None:
        """Send the request, which is without Via and has been changed, once more to where `flow` leads:
        by TCP, if credentials have made it too long for UDP."""
        if is_large(self._request) and self._way.outgrow(flow):
            self._way.next(self._found)
        else:
            self.send_again(flow)

    def send_again(self, flow: Flow) -> None:
        """Send the request, which is without Via, by a new transaction."""
        core = self._core
        self._heard = False
        core.add_via(self._request, flow)
        self.transaction = core.layer.request(self._request, flow, self)
        self.transaction.start()

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        """A response: 503 may send the request elsewhere."""
        if transaction is self.transaction:
            if response.status == 503 and self._leave(transaction, _retry_after(response)):
                return
            if response.status > 100 and not self._heard:
                self._heard = True
                if self._way.target is not None:
                    self._core.locator.pardon(self._way.target)
        self.user.on_response(transaction, response)

    def on_failure(
        self, transaction: ClientTransaction | None, cause: Literal["timeout", "transport"]
    ) -> None:
        """No final response will come from that server."""
        if cause == "transport":
            self.why = self._core.lost_because
        if transaction is not None and transaction is self.transaction and not self._heard:
            self._cause = cause
            way = self._way
            dead = cause == "transport" and way.reused and transaction.flow.connection
            if dead and not (self._retried or self.settled or self.abandoned):
                self._retried = True
                self._detach(transaction)
                way.again(self._found)
                return
            if self._leave(transaction, None):
                return
            self.why = self.why or way.why
        self.user.on_failure(transaction, cause)

    def _leave(self, transaction: ClientTransaction, seconds: float | None) -> bool:
        """Go on to the next server; False when there is none, or the request is not to be sent again."""
        way = self._way
        if way.target is not None:
            if seconds is None:
                self._core.locator.penalise(way.target)
            else:
                self._core.locator.penalise(way.target, seconds)
        if self.abandoned or self.settled or not way.has_more:
            return False
        self._detach(transaction)
        way.next(self._found)
        return True

    def _detach(self, transaction: ClientTransaction) -> None:
        """The transaction that failed keeps a request of its own, for the ACKs it may still have to send."""
        request = self._request
        transaction.request = Request(
            request.method, request.request_uri, request.headers.copy(), request.body
        )
        request.headers.remove("Via")

    def _found(self, flow: Flow | None) -> None:
        if self.abandoned:
            # Whoever gave it up while a server was being left still waits for the outcome.
            if self.transaction is not None:
                self._fail(self.transaction)
            return
        if flow is None:
            flow = instead(self._hop, self._otherwise, self._core)
            self.settled = True  # there is no server to go on to: who was heard there is the last resort
        if flow is None:
            self._fail(self.transaction)
            return
        if self._contact is not None:
            self._contact(flow)
        self.send_again(flow)

    def _fail(self, transaction: ClientTransaction | None) -> None:
        self.why = self._way.why or self.why
        # A moment later: who sends a request need not expect to hear of its end before it has begun.
        self._core.queue.start(0.0, lambda: self._tell(transaction))

    def _tell(self, transaction: ClientTransaction | None) -> None:
        if transaction is not None or not self.abandoned:
            self.user.on_failure(transaction, self._cause)


def is_large(request: Request) -> bool:
    """Whether a request without Via, and perhaps without Contact, will be too long for UDP."""
    to_come = _VIA if "Contact" in request.headers else _VIA + _CONTACT
    return len(bytes(request)) > MAX_UDP_REQUEST - to_come


def instead(hop: Uri, otherwise: Flow | None, core: Core) -> Flow | None:
    """The flow to use when there is none to `hop`: not a dead one, and only a secure one for SIPS."""
    if otherwise is None or (otherwise.connection and otherwise not in core.connections):
        return None
    if isinstance(hop, SipUri) and hop.scheme == "sips" and not otherwise.secure:
        return None
    return otherwise


def is_no_place(hop: Uri) -> bool:
    """Whether a phone named what it listens on where it should have named itself: that would lead to us."""
    return isinstance(hop, SipUri) and (hop.host in ("0.0.0.0", "::") or hop.port == 0)


def _retry_after(response: Response) -> float | None:
    """The seconds of a Retry-After field, if there is one to be read (section 20.33)."""
    text = (response.headers.get("Retry-After") or "").split("(")[0].split(";")[0].strip()
    return min(float(text), _MOST_SECONDS) if text.isascii() and text.isdigit() and len(text) < 10 else None
