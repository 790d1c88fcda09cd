"""simulation/stream.py and connecting.py: asyncio's own streams on the simulated network."""

import asyncio
import errno
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from sipmedia.simulation import Network, NotSimulated, Simulation


def in_network(main: Callable[[Network], Coroutine[Any, Any, Any]], **settings: Any) -> None:
    network = Network(**settings)
    network.host("10.0.0.1", name="alice")
    network.host("10.0.0.2", name="bob")
    Simulation(network).run(main(network))


async def shout_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def connect(network: Network, port: int = 80) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    with network.hosts[0]:
        return await asyncio.open_connection("bob", port)


def test_lines_there_and_back() -> None:
    async def main(network: Network) -> None:
        server = await asyncio.start_server(shout_back, "10.0.0.2", 80)
        assert server.is_serving()
        assert server.sockets[0].getsockname() == ("10.0.0.2", 80)
        loop = asyncio.get_running_loop()
        began = loop.time()
        reader, writer = await connect(network)
        assert loop.time() - began == pytest.approx(0.1)
        assert writer.get_extra_info("peername") == ("10.0.0.2", 80)
        writer.writelines([b"one\n", b"two\n"])
        assert await reader.readline() == b"ONE\n"
        assert loop.time() - began == pytest.approx(0.2)
        writer.write_eof()
        assert await reader.read() == b"TWO\n"
        with pytest.raises(RuntimeError, match="write_eof"):
            writer.write(b"more")
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        assert network.open_sockets() == []

    in_network(main, delay=0.05)


def test_much_data_arrives_in_order_over_a_bad_link() -> None:
    data = bytes(range(256)) * 4000

    async def send_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for start in range(0, len(data), 10_000):
            writer.write(data[start : start + 10_000])
            await writer.drain()
        writer.close()

    async def main(network: Network) -> None:
        await asyncio.start_server(send_all, "10.0.0.2", 80)
        reader, writer = await connect(network)
        assert await reader.read() == data
        writer.close()

    in_network(main, delay=0.01, jitter=0.05, loss=0.1, rate_bps=10e6)


def test_nobody_accepts() -> None:
    async def main(network: Network) -> None:
        with pytest.raises(ConnectionRefusedError, match="nobody accepts streams on 10"):
            await connect(network)
        with pytest.raises(OSError, match="outside the simulated network"), network.hosts[0]:
            await asyncio.open_connection("10.0.0.9", 80)
        server = await asyncio.start_server(shout_back, "10.0.0.2", 80)
        with pytest.raises(OSError, match="in use") as caught:
            await asyncio.start_server(shout_back, ["10.0.0.1", "10.0.0.2"], 80)
        assert caught.value.errno == errno.EADDRINUSE
        assert network.open_sockets() == ["TCP 10.0.0.2:80 on bob"]
        server.close()

    in_network(main)


def test_a_cut_link_holds_up_and_then_breaks() -> None:
    async def main(network: Network) -> None:
        await asyncio.start_server(shout_back, "10.0.0.2", 80)
        reader, writer = await connect(network)
        link = network.link(*network.hosts)
        link.cut()
        writer.write(b"a\n")
        writer.write(b"b\n")
        await asyncio.sleep(3)
        link.heal()
        assert [await reader.readline(), await reader.readline()] == [b"A\n", b"B\n"]
        link.cut()
        writer.write(b"c\n")
        with pytest.raises(TimeoutError):
            await reader.readline()
        with pytest.raises(TimeoutError, match="does not answer"):
            await connect(network)

    in_network(main)


def test_abort_is_a_reset() -> None:
    async def main(network: Network) -> None:
        async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.transport.abort()

        await asyncio.start_server(slam, "10.0.0.2", 80)
        reader, _ = await connect(network)
        with pytest.raises(ConnectionResetError):
            await reader.read()

    in_network(main)


def test_serve_forever_and_paused_reading() -> None:
    async def main(network: Network) -> None:
        server = await asyncio.start_server(shout_back, "10.0.0.2", 80, start_serving=False)
        with pytest.raises(ConnectionRefusedError):
            await connect(network)
        serving = asyncio.create_task(server.serve_forever())
        await asyncio.sleep(0)
        reader, writer = await connect(network)
        transport = writer.transport
        transport.pause_reading()  # type: ignore[attr-defined]
        assert not transport.is_reading()  # type: ignore[attr-defined]
        writer.write(b"later\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readline(), 1)
        transport.resume_reading()  # type: ignore[attr-defined]
        assert await reader.readline() == b"LATER\n"
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert network.open_sockets() == []

    in_network(main)


def test_out_through_a_nat_but_not_in() -> None:
    network = Network()
    network.host("203.0.113.1", name="server")
    nat = network.nat("port_restricted", "198.51.100.1")
    inside = nat.host("192.168.1.10")
    seen = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("peername")[0])
        writer.write(b"hello")
        writer.close()

    async def main() -> None:
        await asyncio.start_server(greet, "203.0.113.1", 80)
        with inside:
            reader, writer = await asyncio.open_connection("server", 80)
        assert await reader.read() == b"hello"
        writer.close()
        with network.hosts[0], pytest.raises(ConnectionRefusedError, match="lets no stream in"):
            await asyncio.open_connection("198.51.100.1", 80)

    Simulation(network).run(main())
    assert seen == ["198.51.100.1"]


def test_tls_is_not_simulated() -> None:
    async def main(network: Network) -> None:
        with pytest.raises(NotSimulated, match="TLS"):
            await asyncio.open_connection("10.0.0.2", 443, ssl=True)

    in_network(main)
