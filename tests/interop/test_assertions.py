"""The assertions of sipmedia.testing on calls that a simulation had no part in: real UDP, baresip, tshark."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipmedia.simulation import GilbertElliott, Simulation
from sipmedia.testing import (
    Phones,
    SimCall,
    assert_dtmf,
    assert_heard,
    assert_heard_tone,
    assert_ladder,
    assert_longest_gap,
    assert_mos,
    assert_no_leaks,
    read_sound,
    speech,
    tone,
)
from sipmedia.testing.diagnosis import audio_of
from tests.interop.conftest import require
from tests.interop.harness import sound
from tests.interop.harness.baresip import Baresip
from tests.interop.harness.parties import Party

pytestmark = pytest.mark.interop

OURS, THEIRS = speech(3, seed=11), sound.tune(31, 12.0)


@pytest.mark.sipmedia(real_time=True, phones=("alice",))
@pytest.mark.usefixtures("baresip")
async def test_a_real_call_with_baresip(addresses: Iterator[Party], folder: Path, phones: Phones) -> None:
    alice = phones["alice"]
    peer = next(addresses)
    with Baresip(peer, folder / "baresip", THEIRS) as baresip:
        await asyncio.to_thread(baresip.wait_ready)
        call = await alice.call(peer.uri("bob"))
        with baresip.control() as control:
            await call.play(OURS)
            await call.play(tone(440, 0.4))
            await call.send_dtmf("42#")
            keys = await asyncio.to_thread(control.wait_for, "CALL_DTMF_START", 3)
            await asyncio.to_thread(baresip.command, "sndcode", "7")
            await asyncio.sleep(0.5)
        await call.hangup()
        await asyncio.to_thread(baresip.wait_for, "terminated")
        await asyncio.to_thread(baresip.stop)
        assert [event["param"] for event in keys] == list("42#")
    assert_ladder(alice, "INVITE", "200", "ACK", "first sound", "BYE", "200")
    assert_heard(alice, THEIRS[4000:28000])  # its beginning is played before we listen
    assert_longest_gap(alice, 0.2, until=3)
    assert_mos(alice, 4)
    assert_dtmf(alice, "7")
    (recorded,) = (folder / "baresip").glob("dump-*-dec.wav")
    assert_heard(recorded, OURS)
    assert_heard_tone(recorded, 440, since=read_sound(recorded).seconds / 2)
    with pytest.raises(AssertionError, match="alice did not hear the clip"):
        assert_heard(alice, OURS)
    await assert_no_leaks(alice)


async def test_tshark_counts_loss_and_jitter_as_we_do(
    sim_call: SimCall, simulation: Simulation, tmp_path: Path
) -> None:
    """By its own analysis of RTP streams: loss packet for packet, and jitter on the average of the call."""
    require("tshark", shutil.which("tshark") is not None)
    assert sim_call.link is not None
    sim_call.link.set(jitter=0.03, loss=GilbertElliott.of(0.04, 3))
    for number, call in enumerate(sim_call):
        call.play(speech(30, seed=number))
    parties = sim_call.alice, sim_call.bob
    jitter: dict[str, list[float]] = {party.name: [] for party in parties}
    for _ in range(1500):
        await asyncio.sleep(0.02)
        for party in parties:
            audio = audio_of(party.last)
            assert audio is not None
            jitter[party.name].append(audio.jitter)
    await sim_call.caller.hangup()
    simulation.capture.save(tmp_path / "call.pcapng")
    command = ["tshark", "-r", str(tmp_path / "call.pcapng"), "-q", "-z", "rtp,streams"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # Of a line: 4 receiver, 8 packets, 9 lost, 14 to 16 least, mean and most jitter in ms.
    streams = {line.split()[4]: line.split() for line in shown.splitlines() if "g711U" in line}
    for party in parties:
        audio = audio_of(party.last)
        assert audio is not None
        stream = streams[party.address[0]]
        assert int(stream[8]) == pytest.approx(audio.packets_received, abs=2)
        assert int(stream[9]) == pytest.approx(audio.packets_lost, abs=2)
        theirs, ours = float(stream[15]), sum(jitter[party.name]) / 1500
        assert ours == pytest.approx(theirs, rel=0.05)
