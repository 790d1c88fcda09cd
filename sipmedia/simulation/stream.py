"""Stream connections of the simulated network: ordered, delayed, never lossy.

Segments cross the same links as datagrams, but what a datagram would lose a stream repeats: loss is
delay. A cut link holds a stream up until it heals or `STREAM_TIMEOUT_S` is over. Nothing of this is in
the capture, which holds datagrams.
"""

from __future__ import annotations

import asyncio
import errno
from collections import deque
from contextvars import Context
from typing import TYPE_CHECKING, Any

from sipmedia.simulation.link import STREAM_TIMEOUT_S, Address, Pipe
from sipmedia.simulation.network import Network

if TYPE_CHECKING:
    from sipmedia.simulation.loop import VirtualLoop

_FIRST_RETRY_S = 0.2
_HIGH_WATER = 64 * 1024


class Route:
    """The links from one end of a connection to the other, and back."""

    def __init__(self, network: Network, forth: list[Pipe], back: list[Pipe]) -> None:
        self._network = network
        self._forth = forth
        self._back = back

    def reversed(self) -> Route:
        """The same from the other end."""
        return Route(self._network, self._back, self._forth)

    def arrival(self, size: int) -> float | None:
        """When a segment that leaves now arrives; None while some link is cut."""
        when = self._network.clock.now
        for pipe in self._forth:
            next_hop = pipe.carry_segment(when, size)
            if next_hop is None:
                return None
            when = next_hop
        return when


class StreamTransport(asyncio.Transport):
    """One end of a connection."""

    def __init__(
        self, loop: VirtualLoop, route: Route, local: Address, remote: Address, context: Context
    ) -> None:
        super().__init__({"sockname": local, "peername": remote})
        self.peer: StreamTransport | None = None
        self._loop = loop
        self._clock = loop.network.clock
        self._route = route
        self._context = context
        self._protocol: Any = None
        self._blocked: deque[bytes | None] = deque()  # segments (None: the end) that wait for a cut link
        self._retry_s = _FIRST_RETRY_S
        self._blocked_since = 0.0
        self._in_flight = 0
        self._high, self._low = _HIGH_WATER, _HIGH_WATER // 4
        self._writing_paused = False
        self._reading = True
        self._unread: deque[bytes | None] = deque()
        self._closing = False
        self._lost = False
        self._broken_by: Exception | None = None
        self._eof_sent = False

    def __repr__(self) -> str:
        local, remote = self.get_extra_info("sockname"), self.get_extra_info("peername")
        return f"<simulated stream {local[0]}:{local[1]} to {remote[0]}:{remote[1]}>"

    def begin(self, protocol: asyncio.BaseProtocol) -> None:
        """The connection stands; what came meanwhile is given to the protocol next."""
        self._protocol = protocol
        self._loop.streams[self] = None
        protocol.connection_made(self)
        if self._broken_by is not None:
            self.break_off(self._broken_by)
        elif self._unread:
            self._loop.call_soon(self._read_on, context=self._context)

    # --- writing ---

    def write(self, data: Any) -> None:
        """Send; see asyncio."""
        if self._eof_sent:
            raise RuntimeError("Cannot call write() after write_eof()")
        if data and not self._closing:
            self._in_flight += len(data)
            self._send(bytes(data))
            if self._in_flight > self._high and not self._writing_paused:
                self._writing_paused = True
                self._protocol.pause_writing()

    def writelines(self, list_of_data: Any) -> None:
        """Send one after the other."""
        self.write(b"".join(list_of_data))

    def write_eof(self) -> None:
        """Nothing more comes from this side."""
        if not self._eof_sent:
            self._eof_sent = True
            self._send(None)

    def can_write_eof(self) -> bool:
        """Yes."""
        return True

    def get_write_buffer_size(self) -> int:
        """Bytes that the peer has not got yet."""
        return self._in_flight

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Low and high water."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """See asyncio."""
        self._high = high if high is not None else 4 * low if low is not None else _HIGH_WATER
        self._low = low if low is not None else self._high // 4

    # --- reading ---

    def is_reading(self) -> bool:
        """Whether the protocol is given what comes."""
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        """Keep what comes for later."""
        self._reading = False

    def resume_reading(self) -> None:
        """Give the protocol what was kept, and what comes."""
        self._reading = True
        self._loop.call_soon(self._read_on, context=self._context)

    # --- the end ---

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._closing

    def close(self) -> None:
        """Send what was written, then the end; `connection_lost` follows at once."""
        if not self._closing:
            self.write_eof()
            self._closing = True
            self._loop.call_soon(self._lose, None, context=self._context)

    def abort(self) -> None:
        """End it both ways; the peer sees a reset."""
        if self._closing:
            return
        self._closing = True
        arrival, peer = self._route.arrival(0), self.peer
        if arrival is not None and peer is not None:
            self._clock.at(arrival, peer.break_off, ConnectionResetError(errno.ECONNRESET, "reset by peer"))
        self._loop.call_soon(self._lose, None, context=self._context)

    def break_off(self, error: Exception) -> None:
        """The connection is gone."""
        if self._protocol is None:
            self._broken_by = error
        elif not self._lost:
            self._closing = True
            self._lose(error)

    def vanish(self) -> None:
        """The world ends: nobody is told."""
        self._closing = True

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Another protocol takes over."""
        self._protocol = protocol

    # --- inside ---

    def _send(self, segment: bytes | None) -> None:
        if self._blocked:
            self._blocked.append(segment)
            return
        arrival = self._route.arrival(len(segment or b""))
        if arrival is None:
            self._blocked.append(segment)
            self._blocked_since = self._clock.now
            self._clock.at(self._clock.now + self._retry_s, self._retry)
        else:
            self._clock.at(arrival, self._arrived, segment)

    def _retry(self) -> None:
        if self._clock.now - self._blocked_since > STREAM_TIMEOUT_S:
            self._blocked.clear()
            self.break_off(TimeoutError(errno.ETIMEDOUT, "the peer could not be reached any more"))
            return
        blocked, self._blocked = self._blocked, deque()
        since = self._blocked_since
        self._retry_s *= 2
        for segment in blocked:
            self._send(segment)
        if self._blocked:
            self._blocked_since = since
        else:
            self._retry_s = _FIRST_RETRY_S

    def _arrived(self, segment: bytes | None) -> None:
        """A segment of ours reached the peer."""
        self._in_flight -= len(segment or b"")
        if self._writing_paused and self._in_flight <= self._low and not self._lost:
            self._writing_paused = False
            self._protocol.resume_writing()
        peer = self.peer
        if peer is None or peer._closing:
            return
        peer._unread.append(segment)
        if peer._reading:
            peer._context.run(peer._read_on)

    def _read_on(self) -> None:
        while self._protocol is not None and self._reading and self._unread and not self._closing:
            segment = self._unread.popleft()
            try:
                if segment is not None:
                    self._protocol.data_received(segment)
                elif not self._protocol.eof_received():
                    self.close()
            except Exception as error:  # the edge to user code, as in asyncio's own transports
                self._loop.call_exception_handler(
                    {"message": "a stream protocol raised", "exception": error, "transport": self}
                )
                self.abort()

    def _lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self._loop.streams.pop(self, None)
            self._protocol.connection_lost(error)
