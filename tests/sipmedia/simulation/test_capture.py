"""What is recorded, where, and with what comments."""

import io
import struct
from pathlib import Path
from typing import Any

from sipmedia.simulation import Datagram, Network, Simulation
from sipmedia.simulation.clock import START
from sipmedia.simulation.udp import MediaSocket


def world(points: Any, count: int = 3, **settings: Any) -> Network:
    network = Network(seed=2, **settings)
    network.host("10.0.0.1", name="alice")
    network.host("10.0.0.2", name="bob")
    network.capture.points = points
    a, _ = MediaSocket(network, "10.0.0.1", 4000), MediaSocket(network, "10.0.0.2", 5000)
    for number in range(count):
        a.send(b"%d" % number, ("10.0.0.2", 5000))
        network.clock.advance(network.clock.now + 0.02)
        network.capture.flush(network.clock.now)
    return network


def saved(network: Network) -> bytes:
    file = io.BytesIO()
    network.capture.save(file)
    network.capture.close()
    return file.getvalue()


def packets(data: bytes) -> list[tuple[float, bytes]]:
    """Time since the start and payload of each packet."""
    found = []
    while data:
        kind, length = struct.unpack_from("<II", data)
        if kind == 6:
            high, low, size = struct.unpack_from("<III", data, 12)
            time = ((high << 32 | low) - 1_767_225_600 * 10**9) / 1e9
            found.append((time, data[28 + 28 : 28 + size]))
        data = data[length:]
    return found


def test_what_was_received_is_recorded_at_the_time_it_came() -> None:
    network = world("received", delay=0.05)
    assert packets(saved(network)) == [(0.05, b"0"), (0.07, b"1"), (0.09, b"2")]
    assert network.capture.datagrams == 3


def test_what_was_sent_is_recorded_with_its_fate() -> None:
    network = world("sent", loss=".x.")
    data = saved(network)
    assert packets(data) == [(0.0, b"0"), (0.02, b"1"), (0.04, b"2")]
    assert data.count(b"dropped: loss on alice > bob") == 1
    assert network.capture.drops == [
        (Datagram(START + 0.02, ("10.0.0.1", 4000), ("10.0.0.2", 5000), b"1"), "loss on alice > bob")
    ]


def test_both_ends_and_none() -> None:
    assert len(packets(saved(world("both")))) == 6
    assert packets(saved(world("none"))) == []


def test_many_packets_are_spooled_in_order_of_time() -> None:
    network = world("received", count=10_000, jitter=0.1, reorders_by_jitter=True, corrupt=0.0)
    got = packets(saved(network))
    assert len(got) == 10_000
    assert [time for time, _ in got] == sorted(time for time, _ in got)


def test_saving_twice_and_to_a_path(tmp_path: Path) -> None:
    network = world("received")
    path = tmp_path / "a.pcapng"
    network.capture.save(path)
    network.capture.save(path)
    assert path.read_bytes() == saved(network)


def test_who_asks_is_told_of_every_datagram() -> None:
    network = Network(delay=0.5)
    network.host("10.0.0.1", name="alice")
    seen: list[tuple[str, Datagram]] = []
    network.capture.on_received = lambda host, datagram: seen.append((host, datagram))
    a, b = MediaSocket(network, "10.0.0.1", 1), MediaSocket(network, "10.0.0.1", 2)
    a.send(b"x", b.address)
    assert seen == [("alice", Datagram(START + 0.00002, ("10.0.0.1", 1), ("10.0.0.1", 2), b"x"))]


def test_the_seed_is_in_the_file() -> None:
    sim = Simulation(seed=12345)

    async def main() -> None:
        pass

    sim.run(main())
    assert b"seed 12345" in saved(sim.network)
