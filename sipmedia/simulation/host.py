"""Hosts, and the realms of addresses they are in.

A host keeps the tables of what is bound on it. A realm is what reaches each other directly: the
internet, or what is behind one NAT box.
"""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Iterable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from sipmedia.simulation.errors import OutsideNetwork
from sipmedia.simulation.impairments import Datagram, LinkSettings
from sipmedia.simulation.link import Address, Pipe

if TYPE_CHECKING:
    from sipmedia.simulation.nat import Nat
    from sipmedia.simulation.network import Network

WILDCARDS = ("0.0.0.0", "::", "")
_FIRST_EPHEMERAL, _LAST_EPHEMERAL = 49152, 65535

_here: ContextVar[Host | None] = ContextVar("sipmedia_simulation_host", default=None)


class UdpPort(Protocol):
    """A bound UDP socket as its host sees it."""

    def expect(self, arrival: float, data: bytes, source: Address) -> bool:
        """Take a datagram that arrives later; False to be given it by `arrive` when it does."""
        ...

    def arrive(self, data: bytes, source: Address) -> None:
        """A datagram is here now."""
        ...


class Node:
    """What links end at: a host or a NAT box."""

    def __init__(self, network: Network, name: str, realm: Realm) -> None:
        self.network = network
        self.name = name
        self.realm = realm
        self.hops: dict[str, tuple[Pipe, Node]] = {}
        """Next hops found so far, by destination address."""

    def take(self, arrival: float, source: Address, destination: Address, data: bytes) -> None:
        """A datagram is on its way and will be here at `arrival`."""
        raise NotImplementedError

    def next_hop(self, address: str) -> tuple[Pipe, Node]:
        """The link to send on for `address` and the node at its other end; `OutsideNetwork` without any."""
        target = self.realm.nodes.get(address) or self.realm.gateway
        if target is None or target is self:
            raise self.network.stray(self.name, address)
        return self.network.link(self, target).towards(target), target


class Realm:
    """Addresses that reach each other directly: the internet, or what is behind one NAT box."""

    def __init__(self, name: str, default: LinkSettings, gateway: Nat | None = None) -> None:
        self.name = name
        self.default = default
        self.gateway = gateway
        self.nodes: dict[str, Node] = {}

    def add(self, address: str, node: Node) -> None:
        """Give `node` an address; `ValueError` if another has it."""
        if address in self.nodes:
            raise ValueError(f"{address} is {self.nodes[address].name} already; choose another address")
        self.nodes[address] = node
        for other in self.nodes.values():
            other.hops.clear()


class Host(Node):
    """A machine with one or more addresses. `with host:` says that the code inside runs on it.

    That matters only for wildcard and loopback addresses, and where two private networks use the same
    addresses; any other address names its host.
    """

    def __init__(self, network: Network, name: str, realm: Realm, addresses: tuple[str, ...]) -> None:
        super().__init__(network, name, realm)
        self.addresses = addresses
        self.udp: dict[Address, UdpPort] = {}
        """Bound UDP sockets."""
        self.tcp: dict[Address, Any] = {}
        """Listening streams."""
        self._next_port = _FIRST_EPHEMERAL
        self._tokens: list[Token[Host | None]] = []

    def __repr__(self) -> str:
        return f"<Host {self.name} {' '.join(self.addresses)}>"

    def __enter__(self) -> Self:
        self._tokens.append(_here.set(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _here.reset(self._tokens.pop())

    @property
    def address(self) -> str:
        """The first address."""
        return self.addresses[0]

    def address_towards(self, destination: str) -> str:
        """The address that a socket bound to all of them sends from."""
        if is_loopback(destination):
            return "::1" if ":" in destination else "127.0.0.1"
        for address in self.addresses:
            if (":" in address) == (":" in destination):
                return address
        raise OutsideNetwork(
            errno.ENETUNREACH,
            f"{self.name} ({', '.join(self.addresses)}) has no address of the family of {destination}",
        )

    def has(self, address: str) -> bool:
        """Whether sockets here may be bound to `address`."""
        return address in self.addresses or address in WILDCARDS or is_loopback(address)

    def bind(self, table: dict[Address, Any], address: Address, bound: object) -> Address:
        """Enter a socket in `udp` or `tcp`; port 0 takes a free one. OSError (EADDRINUSE) if it is taken."""
        host, port = address[0] or "0.0.0.0", address[1]
        if not 0 <= port <= 65535:
            raise OverflowError("bind(): port must be 0-65535.")
        if port == 0:
            port = self._free_port(table, host)
        elif not self._is_free(table, host, port):
            raise OSError(
                errno.EADDRINUSE, f"port {port} of {host} is in use on the simulated host {self.name}"
            )
        table[host, port] = bound
        return host, port

    def ephemeral_port(self) -> int:
        """The next port for a stream that goes out."""
        port = self._next_port
        self._next_port = _FIRST_EPHEMERAL if port == _LAST_EPHEMERAL else port + 1
        return port

    def lookup(self, table: dict[Address, Any], destination: Address) -> Any:
        """The socket that takes what comes to `destination`, or None."""
        found = table.get(destination)
        if found is None:
            found = table.get(("::" if ":" in destination[0] else "0.0.0.0", destination[1]))
        return found

    def next_hop(self, address: str) -> tuple[Pipe, Node]:
        """See `Node`; our own addresses are reached without leaving the host."""
        if address in self.addresses or is_loopback(address):
            return self.network.link(self, self).towards(self), self
        return super().next_hop(address)

    def take(self, arrival: float, source: Address, destination: Address, data: bytes) -> None:
        """See `Node`."""
        self.network.capture.received(arrival, self.name, source, destination, data)
        port = self.udp.get(destination)
        if port is None or not port.expect(arrival, data, source):
            self.network.clock.at(arrival, self.arrive, source, destination, data)

    def arrive(self, source: Address, destination: Address, data: bytes) -> None:
        """A datagram is here now: give it to whoever is bound there."""
        port = self.lookup(self.udp, destination)
        if port is None:
            now = self.network.clock.now
            self.network.capture.dropped(
                Datagram(now, source, destination, data), f"nobody listens on {self.name}"
            )
        else:
            port.arrive(data, source)

    def _is_free(self, table: dict[Address, Any], host: str, port: int) -> bool:
        return not any(
            taken_port == port and (taken == host or taken in WILDCARDS or host in WILDCARDS)
            for taken, taken_port in self._same_port(table, host, port)
        )

    def _same_port(self, table: dict[Address, Any], host: str, port: int) -> Iterable[Address]:
        v6 = ":" in host
        candidates = (*self.addresses, "::1" if v6 else "127.0.0.1", "::" if v6 else "0.0.0.0", host)
        return [(a, port) for a in candidates if (":" in a) == v6 and (a, port) in table]

    def _free_port(self, table: dict[Address, Any], host: str) -> int:
        for _ in range(_LAST_EPHEMERAL - _FIRST_EPHEMERAL + 1):
            port = self.ephemeral_port()
            if self._is_free(table, host, port):
                return port
        raise OSError(errno.EADDRINUSE, f"all ephemeral ports of the simulated host {self.name} are in use")


def current_host() -> Host | None:
    """The host that this code runs on, if a `with host:` said so."""
    return _here.get()


def normal(address: str) -> str:
    """An IP address as it is always written here; `ValueError` if it is none."""
    return ipaddress.ip_address(address).compressed


def is_address(text: str) -> bool:
    """Whether this is an IP address, not a name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(address: str) -> bool:
    return address == "::1" or address.startswith("127.")
