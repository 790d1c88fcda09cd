"""Sending requests on, and responses back (RFC 3261 sections 16.4, 16.6, 16.7, 16.10).

One `Forwarding` is the response context of one request: a `Branch` for each place it goes to. The best final
response goes back when every branch has one, a 2xx at once; then, and when the caller cancels, the branches
still pending are cancelled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from dialog.address import NameAddr
from dialog.flow import Flow
from dialog.headers import Headers, split_list
from dialog.incoming import IncomingRequest
from dialog.message import Request, Response
from dialog.outgoing import Outgoing
from dialog.timers import Timer
from dialog.transaction.client import ClientTransaction, cancel_for
from dialog.transaction.tables import State
from dialog.uri import SipUri, Uri

if TYPE_CHECKING:
    from sipmedia.registrar.core import RegistrarCore

TIMER_C = 185.0
"""Seconds without a response, over 3 minutes, after which a ringing branch is given up (section 16.6, 11)."""
_DIALOGS = ("INVITE", "SUBSCRIBE", "REFER")
_ONLY_OURS = ("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID")
"""What phones say of themselves is not passed on: who trusts us would believe it (RFC 3325 section 5)."""
_CHALLENGES = ("WWW-Authenticate", "Proxy-Authenticate")


class Hop(NamedTuple):
    """Where to: the Request-URI, the flow if one is known already, and the proxies on the way (RFC 3327)."""

    uri: Uri
    flow: Flow | None = None
    path: tuple[NameAddr, ...] = ()


class Forwarded(Request):
    """A request as we send it on. `mark` is for its branch: what it looked like when it came."""

    __slots__ = ("mark",)

    def __init__(self, request: Request, hop: Hop, mark: str) -> None:
        super().__init__(request.method, hop.uri, request.headers.copy(), request.body)
        self.mark = mark
        left = request.max_forwards
        self.headers.set("Max-Forwards", "70" if left is None else str(max(left - 1, 0)))
        for name in _ONLY_OURS:
            self.headers.remove(name)
        for route in reversed(hop.path):
            self.headers.insert("Route", str(route))

    def next_hop(self) -> Uri:
        """Where it goes; towards a strict router the Request-URI and the first Route change places."""
        if not self.routes:
            return self.uri
        first = self.routes[0].uri
        if isinstance(first, SipUri) and not first.is_loose_router:
            rest = [str(route) for route in self.routes[1:]] + [f"<{self.request_uri}>"]
            self.request_uri = str(first)
            _set_routes(self, rest)
        return first


def take_own_routes(core: RegistrarCore, request: Request) -> bool:
    """Take ourselves out of the Route (section 16.4); whether we were in it."""
    uri = request.uri
    routes = [str(route) for route in request.routes]
    ours = False
    if isinstance(uri, SipUri) and uri.is_loose_router and not uri.user and core.is_ours(uri) and routes:
        # A strict router sent it: what we wrote into Record-Route is in the Request-URI.
        request.request_uri = str(NameAddr.parse(routes.pop(), "Route").uri)
        ours = True
    while routes and core.is_ours(NameAddr.parse(routes[0], "Route").uri):
        del routes[0]
        ours = True
    if ours:
        _set_routes(request, routes)
    return ours


def pass_ack(core: RegistrarCore, ack: Request, hop: Hop) -> None:
    """Send on the ACK of a 2xx, which has no transaction."""
    onward = Forwarded(ack, hop, core.mark(ack))
    next_hop = onward.next_hop()
    if hop.flow is not None:
        core.add_via(onward, hop.flow)
        core.send(hop.flow, bytes(onward))
    else:
        core.send_ack(onward, next_hop, lambda flow, data: None)


class Forwarding:
    """One request on its way to one place or several."""

    def __init__(self, core: RegistrarCore, incoming: IncomingRequest, hops: list[Hop], mark: str) -> None:
        self._core = core
        self._incoming = incoming
        self._mark = mark
        self._hops = hops
        self._branches: list[Branch] = []

    def start(self) -> None:
        """Send it to all of them."""
        incoming = self._incoming
        if incoming.request.method == "INVITE":
            incoming.transaction.user = self
            incoming.transaction.start_trying(lambda: incoming.compose(100))
        self._branches = [Branch(self._core, self, incoming, hop, self._mark) for hop in self._hops]
        for branch in self._branches:
            branch.start()

    # What the caller does.

    def on_cancel(self, cancel: Request) -> None:
        """Every branch is cancelled; their 487 become ours."""
        self._cancel_pending()

    def on_ack(self, ack: Request) -> None:
        """The ACK of a 2xx with the branch of its INVITE, as in RFC 2543."""
        self._core.pass_ack(ack, self._incoming.flow)

    def on_response_lost(self, cause: Literal["timeout", "transport"]) -> None:
        """The caller is gone: nobody needs an answer any more."""
        self._cancel_pending()

    # What the branches tell.

    def on_provisional(self, response: Response) -> None:
        """Passed on at once, but for 100."""
        if response.status != 100 and not self._incoming.transaction.answered:
            self._pass(response)

    def on_final(self, branch: Branch) -> None:
        """A branch is done: pass on a 2xx, or the best response when there is nothing to wait for."""
        assert branch.status is not None
        invite = self._incoming.request.method == "INVITE"
        if branch.status < 300:
            if branch.response is not None and (invite or not self._incoming.transaction.answered):
                self._pass(branch.response)
            self._cancel_pending()
            return
        if branch.status >= 600:
            self._cancel_pending()
        if not self._incoming.transaction.answered and all(b.status is not None for b in self._branches):
            self._pass_best()

    def _pass_best(self) -> None:
        best = min(self._branches, key=lambda branch: _rank(branch.status or 408))
        status = 500 if best.status == 503 else best.status or 408
        if best.response is None or status != best.status:
            self._incoming.respond(status)
            return
        response = best.response
        if status in (401, 407):
            # The caller can answer all challenges at once (section 16.7, step 7).
            for other in self._branches:
                if other is not best and other.response is not None and other.status in (401, 407):
                    for name in _CHALLENGES:
                        for value in other.response.headers.get_all(name):
                            response.headers.add(name, value)
        self._pass(response)

    def _pass(self, response: Response) -> None:
        self._incoming.transaction.respond(response.status, bytes(response))

    def _cancel_pending(self) -> None:
        for branch in self._branches:
            branch.cancel()


class Branch:
    """The request on its way to one place. `status` is its final one, None before."""

    def __init__(
        self, core: RegistrarCore, forwarding: Forwarding, incoming: IncomingRequest, hop: Hop, mark: str
    ) -> None:
        self._core = core
        self._forwarding = forwarding
        self._incoming = incoming
        self._hop = hop
        self._request = Forwarded(incoming.request, hop, mark)
        self._recorded = incoming.request.headers.get_all("Record-Route")
        self._outgoing: Outgoing | None = None
        self._cancelled = self._cancel_sent = False
        self._timer_c: Timer | None = None
        self.status: int | None = None
        self.response: Response | None = None

    def start(self) -> None:
        """Send it."""
        core, request = self._core, self._request
        uri = request.next_hop()
        self._watch()
        flow = self._hop.flow
        if flow is not None:
            self._outgoing = Outgoing(core, request, uri, None, None)
            self._outgoing.user = self
            self._outgoing.settled = True  # there is no other way to that phone
            self._record_route(flow)
            self._outgoing.send_again(flow)
        else:
            self._outgoing = core.send_request(request, self, uri, prepare=self._record_route)

    def cancel(self) -> None:
        """Give it up; a CANCEL waits for the first provisional response (section 9.1)."""
        if self.status is not None or self._cancelled or self._request.method != "INVITE":
            return
        self._cancelled = True
        self._watch(self._core.config.timers.patience)
        outgoing = self._outgoing
        if outgoing is None or outgoing.transaction is None:
            if outgoing is not None:
                outgoing.abandoned = True
            self._finish(487, None)
        elif outgoing.transaction.state is State.PROCEEDING:
            self._send_cancel(outgoing.transaction)

    # What the transaction tells.

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        """Without our Via it goes back, now or when the others have answered, too."""
        if transaction.request.method == "CANCEL":
            return
        back = _without_top_via(response)
        for name in _ONLY_OURS:
            back.headers.remove(name)
        if response.status < 200:
            if self._cancelled:
                self._send_cancel(transaction)
            else:
                self._watch()
            self._forwarding.on_provisional(back)
        else:
            self._finish(response.status, back)

    def on_failure(
        self, transaction: ClientTransaction | None, cause: Literal["timeout", "transport"]
    ) -> None:
        """As if it had answered 408 or 503 (section 16.9)."""
        if transaction is None or transaction.request.method != "CANCEL":
            self._finish(408 if cause == "timeout" else 503, None)

    def _finish(self, status: int, response: Response | None) -> None:
        if self._timer_c is not None:
            self._timer_c.cancel()
            self._timer_c = None
        if self.status is not None and status >= 300:
            return  # a 2xx may come again, and from several forks further on
        self.status, self.response = status, response
        self._forwarding.on_final(self)

    def _watch(self, seconds: float = TIMER_C) -> None:
        """(Re)start timer C."""
        if self._request.method == "INVITE":
            if self._timer_c is not None:
                self._timer_c.cancel()
            self._timer_c = self._core.queue.start(seconds, self._ring_out)

    def _ring_out(self) -> None:
        """Nobody answered, or not even our CANCEL."""
        self._timer_c = None
        if not self._cancelled:
            self.cancel()
            return
        if self._outgoing is not None and self._outgoing.transaction is not None:
            self._outgoing.transaction.give_up()
        self._finish(408, None)

    def _send_cancel(self, transaction: ClientTransaction) -> None:
        if self.status is None and not self._cancel_sent:
            self._cancel_sent = True
            cancel = cancel_for(transaction.request, None)
            self._core.layer.request(cancel, transaction.flow, self).start()

    def _record_route(self, flow: Flow) -> None:
        """Stay on the way of the dialog; from one transport to another with an address of each (RFC 5658)."""
        request, core = self._request, self._core
        if request.method not in _DIALOGS or request.to.tag is not None:
            return
        scheme = "sips" if self._incoming.request.uri.scheme == "sips" else "sip"
        here, there = _route_to(core, self._incoming.flow, scheme), _route_to(core, flow, scheme)
        request.headers.remove("Record-Route")  # with what we said on the way to another server
        for route in reversed([*([there] if there != here else []), here, *self._recorded]):
            request.headers.insert("Record-Route", route)


def _route_to(core: RegistrarCore, flow: Flow, scheme: str) -> str:
    """Our address on a flow; in a SIPS URI TLS goes without saying (section 26.2.2)."""
    params: dict[str, str | None] = {"lr": None}
    if flow.transport != "UDP" and scheme == "sip":
        params = {"transport": flow.transport.lower(), "lr": None}
    return f"<{SipUri(None, *core.public_address(flow), params, scheme=scheme)}>"


def _set_routes(request: Request, routes: list[str]) -> None:
    request.headers.remove("Route")
    for route in reversed(routes):
        request.headers.insert("Route", route)


def _without_top_via(response: Response) -> Response:
    fields = list(response.headers)
    position = next(index for index, (name, _) in enumerate(fields) if name.lower() in ("via", "v"))
    rest = split_list(fields[position][1])[1:]
    if rest:
        fields[position] = "Via", ", ".join(rest)
    else:
        del fields[position]
    return Response(response.status, response.reason, Headers(fields), response.body)


def _rank(status: int) -> tuple[int, int]:
    """Which response is better (section 16.7, step 6): 6xx, then the lowest class, in 4xx what helps."""
    if status >= 600:
        return 0, status
    helpful = 0 if status in (401, 407, 415, 420, 484) else 1
    return status // 100, helpful
