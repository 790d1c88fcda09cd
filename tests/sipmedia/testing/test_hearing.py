"""sipmedia/testing/hearing.py: what was heard, and what a failed assertion says."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from media import ManagerConfig
from media.codec.l16 import L16Encoder
from sipmedia.testing import (
    Phones,
    SimCall,
    Sound,
    assert_heard,
    assert_heard_tone,
    assert_longest_gap,
    assert_silence,
    call_time,
    speech,
    tone,
    write_wav,
)

CLIP = speech(3, seed=5)


def silence(seconds: float) -> NDArray[np.int16]:
    return np.zeros(round(seconds * 8000), np.int16)


def sound(*parts: object) -> Sound:
    return Sound(np.concatenate([np.asarray(part, np.int16) for part in parts]))


# --- recordings, without a call ---


def test_a_tone_and_where() -> None:
    heard = sound(silence(0.5), tone(620, 1.2), silence(0.3), tone(440, 0.5))
    span = assert_heard_tone(heard, 620, within=0.6)
    assert (span.start, span.end) == pytest.approx((0.5, 1.7), abs=0.05)
    assert assert_heard_tone(heard, 440, within=0.5, since=1.6).start == pytest.approx(2.0, abs=0.05)
    with pytest.raises(AssertionError, match=r"no|did not hear a tone of 440 Hz for 0.1 s within 1 s"):
        assert_heard_tone(heard, 440, within=1)


def test_a_missing_tone_says_what_was_heard() -> None:
    with pytest.raises(AssertionError) as failed:
        assert_heard_tone(sound(silence(0.5), tone(620, 1.2), silence(0.3)), 440, within=2)
    assert str(failed.value).splitlines() == [
        "the sound did not hear a tone of 440 Hz for 0.1 s within 2 s.",
        "  heard: 0.50-1.70 s: -20 dBFS, strongest at 620 Hz; silence otherwise",
    ]


@pytest.mark.parametrize(("hz", "other"), [(350, 440), (697, 770), (941, 1209), (1400, 1450), (3000, 3100)])
def test_neighbouring_tones_are_told_apart(hz: float, other: float) -> None:
    assert_heard_tone(tone(hz, 0.3), hz, lasting=0.25)
    with pytest.raises(AssertionError):
        assert_heard_tone(tone(hz, 0.3), other)


def test_a_clip_and_where() -> None:
    heard = sound(silence(1.0), CLIP, silence(1.0))
    found = assert_heard(heard, CLIP, within=1.01)
    assert found.offset == pytest.approx(1.0, abs=0.001)
    assert found.score > 0.999
    with pytest.raises(AssertionError, match=r"should have within 0\.5 s"):
        assert_heard(heard, CLIP, within=0.5)
    with pytest.raises(AssertionError, match="did not hear the clip"):
        assert_heard(heard, speech(3, seed=6))
    with pytest.raises(AssertionError, match="did not hear the clip"):
        assert_heard(heard, CLIP, since=3)


def test_a_clip_with_a_frame_inserted_and_one_left_out() -> None:
    heard = sound(CLIP[:8000], silence(0.02), CLIP[8000:20000], CLIP[20160:])
    assert assert_heard(heard, CLIP).score > 0.93


def test_a_clip_of_another_rate() -> None:
    assert_heard(
        Sound(speech(3, seed=5, rate=16000), 16000), Sound(speech(3, seed=5, rate=16000), 16000).at_rate(8000)
    )


def test_a_recording_in_a_file(tmp_path: Path) -> None:
    write_wav(tmp_path / "heard.wav", sound(silence(0.4), CLIP))
    assert assert_heard(tmp_path / "heard.wav", CLIP).offset == pytest.approx(0.4)
    with pytest.raises(AssertionError, match=r"^heard.wav did not hear"):
        assert_heard(tmp_path / "heard.wav", speech(2, seed=8))


def test_silence() -> None:
    heard = sound(tone(440, 0.5), silence(1.0), tone(440, 0.5))
    assert_silence(heard, 0.5, 1.5)
    with pytest.raises(AssertionError, match=r"heard nothing from 0\.40 s to 1\.20 s, but did"):
        assert_silence(heard, 0.4, 1.2)


def test_the_longest_gap() -> None:
    heard = sound(
        silence(2), tone(440, 0.5), silence(0.3), tone(440, 0.5), silence(0.8), tone(440, 0.5), silence(3)
    )
    assert assert_longest_gap(heard, 0.9) == pytest.approx(0.8, abs=0.03)
    assert assert_longest_gap(heard, 0.5, until=3.4) == pytest.approx(0.3, abs=0.03)
    with pytest.raises(
        AssertionError, match=r"heard nothing for 0.80 s \(3.30-4.10 s\); at most 0.5 s was allowed"
    ):
        assert_longest_gap(heard, 0.5)
    with pytest.raises(AssertionError, match="heard nothing at all"):
        assert_longest_gap(sound(silence(1)), 0.5)


# --- calls ---


async def test_a_call_is_heard_from_a_moment_on(sim_call: SimCall) -> None:
    caller, callee = sim_call
    await caller.play(CLIP)
    await asyncio.sleep(1)
    then = call_time(callee)
    await caller.play(tone(440, 0.5))
    await asyncio.sleep(0.2)
    assert_heard(callee, CLIP, within=0.2)
    assert_heard_tone(callee, 440, within=0.1, since=then)
    assert_silence(callee, then - 0.8, then)
    with pytest.raises(AssertionError, match="bob did not hear a tone of 880 Hz"):
        assert_heard_tone(callee, 880, since=then)


async def test_who_did_not_say_it_is_named(sim_call: SimCall) -> None:
    await sim_call.caller.play(speech(2, seed=7))
    with pytest.raises(AssertionError, match=r"cause: alice did not say it. What alice said: 0\.") as failed:
        assert_heard(sim_call.bob, CLIP)
    assert "bob did not hear the clip (3.00 s): likeness 0." in str(failed.value)


async def test_a_cut_network_is_named(sim_call: SimCall) -> None:
    assert sim_call.link is not None
    sim_call.link.towards(sim_call.bob.host).set(loss=1.0)
    await sim_call.caller.play(CLIP)
    with pytest.raises(
        AssertionError, match=r"cause: alice sent \d+ packets to 192.0.2.2:10000, and bob listens"
    ):
        assert_heard(sim_call.bob, CLIP)


async def test_heavy_loss_is_named(sim_call: SimCall) -> None:
    assert sim_call.link is not None
    sim_call.link.set(loss=0.4)
    await sim_call.caller.play(CLIP)
    with pytest.raises(AssertionError, match=r"cause: the network: it lost \d\d.\d% of the packets to bob"):
        assert_heard(sim_call.bob, CLIP)


async def test_little_endian_l16_is_named(phones: Phones, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = phones[0]
    carol = await phones.add("carol", media=ManagerConfig(default_audio_codecs=("L16",)))
    clip = speech(3, seed=5, rate=16000)
    call = await alice.call(carol, codecs=("L16",))
    await call.play(clip)
    assert_heard(carol, clip)
    monkeypatch.setattr(L16Encoder, "encode", lambda _, samples: samples.astype("<i2").tobytes())
    call = await alice.call(carol, codecs=("L16",))
    await call.play(clip)
    with pytest.raises(AssertionError, match="cause: the byte order of alice's L16 encoder"):
        assert_heard(carol, clip)


async def test_a_call_that_nobody_watches(phones: Phones) -> None:
    with pytest.raises(LookupError, match="alice had no call yet"):
        assert_heard(phones[0], CLIP)
