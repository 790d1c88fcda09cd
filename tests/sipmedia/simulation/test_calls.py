"""Whole calls in virtual time: the same classes, the same calls, as in life."""

import asyncio
import hashlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media.audio.graph import SampleSource
from media.audio.synthesis import melody
from media.codec import registry as codecs
from media.frame import AudioFrame
from sipmedia import Account, Call, CallFailed, IncomingCall, Softphone
from sipmedia.simulation import GilbertElliott, Network, Simulation
from sipmedia.simulation.clock import START, STARTED_AT

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Party:
    """A phone and what became of its call."""

    phone: Softphone
    call: Call | None = None
    heard: list[tuple[float, AudioFrame]] = field(default_factory=list)

    def push(self, frame: AudioFrame) -> None:
        self.heard.append((asyncio.get_running_loop().time(), frame))

    def longest_gap(self, since: float, until: float) -> float:
        times = [since, *(time for time, _ in self.heard if since <= time <= until), until]
        return max(np.diff(times))

    def listen(self) -> None:
        assert self.call is not None
        assert self.call.session is not None
        self.call.session.add_sink(self)
        self.call.play(SampleSource(melody(8000), 8000, repeat=None))


async def talk(
    caller_at: str, callee_at: str, then: Callable[[Party, Party], Awaitable[None]], to: str | None = None
) -> None:
    """A call in which both sides play a melody and listen, until `then` is done."""
    async with (
        Softphone(Account(f"sip:alice@{caller_at}"), bind=f"{caller_at}:5060") as alice,
        Softphone(Account(f"sip:bob@{callee_at}"), bind=f"{callee_at}:5060") as bob,
    ):
        caller, callee = Party(alice), Party(bob)

        async def answer(event: IncomingCall) -> None:
            callee.call = event.call
            await event.call.answer()
            callee.listen()

        bob.on("incoming_call", answer)
        caller.call = await alice.call(to or f"sip:bob@{callee_at}")
        caller.listen()
        await then(caller, callee)
        await caller.call.hangup()


def pair(seed: int = 1, **link: Any) -> Network:
    network = Network(seed=seed)
    network.link(network.host("10.0.0.1", name="alice"), network.host("10.0.0.2", name="bob"), **link)
    return network


async def a_minute(caller: Party, callee: Party) -> None:
    await asyncio.sleep(60)


def test_both_hear_each_other_exactly_on_a_clean_link() -> None:
    async def then(caller: Party, callee: Party) -> None:
        await asyncio.sleep(5)
        pcmu = codecs.get("PCMU")
        tune = pcmu.make_decoder().decode(pcmu.make_encoder().encode(np.tile(melody(8000), 3)))
        for party in (caller, callee):
            heard = np.concatenate([frame.samples for _, frame in party.heard])
            assert len(heard) > 4.8 * 8000
            assert heard[8000:24000].tobytes() in tune.tobytes()

    sim = Simulation(pair(delay=0.02))
    sim.run(talk("10.0.0.1", "10.0.0.2", then), limit=60)
    assert sim.open_sockets() == []
    assert sim.capture.drop_counts.keys() <= {"nobody listens on alice", "nobody listens on bob"}


def call_hash(seed: int) -> str:
    """What was on the wire, and what both heard, in a call over a bad link."""
    digest = hashlib.sha256()

    async def then(caller: Party, callee: Party) -> None:
        await asyncio.sleep(20)
        assert caller.call is not None
        await caller.call.send_dtmf("12#")
        for party in (caller, callee):
            for time, frame in party.heard:
                digest.update(f"{time!r} {frame.timestamp}".encode() + frame.to_bytes())

    network = pair(
        seed, delay=0.02, jitter=0.03, loss=GilbertElliott.of(0.05, 3), reorder=0.02, duplicate=0.02
    )
    sim = Simulation(network)
    sim.run(talk("10.0.0.1", "10.0.0.2", then), limit=100)
    file = io.BytesIO()
    sim.capture.save(file)
    digest.update(file.getvalue())
    return digest.hexdigest()


def test_the_same_seed_makes_the_same_call() -> None:
    assert call_hash(5) == call_hash(5) != call_hash(6)


def test_the_same_seed_makes_the_same_call_in_another_process() -> None:
    folder = str(Path(__file__).parent)
    program = f"import sys; sys.path.insert(0, {folder!r}); import test_calls; print(test_calls.call_hash(5))"
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    assert hashes == {call_hash(5)}


def test_it_is_much_faster_than_life() -> None:
    sim = Simulation(pair(delay=0.02, jitter=0.03, loss=0.02))
    sim.run(talk("10.0.0.1", "10.0.0.2", a_minute), limit=100)
    assert sim.elapsed > 60
    assert sim.speed > 10  # 150 and more when the machine is otherwise idle


def test_a_name_is_looked_up_and_called() -> None:
    Simulation(pair()).run(talk("10.0.0.1", "10.0.0.2", a_minute, to="sip:bob@bob:5060"), limit=100)


def test_ipv6() -> None:
    network = Network()
    network.host("fd00::1")
    network.host("fd00::2")

    async def main() -> int:
        async with Softphone(bind="[fd00::1]:5060") as alice, Softphone(bind="[fd00::2]:5060") as bob:
            return await echo_call(alice, bob, "sip:bob@[fd00::2]:5060")

    assert Simulation(network).run(main(), limit=60) > 90


async def echo_call(alice: Softphone, bob: Softphone, target: str) -> int:
    """Packets that came back of two seconds of sound."""

    async def answer(event: IncomingCall) -> None:
        await event.call.answer()
        event.call.echo()

    bob.on("incoming_call", answer)
    call = await alice.call(target)
    call.play(melody(8000))
    await asyncio.sleep(2)
    statistics = call.statistics()
    assert statistics is not None
    await call.hangup()
    return statistics.media["audio"].packets_received


def test_phones_on_all_addresses_of_their_hosts() -> None:
    network = pair()

    async def main() -> int:
        alice, bob = Softphone(bind="0.0.0.0:5060"), Softphone(bind="0.0.0.0:5060")
        for phone, host in zip((alice, bob), network.hosts, strict=True):
            with host:  # handlers then run there, too
                await phone.start()
        with network.hosts[0]:
            received = await echo_call(alice, bob, "sip:bob@bob")
        await alice.aclose()
        await bob.aclose()
        return received

    assert Simulation(network).run(main(), limit=60) > 90


def test_loopback_addresses_as_in_every_example() -> None:
    async def main() -> int:
        async with (
            Softphone(bind="127.0.0.1:5060") as alice,
            Softphone(bind="127.0.0.1:5062") as bob,
        ):
            return await echo_call(alice, bob, "sip:bob@127.0.0.1:5062")

    assert Simulation().run(main(), limit=60) > 90


def test_calling_out_of_the_network_names_the_address() -> None:
    async def main() -> None:
        async with Softphone(bind="10.0.0.1:5060") as phone:
            await phone.call("sip:bob@192.0.2.7")

    with pytest.raises(CallFailed) as caught:
        Simulation(pair()).run(main(), limit=60)
    assert "192.0.2.7 is outside the simulated network" in caught.value.__notes__[-1]


@pytest.mark.parametrize("kind", ["full_cone", "address_restricted", "port_restricted", "symmetric"])
def test_a_rebinding_nat_box_does_not_end_the_sound(kind: Any) -> None:
    network = Network()
    network.host("203.0.113.1", name="bob")
    nat = network.nat(kind, "198.51.100.1")
    nat.host("192.168.1.10", name="alice")

    async def then(caller: Party, callee: Party) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(5)
        began = loop.time()
        nat.rebind()
        await asyncio.sleep(10)
        for party in (caller, callee):
            assert party.longest_gap(began - 3, began) < 0.05
            assert party.longest_gap(began, loop.time()) < 1.0
            assert party.longest_gap(loop.time() - 5, loop.time()) < 0.05

    Simulation(network).run(talk("192.168.1.10", "203.0.113.1", then), limit=60)


def test_a_partition_in_mid_call_heals() -> None:
    network = pair(delay=0.01)

    async def then(caller: Party, callee: Party) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(5)
        network.partition(network.hosts[:1], network.hosts[1:])
        await asyncio.sleep(10)
        network.heal()
        await asyncio.sleep(5)
        for party in (caller, callee):
            assert 9.5 < party.longest_gap(1000, loop.time()) < 10.5
            assert party.longest_gap(loop.time() - 4, loop.time()) < 0.05

    Simulation(network).run(talk("10.0.0.1", "10.0.0.2", then), limit=60)


def test_one_direction_alone_may_fail() -> None:
    network = pair()
    link = network.link(*network.hosts)

    async def then(caller: Party, callee: Party) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(2)
        link.towards(network.hosts[0]).set(loss=1.0)
        await asyncio.sleep(5)
        assert caller.longest_gap(loop.time() - 5, loop.time()) > 4
        assert callee.longest_gap(loop.time() - 5, loop.time()) < 0.05
        link.set(loss=0.0)

    Simulation(network).run(talk("10.0.0.1", "10.0.0.2", then), limit=60)


def tshark_fields(path: Path, show: str, *fields: str) -> list[list[str]]:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    wanted = [argument for field in fields for argument in ("-e", field)]
    command = [tshark, "-r", str(path), "-Y", show, "-T", "fields", *wanted]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.split("\t") for line in shown.splitlines()]


def test_tshark_sees_what_we_count(tmp_path: Path) -> None:
    statistics: dict[str, Any] = {}
    network = pair(seed=3, delay=0.02)
    link = network.link(*network.hosts)

    async def then(caller: Party, callee: Party) -> None:
        link.set(loss=0.02, jitter=0.03)
        await asyncio.sleep(60)
        for name, party in (("10.0.0.1", caller), ("10.0.0.2", callee)):
            assert party.call is not None
            snapshot = party.call.statistics()
            assert snapshot is not None
            statistics[name] = asyncio.get_running_loop().time(), snapshot.media["audio"]
        link.set(loss=0.0)

    sim = Simulation(network)
    sim.run(talk("10.0.0.1", "10.0.0.2", then), limit=100)
    path = tmp_path / "call.pcapng"
    sim.capture.save(path)
    messages = tshark_fields(path, "sip", "sip.Method", "sip.Status-Code")
    assert [method for method, _ in messages if method] == ["INVITE", "ACK", "BYE"]
    assert ["", "200"] in messages
    for receiver, (taken_at, ours) in statistics.items():
        packets = tshark_fields(
            path, f"rtp && ip.dst == {receiver}", "frame.time_epoch", "rtp.seq", "rtp.timestamp"
        )
        known = [
            (arrival, int(number), int(timestamp))
            for time, number, timestamp in packets
            if (arrival := float(time) - STARTED_AT) + START <= taken_at - 0.02
        ]
        assert len(known) == pytest.approx(ours.packets_received, abs=2)
        spread = (known[-1][1] - known[0][1]) % 65536 + 1
        assert spread - len(known) == pytest.approx(ours.packets_lost, abs=1)
        jitter = 0.0  # RFC 3550 section 6.4.1, by the times and timestamps that tshark shows
        for (before, _, sent_before), (arrival, _, sent) in pairwise(known):
            difference = (arrival - before) - (sent - sent_before) / 8000
            jitter += (abs(difference) - jitter) / 16
        assert jitter * 1000 == pytest.approx(ours.jitter, abs=2)
