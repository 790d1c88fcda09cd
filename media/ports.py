"""Pairs of UDP ports for sessions: RTP on an even port, RTCP on the odd one after it (RFC 3550 s. 11)."""

import threading
from collections.abc import Callable
from typing import Protocol

from media.config import PortRange
from media.errors import AddressInUse, PortsExhausted
from media.plan import Address
from media.runtime import DatagramSocket


class Binder(Protocol):
    """The one thing of a `Runtime` that is needed here."""

    def bind_datagram(self, host: str, port: int) -> DatagramSocket:
        """Bind, or raise `AddressInUse` or `BadAddress`."""
        ...


class RtpSockets:
    """The two sockets of one stream; whoever holds them closes them."""

    __slots__ = ("_on_close", "rtcp", "rtp")

    def __init__(
        self, rtp: DatagramSocket, rtcp: DatagramSocket | None, on_close: Callable[[], None] | None = None
    ) -> None:
        self.rtp = rtp
        self.rtcp = rtcp
        self._on_close = on_close

    @property
    def address(self) -> Address:
        """Where RTP is received."""
        return self.rtp.address

    @property
    def send_errors(self) -> int:
        """Datagrams the system refused to send, RTP and RTCP."""
        return self.rtp.send_errors + (0 if self.rtcp is None else self.rtcp.send_errors)

    def close(self) -> None:
        """Close both and free the pair; harmless when done already."""
        self.rtp.close()
        if self.rtcp is not None:
            self.rtcp.close()
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()


class PortAllocator:
    """Takes pairs from a range in turn, from any thread.

    A pointer goes round, so a pair is found at the first try while the range is not nearly full,
    and a port that was just given back rests before it is used again (late packets of the
    old call do not reach the new one). A pair of which another program holds one is skipped.
    """

    def __init__(self, runtime: Binder, ports: PortRange) -> None:
        self._runtime = runtime
        self._range = ports
        self._ports = ports.rtp_ports()
        self._next = 0
        self._held: set[tuple[str, int]] = set()
        self._lock = threading.Lock()

    @property
    def in_use(self) -> int:
        """Pairs that we hold."""
        return len(self._held)

    def allocate(self, host: str, port: int | None = None) -> RtpSockets:
        """Bind the next free pair on `host`, or exactly `port` and the one after it.

        Raises `PortsExhausted`, `AddressInUse` (with `port` given) or `BadAddress`. With `port` the range
        does not matter.
        """
        if port is not None:
            return self._bind_pair(host, port)
        for _ in range(len(self._ports)):
            with self._lock:
                candidate = self._ports[self._next]
                self._next = (self._next + 1) % len(self._ports)
                if (host, candidate) in self._held:
                    continue
            try:
                return self._bind_pair(host, candidate)
            except AddressInUse:
                continue
        raise PortsExhausted(host, self._range.min, self._range.max, self.in_use)

    def release(self, sockets: RtpSockets) -> None:
        """Close the pair and free it (the same as `sockets.close()`)."""
        sockets.close()

    def _bind_pair(self, host: str, port: int) -> RtpSockets:
        rtp = self._runtime.bind_datagram(host, port)
        try:
            rtcp = self._runtime.bind_datagram(host, port + 1)
        except BaseException:
            rtp.close()
            raise
        key = (host, port)
        with self._lock:
            self._held.add(key)
        return RtpSockets(rtp, rtcp, lambda: self._held.discard(key))
