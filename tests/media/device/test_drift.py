"""Following another clock: the sound stays the sound."""

import numpy as np
import pytest

from media.audio.resample import Resampler
from media.device.drift import DriftingResampler
from media.frame import Samples

RATE = 8000


def tone(hz: float, seconds: float = 4.0) -> Samples:
    samples: Samples = np.rint(10000 * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE)).astype(
        np.int16
    )
    return samples


def drifted(
    samples: Samples, step: float, block: int = 160, from_hz: int = RATE, to_hz: int = RATE
) -> Samples:
    drift = DriftingResampler(from_hz, to_hz)
    return np.concatenate(
        [drift.process(samples[i : i + block], step) for i in range(0, len(samples), block)]
    )


def noise_db(samples: Samples, hz: float, rate_hz: int = RATE) -> float:
    """What is left of a tone when the tone is taken out, in dB below it."""
    out = samples[2000:-2000].astype(float)
    angle = 2 * np.pi * hz * np.arange(len(out)) / rate_hz
    waves = np.stack([np.sin(angle), np.cos(angle)], 1)
    parts, *_ = np.linalg.lstsq(waves, out, rcond=None)
    rest = out - waves @ parts
    return float(10 * np.log10((out**2).mean() / (rest**2).mean()))


def test_without_drift_the_samples_are_the_same_a_little_later() -> None:
    said = tone(700)
    heard = drifted(said, 0.0)
    late = round(DriftingResampler(RATE, RATE).delay_s * RATE)
    assert len(heard) == len(said)
    assert (heard[late:] == said[:-late]).all()


@pytest.mark.parametrize(("from_hz", "to_hz"), [(8000, 48000), (48000, 8000), (44100, 16000), (32000, 48000)])
def test_without_drift_it_is_a_resampler(from_hz: int, to_hz: int) -> None:
    noise = np.random.default_rng(1).normal(0, 5000, from_hz).astype(np.int16)
    heard = drifted(noise, 0.0, from_hz // 50, from_hz, to_hz)
    assert np.abs(heard.astype(int) - Resampler(from_hz, to_hz).process(noise)).max() <= 1


@pytest.mark.parametrize("ppm", [-300, 0, 100])
@pytest.mark.parametrize(
    ("from_hz", "to_hz"),
    [(8000, 48000), (16000, 48000), (48000, 8000), (48000, 16000), (44100, 8000), (8000, 44100)],
)
def test_a_tone_of_another_rate_is_clean_and_as_late_as_it_says(from_hz: int, to_hz: int, ppm: int) -> None:
    hz, seconds = 1000.0, 3
    said = np.rint(10000 * np.sin(2 * np.pi * hz * np.arange(seconds * from_hz) / from_hz)).astype(np.int16)
    heard = drifted(said, ppm * 1e-6, from_hz // 50, from_hz, to_hz)
    assert abs(len(heard) - len(said) * to_hz / from_hz / (1 + ppm * 1e-6)) <= 2
    assert noise_db(heard, hz * (1 + ppm * 1e-6), to_hz) > 64
    start = to_hz // 10
    angle = 2 * np.pi * hz * (1 + ppm * 1e-6) * (np.arange(start, 2 * start) / to_hz)
    a, b = (2 / start * float(wave @ heard[start : 2 * start]) for wave in (np.sin(angle), np.cos(angle)))
    late = (-np.arctan2(b, a) / (2 * np.pi * hz) - DriftingResampler(from_hz, to_hz).delay_s) * hz % 1
    assert min(late, 1 - late) < 0.05


@pytest.mark.parametrize("ppm", [-1000, -100, -7, 100, 1000, 3000])
def test_makes_so_many_samples_fewer_or_more(ppm: int) -> None:
    said = tone(700, 10.0)
    heard = drifted(said, ppm * 1e-6)
    assert abs(len(said) / (1 + ppm * 1e-6) - len(heard)) <= 2


@pytest.mark.parametrize(("ppm", "hz", "at_least_db"), [(100, 1000, 68), (-100, 3000, 68), (1000, 1000, 60)])
def test_a_tone_stays_a_clean_tone(ppm: int, hz: float, at_least_db: float) -> None:
    heard = drifted(tone(hz), ppm * 1e-6)
    assert noise_db(heard, hz * (1 + ppm * 1e-6)) > at_least_db


def test_blocks_may_be_of_any_size() -> None:
    said = tone(1000, 1.0)
    whole, pieces = drifted(said, 1e-4, 8000), drifted(said, 1e-4, 37)
    n = min(len(whole), len(pieces))
    assert abs(len(whole) - len(pieces)) <= 1
    assert np.abs(whole[:n].astype(int) - pieces[:n]).max() <= 25  # of 10000
