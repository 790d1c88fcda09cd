"""Calls with Twinkle, a phone that speaks and listens by a sound card: tunes pass it both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from media.audio.resample import Resampler
from sipmedia import Call
from sipmedia.events import Dtmf
from sipmedia.service_events import Transferred
from tests.interop.conftest import require
from tests.interop.harness import ours, pulse, sound
from tests.interop.harness.parties import Party
from tests.interop.harness.phones import assert_hears, until
from tests.interop.harness.process import PeerTimeout
from tests.interop.harness.pulse import Pulse
from tests.interop.harness.twinkle import PROGRAM, Twinkle, available

pytestmark = pytest.mark.interop

MINE = sound.tune(71, 12.0)
MINE_AT_CARD, THEIRS = (sound.tune(seed, 12.0, pulse.RATE_HZ) for seed in (71, 72))
"""All is compared at the card's rate: at 8000 Hz half a sample is a sixth of a 3 kHz tone's period."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Pulse]:
    """A sound server with one card."""
    require(PROGRAM, available())
    require("a sound server (" + " ".join(pulse.missing()) + ")", not pulse.missing())
    try:
        running = Pulse(tmp_path / "pulse", ("a",))
    except PeerTimeout as error:
        require(f"a sound server that starts here ({error})", False)
        raise
    with running:
        yield running


def assert_heard(heard: sound.Samples, said: sound.Samples) -> None:
    """By tenths of a second: what passes a sound card is a few parts in ten thousand slower or faster."""
    sound.assert_heard(heard, said, 1.0, pulse.RATE_HZ, piece_s=0.1)


async def two_seconds(call: Call) -> sound.Samples:
    """What we hear from now on, at the card's rate, without the silence before it."""
    parts: list[sound.Samples] = []
    async for frame in call.frames():
        if parts or np.abs(frame.samples).max() > 200:
            parts.append(frame.samples)
        if len(parts) >= 100:
            break
    return Resampler(call.rate, pulse.RATE_HZ).process(np.concatenate(parts))


async def both_hear(server: Pulse, call: Call) -> None:
    """We hear who speaks into Twinkle's microphone, and its loudspeaker says what we do."""
    with server.speaks("a", THEIRS), server.listens("a") as listener:
        heard = await asyncio.wait_for(two_seconds(call), 10)
        there = await asyncio.to_thread(listener.heard)
    await asyncio.to_thread(assert_heard, heard, THEIRS)
    await asyncio.to_thread(assert_heard, there, MINE_AT_CARD)


async def called_by(twinkle: Twinkle, phone: ours.Phone, us: Party) -> Call:
    """The call from Twinkle, up, with our tune in it."""
    twinkle.say(f"call {us.uri('bob')}")
    await until(lambda: phone.calls, "the call")
    await asyncio.to_thread(twinkle.wait_said, "far end answered call")
    phone.calls[0].play(MINE, repeat=None)
    return phone.calls[0]


def test_we_call_twinkle(addresses: Iterator[Party], folder: Path, server: Pulse) -> None:
    async def scene(twinkle: Twinkle) -> None:
        async with ours.phone(next(addresses)) as phone:
            call = phone.softphone.dial(twinkle.uri())
            await asyncio.to_thread(twinkle.wait_said, "incoming call")
            twinkle.say("answer")
            await call.answered()
            call.play(MINE, repeat=None)
            await both_hear(server, call)
            await call.send_dtmf("17#")
            await until(lambda: twinkle.keys() == "17#", "the keys")
            await call.use_codecs("PCMA")
            await both_hear(server, call)
            await call.hangup()
            await asyncio.to_thread(twinkle.wait_said, "far end ended call")

    with Twinkle(folder / "twinkle", server, "a") as twinkle:
        twinkle.wait_ready()
        ours.run(scene(twinkle))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_twinkle_calls_us(addresses: Iterator[Party], folder: Path, server: Pulse, transport: str) -> None:
    us = next(addresses)

    async def scene(twinkle: Twinkle) -> None:
        async with ours.phone(us, transports=("udp", "tcp")) as phone:
            call = await called_by(twinkle, phone, us)
            keys: list[Dtmf] = []
            call.on("dtmf", keys.append)
            twinkle.say("hold")
            await until(lambda: call.held_by_remote, "the hold")
            await asyncio.to_thread(twinkle.wait_said, "re-INVITE successful")
            twinkle.say("retrieve")
            await until(lambda: not call.held_by_remote, "the end of the hold")
            await both_hear(server, call)
            twinkle.say("dtmf 90*")
            await until(lambda: [key.digit for key in keys] == list("90*"), "the keys")
            twinkle.say("bye")
            assert (await call.ended()).by == "remote"

    with Twinkle(folder / "twinkle", server, "a", {"sip_transport": transport}) as twinkle:
        twinkle.wait_ready()
        ours.run(scene(twinkle))


def test_twinkle_transfers_us(addresses: Iterator[Party], folder: Path, server: Pulse) -> None:
    """To another phone of ours, where our tune goes on."""
    us, carol = next(addresses), next(addresses)

    async def scene(twinkle: Twinkle) -> None:
        async with ours.phone(us) as phone, ours.phone(carol) as other:
            call = await called_by(twinkle, phone, us)
            transferred: list[Transferred] = []
            call.on("transferred", transferred.append)
            twinkle.say(f"transfer {carol.uri('carol')}")
            await asyncio.to_thread(twinkle.wait_said, "call successfully referred")
            await until(lambda: transferred, "the transfer")
            await assert_hears(other.calls[0], MINE)
            assert (await call.ended()).by == "remote"
            await transferred[0].successor.hangup()

    with Twinkle(folder / "twinkle", server, "a") as twinkle:
        twinkle.wait_ready()
        ours.run(scene(twinkle))
