"""All the transports of one user agent behind one door: the driver names flows and targets, nothing else."""

from __future__ import annotations

import asyncio
import itertools
import socket
from functools import cache
from typing import TYPE_CHECKING

from dialog.config import UserAgentConfig
from dialog.errors import AddressInUse, LocalProtocolError, MissingPackage
from dialog.flow import Flow, HostPort, Target
from dialog.tls_settings import TlsSettings
from dialog.transport.stream import WILDCARDS, Hooks, StreamTransport
from dialog.transport.tls import client_context, server_context
from dialog.transport.udp import UdpTransport

if TYPE_CHECKING:
    from dialog.transport.websocket import WebSocketTransport

_TRIES = 20
"""How often a free UDP port is asked for until the TCP port of the same number is free, too."""

KNOWN_TRANSPORTS = ("udp", "tcp", "tls", "ws", "wss")


class Sockets:
    """Sockets that listen, and the connections. `start` once, then anything, then `aclose`."""

    def __init__(self, config: UserAgentConfig, hooks: Hooks) -> None:
        self._config = config
        self._hooks = hooks
        self._udp: UdpTransport | None = None
        self._streams: dict[str, StreamTransport] = {}
        self._local: HostPort = config.bind

    @property
    def local_address(self) -> HostPort:
        """Where we listen: by UDP and TCP, or else by what there is."""
        return self._local

    async def start(self) -> None:
        """Bind and listen. AddressInUse, BadAddress, BadCertificate and MissingPackage say what to change."""
        try:
            await self._start()
        except BaseException:
            await self.aclose()
            raise

    async def _start(self) -> None:
        config = self._config
        self._make_streams()
        host, port = config.bind
        if "udp" in config.transports:
            await self._bind_udp()
        elif "TCP" in self._streams:
            await self._streams["TCP"].listen(config.bind)
            self._local = self._streams["TCP"].local_address or config.bind
        for name, stream in self._streams.items():
            wanted: int | None = None
            if name == "TLS" and config.tls.certificate is not None:
                wanted = config.tls_port
                if wanted is None:
                    wanted = port + 1 if port else 0
            elif name == ("WSS" if "wss" in config.transports else "WS"):
                wanted = config.ws_port
            if wanted is not None:
                await stream.listen((host, wanted))
                if not {"udp", "tcp"} & set(config.transports):
                    self._local = stream.local_address or config.bind

    def address_of(self, transport: str) -> HostPort | None:
        """Where we listen by that transport, if we do."""
        if transport == "UDP":
            return None if self._udp is None else self._udp.local_address
        stream = self._streams.get(transport)
        return None if stream is None else stream.local_address

    def host_towards(self, remote: HostPort) -> str:
        """Our address as that peer sees it: listening on all addresses, the one that is routed there."""
        if self._udp is not None:
            return self._udp.flow_to(remote).local[0]
        host = self._local[0]
        return _routed_towards(remote) if host in WILDCARDS else host

    def network_changed(self) -> None:
        """Ask the system anew by which of our addresses peers are reached."""
        if self._udp is not None:
            self._udp.forget_routes()

    def open(self, target: Target) -> None:
        """Make a flow; the hooks tell what became of it, before or after this returns."""
        if target.transport == "UDP" and self._udp is not None:
            self._hooks.on_opened(target, self._udp.flow_to(target.address))
            return
        stream = self._streams.get(target.transport)
        if stream is None:
            self._hooks.on_refused(target, f"{target.transport} is not among our transports")
        else:
            stream.open(target)

    def send(self, flow: Flow, data: bytes) -> None:
        """Send a message; the hooks are told when that fails."""
        if not flow.connection:
            if self._udp is not None:
                self._udp.send(flow, data)
        else:
            self._streams[flow.transport].send(flow, data)

    def close(self, flow: Flow) -> None:
        """Close a connection; the hooks are not told."""
        self._streams[flow.transport].close(flow)

    async def aclose(self) -> None:
        """Close all. May be called twice."""
        for stream in self._streams.values():
            await stream.aclose()
        if self._udp is not None:
            self._udp.close()
            self._udp = None

    # Inside.

    def _make_streams(self) -> None:
        config, hooks = self._config, self._hooks
        unknown = [name for name in config.transports if name not in KNOWN_TRANSPORTS]
        if unknown or not config.transports:
            known = ", ".join(KNOWN_TRANSPORTS)
            raise LocalProtocolError(
                f"there is no transport {', '.join(unknown) or '(none)'}: choose of {known}"
            )
        numbers = itertools.count(1)
        host = config.bind[0]
        secured = {"tls", "wss"} & set(config.transports)
        client = cache(lambda: client_context(config.tls))
        if secured and config.tls != TlsSettings():
            client()  # what is wrong with its files is said now; without any it can wait until it is needed
        server = server_context(config.tls) if secured and config.tls.certificate is not None else None
        for name in config.transports:
            if name == "tcp":
                self._streams["TCP"] = StreamTransport("TCP", hooks, numbers, source_host=host)
            elif name == "tls":
                self._streams["TLS"] = StreamTransport(
                    "TLS", hooks, numbers, source_host=host, client_tls=client, server_tls=server
                )
            elif name in ("ws", "wss"):
                secure = name == "wss"
                stream = _websockets()(
                    name.upper(),
                    hooks,
                    numbers,
                    source_host=host,
                    client_tls=client if secure else None,
                    server_tls=server if secure else None,
                )
                stream.path = config.ws_path
                stream.max_message_bytes = config.max_message_bytes
                self._streams[name.upper()] = stream

    def _udp_lost(self, flow: Flow) -> None:
        host, port = flow.remote
        self._hooks.on_lost(flow, f"nobody listens on UDP port {port} of {host}, or there is no way to it")

    async def _bind_udp(self) -> None:
        """UDP and TCP on one port (section 18.2.1); of free ones, one that is free for both."""
        config = self._config
        for attempt in range(_TRIES):
            udp = await UdpTransport.bind(config.bind, self._hooks.on_data, self._udp_lost)
            tcp = self._streams.get("TCP")
            try:
                if tcp is not None:
                    await tcp.listen(udp.local_address)
            except AddressInUse as error:
                udp.close()
                await asyncio.sleep(0)  # asyncio closes the socket in the next turn of the loop
                if config.bind[1] or attempt == _TRIES - 1:
                    raise AddressInUse(
                        f'{error}, or leave "tcp" out of the transports to use UDP alone'
                    ) from error
            except BaseException:
                udp.close()
                raise
            else:
                self._udp, self._local = udp, udp.local_address
                return


def _websockets() -> type[WebSocketTransport]:
    """What carries WebSockets; MissingPackage when its library is not installed."""
    try:
        from dialog.transport.websocket import WebSocketTransport
    except ImportError as error:
        raise MissingPackage(
            'transports "ws" and "wss" need the package wsproto: pip install \'.[ws]\' in the checkout'
        ) from error
    return WebSocketTransport


def _routed_towards(remote: HostPort) -> str:
    """Our address on the way to a peer."""
    family = socket.AF_INET6 if ":" in remote[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(remote)  # sends nothing: it only asks for the route
        except (OSError, OverflowError):
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
        host: str = probe.getsockname()[0]
        return host
