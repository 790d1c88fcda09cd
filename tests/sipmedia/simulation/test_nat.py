"""NAT boxes against RFC 4787: mapping, filtering, timeouts, ports, hairpinning."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from sipmedia.simulation import Host, Nat, Network, Simulation

Address = tuple[str, int]
KINDS = ("full_cone", "address_restricted", "port_restricted", "symmetric")


class Endpoint(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.got: list[tuple[bytes, Address]] = []
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self.got.append((data, addr[:2]))

    def send(self, to: Address, data: bytes = b"x") -> None:
        self.transport.sendto(data, to)


async def bind(host: str, port: int, on: Host | None = None) -> Endpoint:
    async def make() -> Endpoint:
        loop = asyncio.get_running_loop()
        return (await loop.create_datagram_endpoint(Endpoint, local_addr=(host, port)))[1]

    if on is None:
        return await make()
    with on:
        return await make()


async def settle() -> None:
    await asyncio.sleep(0.1)


class World:
    """A host behind a box, two hosts outside, and what they see of it."""

    def __init__(self, kind: Any, **settings: Any) -> None:
        self.network = Network()
        self.network.host("203.0.113.1")
        self.network.host("203.0.113.2")
        self.nat: Nat = self.network.nat(kind, "198.51.100.1", **settings)
        self.inside = self.nat.host("192.168.1.10")

    async def open(self) -> None:
        self.client = await bind("192.168.1.10", 5060)
        self.server = await bind("203.0.113.1", 1000)
        self.same_host = await bind("203.0.113.1", 1001)
        self.stranger = await bind("203.0.113.2", 1000)

    def run(self, main: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        async def opened() -> None:
            await self.open()
            await main()

        Simulation(self.network).run(opened())


@pytest.mark.parametrize(
    ("kind", "from_server", "from_same_host", "from_stranger"),
    [
        ("full_cone", True, True, True),
        ("address_restricted", True, True, False),
        ("port_restricted", True, False, False),
        ("symmetric", True, False, False),
    ],
)
def test_filtering(kind: str, from_server: bool, from_same_host: bool, from_stranger: bool) -> None:
    world = World(kind)

    async def main() -> None:
        world.client.send(("203.0.113.1", 1000))
        await settle()
        ((_, mapped),) = world.server.got
        for sender in (world.server, world.same_host, world.stranger):
            sender.send(mapped)
        await settle()
        sources = [source for _, source in world.client.got]
        expected = [
            (("203.0.113.1", 1000), from_server),
            (("203.0.113.1", 1001), from_same_host),
            (("203.0.113.2", 1000), from_stranger),
        ]
        assert sources == [source for source, passes in expected if passes]
        assert world.nat.filtered == 3 - len(sources)

    world.run(main)


@pytest.mark.parametrize(("kind", "independent"), [(kind, kind != "symmetric") for kind in KINDS])
def test_mapping(kind: str, independent: bool) -> None:
    world = World(kind)

    async def main() -> None:
        for to in (("203.0.113.1", 1000), ("203.0.113.1", 1001), ("203.0.113.2", 1000)):
            world.client.send(to)
        await settle()
        seen = [endpoint.got[0][1] for endpoint in (world.server, world.same_host, world.stranger)]
        assert {host for host, _ in seen} == {"198.51.100.1"}
        assert len(set(seen)) == (1 if independent else 3)
        assert len(world.nat.mappings) == len(set(seen))

    world.run(main)


@pytest.mark.parametrize("kind", KINDS)
def test_mappings_time_out_unless_something_goes_out(kind: str) -> None:
    world = World(kind, timeout=30)

    async def main() -> None:
        world.client.send(("203.0.113.1", 1000))
        await settle()
        ((_, mapped),) = world.server.got
        for _ in range(3):  # keepalives
            await asyncio.sleep(25)
            world.client.send(("203.0.113.1", 1000))
        await settle()
        assert {source for _, source in world.server.got} == {mapped}
        await asyncio.sleep(20)
        world.server.send(mapped)
        await settle()
        assert len(world.client.got) == 1
        await asyncio.sleep(20)  # what came in did not refresh it (REQ-6)
        world.server.send(mapped)
        await settle()
        assert len(world.client.got) == 1
        assert world.nat.mappings == []
        world.client.send(("203.0.113.1", 1000))
        await settle()
        assert (world.server.got[-1][1] == mapped) == (kind != "symmetric")

    world.run(main)


def test_permission_of_one_peer_times_out_alone() -> None:
    world = World("address_restricted", timeout=30)

    async def main() -> None:
        world.client.send(("203.0.113.2", 1000))
        await asyncio.sleep(20)
        world.client.send(("203.0.113.1", 1000))
        await asyncio.sleep(20)
        world.stranger.send(("198.51.100.1", 5060))
        world.server.send(("198.51.100.1", 5060))
        await settle()
        assert [source for _, source in world.client.got] == [("203.0.113.1", 1000)]

    world.run(main)


def test_ports_are_preserved_or_keep_their_parity() -> None:
    world = World("full_cone")
    neighbour = world.nat.host("192.168.1.11")

    async def main() -> None:
        other = await bind("192.168.1.11", 5060, neighbour)
        odd = await bind("192.168.1.11", 5061, neighbour)
        other_odd = await bind("192.168.1.10", 5061)
        for endpoint in (world.client, other, odd, other_odd):
            endpoint.send(("203.0.113.1", 1000))
        await settle()
        ports = [source[1] for _, source in world.server.got]
        assert (ports[0], ports[2]) == (5060, 5061)
        assert ports[1] not in (5060, 5061)
        assert ports[1] % 2 == 0
        assert ports[3] % 2 == 1

    world.run(main)


@pytest.mark.parametrize("kind", KINDS)
def test_rebinding_gives_other_ports_and_forgets_the_old_ones(kind: str) -> None:
    world = World(kind)

    async def main() -> None:
        world.client.send(("203.0.113.1", 1000))
        await settle()
        world.nat.rebind()
        world.server.send(world.server.got[0][1])
        world.client.send(("203.0.113.1", 1000))
        await settle()
        assert world.client.got == []
        old, new = (source for _, source in world.server.got)
        assert old != new
        world.nat.rebind("198.51.100.77")
        world.client.send(("203.0.113.1", 1000))
        await settle()
        assert world.server.got[-1][1][0] == "198.51.100.77"
        world.server.send(world.server.got[-1][1])
        await settle()
        assert len(world.client.got) == 1

    world.run(main)


@pytest.mark.parametrize("hairpin", [True, False])
def test_hairpinning_shows_the_outside_address(hairpin: bool) -> None:
    world = World("full_cone", hairpin=hairpin)
    neighbour = world.nat.host("192.168.1.11")

    async def main() -> None:
        other = await bind("192.168.1.11", 7000, neighbour)
        world.client.send(("203.0.113.1", 1000))
        await settle()
        other.send(world.server.got[0][1])
        await settle()
        assert world.client.got == ([(b"x", ("198.51.100.1", 7000))] if hairpin else [])
        other.send(("192.168.1.10", 5060), b"direct")
        await settle()
        assert world.client.got[-1] == (b"direct", ("192.168.1.11", 7000))

    world.run(main)


def test_a_box_behind_a_box_and_two_homes_with_the_same_addresses() -> None:
    network = Network()
    network.host("203.0.113.1")
    carrier = network.nat("symmetric", "198.51.100.1")
    homes = [carrier.nat("port_restricted", f"100.64.0.{number}") for number in (1, 2)]
    hosts = [home.host("192.168.1.10", name=f"phone {number}") for number, home in enumerate(homes, start=1)]

    async def main() -> None:
        server = await bind("203.0.113.1", 1000)
        with pytest.raises(OSError, match="several hosts"):
            await bind("192.168.1.10", 5060)
        clients = [await bind("192.168.1.10", 5060, host) for host in hosts]
        for client in clients:
            client.send(("203.0.113.1", 1000))
        await settle()
        sources = [source for _, source in server.got]
        assert len(set(sources)) == 2
        for source in sources:
            server.send(source, b"%d" % source[1])
        await settle()
        assert [client.got[0][0] for client in clients] == [b"%d" % port for _, port in sources]
        clients[0].send(("192.0.2.99", 9))
        await settle()

    Simulation(network).run(main())
    assert any("192.0.2.99 is outside" in why for why in network.capture.drop_counts)


def test_the_links_inside_and_outside_are_links_as_others() -> None:
    world = World("full_cone")
    network = world.network
    network.link(world.inside, world.nat, delay=0.1)
    network.link(world.nat, network.hosts[0], delay=0.2)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        world.client.send(("203.0.113.1", 1000))
        began = loop.time()
        while not world.server.got:
            await asyncio.sleep(0.01)
        assert loop.time() - began == pytest.approx(0.3, abs=0.011)

    world.run(main)


def test_unknown_kinds_and_exhausted_ports() -> None:
    with pytest.raises(ValueError, match="port_restricted"):
        World("conical")
    world = World("full_cone")

    async def main() -> None:
        for _ in range(3):
            world.nat.stream_port()

    world.run(main)
