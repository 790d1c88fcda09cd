"""UDP sockets of the simulated network: for asyncio by callback, for the media engine by queue."""

from __future__ import annotations

import asyncio
import errno
import heapq
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from sipmedia.simulation.errors import OutsideNetwork
from sipmedia.simulation.host import WILDCARDS, Host, is_address, normal
from sipmedia.simulation.link import Address
from sipmedia.simulation.network import Network

if TYPE_CHECKING:
    from sipmedia.simulation.loop import VirtualLoop

MAX_DATAGRAM = 65507


class UdpSocket:
    """What both kinds have in common: a place in the host's table, and sending."""

    def __init__(self, network: Network, host: str, port: int) -> None:
        """Bind; `OSError` (EADDRINUSE, EADDRNOTAVAIL) says why it cannot be."""
        self.network = network
        self.host: Host = network.host_for(host)
        self.address: Address = self.host.bind(self.host.udp, (host, port), self)
        self._wildcard = self.address[0] in WILDCARDS
        self.closed = False

    def expect(self, arrival: float, data: bytes, source: Address) -> bool:
        """See `UdpPort`."""
        return False

    def arrive(self, data: bytes, source: Address) -> None:
        """See `UdpPort`."""
        raise NotImplementedError

    def source_for(self, destination: Address) -> Address:
        """The address that what we send there comes from."""
        if self._wildcard:
            return self.host.address_towards(destination[0]), self.address[1]
        return self.address

    def send_to(self, data: bytes, destination: Address) -> None:
        """Send; `OutsideNetwork` when nobody has the address, OSError (EMSGSIZE) when it is too long."""
        if len(data) > MAX_DATAGRAM:
            raise OSError(errno.EMSGSIZE, f"a datagram of {len(data)} bytes is longer than {MAX_DATAGRAM}")
        network, host = self.network, self.host
        source = self.source_for(destination) if self._wildcard else self.address
        network.capture.sent(network.clock.now, host.name, source, destination, data)
        network.send(host, source, destination, data)

    def close(self) -> None:
        """Give the port back; harmless when closed already."""
        if not self.closed:
            self.closed = True
            self.host.udp.pop(self.address, None)


class MediaSocket(UdpSocket):
    """Holds what will have come by the time somebody asks: a `media.runtime.DatagramSocket`."""

    def __init__(self, network: Network, host: str, port: int) -> None:
        super().__init__(network, host, port)
        self.send_errors = 0
        self.queue: list[tuple[float, int, bytes, Address]] = []
        """Under way or waiting, by time of arrival."""

    def expect(self, arrival: float, data: bytes, source: Address) -> bool:
        """See `UdpPort`."""
        heapq.heappush(self.queue, (arrival, self.network.clock.next_number(), data, source))
        return True

    def arrive(self, data: bytes, source: Address) -> None:
        """See `UdpPort`; for what was sent before we were bound."""
        self.expect(self.network.clock.now, data, source)

    def send(self, data: bytes, destination: Address) -> bool:
        """Send, or count that it was refused."""
        try:
            self.send_to(data, destination)
        except (OSError, ValueError):
            self.send_errors += 1
            return False
        return True

    def receive(self, now: float) -> Sequence[tuple[bytes, Address, float]]:
        """All that has come: data, source, time of arrival."""
        queue, pop = self.queue, heapq.heappop
        received = []
        while queue and queue[0][0] <= now:
            arrival, _, data, source = pop(queue)
            received.append((data, source, arrival))
        return received

    def close(self) -> None:
        """Give the port back; what is still under way goes to whoever has it by then."""
        if self.closed:
            return
        super().close()
        clock, queue = self.network.clock, self.queue
        while queue:
            arrival, _, data, source = heapq.heappop(queue)
            if arrival > clock.now and not self._wildcard:
                clock.at(arrival, self.host.arrive, source, self.address, data)


class DatagramTransport(asyncio.DatagramTransport, UdpSocket):
    """The transport of `loop.create_datagram_endpoint`."""

    def __init__(
        self,
        loop: VirtualLoop,
        protocol: asyncio.DatagramProtocol,
        local: Address,
        remote: Address | None,
    ) -> None:
        UdpSocket.__init__(self, loop.network, *local)
        extra: dict[str, Any] = {"sockname": _sockname(self.address), "source_for": self.source_for}
        if remote is not None:
            extra["peername"] = _sockname(remote)
        asyncio.DatagramTransport.__init__(self, extra)
        self._loop = loop
        self._protocol = protocol
        self._remote = remote
        # As in asyncio: what arrives is handled in the context of who made the endpoint, so on its host.
        self._context = copy_context()

    def __repr__(self) -> str:
        return f"<simulated UDP {self.address[0]}:{self.address[1]} on {self.host.name}>"

    def arrive(self, data: bytes, source: Address) -> None:
        """See `UdpPort`."""
        if self.closed or (self._remote is not None and source != self._remote):
            return
        self._context.run(self._guarded, self._protocol.datagram_received, data, _sockname(source))

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send to `addr`, or to where it is connected; a failure is told to `error_received`."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
        if self.closed:
            return
        if self._remote is not None:
            if addr is not None and tuple(addr[:2]) != self._remote:
                raise ValueError(f"Invalid address: must be None or {self._remote}")
            destination = self._remote
        elif addr is None:
            raise ValueError("a destination is needed: this endpoint is not connected")
        else:
            destination = self._address(addr)
        try:
            self.send_to(bytes(data), destination)
        except OSError as error:
            self._guarded(self._protocol.error_received, error)

    def _address(self, addr: Sequence[Any]) -> Address:
        host, port = str(addr[0]), int(addr[1])
        if not 0 < port <= 65535:
            raise OverflowError("sendto(): port must be 0-65535.")
        if is_address(host):
            return normal(host), port
        found = self._loop.look_up(host)
        family_of = self.address[0]
        for candidate in found:
            if (":" in candidate) == (":" in family_of):
                return candidate, port
        raise OutsideNetwork(errno.EAFNOSUPPORT, f"{host} has no address of the family of {family_of}")

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closed

    def close(self) -> None:
        """Free the port now; `connection_lost` follows."""
        if not self.closed:
            UdpSocket.close(self)
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        """The same: nothing is buffered."""
        self.close()

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol."""
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Another protocol takes over."""
        self._protocol = protocol  # type: ignore[assignment]

    def get_write_buffer_size(self) -> int:
        """Nothing ever waits here."""
        return 0

    def _guarded(self, function: Callable[..., object], *args: Any) -> None:
        try:
            function(*args)
        except Exception as error:  # the edge to user code, as in asyncio's own transports
            self._loop.call_exception_handler(
                {
                    "message": "a datagram protocol raised",
                    "exception": error,
                    "transport": self,
                    "protocol": self._protocol,
                }
            )


def _sockname(address: Address) -> tuple[Any, ...]:
    return (*address, 0, 0) if ":" in address[0] else address
