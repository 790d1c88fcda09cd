"""Shorter and longer, with nothing to be heard of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.audio.time_stretch import is_quiet, lengthened, shortened
from media.frame import Samples


def tone(rate: int, hz: float, ms: float = 30.0, level: float = 8000.0) -> Samples:
    samples: Samples = np.rint(
        level * np.sin(2 * np.pi * hz * np.arange(int(rate * ms / 1000)) / rate)
    ).astype(np.int16)
    return samples


def longer(sound: Samples, rate: int, least_ms: float, likeness: float) -> Samples | None:
    """With nothing known of what was before."""
    return lengthened(sound, sound[:0], rate, least_ms, likeness)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("hz", [80.0, 100.0, 155.0, 250.0, 440.0, 1000.0])
@pytest.mark.parametrize("change", [shortened, longer])
def test_a_steady_tone_stays_one(rate: int, hz: float, change: object) -> None:
    sound = tone(rate, hz)
    changed = (shortened if change is shortened else longer)(sound, rate, 15.0, 0.9)
    assert changed is not None
    change_ms = abs(len(changed) - len(sound)) * 1000 / rate
    if change is shortened:
        assert 2.5 <= change_ms <= 15
    else:
        assert 12 < change_ms <= 25
    assert change_ms * hz / 1000 == pytest.approx(round(change_ms * hz / 1000), abs=0.05 + hz / rate / 2)
    steepest = np.abs(np.diff(sound.astype(int))).max()
    assert np.abs(np.diff(changed.astype(int))).max() <= 1.1 * steepest + 2
    assert np.array_equal(changed[:3], sound[:3]) or abs(int(changed[0]) - int(sound[0])) < steepest
    assert np.array_equal(changed[-rate // 250 :], sound[-rate // 250 :]) or change is longer


@pytest.mark.parametrize("hz", [80.0, 130.0, 200.0])
def test_a_whole_frame_more_needs_only_what_was_heard_before(hz: float) -> None:
    sound = tone(8000, hz, 40.0)
    before, present = sound[:160], sound[160:]
    changed = lengthened(present, before, 8000, 20.0, 0.9)
    assert changed is not None
    assert 160 <= len(changed) - len(present) <= 160 + 120
    steepest = np.abs(np.diff(sound.astype(int))).max()
    assert np.abs(np.diff(np.concatenate((before, changed)).astype(int))).max() <= 1.1 * steepest + 2


def test_rather_one_long_piece_is_left_out_than_a_short_one() -> None:
    sound = tone(8000, 200.0, 40.0)
    cut = shortened(sound, 8000, 20.0, 0.9)
    assert cut is not None
    assert len(sound) - len(cut) > 80


def test_noise_is_left_alone_until_it_must_be_cut() -> None:
    noise = np.random.default_rng(1).integers(-9000, 9000, 240).astype(np.int16)
    assert shortened(noise, 8000, 15.0, 0.9) is None
    assert longer(noise, 8000, 15.0, 0.9) is None
    cut = shortened(noise, 8000, 15.0, -1.0)
    assert cut is not None
    assert len(cut) < 240


def test_a_pause_gives_all_that_is_wanted() -> None:
    pause = np.random.default_rng(1).integers(-20, 20, 480).astype(np.int16)
    assert is_quiet(pause)
    cut, more = shortened(pause, 8000, 40.0, 0.9), longer(pause, 8000, 40.0, 0.9)
    assert cut is not None
    assert more is not None
    assert (len(cut), len(more)) == (160, 800)


@given(
    st.integers(0, 600), st.sampled_from([8000, 16000]), st.floats(0, 60), st.integers(0, 99), st.booleans()
)
def test_any_sound_of_any_length(n: int, rate: int, ms: float, seed: int, loud: bool) -> None:
    top = 32768 if loud else 30
    sound = np.random.default_rng(seed).integers(-top, top, n).astype(np.int16)
    shorter = shortened(sound, rate, ms, -1.0)
    if shorter is not None:
        assert shorter.dtype == np.int16
        assert 0 < n - len(shorter) <= ms * rate / 1000
    more = lengthened(sound, sound[: n // 2], rate, ms, -1.0)
    if more is not None:
        assert more.dtype == np.int16
        assert 0 < len(more) - n <= (ms + 15) * rate / 1000
