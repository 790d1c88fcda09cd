"""Recordings of calls, started and stopped in mid-call."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
import soundfile

from media.audio.tones import ToneSource
from sipmedia import Account, Call, IncomingCall, Softphone
from sipmedia.simulation import Network, Simulation


def amplitude(samples: np.ndarray[tuple[int], np.dtype[np.float64]], hz: float, rate: int) -> float:
    time = np.arange(len(samples)) / rate
    return float(abs(np.mean(samples * np.exp(-2j * np.pi * hz * time)))) * 2


@pytest.mark.parametrize("suffix", ["wav", "flac", "opus", "ogg"])
def test_parts_of_a_call(tmp_path: Path, suffix: str) -> None:
    """Two recordings in mid-call: both parties are in them at the right time, with silence between."""

    async def main() -> None:
        async with (
            Softphone(Account("sip:a@10.0.0.1"), bind="10.0.0.1:5060") as alice,
            Softphone(Account("sip:b@10.0.0.2"), bind="10.0.0.2:5060") as bob,
        ):
            taken: list[Call] = []

            async def answer(event: IncomingCall) -> None:
                await event.call.answer()
                taken.append(event.call)

            bob.on("incoming_call", answer)
            call = await alice.call("sip:b@10.0.0.2")
            await asyncio.sleep(3)
            mixed = call.record(tmp_path / f"mix.{suffix}", layout="mix")
            both = call.record(tmp_path / f"both.{suffix}", layout="stereo")
            await asyncio.sleep(1)
            call.play(ToneSource(8000, (500.0,), level_dbov=-20, duration_s=1.0))
            await asyncio.sleep(2)
            taken[0].play(ToneSource(8000, (1100.0,), level_dbov=-20, duration_s=1.0))
            await asyncio.sleep(2)
            for recording in (mixed, both):
                result = await recording.stop()
                assert result.error is None
                assert result.samples_dropped == recording.samples_dropped == 0
                assert result.duration == pytest.approx(5.0, abs=0.1)
            again = call.record(tmp_path / f"again.{suffix}", layout="mix")
            await asyncio.sleep(1)
            await call.hangup()
            assert again.result is not None
            assert again.result.duration == pytest.approx(1.0, abs=0.1)

    network = Network(seed=1, delay=0.01)
    network.host("10.0.0.1")
    network.host("10.0.0.2")
    Simulation(network).run(main(), limit=100)
    sides = {}
    for name in ("mix", "both"):
        samples, rate = soundfile.read(tmp_path / f"{name}.{suffix}", always_2d=True)
        for channel in range(samples.shape[1]):
            sides[name, channel] = [
                {hz for hz in (500.0, 1100.0) if amplitude(samples[a:b, channel], hz, rate) > 0.05}
                for a, b in ((int(t * rate), int((t + 0.7) * rate)) for t in (0.1, 1.15, 2.2, 3.2, 4.2))
            ]
    assert sides["mix", 0] == [set(), {500.0}, set(), {1100.0}, set()]
    assert sides["both", 0] == [set(), {500.0}, set(), set(), set()]
    assert sides["both", 1] == [set(), set(), set(), {1100.0}, set()]
