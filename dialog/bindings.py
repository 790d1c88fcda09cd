"""What the registrations of one core mean for everything else it sends and receives.

Requests of an account take its routes (the outbound proxy, then the Service-Route of RFC 3608), their Contact
is its GRUU or the address that the registrar sees us at, a registered flow is kept open, and not all accounts
register in the same moment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from dialog.address import NameAddr
from dialog.flow import Flow, HostPort
from dialog.identity import sender_of
from dialog.keep_alive import KeepAlives
from dialog.message import Request
from dialog.uri import SipUri, Uri

if TYPE_CHECKING:
    from dialog.core import Core
    from dialog.registration import Registration

AT_ONCE = 32
"""REGISTER requests in progress to one place at most: as many as any socket's buffer takes."""
_MAX_LEARNED = 1024

_Account = tuple[str, str]


class Bindings:
    """The registrations of one core, and the routes of its accounts."""

    def __init__(self, core: Core) -> None:
        self._all: dict[Registration, None] = {}
        self._by_account: dict[_Account, Registration] = {}
        self._flows: dict[Flow, dict[Registration, None]] = {}
        self._where: dict[Registration, Flow] = {}
        self._by_user: dict[tuple[Flow, str], Registration] = {}
        self._routes: dict[_Account, tuple[NameAddr, ...]] = {}
        self._homes: dict[_Account, SipUri] = {}
        self._learned: dict[Flow, HostPort] = {}
        self._turns: dict[str, _Turns] = {}
        self._keep_alives = KeepAlives(core)
        self._trust = core.trust

    def __len__(self) -> int:
        return len(self._all)

    # What the application sets.

    def set_routes(self, account: Uri, routes: Iterable[NameAddr]) -> None:
        """Requests from this account outside dialogs go by these routes; () lifts it."""
        self._routes.pop(_key(account), None)
        if route_set := tuple(routes):
            self._routes[_key(account)] = route_set
            self._trust.name(route_set[0].uri)

    def set_home(self, account: Uri, hop: SipUri) -> None:
        """Requests from this account to its own domain go to `hop`: a server given by its address."""
        self._homes[_key(account)] = hop
        self._trust.name(hop)

    # What requests ask.

    def route(self, request: Request, hop: Uri) -> Uri:
        """Put the routes of its account into a request outside dialogs that has none; gives its next hop."""
        if not self._routes and not self._homes and not self._by_account:
            return hop
        if "Route" in request.headers or request.method == "REGISTER" or request.to.tag is not None:
            return hop
        account, target = sender_of(request), request.uri
        routes = self._routes_for(account)
        for route in reversed(routes):
            request.headers.insert("Route", str(route))
        if routes:
            return routes[0].uri
        home = self._homes.get(_key(account))
        if home is not None and isinstance(target, SipUri) and target.host.lower() == _key(account)[1]:
            return home
        return hop

    def contact_for(self, flow: Flow, uri: Uri | None) -> str | None:
        """The Contact that a registration gives to a dialog of `uri` on this flow: its GRUU, or its contact
        with `ob` (RFC 5626 section 4.3); None when there is none.

        Behind a NAT a connection made for one long request is no way in. What is registered at the same
        server is: that mapping is kept open.
        """
        if not self._flows or not isinstance(uri, SipUri):
            return None
        registration = self._by_account.get(_key(uri))
        if registration is not None and self._is_beside(flow, registration.flow):
            return f"<{registration.grant.public_gruu or registration.contact}>"
        if registration is None or registration.flow != flow:
            registration = self._by_user.get((flow, uri.user or ""))
        if registration is None:
            return None
        grant = registration.grant
        if grant.public_gruu:
            return f"<{grant.public_gruu}>"
        return f"<{registration.contact}>" if grant.outbound else None

    def _is_beside(self, flow: Flow, registered: Flow | None) -> bool:
        if registered is None or registered not in self._learned:
            return False
        return flow.connection > 0 and flow not in self._flows and flow.remote == registered.remote

    def public_address(self, flow: Flow) -> HostPort | None:
        """Our address as a registrar saw it on this flow, when it is not the one we know."""
        return self._learned.get(flow)

    def uses(self, flow: Flow) -> bool:
        """Whether requests for us come on this flow."""
        return flow in self._flows

    # What the flows tell.

    def flow_lost(self, flow: Flow) -> None:
        """A connection is gone: what was registered over it is registered again."""
        self._learned.pop(flow, None)
        self._keep_alives.stop(flow)
        if flow.connection:
            for registration in list(self._flows.get(flow, ())):
                registration.flow_lost()

    # What registrations tell.

    def add(self, registration: Registration) -> None:
        """A registration begins; the newest one of an account counts."""
        self._all[registration] = None
        self._by_account[_key(registration.account)] = registration

    def remove(self, registration: Registration) -> None:
        """A registration is over."""
        self._all.pop(registration, None)
        self._leave_flow(registration)
        key = _key(registration.account)
        if self._by_account.get(key) is registration:
            del self._by_account[key]
        self.turn_over(registration)

    def moved(self, registration: Registration) -> None:
        """Its flow, or what was granted on it, is another one now."""
        flow = registration.flow
        if self._where.get(registration) != flow:
            self._leave_flow(registration)
        if flow is not None:
            self._where[registration] = flow
            self._flows.setdefault(flow, {})[registration] = None
            self._by_user[flow, registration.account.user or ""] = registration
            if registration.expires_at is not None:
                self._trust.add(flow)
                grant, behind_nat = registration.grant, flow in self._learned
                self._keep_alives.keep(flow, grant.flow_timer, grant.outbound, behind_nat)

    def learn(self, flow: Flow, address: HostPort) -> None:
        """A registrar sees us at this address."""
        if len(self._learned) >= _MAX_LEARNED:
            del self._learned[next(iter(self._learned))]
        self._learned[flow] = address

    def in_turn(self, registration: Registration, action: Callable[[], None]) -> None:
        """Have a registration send when fewer than AT_ONCE to the same registrar wait for an answer."""
        self._turns_of(registration).ask(registration, action)

    def turn_over(self, registration: Registration) -> None:
        """Its request has its answer, or is not wanted any more."""
        self._turns_of(registration).over(registration)

    # Inside.

    def _routes_for(self, account: Uri) -> tuple[NameAddr, ...]:
        key = _key(account)
        routes = self._routes.get(key, ())
        registration = self._by_account.get(key)
        service = registration.grant.service_route if registration is not None else ()
        # A proxy that is its own first Service-Route is not to be passed twice.
        return service if routes and service and _same_place(routes[0], service[0]) else (*routes, *service)

    def _turns_of(self, registration: Registration) -> _Turns:
        settings = registration.settings
        place = str(settings.route_set[0].uri if settings.route_set else settings.hop or settings.registrar)
        turns = self._turns.get(place)
        if turns is None:
            turns = self._turns[place] = _Turns()
        return turns

    def _leave_flow(self, registration: Registration) -> None:
        flow = self._where.pop(registration, None)
        if flow is None:
            return
        key = flow, registration.account.user or ""
        if self._by_user.get(key) is registration:
            del self._by_user[key]
        mates = self._flows[flow]
        mates.pop(registration, None)
        if not mates:
            del self._flows[flow]
            self._learned.pop(flow, None)
            self._keep_alives.stop(flow)


class _Turns:
    """Who may send to one registrar now, and who waits for that."""

    __slots__ = ("_busy", "_order", "_running", "_waiting")

    def __init__(self) -> None:
        self._busy: set[Registration] = set()
        self._waiting: dict[Registration, Callable[[], None]] = {}
        self._order: deque[Registration] = deque()
        self._running = False

    def ask(self, registration: Registration, action: Callable[[], None]) -> None:
        if registration not in self._waiting:
            self._order.append(registration)
        self._waiting[registration] = action
        self._run()

    def over(self, registration: Registration) -> None:
        self._busy.discard(registration)
        if self._waiting.pop(registration, None) is not None:
            self._order.remove(registration)
        self._run()

    def _run(self) -> None:
        # Not by recursion: where nothing can be sent, each request fails while it is being made.
        if self._running:
            return
        self._running = True
        while self._order and len(self._busy) < AT_ONCE:
            registration = self._order.popleft()
            self._busy.add(registration)
            self._waiting.pop(registration)()
        self._running = False


def _key(account: Uri) -> _Account:
    if isinstance(account, SipUri):
        return account.user or "", account.host.lower()
    return account.scheme, account.opaque


def _same_place(one: NameAddr, other: NameAddr) -> bool:
    mine, theirs = one.uri, other.uri
    if not isinstance(mine, SipUri) or not isinstance(theirs, SipUri):
        return False
    return (mine.host.lower(), mine.port or 5060) == (theirs.host.lower(), theirs.port or 5060)
