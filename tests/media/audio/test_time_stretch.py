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


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("hz", [80.0, 100.0, 155.0, 250.0, 440.0, 1000.0])
@pytest.mark.parametrize("change", [shortened, lengthened])
def test_a_steady_tone_stays_one(rate: int, hz: float, change: object) -> None:
    sound = tone(rate, hz)
    changed = (shortened if change is shortened else lengthened)(sound, rate, 15.0, 0.9)
    assert changed is not None
    change_ms = abs(len(changed) - len(sound)) * 1000 / rate
    assert 2.5 <= change_ms <= 15
    assert change_ms * hz / 1000 == pytest.approx(round(change_ms * hz / 1000), abs=0.05 + hz / rate / 2)
    steepest = np.abs(np.diff(sound.astype(int))).max()
    assert np.abs(np.diff(changed.astype(int))).max() <= 1.1 * steepest + 2
    assert np.array_equal(changed[:3], sound[:3]) or abs(int(changed[0]) - int(sound[0])) < steepest
    assert np.array_equal(changed[-rate // 250 :], sound[-rate // 250 :]) or change is lengthened


def test_noise_is_left_alone_until_it_must_be_cut() -> None:
    noise = np.random.default_rng(1).integers(-9000, 9000, 240).astype(np.int16)
    assert shortened(noise, 8000, 15.0, 0.9) is None
    assert lengthened(noise, 8000, 15.0, 0.9) is None
    cut = shortened(noise, 8000, 15.0, -1.0)
    assert cut is not None
    assert len(cut) < 240


def test_a_pause_gives_all_that_is_wanted() -> None:
    pause = np.random.default_rng(1).integers(-20, 20, 480).astype(np.int16)
    assert is_quiet(pause)
    cut, more = shortened(pause, 8000, 40.0, 0.9), lengthened(pause, 8000, 40.0, 0.9)
    assert cut is not None
    assert more is not None
    assert (len(cut), len(more)) == (160, 800)


@given(
    st.integers(0, 600), st.sampled_from([8000, 16000]), st.floats(0, 60), st.integers(0, 99), st.booleans()
)
def test_any_sound_of_any_length(n: int, rate: int, most_ms: float, seed: int, loud: bool) -> None:
    top = 32768 if loud else 30
    sound = np.random.default_rng(seed).integers(-top, top, n).astype(np.int16)
    for changed, sign in (
        (shortened(sound, rate, most_ms, -1.0), -1),
        (lengthened(sound, rate, most_ms, -1.0), 1),
    ):
        if changed is not None:
            assert changed.dtype == np.int16
            assert 0 < sign * (len(changed) - n) <= most_ms * rate / 1000
