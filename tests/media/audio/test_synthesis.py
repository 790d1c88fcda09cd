"""Synthetic sounds: loud enough, within range, repeatable, and unlike each other."""

from random import Random

import numpy as np
import pytest

from media.audio.synthesis import FALLING_TUNE, demo_clip, melody, speech
from media.frame import Samples


def likeness(one: Samples, other: Samples) -> float:
    """The highest normalised correlation at any lag."""
    n = max(len(one), len(other)) * 2
    spectrum = np.fft.rfft(one, n) * np.conj(np.fft.rfft(other, n))
    energy = np.sqrt(np.sum(one.astype(float) ** 2) * np.sum(other.astype(float) ** 2))
    return float(np.abs(np.fft.irfft(spectrum)).max() / energy)


@pytest.mark.parametrize("rate", [8000, 16000])
def test_two_clips_that_nobody_confuses(rate: int) -> None:
    low, high = demo_clip(rate, Random(1), voice="low"), demo_clip(rate, Random(2), voice="high")
    for clip in (low, high):
        assert 3.5 < len(clip) / rate < 5
        assert 5000 < np.abs(clip).max() < 32767
    assert likeness(low, low) == pytest.approx(1)
    assert likeness(low, high) < 0.2


def test_repeatable() -> None:
    assert np.array_equal(speech(8000, 1.0, Random(3)), speech(8000, 1.0, Random(3)))
    assert likeness(speech(8000, 1.0, Random(3)), speech(8000, 1.0, Random(4))) < 0.6


def test_speech_has_the_rhythm_of_speech() -> None:
    samples = speech(8000, 10.0, Random(1)).astype(float)
    assert len(samples) == 80_000
    envelope = np.sqrt((samples.reshape(-1, 160) ** 2).mean(axis=1))
    quiet = envelope < 0.05 * envelope.max()
    assert 0.03 < quiet.mean() < 0.5
    syllables = np.count_nonzero(np.diff((envelope > 0.3 * envelope.max()).astype(int)) == 1)
    assert 25 <= syllables <= 90


def test_speech_is_mostly_below_four_kilohertz() -> None:
    spectrum = np.abs(np.fft.rfft(speech(16000, 3.0, Random(1)).astype(float))) ** 2
    assert spectrum[: 3 * 4000].sum() > 0.9 * spectrum.sum()


def test_melody() -> None:
    tune = melody(8000, FALLING_TUNE)
    assert len(tune) == round(sum(seconds for _, seconds in FALLING_TUNE) * 8000)
    assert not melody(8000, ((0, 0.5),)).any()
    assert len(melody(8000, ())) == 0
