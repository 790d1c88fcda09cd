"""From a URI to flows, one after the other until one works (RFC 3263 section 4).

A `Way` is the walk for one request: it plans by NAPTR and SRV records as far as the URI leaves things open,
looks each server's addresses up only when its turn comes, and opens a flow to each address. Servers that
failed lately have their turn last. What is asked of the driver is asked once for all who wait, and nobody
waits longer than a transaction would.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from random import Random
from typing import Generic, NamedTuple, TypeVar

from dialog.dns import Answer, AnswerCache, Query, in_order
from dialog.flow import Effect, Flow, Open, Resolve, Target
from dialog.server_selection import DEFAULT_PORTS, Wish, is_ip_address, offered, srv_name, wish_for
from dialog.timers import Timer, TimerQueue
from dialog.uri import Uri

__all__ = ["FlowFound", "Locator", "Way"]

FlowFound = Callable[[Flow | None], None]
"""Called once: with the flow, or with None when there is no (further) way."""

AnswerT = TypeVar("AnswerT")

PENALTY = 30.0
"""Seconds for which a server that failed has its turn after the others."""
LARGE_PATIENCE = 3.0
"""Seconds for a TCP connection that only the size of a request asks for, before UDP is used all the same."""
MAX_SERVERS = 32
"""Servers of one domain that are tried."""

_MAX_FLOWS = 4096
_MAX_WAITING = 4096
_MAX_PENALTIES = 1024


class _Server(NamedTuple):
    """One to try. `large`: by a transport that only the size of the request asks for."""

    transport: str
    host: str
    port: int
    large: bool = False


class Locator:
    """Finds flows. Callbacks may come before a method returns."""

    def __init__(
        self,
        queue: TimerQueue,
        patience: float,
        emit: Callable[[Effect], None],
        random: Random,
        transports: Sequence[str] = ("UDP", "TCP"),
    ) -> None:
        self.queue = queue
        self.random = random
        self.transports = tuple(transports)
        self._patience = patience
        self._emit = emit
        self._flows: dict[Target, Flow] = {}
        self._resolving: dict[Query, _Waiting[Answer]] = {}
        self._opening: dict[Target, _Waiting[tuple[Flow | None, str]]] = {}
        self._cache = AnswerCache()
        self._penalties: dict[Target, float] = {}

    def way(self, uri: Uri, *, large: bool = False) -> Way:
        """The way to a URI; `large`: of a request too long for UDP where the URI does not insist on it."""
        return Way(self, uri, large)

    # The driver's answers.

    def resolved(self, query: Query, answer: Answer) -> None:
        """To a Resolve."""
        waiting = self._resolving.pop(query, None)
        if waiting is not None:
            self._cache.put(query, answer, self.queue.now)
            waiting.answer(answer)

    def opened(self, target: Target, flow: Flow) -> None:
        """To an Open."""
        self.learn(target, flow)
        waiting = self._opening.pop(target, None)
        if waiting is not None:
            waiting.answer((flow, ""))

    def refused(self, target: Target, reason: str = "") -> None:
        """No flow can be made to this target, and why."""
        waiting = self._opening.pop(target, None)
        if waiting is not None:
            self.penalise(target)
            waiting.answer((None, reason))

    # What is known about servers.

    def learn(self, target: Target, flow: Flow) -> None:
        """This flow leads to that target."""
        if len(self._flows) >= _MAX_FLOWS:
            # Connections, bounded elsewhere, are worth keeping; the way by UDP is found again at once.
            self._flows = {key: known for key, known in self._flows.items() if known.connection}
        self._flows[target] = flow

    def lost(self, flow: Flow, targets: Iterable[Target]) -> None:
        """Do not give this flow to anybody again without asking the driver."""
        for target in targets:
            if self._flows.get(target) == flow:
                del self._flows[target]

    def forget_datagrams(self) -> None:
        """Ask the driver anew for flows by UDP: those to the same peers may have another address of ours."""
        self._flows = {target: flow for target, flow in self._flows.items() if flow.connection}

    def penalise(self, target: Target, seconds: float = PENALTY) -> None:
        """A server failed: others first, for a while."""
        if len(self._penalties) >= _MAX_PENALTIES:
            now = self.queue.now
            self._penalties = {key: until for key, until in self._penalties.items() if until > now}
            if len(self._penalties) >= _MAX_PENALTIES:
                self._penalties.clear()
        self._penalties[target] = self.queue.now + seconds

    def pardon(self, target: Target) -> None:
        """A server answered."""
        if self._penalties:
            self._penalties.pop(target, None)

    def is_penalised(self, target: Target) -> bool:
        """Whether a server failed lately."""
        until = self._penalties.get(target)
        return until is not None and until > self.queue.now

    # What ways ask.

    def flow_to(self, target: Target) -> Flow | None:
        """The flow that already leads to a target."""
        return self._flows.get(target)

    def ask(self, query: Query, then: Callable[[Answer], None]) -> None:
        """Look something up."""
        answer = self._cache.get(query, self.queue.now)
        if answer is not None:
            then(answer)
            return
        waiting = self._resolving.get(query)
        if waiting is not None:
            waiting.callbacks.append(then)
        elif len(self._resolving) >= _MAX_WAITING:
            then(Answer(error="too many names are being looked up"))
        else:
            silence = Answer(ttl=0.0, error=f"the name servers do not answer (asked for {query.name})")
            # NAPTR, SRV and addresses may have to be asked for, one after the other.
            patience = self._patience * (0.5 if query.kind == "ADDRESS" else 0.25)
            self._resolving[query] = _Waiting(
                then, self.queue.start(patience, lambda: self.resolved(query, silence))
            )
            self._emit(Resolve(query))

    def open(
        self, target: Target, then: Callable[[tuple[Flow | None, str]], None], patience: float | None = None
    ) -> None:
        """Give the flow to a target, making one if there is none; `patience` is less for who has others."""
        flow = self._flows.get(target)
        if flow is not None:
            then((flow, ""))
            return
        reason = f"{target.name or target.address[0]} does not answer on {target.transport}"
        timer = self.queue.start(patience or self._patience, lambda: self.refused(target, reason))
        waiting = self._opening.get(target)
        if waiting is None:
            self._opening[target] = _Waiting(then, timer)
            self._emit(Open(target))
            return
        waiting.callbacks.append(then)
        if patience is None:  # who has nowhere else to go waits on, and the others with them
            waiting.timer, timer = timer, waiting.timer
        timer.cancel()


class Way:
    """The walk to one URI. `target` is where the last flow leads, `why` why no flow was found (so far)."""

    __slots__ = (
        "_locator",
        "_name",
        "_planned",
        "_servers",
        "_wish",
        "large",
        "reasons",
        "reused",
        "target",
    )

    def __init__(self, locator: Locator, uri: Uri, large: bool) -> None:
        self._locator = locator
        self.large = large
        """Whether the request is too long for UDP; it counts when the walk begins."""
        self._planned = False
        self._servers: deque[_Server] = deque()
        self.reasons: list[str] = []
        self.target: Target | None = None
        self.reused = False
        """Whether the last flow was there before it was asked for."""
        wish = wish_for(uri, locator.transports)
        self._wish = wish if isinstance(wish, Wish) else None
        self._name = "" if self._wish is None else self._wish.host.lower()
        if isinstance(wish, str):
            self.reasons.append(wish)

    @property
    def why(self) -> str:
        """Why the flows that were asked for are not there, in words."""
        return "; ".join(self.reasons[-3:])

    @property
    def has_more(self) -> bool:
        """Whether there may be another flow."""
        return not self._planned or bool(self._servers)

    def next(self, found: FlowFound) -> None:
        """Give the next flow."""
        wish = self._wish
        if wish is None:
            found(None)
        elif not self._planned:
            self._planned = True
            self._plan(wish, found)
        elif not self._servers:
            found(None)
        else:
            self._try(self._choose(), found)

    def again(self, found: FlowFound) -> None:
        """The last flow was one that is broken: make it anew."""
        assert self.target is not None
        self._open(self.target, None, found)

    def outgrow(self, flow: Flow) -> bool:
        """The request has become too long for the UDP flow given last: from now on TCP first, at that server
        too, which is next again. False where that is not allowed, or was tried."""
        wish, target = self._wish, self.target
        if self.large or wish is None or wish.told or "TCP" not in wish.transports:
            return False
        if target is None or flow.transport != "UDP" or flow.remote != target.address:
            return False
        self.large = True
        servers = [_Server("UDP", *target.address), *self._servers]
        self._servers.clear()
        self._add_servers(servers, wish)
        return True

    # Planning: sections 4.1 and 4.2.

    def _plan(self, wish: Wish, found: FlowFound) -> None:
        if wish.is_direct:
            self._set_servers([self._direct(wish)], found)
        elif wish.told:
            self._ask_servers([(wish.transports[0], srv_name(wish.transports[0], self._name))], wish, found)
        else:
            self._locator.ask(Query("NAPTR", self._name), lambda answer: self._on_naptr(answer, wish, found))

    def _on_naptr(self, answer: Answer, wish: Wish, found: FlowFound) -> None:
        services = offered(answer.pointers, wish)
        if not services:
            services = [(name, srv_name(name, self._name)) for name in wish.transports]
        self._ask_servers(services, wish, found)

    def _ask_servers(self, services: list[tuple[str, str]], wish: Wish, found: FlowFound) -> None:
        """Ask for the SRV records of all these services at once; go on when all answers are there."""
        answers: list[Answer | None] = [None] * len(services)

        def take(index: int, answer: Answer) -> None:
            answers[index] = answer
            if None not in answers:
                self._on_srv(services, [one for one in answers if one is not None], wish, found)

        for index, (_, name) in enumerate(services):
            self._locator.ask(Query("SRV", name), partial(take, index))

    def _on_srv(
        self, services: list[tuple[str, str]], answers: list[Answer], wish: Wish, found: FlowFound
    ) -> None:
        servers = [
            _Server(transport, server.target.rstrip(".").lower(), server.port)
            for (transport, _), answer in zip(services, answers, strict=True)
            for server in in_order(answer.servers, self._locator.random)
        ]
        usable = [server for server in servers if server.host]
        if servers and not usable:
            # The root as a target: "the service is decidedly not available at this domain" (RFC 2782).
            self.reasons.append(f"{self._name} says that it has no such service")
            found(None)
            return
        self._set_servers(usable[:MAX_SERVERS] or [self._direct(wish)], found)

    def _direct(self, wish: Wish) -> _Server:
        transport = wish.transports[0]
        return _Server(transport, wish.host, DEFAULT_PORTS[transport] if wish.port is None else wish.port)

    def _set_servers(self, servers: list[_Server], found: FlowFound) -> None:
        assert self._wish is not None
        self._add_servers(servers, self._wish)
        self.next(found)

    def _add_servers(self, servers: list[_Server], wish: Wish) -> None:
        for server in servers:
            # RFC 3261 section 18.1.1; a URI that names UDP insists on it (RFC 3263 section 4.1).
            if self.large and server.transport == "UDP" and not wish.told and "TCP" in wish.transports:
                self._servers.append(_Server("TCP", server.host, server.port, large=True))
            self._servers.append(server)

    # Walking: section 4.3.

    def _choose(self) -> _Server:
        """The first that did not fail lately, or else the first."""
        servers = self._servers
        if len(servers) > 1:
            for index, server in enumerate(servers):
                if not self._locator.is_penalised(self._target_of(server)):
                    del servers[index]
                    return server
        return servers.popleft()

    def _try(self, server: _Server, found: FlowFound) -> None:
        if is_ip_address(server.host):
            self._open(self._target_of(server), LARGE_PATIENCE if server.large else None, found)
        else:
            self._locator.ask(
                Query("ADDRESS", server.host.lower()),
                lambda answer: self._on_addresses(server, answer, found),
            )

    def _on_addresses(self, server: _Server, answer: Answer, found: FlowFound) -> None:
        if not answer.addresses:
            self.reasons.append(answer.error or f"there is no host {server.host}")
        self._servers.extendleft(server._replace(host=address) for address in reversed(answer.addresses))
        self.next(found)

    def _target_of(self, server: _Server) -> Target:
        # Only certificates care which name led to an address.
        secure = server.transport in ("TLS", "WSS")
        return Target(server.transport, (server.host, server.port), self._name if secure else "")

    def _open(self, target: Target, patience: float | None, found: FlowFound) -> None:
        self.target = target
        self.reused = self._locator.flow_to(target) is not None

        def opened(result: tuple[Flow | None, str]) -> None:
            flow, reason = result
            if flow is not None:
                found(flow)
                return
            if reason:
                self.reasons.append(reason)
            self.next(found)

        self._locator.open(target, opened, patience)


class _Waiting(Generic[AnswerT]):
    """Those who wait for one answer of the driver."""

    __slots__ = ("callbacks", "timer")

    def __init__(self, first: Callable[[AnswerT], None], timer: Timer) -> None:
        self.callbacks = [first]
        self.timer = timer

    def answer(self, answer: AnswerT) -> None:
        """Tell them all."""
        self.timer.cancel()
        for callback in self.callbacks:
            callback(answer)
