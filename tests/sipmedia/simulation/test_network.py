"""Hosts, names, ports, and the way of datagrams between endpoints of asyncio."""

import asyncio
import errno
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from sipmedia.simulation import Network, OutsideNetwork, Simulation


class Endpoint(asyncio.DatagramProtocol):
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[tuple[float, bytes, tuple[Any, ...]]] = []
        self.errors: list[Exception] = []
        self.lost = 0
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self.got.append((round(asyncio.get_running_loop().time() - 1000, 6), data, addr))

    def error_received(self, exc: Exception) -> None:
        self.errors.append(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost += 1

    @property
    def data(self) -> list[bytes]:
        return [data for _, data, _ in self.got]


async def bind(
    host: str | None = None, port: int = 0, remote: tuple[str, int] | None = None
) -> tuple[asyncio.DatagramTransport, Endpoint]:
    return await asyncio.get_running_loop().create_datagram_endpoint(
        Endpoint, local_addr=None if host is None else (host, port), remote_addr=remote
    )


def in_network(main: Callable[[Network], Coroutine[Any, Any, Any]], **settings: Any) -> Network:
    network = Network(**settings)
    network.host("10.0.0.1", name="alice")
    network.host("10.0.0.2", "fd00::2", name="bob.example")
    Simulation(network).run(main(network))
    return network


def test_a_datagram_takes_its_time_and_shows_its_source() -> None:
    async def main(network: Network) -> None:
        a, _ = await bind("10.0.0.1", 4000)
        b, bob = await bind("bob.example", 5000)
        assert b.get_extra_info("sockname") == ("10.0.0.2", 5000)
        a.sendto(b"hello", ("10.0.0.2", 5000))
        a.sendto(b"by name", ("bob.example", 5000))
        await asyncio.sleep(1)
        assert bob.got == [(0.02, b"hello", ("10.0.0.1", 4000)), (0.02, b"by name", ("10.0.0.1", 4000))]
        assert network.open_sockets() == ["UDP 10.0.0.1:4000 on alice", "UDP 10.0.0.2:5000 on bob.example"]
        b.close()
        b.close()
        assert b.is_closing()
        a.abort()
        await asyncio.sleep(0)
        assert bob.lost == 1
        a.sendto(b"into the void", ("10.0.0.2", 5000))
        assert network.open_sockets() == []

    in_network(main, delay=0.02)


def test_ports_are_taken_once_and_given_back() -> None:
    async def main(network: Network) -> None:
        first, _ = await bind("10.0.0.1", 4000)
        with pytest.raises(OSError, match="in use on the simulated host alice") as caught:
            await bind("10.0.0.1", 4000)
        assert caught.value.errno == errno.EADDRINUSE
        await bind("10.0.0.2", 4000)
        with network.hosts[0], pytest.raises(OSError, match="in use"):
            await bind("0.0.0.0", 4000)
        first.close()
        await bind("10.0.0.1", 4000)
        ports = [(await bind("10.0.0.1"))[0].get_extra_info("sockname")[1] for _ in range(3)]
        assert ports == [49152, 49153, 49154]
        with pytest.raises(OverflowError):
            await bind("10.0.0.1", 70000)

    in_network(main)


def test_an_address_that_nobody_has_is_named() -> None:
    async def main(network: Network) -> None:
        with pytest.raises(OutsideNetwork, match=r"10\.0\.0\.9.*alice.*network\.host") as caught:
            await bind("10.0.0.9", 4000)
        assert caught.value.errno == errno.EADDRNOTAVAIL
        a, alice = await bind("10.0.0.1")
        a.sendto(b"?", ("192.0.2.7", 5060))
        assert isinstance(alice.errors[0], OutsideNetwork)
        assert "192.0.2.7 is outside the simulated network" in str(alice.errors[0])
        raise LookupError("the program failed")

    with pytest.raises(LookupError) as caught:
        in_network(main)
    assert any("1 time: 192.0.2.7 is outside" in note for note in caught.value.__notes__)


def test_wildcards_need_to_know_their_host() -> None:
    async def main(network: Network) -> None:
        with pytest.raises(OutsideNetwork, match="with host"):
            await bind("0.0.0.0", 4000)
        _, bob = network.hosts
        with bob:
            transport, server = await bind("0.0.0.0", 4000)
            assert transport.get_extra_info("source_for")(("fd00::9", 1)) == ("fd00::2", 4000)
            with pytest.raises(OutsideNetwork, match="this code runs on <Host bob"):
                await bind("10.0.0.1")
        a, client = await bind("10.0.0.1", 1234)
        a.sendto(b"hi", ("10.0.0.2", 4000))
        await asyncio.sleep(0.1)
        assert server.data == [b"hi"]
        server.transport.sendto(b"ho", ("10.0.0.1", 1234))
        await asyncio.sleep(0.1)
        assert client.got[0][1:] == (b"ho", ("10.0.0.2", 4000))
        server.transport.sendto(b"6", ("::ffff:0:1", 1))
        assert "outside the simulated network" in str(server.errors[0])
        a.sendto(b"", ("fd00::2", 4000))

    in_network(main)


def test_every_host_has_a_loopback_of_its_own() -> None:
    async def main(network: Network) -> None:
        alice, bob = network.hosts
        endpoints = []
        for host in (alice, bob):
            with host:
                endpoints.append((await bind("127.0.0.1", 7000), await bind("127.0.0.1", 7001)))
        endpoints.append((await bind("localhost", 7000), await bind("127.0.0.1", 7001)))
        for number, ((sender, _), _) in enumerate(endpoints):
            sender.sendto(b"%d" % number, ("127.0.0.1", 7001))
        await asyncio.sleep(0.1)
        assert [got.data for _, (_, got) in endpoints] == [[b"0"], [b"1"], [b"2"]]
        (local, got), _ = endpoints[2]
        local.sendto(b"out", ("10.0.0.1", 7000))
        assert isinstance(got.errors[0], OutsideNetwork)

    in_network(main)


def test_ipv6_and_connected_endpoints() -> None:
    network = Network()
    network.host("fd00::1")
    network.host("fd00:0:0::2")

    async def main() -> None:
        b, bob = await bind("fd00::2", 5000)
        with network.hosts[0]:
            a, alice = await bind(remote=("fd00::2", 5000))
        assert a.get_extra_info("peername") == ("fd00::2", 5000, 0, 0)
        a.sendto(b"hi")
        a.sendto(bytearray(b"ho"), ("fd00::2", 5000, 0, 0))
        with pytest.raises(ValueError, match="Invalid address"):
            a.sendto(b"no", ("fd00::1", 5000))
        with pytest.raises(ValueError, match="not connected"):
            b.sendto(b"no")
        with pytest.raises(TypeError, match="bytes-like"):
            b.sendto("text", ("fd00::1", 1))  # type: ignore[arg-type]
        await asyncio.sleep(0.1)
        assert bob.data == [b"hi", b"ho"]
        source = bob.got[0][2]
        assert source == ("fd00::1", 49152, 0, 0)
        stranger, _ = await bind("fd00::2", 5001)
        stranger.sendto(b"not asked", source[:2])
        b.sendto(b"answer", source[:2])
        b.sendto(bytes(70000), source[:2])
        await asyncio.sleep(0.1)
        assert alice.data == [b"answer"]
        assert [getattr(error, "errno", None) for error in bob.errors] == [errno.EMSGSIZE]

    Simulation(network).run(main())


def test_a_protocol_that_raises_harms_nobody_else() -> None:
    async def main(network: Network) -> None:
        seen: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: seen.append(context["message"]))
        a, _ = await bind("10.0.0.1")
        _, bob = await bind("10.0.0.2", 5000)
        bob.datagram_received = lambda data, addr: 1 // 0  # type: ignore[assignment,method-assign]
        a.sendto(b"1", ("10.0.0.2", 5000))
        await asyncio.sleep(0.1)
        assert seen == ["a datagram protocol raised"]

    in_network(main)


def test_partitions_cut_and_heal() -> None:
    async def main(network: Network) -> None:
        alice, bob = network.hosts
        a, _ = await bind("10.0.0.1")
        _, got = await bind("10.0.0.2", 5000)
        for number in range(3):
            a.sendto(b"%d" % number, ("10.0.0.2", 5000))
            await asyncio.sleep(1)
            network.partition([alice], [bob]) if number == 0 else network.heal()
        assert got.data == [b"0", b"2"]

    network = in_network(main)
    assert network.capture.drop_counts == {"the link is cut on alice > bob.example": 1}


def test_nobody_listening_is_counted() -> None:
    async def main(network: Network) -> None:
        a, _ = await bind("10.0.0.1")
        a.sendto(b"anybody?", ("10.0.0.2", 9))
        await asyncio.sleep(1)

    assert in_network(main).capture.drop_counts == {"nobody listens on bob.example": 1}


def test_hosts_are_checked() -> None:
    network = Network()
    network.host("10.0.0.1")
    with pytest.raises(ValueError, match="is 10"):
        network.host("10.0.0.1", name="other")
    with pytest.raises(ValueError, match="another name"):
        network.host("10.0.0.2", name="10.0.0.1")
    with pytest.raises(ValueError, match="at least one"):
        network.host()
    with pytest.raises(ValueError, match="on every host"):
        network.host("127.0.0.1")
    with pytest.raises(ValueError, match="does not appear"):
        network.host("alice")
