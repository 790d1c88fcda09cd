"""Short calls over links with random faults: whatever happens, all ends, nothing leaks, nothing is logged."""

import asyncio
import logging
from random import Random

import pytest

from media.audio.synthesis import melody
from sipmedia import Account, IncomingCall, SipMediaError, Softphone
from sipmedia.simulation import GilbertElliott, Network, Simulation
from sipmedia.simulation.nat import NatKind
from tests.thoroughness import seeds

ALICE, BOB = "10.0.0.1", "10.0.0.2"
KINDS: tuple[NatKind, ...] = ("full_cone", "address_restricted", "port_restricted", "symmetric")
TUNE = melody(8000)


class Chaos:
    """One call whose network, parties and faults follow from a number."""

    def __init__(self, seed: int) -> None:
        chance = self.chance = Random(seed)
        self.network = Network(seed=seed, delay=chance.choice([0.001, 0.02, 0.15]))
        self.nat = self.network.nat(chance.choice(KINDS), "198.51.100.1") if self.happens(0.3) else None
        inside = self.nat or self.network
        self.near = self.nat or inside.host(ALICE, name="alice")
        if self.nat is not None:
            self.nat.host(ALICE, name="alice")
        self.far = self.network.host(BOB, name="bob")
        self.network.link(
            self.near,
            self.far,
            loss=chance.choice([0, 0.02, 0.1, 0.3, GilbertElliott.of(0.1, 4)]),
            jitter=chance.choice([0, 0.01, 0.06]),
            reorder=chance.choice([0, 0.05, 0.2]),
            duplicate=chance.choice([0, 0.05, 0.3]),
            corrupt=chance.choice([0, 0, 0.02]),
            rate_bps=chance.choice([None, None, 128e3]),
        )

    def happens(self, probability: float) -> bool:
        return self.chance.random() < probability

    async def a_while(self) -> None:
        await asyncio.sleep(2 * self.chance.random())

    async def incoming(self, event: IncomingCall) -> None:
        await self.a_while()
        if self.happens(0.1):
            event.call.reject(486)
            return
        await event.call.answer()
        event.call.echo()
        if self.happens(0.3):
            await self.a_while()
            await event.call.hangup()

    async def call(self) -> None:
        async with (
            Softphone(Account(f"sip:alice@{ALICE}"), bind=f"{ALICE}:5060") as alice,
            Softphone(Account(f"sip:bob@{BOB}"), bind=f"{BOB}:5060") as bob,
        ):
            bob.on("incoming_call", self.incoming)
            call = alice.dial(f"sip:bob@{BOB}")
            if self.happens(0.15):
                await self.a_while()
                await call.hangup()
                return
            await call.answered()
            call.play(TUNE)
            await self.a_while()
            if self.happens(0.1):
                self.network.partition([self.near], [self.far])
            if self.happens(0.3):
                await call.send_dtmf("1")
            if self.happens(0.2):
                await call.hold()
                await call.resume()
            if self.nat is not None and self.happens(0.3):
                self.nat.rebind()
            await self.a_while()
            await call.hangup()


def run(seeds: range, caplog: pytest.LogCaptureFixture) -> int:
    """How many calls went through to their planned end."""
    talked = 0
    for seed in seeds:
        chaos = Chaos(seed)
        sim = Simulation(chaos.network)
        try:
            sim.run(chaos.call(), limit=300)
            talked += 1
        except SipMediaError:
            pass  # refused, lost, ended by the other side: the caller was told, and that is all we ask
        assert sim.open_sockets() == [], f"seed {seed}"
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == [], f"seed {seed}"
    return talked


def test_fifty_calls(caplog: pytest.LogCaptureFixture) -> None:
    assert run(range(50), caplog) > 30


@pytest.mark.slow
def test_a_thousand_calls(caplog: pytest.LogCaptureFixture) -> None:
    calls = seeds(1000, 2000)
    assert run(calls, caplog) > 0.7 * len(calls)
