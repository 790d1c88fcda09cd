"""Sources heard at other rates than their own."""

import numpy as np
import pytest
from numpy.typing import NDArray

from media.audio.graph import SampleSource
from media.audio.rate_match import RateMatch
from media.audio.tones import ToneSource


def pitch(samples: NDArray[np.int16], rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * rate / len(samples)


def everything(match: RateMatch, n: int, rate: int) -> NDArray[np.int16]:
    parts = []
    while (frame := match.pull(n, rate)) is not None:
        assert len(frame.samples) == n
        assert frame.sample_rate_hz == rate
        parts.append(frame.samples)
    return np.concatenate(parts)


def test_the_same_rate_is_untouched() -> None:
    samples = np.arange(1, 1001, dtype=np.int16)
    heard = everything(RateMatch(SampleSource(samples, 8000)), 160, 8000)
    assert (heard[:1000] == samples).all()
    assert not heard[1000:].any()


@pytest.mark.parametrize("from_hz", [8000, 11025, 16000, 44100, 48000])
@pytest.mark.parametrize("to_hz", [8000, 16000, 48000])
def test_pitch_and_length_stay(from_hz: int, to_hz: int) -> None:
    match = RateMatch(ToneSource(from_hz, (1000.0,), level_dbov=-10.0, duration_s=1.0))
    heard = everything(match, to_hz // 50, to_hz)
    assert pitch(heard[: to_hz * 9 // 10], to_hz) == pytest.approx(1000, abs=3)
    assert len(heard) / to_hz == pytest.approx(1.0, abs=0.05)


def test_the_rate_may_change_on_the_way() -> None:
    match = RateMatch(ToneSource(8000, (1000.0,), level_dbov=-10.0))
    for rate in (8000, 16000, 48000, 8000):
        frames = [match.pull(rate // 50, rate) for _ in range(50)]
        heard = np.concatenate([frame.samples for frame in frames if frame is not None])
        assert pitch(heard, rate) == pytest.approx(1000, abs=3)
