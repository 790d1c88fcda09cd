"""Setting up stream connections of the simulated network: servers that listen, and clients that reach them.

Connecting costs one round trip. A NAT lets connections out and none in; a port where nobody accepts refuses,
and a host behind a cut link is waited for until `STREAM_TIMEOUT_S` is over.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import TYPE_CHECKING

from sipmedia.simulation.host import Host, Node
from sipmedia.simulation.link import STREAM_TIMEOUT_S, Address, Pipe
from sipmedia.simulation.nat import Nat
from sipmedia.simulation.network import Network
from sipmedia.simulation.stream import Route, StreamTransport

if TYPE_CHECKING:
    from sipmedia.simulation.loop import VirtualLoop

Factory = Callable[[], asyncio.BaseProtocol]


class StreamServer(asyncio.AbstractServer):
    """What `loop.create_server` gives."""

    def __init__(self, loop: VirtualLoop, factory: Factory, serving: bool) -> None:
        self._loop = loop
        self._factory = factory
        self._context = copy_context()
        self._bound: list[tuple[Host, Address]] = []
        self._serving = serving
        self._closed = loop.create_future()

    def bind(self, address: Address) -> None:
        """Listen on an address; `OSError` says why not."""
        host = self._loop.network.host_for(address[0])
        self._bound.append((host, host.bind(host.tcp, address, self)))

    @property
    def sockets(self) -> Sequence[ListeningSocket]:
        """Stand-ins that know their address."""
        return tuple(ListeningSocket(address) for _, address in self._bound)

    def is_serving(self) -> bool:
        """Whether connections are taken."""
        return self._serving

    def get_loop(self) -> VirtualLoop:
        """The loop."""
        return self._loop

    async def start_serving(self) -> None:
        """Take connections."""
        self._serving = True

    async def serve_forever(self) -> None:
        """Take connections until cancelled, then close."""
        self._serving = True
        try:
            await self._loop.create_future()
        finally:
            self.close()

    def close(self) -> None:
        """Listen no more; connections live on."""
        self._serving = False
        for host, address in self._bound:
            host.tcp.pop(address, None)
        self._bound.clear()
        if not self._closed.done():
            self._closed.set_result(None)

    async def wait_closed(self) -> None:
        """Wait for `close`."""
        await asyncio.shield(self._closed)

    def accept(self, client: StreamTransport, local: Address, remote: Address, route: Route) -> None:
        """A connection came."""
        context = self._context.copy()
        transport = StreamTransport(self._loop, route, local, remote, context)
        transport.peer, client.peer = client, transport
        context.run(lambda: transport.begin(self._factory()))


class ListeningSocket:
    """As much of a socket as servers' users ask for."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def getsockname(self) -> Address:
        """Where it listens."""
        return self._address


def listen(loop: VirtualLoop, factory: Factory, addresses: Sequence[Address], serve: bool) -> StreamServer:
    """A server on these addresses."""
    server = StreamServer(loop, factory, serve)
    try:
        for address in addresses:
            server.bind(address)
    except BaseException:
        server.close()
        raise
    return server


async def connect(
    loop: VirtualLoop, factory: Factory, remote: Address, local: Address | None
) -> tuple[StreamTransport, asyncio.BaseProtocol]:
    """Connect to a server: one round trip, or ConnectionRefusedError, or TimeoutError."""
    network = loop.network
    client = network.host_for(local[0] if local is not None else "::" if ":" in remote[0] else "0.0.0.0")
    own = client.address_towards(remote[0]) if local is None else local[0]
    port = local[1] if local is not None else 0
    table: dict[Address, object] = {}
    source = client.bind(table, (own, port), None) if port else (own, client.ephemeral_port())
    route, seen_source, target = _route(network, client, source, remote)
    transport = StreamTransport(loop, route, source, remote, copy_context())
    answered: asyncio.Future[None] = loop.create_future()

    def answer(error: OSError | None) -> None:
        if not answered.done():
            answered.set_result(None) if error is None else answered.set_exception(error)

    def arrive() -> None:
        server = target.lookup(target.tcp, remote)
        back = route.reversed().arrival(0)
        if server is None or not server.is_serving():
            refused = ConnectionRefusedError(
                errno.ECONNREFUSED, f"nobody accepts streams on {remote[0]}:{remote[1]} of {target.name}"
            )
            if back is not None:
                network.clock.at(back, answer, refused)
        elif back is not None:
            server.accept(transport, remote, seen_source, route.reversed())
            network.clock.at(back, answer, None)

    arrival = route.arrival(0)
    if arrival is not None:
        network.clock.at(arrival, arrive)
    network.clock.at(
        network.clock.now + STREAM_TIMEOUT_S,
        answer,
        TimeoutError(errno.ETIMEDOUT, f"{remote[0]}:{remote[1]} does not answer"),
    )
    await answered
    protocol = factory()
    transport.begin(protocol)
    return transport, protocol


def _route(network: Network, client: Host, source: Address, remote: Address) -> tuple[Route, Address, Host]:
    """The links from a host to an address, the source that is seen there, and the host."""
    forth: list[Pipe] = []
    back: list[Pipe] = []
    node: Node = client
    while True:
        pipe, target = node.next_hop(remote[0])
        forth.append(pipe)
        back.insert(0, network.link(node, target).towards(node))
        if isinstance(target, Host):
            return Route(network, forth, back), source, target
        assert isinstance(target, Nat)
        if node.realm is not target.inside:
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"{target.name} lets no stream in")
        source = target.address, target.stream_port()
        node = target
