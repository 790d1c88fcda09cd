"""The simulated network: hosts with addresses, the links between them, and the way of a datagram.

    network = Network(seed=1, delay=0.02)
    alice = network.host("10.0.0.1")
    bob = network.host("10.0.0.2", "fd00::2", name="bob.example")
    network.link(alice, bob).set(loss=0.02, jitter=0.03)

Every two hosts of the internet reach each other: a pair that nobody named gets a link with the defaults.
Behind a NAT box (`network.nat`) begins a realm of its own. 127.0.0.1 and ::1 are on every host; code that
runs on no host in particular finds them on `network.localhost`.

A datagram's fate on a link is decided when it is sent. What goes straight to a media socket is put in its
queue with the time it will be there; only what needs a callback (SIP, NAT boxes) goes on the agenda.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from random import Random
from typing import TYPE_CHECKING, Any

from dialog.dns import Naptr, Srv
from sipmedia.simulation.capture import Capture
from sipmedia.simulation.clock import Clock
from sipmedia.simulation.errors import OutsideNetwork
from sipmedia.simulation.host import WILDCARDS, Host, Node, Realm, current_host, is_loopback, normal
from sipmedia.simulation.impairments import Datagram, LinkSettings
from sipmedia.simulation.link import Address, Link, Pipe

if TYPE_CHECKING:
    from sipmedia.simulation.nat import Nat, NatKind

_LOOPBACK_DELAY_S = 0.00002


class Network:
    """All there is. `default` settings (see `LinkSettings`) are those of links that nobody set."""

    def __init__(self, seed: int = 1, **default: Any) -> None:
        self.seed = seed
        self.clock = Clock()
        self.capture = Capture()
        self.names: dict[str, list[str]] = {}
        """What name look-ups find."""
        self.services: dict[tuple[str, str], list[Srv | Naptr]] = {}
        """What queries for SRV and NAPTR records find, by kind and name."""
        self.names_hang = False
        """Whether name servers keep silent."""
        self.strays: dict[str, int] = {}
        """What was sent to addresses that nobody has, and how often."""
        self.internet = Realm("internet", LinkSettings(**default))
        self._realms = [self.internet]
        self._hosts: dict[str, Host] = {}
        self._links: dict[tuple[str, str], Link] = {}
        loopback = Realm("localhost", LinkSettings(delay=_LOOPBACK_DELAY_S))
        self.localhost = Host(self, "localhost", loopback, ("127.0.0.1", "::1"))
        self.name("localhost", "127.0.0.1", "::1")

    # --- building it ---

    @property
    def hosts(self) -> list[Host]:
        """All hosts that were made, in order."""
        return list(self._hosts.values())

    def host(self, *addresses: str, name: str | None = None) -> Host:
        """A new host of the internet. Its name can be looked up, and called."""
        return self.add_host(self.internet, addresses, name)

    def nat(self, kind: NatKind, address: str, **settings: Any) -> Nat:
        """A NAT box with this outside address; `nat.host(...)` makes hosts behind it. See `Nat`."""
        from sipmedia.simulation.nat import Nat

        return Nat(self, self.internet, kind, normal(address), **settings)

    def name(self, name: str, *addresses: str) -> None:
        """Let a name be found: what it stands for replaces what it stood for."""
        self.names[name.lower().rstrip(".")] = [normal(address) for address in addresses]

    def srv(self, name: str, target: str, port: int, *, priority: int = 10, weight: int = 10) -> None:
        """Let a service be found: ``network.srv("_sip._udp.example.com", "pbx.example.com", 5060)``."""
        records = self.services.setdefault(("SRV", name.lower().rstrip(".")), [])
        records.append(Srv(priority, weight, port, target))

    def naptr(self, name: str, service: str, target: str, *, order: int = 10, preference: int = 10) -> None:
        """Let a domain say how to reach it: ``("example.com", "SIP+D2T", "_sip._tcp.example.com")``."""
        records = self.services.setdefault(("NAPTR", name.lower().rstrip(".")), [])
        records.append(Naptr(order, preference, "s", service, target))

    def link(self, a: Node, b: Node, **settings: Any) -> Link:
        """The link between two nodes, with these settings changed both ways."""
        link = self._links.get((a.name, b.name)) or self._links.get((b.name, a.name))
        if link is None:
            default = self._default_between(a, b)
            link = self._links[a.name, b.name] = Link(a, b, self.seed, default)
            for pipe in (link.forth, link.back):
                pipe.dropped = self.capture.dropped
        if settings:
            link.set(**settings)
        return link

    @property
    def links(self) -> list[Link]:
        """All links that were named or used."""
        return list(self._links.values())

    def partition(self, side: Iterable[Node], other: Iterable[Node]) -> None:
        """Cut every link between the two sides, until `heal`."""
        others = list(other)
        for a in side:
            for b in others:
                self.link(a, b).cut()

    def heal(self) -> None:
        """Mend all links."""
        for link in self._links.values():
            link.heal()

    def random(self, purpose: str) -> Random:
        """A stream of random numbers of its own, from the network's seed."""
        return Random(f"{self.seed}/{purpose}")

    # --- for its nodes and sockets ---

    def add_realm(self, realm: Realm) -> None:
        """Know of addresses behind a NAT box."""
        self._realms.append(realm)

    def add_host(self, realm: Realm, addresses: tuple[str, ...], name: str | None) -> Host:
        """A new host in a realm."""
        if not addresses:
            raise ValueError("a host needs at least one address, such as '10.0.0.1'")
        known = tuple(normal(address) for address in addresses)
        for address in known:
            if is_loopback(address) or address in WILDCARDS:
                raise ValueError(f"{address} is on every host; give the host an address such as '10.0.0.1'")
        name = name or (known[0] if realm is self.internet else f"{realm.name}/{known[0]}")
        if name in self._hosts:
            raise ValueError(f"there is a host {name} already; choose another name")
        host = Host(self, name, realm, known)
        for address in known:
            realm.add(address, host)
        self._hosts[name] = host
        self.name(name, *known)
        return host

    def host_for(self, address: str) -> Host:
        """On which host code binds to `address`; `OSError` (EADDRNOTAVAIL) says why on none."""
        here = current_host()
        if here is not None and here.network is self:
            if not here.has(address):
                raise self._not_here(address, f"this code runs on {here!r}")
            return here
        if is_loopback(address):
            return self.localhost
        if address in WILDCARDS:
            if len(self._hosts) > 1:
                names = ", ".join(self._hosts)
                raise self._not_here(
                    address, f"any of {names} could be meant: run the code inside `with host:`, or name one"
                )
            return next(iter(self._hosts.values()), self.localhost)
        found = [node for realm in self._realms if isinstance(node := realm.nodes.get(address), Host)]
        if len(found) != 1:
            why = (
                "several hosts behind NAT boxes have it: run the code inside `with host:`"
                if found
                else f"no host has it (hosts: {self._host_list()}): make one with network.host({address!r})"
            )
            raise self._not_here(address, why)
        return found[0]

    def send(self, node: Node, source: Address, destination: Address, data: bytes) -> None:
        """Send a datagram from a node; `OutsideNetwork` when nobody has the address."""
        hop = node.hops.get(destination[0])
        if hop is None:
            hop = node.hops[destination[0]] = node.next_hop(destination[0])
        pipe, target = hop
        for arrival, arriving in pipe.carry(self.clock.now, source, destination, data):
            target.take(arrival, source, destination, arriving)

    def forward(self, node: Node, source: Address, destination: Address, data: bytes) -> None:
        """Send on for another: an address that nobody has is nobody's error, but noted."""
        try:
            self.send(node, source, destination, data)
        except OutsideNetwork as error:
            self.capture.dropped(Datagram(self.clock.now, source, destination, data), str(error))

    def cross(self, pipe: Pipe, target: Node, source: Address, destination: Address, data: bytes) -> None:
        """Send over one link that is known."""
        for arrival, arriving in pipe.carry(self.clock.now, source, destination, data):
            target.take(arrival, source, destination, arriving)

    def stray(self, sender: str, address: str) -> OutsideNetwork:
        """Note that something was sent to an address that nobody has; the error to raise."""
        message = (
            f"{address} is outside the simulated network (hosts: {self._host_list()}), so {sender} cannot "
            f"reach it: make it with network.host({address!r}), or send elsewhere"
        )
        self.strays[message] = self.strays.get(message, 0) + 1
        return OutsideNetwork(errno.ENETUNREACH, message)

    def open_sockets(self) -> list[str]:
        """What is bound at present, in words: an empty list when all was closed."""
        return [
            f"{kind} {host}:{port} on {owner.name}"
            for owner in (*self._hosts.values(), self.localhost)
            for kind, table in (("UDP", owner.udp), ("TCP", owner.tcp))
            for host, port in table
        ]

    def _not_here(self, address: str, why: str) -> OutsideNetwork:
        return OutsideNetwork(errno.EADDRNOTAVAIL, f"cannot bind to {address} in the simulation: {why}")

    def _host_list(self) -> str:
        return ", ".join(f"{host.name} ({' '.join(host.addresses)})" for host in self.hosts) or "none"

    def _default_between(self, a: Node, b: Node) -> LinkSettings:
        if a is b:
            return LinkSettings(delay=_LOOPBACK_DELAY_S)
        # A NAT box is of the realm outside; what is behind it has the links of inside.
        for node in (a, b):
            if node.realm is not self.internet:
                return node.realm.default
        return self.internet.default
