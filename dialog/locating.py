"""From a URI to a flow (RFC 3263, the part that needs no SRV): names are looked up, flows opened, both once.

Both questions go to the driver as effects. Who asked waits here, but never longer than a transaction would.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache

from dialog.flow import Effect, Flow, HostPort, Open, Query, Resolve, Target
from dialog.timers import Timer, TimerQueue
from dialog.uri import SipUri, Uri

FlowFound = Callable[[Flow | None], None]
"""Called once: with the flow, or with None when there is no way to that URI."""

_MAX_FLOWS = 4096


class Locator:
    """Finds the flow to a URI. `found` may be called before `find` returns."""

    def __init__(self, queue: TimerQueue, patience: float, emit: Callable[[Effect], None]) -> None:
        self._queue = queue
        self._patience = patience
        self._emit = emit
        self._flows: dict[Target, Flow] = {}
        self._resolving: dict[Query, _Waiting] = {}
        self._opening: dict[Target, _Waiting] = {}

    def find(self, uri: Uri, found: FlowFound) -> None:
        """Look for a flow to `uri`."""
        query = query_for(uri)
        if query is None:
            found(None)
        elif is_ip_address(query.host):
            self._open(Target(query.transport, (query.host, query.port)), found)
        elif query in self._resolving:
            self._resolving[query].callbacks.append(found)
        else:
            self._resolving[query] = self._wait(found, lambda: self.resolved(query, ()))
            self._emit(Resolve(query))

    def resolved(self, query: Query, addresses: tuple[HostPort, ...]) -> None:
        """The driver's answer to a Resolve: addresses best first, none when there are none."""
        waiting = self._resolving.pop(query, None)
        if waiting is None:
            return
        waiting.timer.cancel()
        for found in waiting.callbacks:
            if addresses:
                self._open(Target(query.transport, addresses[0]), found)
            else:
                found(None)

    def opened(self, target: Target, flow: Flow) -> None:
        """The driver's answer to an Open."""
        if len(self._flows) >= _MAX_FLOWS:
            self._flows.clear()
        self._flows[target] = flow
        self._answer(target, flow)

    def refused(self, target: Target, reason: str = "") -> None:
        """No flow can be made to this target, and why."""
        self._answer(target, None)

    def lost(self, flow: Flow, target: Target | None = None) -> None:
        """Do not give this flow, opened to `target`, to anybody again without asking the driver."""
        for key in (target, Target(flow.transport, flow.remote)):
            if key is not None and self._flows.get(key) == flow:
                del self._flows[key]

    def _open(self, target: Target, found: FlowFound) -> None:
        flow = self._flows.get(target)
        if flow is not None:
            found(flow)
        elif target in self._opening:
            self._opening[target].callbacks.append(found)
        else:
            self._opening[target] = self._wait(found, lambda: self.refused(target))
            self._emit(Open(target))

    def _answer(self, target: Target, flow: Flow | None) -> None:
        waiting = self._opening.pop(target, None)
        if waiting is None:
            return
        waiting.timer.cancel()
        for found in waiting.callbacks:
            found(flow)

    def _wait(self, found: FlowFound, give_up: Callable[[], None]) -> _Waiting:
        return _Waiting(found, self._queue.start(self._patience, give_up))


class _Waiting:
    """Those who wait for one answer of the driver."""

    __slots__ = ("callbacks", "timer")

    def __init__(self, first: FlowFound, timer: Timer) -> None:
        self.callbacks = [first]
        self.timer = timer


def query_for(uri: Uri) -> Query | None:
    """Host, port and transport that a URI names; None for a scheme or transport that we do not speak.

    SIPS needs TLS, which is not there yet: sending such a request over UDP would break its promise.
    """
    if not isinstance(uri, SipUri) or uri.scheme != "sip":
        return None
    if (uri.transport or "udp") != "udp":
        return None
    return Query("UDP", uri.params.get("maddr") or uri.host, 5060 if uri.port is None else uri.port)


@lru_cache(maxsize=1024)
def is_ip_address(host: str) -> bool:
    """Whether a host needs no looking up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
