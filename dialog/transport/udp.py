"""SIP over UDP, on any asyncio loop that has `create_datagram_endpoint`."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any, cast

from dialog.errors import AddressInUse, BadAddress
from dialog.flow import Flow, HostPort
from dialog.transport.icmp import UnreachableReports

OnDatagram = Callable[[Flow, bytes], None]
OnLost = Callable[[Flow], None]

_WILDCARDS = ("0.0.0.0", "::", "")
_MAX_KNOWN_PEERS = 4096

# How an IPv6 socket bound to all addresses names IPv4 peers. Nobody above this module sees it.
_MAPPED = "::ffff:"


class UdpTransport(asyncio.DatagramProtocol):
    """One bound UDP socket. Make it with `bind`; `close` may be called twice.

    `on_lost` is called when a datagram cannot be sent on a flow, at once or, where the system tells which
    peer is unreachable (Linux), a moment later.
    """

    def __init__(self, on_datagram: OnDatagram, on_lost: OnLost) -> None:
        self._on_datagram = on_datagram
        self._on_lost = on_lost
        self._transport: asyncio.DatagramTransport | None = None
        self._local: HostPort = ("", 0)
        self._flows: dict[HostPort, Flow] = {}
        self._sending: Flow | None = None
        self._reports: UnreachableReports | None = None
        self._send_again = False

    @classmethod
    async def bind(cls, address: HostPort, on_datagram: OnDatagram, on_lost: OnLost) -> UdpTransport:
        """Listen on an address. AddressInUse when it is taken, BadAddress when there is no such address."""
        loop = asyncio.get_running_loop()
        host, port = address
        if not 0 <= port <= 65535:
            raise BadAddress(f"{port} is not a port: choose one from 1 to 65535, or 0 for any free one")
        try:
            _, protocol = await loop.create_datagram_endpoint(
                lambda: cls(on_datagram, on_lost), local_addr=address
            )
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise AddressInUse(
                    f"UDP port {port} on {host} is in use: another program listens there; choose another port"
                ) from error
            if error.errno in (errno.EACCES, errno.EPERM):
                raise BadAddress(
                    f"UDP port {port} on {host} may not be used: choose one above 1023"
                ) from error
            raise BadAddress(
                f"cannot listen on {host}: it is not an address of this machine ({error})"
            ) from error
        return protocol

    @property
    def local_address(self) -> HostPort:
        """Where we listen; the port is the real one if 0 was asked for."""
        return self._local

    def flow_to(self, remote: HostPort) -> Flow:
        """The flow to a peer. Listening on all addresses, our side of it is the one routed to that peer."""
        flow = self._flows.get(remote)
        if flow is None:
            if len(self._flows) >= _MAX_KNOWN_PEERS:
                self._flows.clear()
            flow = self._flows[remote] = Flow("UDP", self._local_towards(remote), remote)
        return flow

    def forget_routes(self) -> None:
        """Our address towards some peer may be another one now."""
        self._flows.clear()

    def send(self, flow: Flow, data: bytes) -> None:
        """Send a datagram; a failure is told to `on_lost`, before or after this returns."""
        transport = self._transport
        # asyncio closes the whole socket over a port that is none, instead of reporting it.
        if transport is None or transport.is_closing() or not 0 < flow.remote[1] <= 65535:
            self._on_lost(flow)
            return
        self._sending = flow
        self._send_again = False
        address = self._socket_address(flow.remote)
        transport.sendto(data, address)
        if self._send_again and not transport.is_closing():
            # The system used this call to report on an earlier datagram, and sent nothing.
            transport.sendto(data, address)
        self._sending = None

    def close(self) -> None:
        """Stop listening."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None
        if self._reports is not None:
            self._reports.close()
            self._reports = None

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is bound."""
        self._transport = cast(asyncio.DatagramTransport, transport)  # what a datagram endpoint gives
        self._local = transport.get_extra_info("sockname")[:2]
        self._reports = UnreachableReports.of(self._transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """A datagram came; of an IPv6 address only host and port matter."""
        self._on_datagram(self.flow_to((addr[0].removeprefix(_MAPPED), addr[1])), data)

    def error_received(self, exc: Exception) -> None:
        """A datagram failed: one sent earlier, which is in the reports; or the one being sent."""
        unreachable = [] if self._reports is None else self._reports.take()
        if unreachable:
            self._send_again = True
            for host, port in unreachable:
                self._on_lost(self.flow_to((host.removeprefix(_MAPPED), port)))
        elif self._sending is not None:
            self._on_lost(self._sending)

    def _socket_address(self, remote: HostPort) -> HostPort:
        if self._local[0] == "::" and ":" not in remote[0]:
            return _MAPPED + remote[0], remote[1]
        return remote

    def _local_towards(self, remote: HostPort) -> HostPort:
        host, port = self._local
        if host not in _WILDCARDS:
            return self._local
        if self._transport is not None:
            source_for = self._transport.get_extra_info("source_for")
            if source_for is not None:  # a simulated network knows its routes; there are no sockets to ask
                simulated: HostPort = source_for(remote)
                return simulated
        family = socket.AF_INET6 if ":" in remote[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(remote)  # sends nothing: it only asks for the route
            except (OSError, OverflowError):
                return ("::1" if family == socket.AF_INET6 else "127.0.0.1", port)
            return (probe.getsockname()[0], port)
