"""A NAT box, in the words of RFC 4787.

| kind                    | mapping                    | filtering                  |
|-------------------------|----------------------------|----------------------------|
| full_cone               | endpoint-independent       | endpoint-independent       |
| address_restricted      | endpoint-independent       | address-dependent          |
| port_restricted         | endpoint-independent       | address and port-dependent |
| symmetric               | address and port-dependent | address and port-dependent |

Ports are preserved where they are free (the symmetric kind takes them in turn, as such boxes do), else
one of the same parity is taken (REQ-4). Only what goes out refreshes a mapping (REQ-6).
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import Any, Literal

from sipmedia.simulation.host import Host, Node, Realm, normal
from sipmedia.simulation.impairments import Datagram, LinkSettings
from sipmedia.simulation.link import Address
from sipmedia.simulation.network import Network

NatKind = Literal["full_cone", "address_restricted", "port_restricted", "symmetric"]
_KINDS = ("full_cone", "address_restricted", "port_restricted", "symmetric")
_FIRST_PORT, _LAST_PORT = 1024, 65535


@dataclass(slots=True)
class Mapping:
    """One binding: who is inside, which port is theirs outside, and whom they have sent to."""

    inside: Address
    port: int
    expires: float
    peers: dict[Address, float] = field(default_factory=dict)
    """When each peer was last sent to."""


class Nat(Node):
    """A box between a private realm and the realm that its `address` is in.

    `timeout`: seconds after which a mapping that nothing goes out through is gone. `hairpin`: whether hosts
    inside reach each other by the outside address. `lan`: settings of the links inside (1 ms unless given).
    """

    def __init__(
        self,
        network: Network,
        outside: Realm,
        kind: NatKind,
        address: str,
        *,
        name: str | None = None,
        timeout: float = 120.0,
        hairpin: bool = False,
        lan: LinkSettings | None = None,
    ) -> None:
        if kind not in _KINDS:
            raise ValueError(f"there is no NAT kind {kind!r}: choose one of {', '.join(_KINDS)}")
        super().__init__(network, name or f"nat {address}", outside)
        self.kind = kind
        self.address = address
        self.timeout = timeout
        self.hairpin = hairpin
        self.inside = Realm(self.name, lan or LinkSettings(), gateway=self)
        self.filtered = 0
        """Datagrams from outside that no mapping let in."""
        self._by_inside: dict[tuple[Address, Address | None], Mapping] = {}
        self._by_port: dict[int, Mapping] = {}
        self._next_port = 40000
        self._preserves = True
        outside.add(address, self)
        network.add_realm(self.inside)

    def __repr__(self) -> str:
        return f"<Nat {self.name} {self.kind}>"

    def host(self, *addresses: str, name: str | None = None) -> Host:
        """A new host behind the box, with private addresses of its own realm."""
        return self.network.add_host(self.inside, addresses, name)

    def nat(self, kind: NatKind, address: str, **settings: Any) -> Nat:
        """Another box behind this one (carrier-grade NAT)."""
        return Nat(self.network, self.inside, kind, normal(address), **settings)

    @property
    def mappings(self) -> list[Mapping]:
        """Those that live."""
        now = self.network.clock.now
        return [mapping for mapping in self._by_port.values() if mapping.expires > now]

    def rebind(self, address: str | None = None) -> None:
        """Forget all mappings, as after a restart: what goes out next gets other ports.

        With `address` the box has got another outside address, too.
        """
        self._by_inside.clear()
        self._by_port.clear()
        self._next_port += 1000
        self._preserves = False
        if address is not None:
            del self.realm.nodes[self.address]
            self.address = normal(address)
            self.realm.add(self.address, self)

    def stream_port(self) -> int:
        """A port for a stream that goes out."""
        return self._free_port(None)

    # --- datagrams ---

    def take(self, arrival: float, source: Address, destination: Address, data: bytes) -> None:
        """See `Node`."""
        self.network.clock.at(arrival, self._forward, source, destination, data)

    def _forward(self, source: Address, destination: Address, data: bytes) -> None:
        if source[0] in self.inside.nodes:
            translated = self.address, self._outbound(source, destination).port
            if destination[0] != self.address:
                self.network.forward(self, translated, destination, data)
                return
            if not self.hairpin:
                self._drop(source, destination, data, "does not hairpin")
                return
            source = translated  # REQ-9: the external address and port
        self._inbound(source, destination, data)

    def _outbound(self, source: Address, destination: Address) -> Mapping:
        """The mapping for what goes out, made or refreshed."""
        now = self.network.clock.now
        key = source, destination if self.kind == "symmetric" else None
        mapping = self._by_inside.get(key)
        if mapping is None or mapping.expires <= now:
            preserved = source[1] if self.kind != "symmetric" and self._preserves else None
            mapping = Mapping(source, self._free_port(preserved, source[1] % 2), now)
            self._by_inside[key] = mapping
            self._by_port[mapping.port] = mapping
        mapping.expires = now + self.timeout
        mapping.peers[destination] = now
        return mapping

    def _inbound(self, source: Address, destination: Address, data: bytes) -> None:
        mapping = self._by_port.get(destination[1]) if destination[0] == self.address else None
        if mapping is None or mapping.expires <= self.network.clock.now:
            self._drop(source, destination, data, "no mapping")
        elif not self._lets_in(mapping, source):
            self._drop(source, destination, data, f"filtered ({self.kind})")
        else:
            target = self.inside.nodes[mapping.inside[0]]
            pipe = self.network.link(self, target).towards(target)
            self.network.cross(pipe, target, source, mapping.inside, data)

    def _lets_in(self, mapping: Mapping, source: Address) -> bool:
        since = self.network.clock.now - self.timeout
        if self.kind == "full_cone":
            return True
        if self.kind == "address_restricted":
            return any(peer[0] == source[0] and sent > since for peer, sent in mapping.peers.items())
        return mapping.peers.get(source, since) > since

    def _free_port(self, wanted: int | None, parity: int | None = None) -> int:
        now = self.network.clock.now

        def free(port: int) -> bool:
            holder = self._by_port.get(port)
            return holder is None or holder.expires <= now

        if wanted is not None and wanted >= _FIRST_PORT and free(wanted):
            return wanted
        for _ in range(_LAST_PORT - _FIRST_PORT):
            port = self._next_port
            self._next_port = port + 1 if port < _LAST_PORT else _FIRST_PORT
            if free(port) and (parity is None or port % 2 == parity):
                return port
        raise OSError(errno.EADDRINUSE, f"{self.name} has no port left: {len(self._by_port)} mappings live")

    def _drop(self, source: Address, destination: Address, data: bytes, why: str) -> None:
        self.filtered += 1
        datagram = Datagram(self.network.clock.now, source, destination, data)
        self.network.capture.dropped(datagram, f"{why} at {self.name}")
