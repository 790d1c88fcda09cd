"""sipmedia/sound.py and playback.py: what one side says, the other hears."""

import asyncio
import io
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from media import BadAudio, BadDigits
from media.audio.tones import ToneSource
from media.frame import AudioFrame
from sipmedia import Call, CallEnded
from sipmedia.hearing import find
from tests.sipmedia.kit import connected, first, pair, run

RATE = 8000
GENERATOR = np.random.default_rng(3)
CLIP = (GENERATOR.normal(size=RATE // 2) * np.hanning(RATE // 2) * 6000).astype(np.int16)


def wav(path: Path, samples: NDArray[np.int16], rate: int = RATE) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return path


def samples_of(path: Path) -> NDArray[np.int16]:
    with wave.open(str(path), "rb") as file:
        data = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
        return data.reshape(-1, file.getnchannels())


async def hear(call: Call, seconds: float) -> NDArray[np.int16]:
    """The next seconds of what a call hears."""
    heard: list[NDArray[np.int16]] = []
    with call.frames() as frames:
        async for frame in frames:
            heard.append(frame.samples)
            if sum(map(len, heard)) >= seconds * frame.sample_rate_hz:
                break
    return np.concatenate(heard)


def test_a_file_is_played_heard_and_recorded(tmp_path: Path) -> None:
    async def test() -> None:
        file = wav(tmp_path / "clip.wav", CLIP)
        async with connected() as (call, other):
            both = call.record(tmp_path / "both.wav", layout="stereo")
            other.record(tmp_path / "heard.wav")
            hearing = asyncio.ensure_future(hear(other, 0.7))
            assert await call.play(file)
            assert find(CLIP, await hearing, RATE).good
            await call.hangup()
            await other.ended()
            assert both.result is not None
            assert both.result.channels == 2
            assert both.result.error is None
        assert find(CLIP, samples_of(tmp_path / "heard.wav")[:, 0], RATE).good
        recorded = samples_of(tmp_path / "both.wav")
        assert find(CLIP, recorded[:, 0], RATE).score > 0.98
        assert not find(CLIP, recorded[:, 1], RATE).good

    run(test())


def test_a_recording_can_be_stopped_and_others_go_on(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected() as (call, _):
            one = call.record(tmp_path / "one.wav")
            buffer = io.BytesIO()
            two = call.record(buffer, layout="sent")
            await hear(call, 0.1)
            result = await one.stop()
            assert await one.stop() == result
            assert 0 < result.duration < 1
            assert two.result is None
            await call.hangup()
            assert two.result is not None
            assert two.result.path is None
            assert buffer.getvalue().startswith(b"RIFF")

    run(test())


def test_samples_sources_and_stopping() -> None:
    async def test() -> None:
        async with connected() as (call, other):
            hearing = asyncio.ensure_future(hear(other, 0.7))
            assert await call.play(CLIP)
            assert find(CLIP, await hearing, RATE).good
            for_ever = call.play(ToneSource(RATE, (440.0,)))
            next_one = call.play(CLIP[:320])
            for_ever.stop()
            for_ever.stop()
            assert not await for_ever
            assert await next_one
            assert for_ever.done
            dropped = call.play(CLIP, repeat=None)
            call.stop_playing()
            assert not await dropped

    run(test())


def test_what_is_written_is_heard_and_can_be_cleared() -> None:
    async def test() -> None:
        async with connected() as (call, other):
            hearing = asyncio.ensure_future(hear(other, 0.7))
            call.write(CLIP.tobytes())
            await call.drain()
            assert find(CLIP, await hearing, RATE).good
            call.clear()
            call.write(CLIP)
            cleared = call.clear()
            assert cleared.sent + cleared.dropped == len(CLIP)
            assert cleared.dropped > len(CLIP) // 2

    run(test())


def test_silence_is_sent_while_there_is_nothing_to_say() -> None:
    async def test() -> None:
        async with connected() as (_, other):
            heard = await hear(other, 0.1)
            assert not heard.any()

    run(test())


def test_echo() -> None:
    async def test() -> None:
        async with connected() as (call, other):
            other.echo()
            hearing = asyncio.ensure_future(hear(call, 0.8))
            await call.play(CLIP)
            assert find(CLIP, await hearing, RATE).good

    run(test())


def test_keys_are_heard_once_each_both_ways() -> None:
    async def test() -> None:
        async with connected() as (call, other):
            keys: dict[str, str] = {"call": "", "other": ""}
            call.on("dtmf", lambda event: keys.update(call=keys["call"] + event.digit))
            other.on("dtmf", lambda event: keys.update(other=keys["other"] + event.digit))
            heard = first(other, "dtmf")
            await asyncio.gather(call.send_dtmf("5#", 60), other.send_dtmf("*", 60))
            assert (await heard).duration_ms == 60
            while (keys["call"], keys["other"]) != ("*", "5#"):
                await hear(call, 0.02)
            with pytest.raises(BadDigits):
                await call.send_dtmf("x")

    run(test())


def test_a_file_that_cannot_be_played(tmp_path: Path) -> None:
    async def test() -> None:
        bad = tmp_path / "bad.wav"
        bad.write_bytes(b"nothing of the kind")
        async with connected() as (call, _):
            for path in (bad, tmp_path / "missing.wav"):
                with pytest.raises(BadAudio, match=path.name):
                    await call.play(path)
            with pytest.raises(BadAudio, match="no-folder"):
                call.record(tmp_path / "no-folder" / "x.wav")

    run(test())


def test_the_end_of_the_call_ends_what_is_played_and_read() -> None:
    async def test() -> None:
        async with connected() as (call, other):
            playing = call.play(CLIP, repeat=None)
            reading = asyncio.ensure_future(hear(call, 60))
            await hear(other, 0.04)
            await other.hangup()
            assert not await playing
            assert len(await reading) > 0
            await call.ended()
            statistics = call.statistics()
            assert statistics is not None
            assert statistics.media["audio"].packets_received > 0
            with pytest.raises(CallEnded):
                call.frames()

    run(test())


def test_the_trace_tells_of_the_sound() -> None:
    async def test() -> None:
        async with connected() as (call, other):
            await asyncio.gather(first(call, "media"), first(other, "media"))
            await call.send_dtmf("1", 40)
            await call.hangup()
        labels = [entry.label for entry in call.trace.entries()]
        for label in ("INVITE", "ACK", "first sound sent", "first sound heard", "key 1 pressed", "BYE"):
            assert label in labels
        span = call.trace.media_span()
        assert span is not None
        assert min(span.packets) > 0
        assert (call.trace.local.name, call.trace.remote.name) == ("alice", "bob")

    run(test())


def test_a_call_never_answered_has_no_statistics_to_speak_of() -> None:
    async def test() -> None:
        async with pair() as phones:
            call = phones.alice.dial(phones.bobs_uri, late_offer=True)
            assert call.statistics() is None
            assert call.codec is None
            await call.ended()

    run(test())


def test_what_is_played_goes_on_when_the_rate_changes() -> None:
    async def test() -> None:
        async with connected() as (call, other):
            tone = ToneSource(RATE, (440.0,), duration_s=1.0)
            playing = call.play(tone)
            await hear(other, 0.1)
            await call.use_codecs("G722")
            assert other.rate == 16000
            heard = (await hear(other, 0.4))[-3200:].astype(float)
            spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
            assert abs(np.argmax(spectrum) * 16000 / len(heard) - 440) <= 5
            assert await playing

    run(test())


def test_an_echo_sends_silence_to_who_says_nothing() -> None:
    """Two echoes: somebody has to begin, and what is behind NAT waits for the first packet."""

    async def test() -> None:
        async with connected() as (call, other):
            call.echo()
            other.echo()
            for side in (call, other):
                assert not (await hear(side, 0.2)).any()

    run(test())


class Broken:
    """What a user's source, or sink, may do."""

    def pull(self, n: int) -> AudioFrame | None:
        raise ValueError("no more")

    def push(self, frame: AudioFrame) -> None:
        raise ValueError("no room")


def test_what_raises_is_taken_off_and_told_and_the_call_goes_on() -> None:
    async def test() -> None:
        async with connected() as (call, other):
            assert call.session is not None
            told: list[str] = []
            call.on("error", lambda event: told.append(f"{event.doing}: {event.error}"))
            assert not await call.play(Broken())
            call.session.set_source(Broken())
            call.session.add_sink(Broken())
            hearing = asyncio.ensure_future(hear(other, 0.7))
            assert await call.play(CLIP)
            assert find(CLIP, await hearing, RATE).good
            call.echo()
            assert len(await hear(other, 0.1))
            assert sorted(told) == [
                "a sink of received audio failed and was taken off: no room",
                "a source of sent audio failed and was taken off: no more",
                "a source of sent audio failed and was taken off: no more",
            ]

    run(test())
