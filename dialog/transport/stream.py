"""SIP over TCP and TLS, on any asyncio loop that has `create_server` and `create_connection`.

Only bytes pass here: the core cuts them into messages. A connection is known to the core from when it can
carry messages (after the TLS handshake) until `on_lost`, or until the core closes it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import ssl
from collections.abc import Callable, Iterator
from typing import Protocol, cast

from dialog.errors import AddressInUse, BadAddress
from dialog.flow import Flow, HostPort, Target
from dialog.transport.tls import verified_names, why_lost, why_refused

_log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 8.0
"""How long a connection may take to be made, TLS and all: two SYNs may be lost."""
HANDSHAKE_TIMEOUT_S = 8.0
"""How long a peer that connected may take for its handshake."""
MAX_HANDSHAKES = 64
"""Peers in the middle of their handshake at once; the one that has taken longest goes when more come."""
MAX_UNSENT_BYTES = 1 << 20
"""What may wait for a peer that does not read before its connection is broken off."""

WILDCARDS = ("0.0.0.0", "::", "")
_MAPPED = "::ffff:"


class Hooks(Protocol):
    """What transports tell the driver."""

    def on_data(self, flow: Flow, data: bytes) -> None:
        """Something came."""

    def on_accepted(self, flow: Flow, names: frozenset[str]) -> None:
        """A peer made a connection; `names` are those of its certificate, if one was verified."""

    def on_opened(self, target: Target, flow: Flow) -> None:
        """The flow to a target stands."""

    def on_refused(self, target: Target, reason: str) -> None:
        """No flow to that target, and why."""

    def on_lost(self, flow: Flow, reason: str) -> None:
        """A flow cannot be sent on (any more)."""


class StreamConnection(asyncio.Protocol):
    """One connection. `flow` is None until it can carry messages."""

    def __init__(self, owner: StreamTransport, target: Target | None) -> None:
        self.owner = owner
        self.target = target
        self.flow: Flow | None = None
        self.handshake: asyncio.Task[None] | None = None
        self.transport: asyncio.Transport | None = None
        self._early = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """TCP stands, and TLS on those that we made; on those that peers make it is still to come."""
        self.transport = cast(asyncio.Transport, transport)  # what stream endpoints give
        if self.target is None:
            self.owner.begin_handshake(self)
        if self.target is None and self.owner.server_tls is not None:
            self.handshake = asyncio.get_running_loop().create_task(self.owner.shake_hands(self))
        else:
            self.established()

    def established(self) -> None:
        """Bytes can be sent and received: for TCP and TLS this is all there is to do."""
        self.ready()

    async def wait_ready(self) -> None:
        """Until messages can be carried; an OSError when they never will be."""

    def secure(self, transport: asyncio.Transport) -> None:
        """TLS stands; what came with the last packet of its handshake is looked at now."""
        self.transport = transport
        self.handshake = None
        self.established()
        early, self._early = bytes(self._early), bytearray()
        if early:
            self.data_received(early)

    def ready(self) -> None:
        """Messages can be carried from now on."""
        assert self.transport is not None
        self.flow = self.owner.register(self, self.transport)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        if self.handshake is not None:
            self._early += data
        else:
            self.receive(data)

    def receive(self, data: bytes) -> None:
        """Bytes came, after TLS."""
        if self.flow is not None:
            self.owner.hooks.on_data(self.flow, data)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        if self.handshake is not None:
            self.handshake.cancel()
        self.owner.end_handshake(self)
        if self.flow is not None:
            self.owner.lost(self.flow, why_lost(exc))

    def write(self, data: bytes) -> bool:
        """Send bytes; False when the peer does not read them, or is gone."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return False
        transport.write(data)
        return transport.get_write_buffer_size() <= MAX_UNSENT_BYTES

    def send(self, data: bytes) -> bool:
        """Send a message; False as in `write`."""
        return self.write(data)

    def close(self) -> None:
        """Close it once what was written is sent."""
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Break it off."""
        if self.transport is not None:
            self.transport.abort()


class StreamTransport:
    """The connections of one transport, TCP or TLS, of one user agent.

    `client_tls` gives the context for connections that we make, `server_tls` is that for those that peers
    make; None is TCP. `numbers` gives every connection of the user agent its own.
    """

    connection_class: Callable[[StreamTransport, Target | None], StreamConnection] = StreamConnection

    def __init__(
        self,
        name: str,
        hooks: Hooks,
        numbers: Iterator[int],
        *,
        source_host: str = "",
        client_tls: Callable[[], ssl.SSLContext] | None = None,
        server_tls: ssl.SSLContext | None = None,
    ) -> None:
        self.name = name
        self.hooks = hooks
        self.server_tls = server_tls
        self._client_tls = client_tls
        self._numbers = numbers
        self._source_host = source_host
        self._servers: list[asyncio.AbstractServer] = []
        self._local: HostPort | None = None
        self._connections: dict[Flow, StreamConnection] = {}
        self._connecting: set[asyncio.Task[None]] = set()
        self._handshakes: dict[StreamConnection, asyncio.TimerHandle] = {}
        self._closed = False

    @property
    def local_address(self) -> HostPort | None:
        """Where peers can connect to, if they can."""
        return self._local

    async def listen(self, address: HostPort) -> None:
        """Take connections. AddressInUse when the port is taken, BadAddress when it cannot be had."""
        host, port = address
        if not 0 <= port <= 65535:
            raise BadAddress(f"{port} is not a port: choose one from 1 to 65535, or 0 for any free one")
        loop = asyncio.get_running_loop()
        # asyncio makes a server on "::" deaf to IPv4, unlike a UDP socket.
        for one in (host, "0.0.0.0") if host == "::" else (host,):
            try:
                server = await loop.create_server(lambda: self.connection_class(self, None), one, port)
            except OSError as error:
                self.stop_listening()
                raise _cannot_listen(self.name, one, port, error) from error
            self._servers.append(server)
            port = server.sockets[0].getsockname()[1]
        self._local = (host, port)

    def stop_listening(self) -> None:
        """Take no more connections; those that stand live on."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        self._local = None

    def open(self, target: Target) -> None:
        """Connect; the hooks tell what became of it."""
        task = asyncio.get_running_loop().create_task(self._connect(target))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def send(self, flow: Flow, data: bytes) -> None:
        """Send a message; a connection that cannot take it is lost."""
        connection = self._connections.get(flow)
        if connection is None:
            self.hooks.on_lost(flow, "the connection is closed")
        elif not connection.send(data):
            connection.abort()
            self.lost(flow, "the peer does not take what is sent")

    def close(self, flow: Flow) -> None:
        """Close a connection; the hooks are not told."""
        connection = self._connections.pop(flow, None)
        if connection is not None:
            connection.close()

    async def aclose(self) -> None:
        """Close everything, once what was sent is on its way."""
        self._closed = True
        self.stop_listening()
        connections, self._connections = list(self._connections.values()), {}
        for connection in connections:
            connection.close()
        tasks = [*self._connecting, *(one.handshake for one in self._handshakes if one.handshake)]
        for connection in list(self._handshakes):
            connection.abort()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # What connections call.

    def register(self, connection: StreamConnection, transport: asyncio.Transport) -> Flow:
        """A connection can carry messages: name its flow."""
        local, remote = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        port = local[1] if self._local is None else self._local[1]
        flow = Flow(
            self.name,
            (local[0].removeprefix(_MAPPED), port),
            (remote[0].removeprefix(_MAPPED), remote[1]),
            next(self._numbers),
        )
        connection.flow = flow
        self.end_handshake(connection)
        self._connections[flow] = connection
        if connection.target is None:
            self.hooks.on_accepted(flow, verified_names(transport.get_extra_info("peercert")))
        else:
            self.hooks.on_opened(connection.target, flow)
        return flow

    def lost(self, flow: Flow, reason: str) -> None:
        """A connection is gone."""
        if self._connections.pop(flow, None) is not None:
            self.hooks.on_lost(flow, reason)

    def begin_handshake(self, connection: StreamConnection) -> None:
        """A peer connected: it has some time to become ready, unless too many others come."""
        if len(self._handshakes) >= MAX_HANDSHAKES:
            oldest = next(iter(self._handshakes))
            self.end_handshake(oldest)
            oldest.abort()
        loop = asyncio.get_running_loop()
        self._handshakes[connection] = loop.call_later(HANDSHAKE_TIMEOUT_S, connection.abort)

    def end_handshake(self, connection: StreamConnection) -> None:
        """It is ready, or gone."""
        timer = self._handshakes.pop(connection, None)
        if timer is not None:
            timer.cancel()

    async def shake_hands(self, connection: StreamConnection) -> None:
        """The server's side of the TLS handshake."""
        transport = connection.transport
        assert transport is not None
        assert self.server_tls is not None
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport, connection, self.server_tls, server_side=True
            )
        except OSError as error:
            _log.info("%s: a TLS handshake failed: %s", transport.get_extra_info("peername"), error)
            transport.abort()
        else:
            if secured is not None and not secured.is_closing():
                connection.secure(secured)
        finally:
            connection.handshake = None

    # Inside.

    async def _connect(self, target: Target) -> None:
        loop = asyncio.get_running_loop()
        host, port = target.address
        source = None if self._source_host in WILDCARDS else (self._source_host, 0)
        try:
            tls = None if self._client_tls is None else self._client_tls()
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._make(loop, target, host, port, source, tls)
        except (OSError, ssl.CertificateError) as error:  # TimeoutError and SSLError are OSErrors
            self.hooks.on_refused(target, why_refused(error, target))
        except Exception as error:  # the edge of the task: whoever waits must be told
            _log.exception("connecting to %s failed", target)
            self.hooks.on_refused(target, str(error))

    async def _make(
        self,
        loop: asyncio.AbstractEventLoop,
        target: Target,
        host: str,
        port: int,
        source: HostPort | None,
        tls: ssl.SSLContext | None,
    ) -> None:
        transport, connection = await loop.create_connection(
            lambda: self.connection_class(self, target),
            host,
            port,
            local_addr=source,
            ssl=tls,
            server_hostname=(target.name or host) if tls is not None else None,
        )
        try:
            await connection.wait_ready()
        except BaseException:
            transport.abort()
            raise


def _cannot_listen(name: str, host: str, port: int, error: OSError) -> AddressInUse | BadAddress:
    kind = "TCP" if name in ("TCP", "TLS") else name
    if error.errno == errno.EADDRINUSE:
        return AddressInUse(
            f"{kind} port {port} on {host} is in use: another program listens there; choose another port"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return BadAddress(f"{kind} port {port} on {host} may not be used: choose one above 1023")
    return BadAddress(f"cannot listen on {host}: it is not an address of this machine ({error})")
