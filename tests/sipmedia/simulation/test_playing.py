"""Playback under control: queue, pause, seek, loop, any rate; in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from media import BadAudio
from media.audio.tones import ToneSource
from media.frame import AudioFrame
from sipmedia import Account, Call, IncomingCall, Softphone
from sipmedia.simulation import Network, Simulation

Test = Callable[[Call, "Ear"], Awaitable[None]]


class Ear:
    """What the far end hears, as the level of each 100 ms in thousands."""

    def __init__(self) -> None:
        self.samples: list[AudioFrame] = []

    def push(self, frame: AudioFrame) -> None:
        self.samples.append(frame)

    def now(self) -> int:
        """The level of what was heard last."""
        return round(float(np.median(self.samples[-2].samples)) / 1000)


def simulate(test: Test) -> None:
    async def main() -> None:
        async with (
            Softphone(Account("sip:a@10.0.0.1"), bind="10.0.0.1:5060") as alice,
            Softphone(Account("sip:b@10.0.0.2"), bind="10.0.0.2:5060") as bob,
        ):
            ear = Ear()

            async def answer(event: IncomingCall) -> None:
                await event.call.answer()
                assert event.call.session is not None
                event.call.session.add_sink(ear)

            bob.on("incoming_call", answer)
            call = await alice.call("sip:b@10.0.0.2")
            await asyncio.sleep(0.5)
            await test(call, ear)
            await call.hangup()

    network = Network(seed=1)
    network.host("10.0.0.1")
    network.host("10.0.0.2")
    Simulation(network).run(main(), limit=100)


def steps(*levels: int, rate: int = 8000) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """A second of each level, in thousands."""
    return np.repeat(np.array(levels, np.int16) * 1000, rate)


@pytest.mark.parametrize("kind", ["samples", "file", "file of 44100 Hz"])
def test_pause_resume_seek_and_loop(kind: str, tmp_path: Path) -> None:
    rate = 44100 if "44100" in kind else 8000
    path = tmp_path / "steps.wav"
    soundfile.write(path, steps(1, 2, 3, 4, rate=rate), rate)

    async def test(call: Call, ear: Ear) -> None:
        if kind == "samples":
            playback = call.play(steps(1, 2, 3, 4), repeat=None)
        else:
            playback = call.play(path, repeat=None)
        await asyncio.sleep(0.5)
        assert ear.now() == 1
        playback.pause()
        assert playback.paused
        await asyncio.sleep(3)
        assert ear.now() == 0
        assert playback.position == pytest.approx(0.5, abs=0.06)
        playback.resume()
        await asyncio.sleep(1)
        assert ear.now() == 2
        playback.seek(3.2)
        await asyncio.sleep(0.3)
        assert ear.now() == 4
        await asyncio.sleep(1)
        assert ear.now() == 1
        playback.stop()
        assert not await playback
        await asyncio.sleep(0.2)
        assert ear.now() == 0

    simulate(test)


def test_a_queue_of_what_has_different_rates() -> None:
    async def test(call: Call, ear: Ear) -> None:
        first = call.play(steps(1, 5))
        second = call.play(steps(2, rate=16000), sample_rate_hz=16000)
        third = call.play(steps(3, rate=48000), sample_rate_hz=48000)
        third.seek(0.5)
        await asyncio.sleep(0.6)
        assert ear.now() == 1
        first.stop()
        await asyncio.sleep(0.5)
        assert ear.now() == 2
        assert await second
        await asyncio.sleep(0.25)
        assert ear.now() == 3
        assert await third
        await asyncio.sleep(0.2)
        assert ear.now() == 0

    simulate(test)


def test_the_call_changes_its_rate() -> None:
    async def test(call: Call, ear: Ear) -> None:
        playback = call.play(steps(3), repeat=None)
        await asyncio.sleep(1)
        await call.use_codecs("G722")
        await asyncio.sleep(1)
        assert ear.samples[-1].sample_rate_hz == 16000
        assert ear.now() == 3
        playback.stop()

    simulate(test)


def test_what_cannot_be_sought() -> None:
    async def test(call: Call, ear: Ear) -> None:
        playback = call.play(ToneSource(8000, (440.0,)))
        with pytest.raises(BadAudio, match="ToneSource cannot be played from another place"):
            playback.seek(1.0)
        with pytest.raises(BadAudio, match="from -1 s on"):
            call.play(steps(1)).seek(-1)

    simulate(test)


def test_a_tone_of_a_country() -> None:
    async def test(call: Call, ear: Ear) -> None:
        tone = call.play_tone("ringback", "gb")
        await asyncio.sleep(2.9)
        loud = [bool(np.abs(frame.samples).max() > 500) for frame in ear.samples[-145:]]
        assert sum(loud) == pytest.approx(40, abs=2)  # 0.4 s, 0.2 s of pause, 0.4 s, and 2 s of pause
        tone.stop()
        assert await call.play_tone("busy", "de", duration_s=1.0)
        with pytest.raises(BadAudio, match="atlantis"):
            call.play_tone("dial", "atlantis")

    simulate(test)


def test_ringback_for_a_caller_while_somebody_else_is_called() -> None:
    """Early media: the caller hears a tone before the answer, and silence from then on."""

    async def main() -> None:
        async with (
            Softphone(Account("sip:a@10.0.0.1"), bind="10.0.0.1:5060") as alice,
            Softphone(Account("sip:b@10.0.0.2"), bind="10.0.0.2:5060") as bob,
        ):

            async def answer(event: IncomingCall) -> None:
                event.call.progress()
                tone = event.call.play_tone("ringback", "de")
                await asyncio.sleep(6)
                tone.stop()
                await event.call.answer()

            bob.on("incoming_call", answer)
            call = alice.dial("sip:b@10.0.0.2")
            ear = Ear()
            assert call.session is not None
            call.session.add_sink(ear)
            await call.answered()
            loud = [bool(np.abs(frame.samples).max() > 500) for frame in ear.samples]
            assert sum(loud) == pytest.approx(100, abs=3)  # twice a second
            heard = len(ear.samples)
            await asyncio.sleep(1)
            assert not any(np.abs(frame.samples).max() > 500 for frame in ear.samples[heard + 3 :])
            await call.hangup()

    network = Network(seed=1)
    network.host("10.0.0.1")
    network.host("10.0.0.2")
    Simulation(network).run(main(), limit=100)
