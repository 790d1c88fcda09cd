"""Streaming resampler: exact counts, clean sines, no aliases, blocks of any size the same."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.audio.resample import Resampler
from media.frame import Samples

RATES = (8000, 16000, 44100, 48000)
PAIRS = list(itertools.permutations(RATES, 2))


def sine(rate: int, hz: float, seconds: float = 1.0) -> Samples:
    wave = 10000 * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)
    return np.asarray(np.rint(wave), np.int16)


def through(resampler: Resampler, samples: Samples, block: int) -> Samples:
    return np.concatenate(
        [resampler.process(samples[at : at + block]) for at in range(0, len(samples), block)]
    )


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
@pytest.mark.parametrize("block_ms", [10, 20])
def test_n_in_m_out_in_each_block(from_hz: int, to_hz: int, block_ms: int) -> None:
    resampler = Resampler(from_hz, to_hz)
    block = np.zeros(from_hz * block_ms // 1000, np.int16)
    assert {len(resampler.process(block)) for _ in range(50)} == {to_hz * block_ms // 1000}
    assert resampler.delay_s < 0.0021


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
@pytest.mark.parametrize("part", [0.05, 0.25, 0.5, 0.8])
def test_a_sine_stays_one(from_hz: int, to_hz: int, part: float) -> None:
    """Signal to noise 70 dB at least, level within 0.5 dB, delay as told."""
    hz = part * min(from_hz, to_hz) / 2
    resampler = Resampler(from_hz, to_hz)
    heard = through(resampler, sine(from_hz, hz), from_hz // 50)[to_hz // 10 :].astype(float)
    angle = 2 * np.pi * hz * (np.arange(len(heard)) / to_hz + 0.1)
    basis = np.column_stack((np.sin(angle), np.cos(angle)))
    (a, b), *_ = np.linalg.lstsq(basis, heard, rcond=None)
    noise = heard - basis @ (a, b)
    assert 10 * np.log10(heard @ heard / (noise @ noise)) > 70
    assert abs(20 * np.log10(np.hypot(a, b) / 10000)) < 0.5
    late = (-np.arctan2(b, a) / (2 * np.pi * hz) - resampler.delay_s) * hz % 1
    assert min(late, 1 - late) < 0.05


@pytest.mark.parametrize(("from_hz", "to_hz"), [pair for pair in PAIRS if pair[0] > pair[1]])
def test_what_the_lower_rate_cannot_have_is_gone(from_hz: int, to_hz: int) -> None:
    """60 dB at least, from a tenth above the lower Nyquist frequency on."""
    for hz in np.linspace(1.1 * to_hz / 2, 0.95 * from_hz / 2, 4):
        if hz < 1.1 * to_hz / 2:
            continue
        heard = through(Resampler(from_hz, to_hz), sine(from_hz, float(hz)), from_hz // 50)[to_hz // 10 :]
        assert np.std(heard.astype(float)) < 10000 / np.sqrt(2) / 1000


@pytest.mark.parametrize(("from_hz", "to_hz"), [pair for pair in PAIRS if pair[0] < pair[1]])
def test_nothing_is_added_above_the_lower_rate(from_hz: int, to_hz: int) -> None:
    noise = np.random.default_rng(1).normal(0, 4000, from_hz).astype(np.int16)
    heard = through(Resampler(from_hz, to_hz), noise, from_hz // 50).astype(float)
    power = np.abs(np.fft.rfft(heard * np.hanning(len(heard)))) ** 2
    edge = int(1.1 * from_hz / 2)
    assert edge >= len(power) or 10 * np.log10(power[edge:].mean() / power[:edge].mean()) < -55


@given(
    st.sampled_from([*PAIRS, (16000, 8001), (11025, 8000)]),
    st.lists(st.integers(0, 700), min_size=1, max_size=12),
    st.integers(0, 2**32 - 1),
)
def test_blocks_do_not_matter(rates: tuple[int, int], sizes: list[int], seed: int) -> None:
    """In blocks of any size: the same samples as at once, none lost and none twice."""
    from_hz, to_hz = rates
    samples = np.random.default_rng(seed).integers(-32768, 32768, sum(sizes)).astype(np.int16)
    whole = Resampler(from_hz, to_hz).process(samples)
    resampler = Resampler(from_hz, to_hz)
    ends = np.cumsum(sizes)
    parts = [resampler.process(part) for part in np.split(samples, ends[:-1])]
    joined = np.concatenate(parts)
    assert len(joined) == -(-len(samples) * to_hz // from_hz)
    assert len(joined) == len(whole)
    assert not len(whole) or np.abs(joined.astype(int) - whole).max() <= 1  # sums in another order


def test_full_scale_does_not_wrap() -> None:
    square = np.where(np.arange(1600) // 40 % 2, 32767, -32768).astype(np.int16)
    heard = Resampler(8000, 16000).process(square)
    assert heard.max() == 32767
    assert heard.min() == -32768


def test_equal_rates_pass_through() -> None:
    samples = np.arange(160, dtype=np.int16)
    resampler = Resampler(8000, 8000)
    assert resampler.process(samples) is samples
    assert resampler.delay_s == 0


def test_reset_forgets() -> None:
    resampler = Resampler(8000, 16000)
    resampler.process(np.full(160, 20000, np.int16))
    resampler.reset()
    assert not resampler.process(np.zeros(160, np.int16)).any()


@pytest.mark.parametrize(("from_hz", "to_hz"), [(0, 8000), (8000, -1)])
def test_rates_that_are_none(from_hz: int, to_hz: int) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Resampler(from_hz, to_hz)
