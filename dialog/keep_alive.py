"""Keeping registered flows alive (RFC 5626 section 4.4).

Over UDP a double line end is sent often enough for the NAT on the way to keep its mapping: no answer is
expected, the registration itself is what tells that the way is gone. Over a connection it is a ping, and one
without an answer within ten seconds is the end of the connection: what was registered over it is registered
again over another one. Servers that know nothing of RFC 5626 answer no pings: only of one that has granted
outbound, or answered a ping on this connection before, is an answer expected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialog.connections import PING
from dialog.flow import Flow
from dialog.timers import Timer

if TYPE_CHECKING:
    from dialog.core import Core

UDP_INTERVAL = 29.0
"""Seconds, at most: the worst NATs forget a UDP mapping after 30 s (RFC 5626 section 4.4)."""
STREAM_INTERVAL = 120.0
"""Seconds, at most, between pings on a connection; the flow-timer of the far end makes it less."""
PONG_WITHIN = 10.0
"""Seconds (RFC 5626 section 4.4.1)."""
FIRST_PING = 2.0
"""Seconds after which a connection is pinged first, to see whether pings are answered on it."""


class KeepAlives:
    """The flows kept alive by one core, each with one timer, whatever the number of accounts on it."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._intervals: dict[Flow, float] = {}
        self._timers: dict[Flow, Timer] = {}
        self._answered: set[Flow] = set()

    def keep(self, flow: Flow, flow_timer: int | None, outbound: bool, behind_nat: bool) -> None:
        """Keep a flow alive. `flow_timer` is what the far end waits, `outbound` whether it keeps the flow by
        RFC 5626. Without these and without a NAT a datagram needs nothing, and a connection pings all the
        same."""
        if flow.transport in ("WS", "WSS") or not (flow.reliable or flow_timer or outbound or behind_nat):
            return
        if flow_timer or outbound:
            self._answered.add(flow)
        interval = STREAM_INTERVAL if flow.reliable else UDP_INTERVAL
        if flow_timer:
            interval = min(interval, float(max(flow_timer, 5)))
        self._intervals[flow] = interval
        if flow not in self._timers:
            self._wait(flow, min(interval, FIRST_PING) if flow.reliable else interval)

    def stop(self, flow: Flow) -> None:
        """The flow is gone, or nobody needs it any more."""
        self._intervals.pop(flow, None)
        self._answered.discard(flow)
        timer = self._timers.pop(flow, None)
        if timer is not None:
            timer.cancel()

    def _wait(self, flow: Flow, seconds: float) -> None:
        # 80 to 100 % of it, so that many phones do not ping at once.
        seconds *= 0.8 + 0.2 * self._core.random.random()
        self._timers[flow] = self._core.queue.start(seconds, lambda: self._ping(flow))

    def _ping(self, flow: Flow) -> None:
        self._wait(flow, self._intervals[flow])
        connection = self._core.connections.get(flow)
        if connection is not None:
            heard, number = connection.heard, connection.pinged()
            self._core.queue.start(PONG_WITHIN, lambda: self._check(flow, heard, number))
        self._core.send(flow, PING)

    def _check(self, flow: Flow, heard: float, number: int) -> None:
        connection = self._core.connections.get(flow)
        if connection is None or flow not in self._intervals:
            return
        connection.unanswered(number)
        if connection.heard == heard and (flow in self._answered or connection.answers):
            self._core.connections.close(flow, "nothing answers on the connection any more")
