"""Tones: frequencies, levels and times."""

from random import Random

import numpy as np
import pytest

from media.audio.tones import DTMF_FREQUENCIES, ToneSource, amplitude, dtmf_key, sweep, white_noise
from media.errors import BadAudio
from media.frame import Samples


def pull(source: ToneSource, n: int, times: int) -> Samples:
    frames = [source.pull(n) for _ in range(times)]
    return np.concatenate([frame.samples for frame in frames if frame is not None])


def level_dbov(samples: Samples) -> float:
    return float(10 * np.log10(np.mean((samples / 32767.0) ** 2)))


def peaks_hz(samples: Samples, rate: int, count: int) -> list[int]:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), rate))
    found = []
    for _ in range(count):
        top = int(np.argmax(spectrum))
        found.append(top)
        spectrum[max(0, top - 20) : top + 20] = 0
    return sorted(found)


@pytest.mark.parametrize("rate", [8000, 16000])
def test_frequency_and_level(rate: int) -> None:
    samples = pull(ToneSource(rate, [440], level_dbov=-20), rate // 50, 50)
    assert peaks_hz(samples, rate, 1) == [440]
    assert level_dbov(samples) == pytest.approx(-20, abs=0.05)
    assert amplitude(-3.0103) == pytest.approx(32767, rel=1e-4)


def test_blocks_join_without_a_seam() -> None:
    assert np.array_equal(
        pull(ToneSource(8000, [350, 440]), 160, 50), pull(ToneSource(8000, [350, 440]), 400, 20)
    )


def test_cadence_and_end() -> None:
    source = ToneSource(8000, [425], cadence=(0.1, 0.05, 0.1, 0.25), duration_s=1.01)
    samples = pull(source, 160, 51)
    assert source.pull(160) is None
    loud = np.array([np.abs(samples[i : i + 400]).max() > 1000 for i in range(0, 8000, 400)])
    assert loud.tolist() == [True, True, False, True, True, False, False, False, False, False] * 2
    assert not samples[8080:].any()
    assert samples[8000:8080].any()


@pytest.mark.parametrize("key", "0123456789*#ABCD")
def test_keys(key: str) -> None:
    assert peaks_hz(dtmf_key(key, 8000), 8000, 2) == pytest.approx(list(DTMF_FREQUENCIES[key]), abs=4)
    assert np.array_equal(dtmf_key(key.lower(), 8000), dtmf_key(key, 8000))


def test_what_is_no_tone() -> None:
    with pytest.raises(BadAudio, match="4000 Hz is not between 0 and half the sample rate 8000"):
        ToneSource(8000, [440, 4000])
    with pytest.raises(BadAudio, match="pairs of seconds"):
        ToneSource(8000, [440], cadence=(1.0,))
    with pytest.raises(BadAudio, match="'!' is no key with a sound"):
        dtmf_key("!", 8000)


def test_sweep_passes_all_frequencies() -> None:
    samples = sweep(8000, 2.0)
    assert len(samples) == 16000
    assert peaks_hz(samples[:800], 8000, 1)[0] == pytest.approx(213, abs=30)
    assert peaks_hz(samples[-800:], 8000, 1)[0] == pytest.approx(3200, abs=200)
    assert np.array_equal(sweep(8000, 0.5, from_hz=440, to_hz=440), pull(ToneSource(8000, [440]), 4000, 1))


def test_noise() -> None:
    noise = white_noise(16000, 2.0, Random(5))
    assert level_dbov(noise) == pytest.approx(-30, abs=0.2)
    assert np.array_equal(noise, white_noise(16000, 2.0, Random(5)))
    assert not np.array_equal(noise, white_noise(16000, 2.0, Random(6)))
