"""RFC 3389: what is told of a pause, and the noise made from it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from media.audio.comfort_noise import ORDER, ComfortNoise, analyse
from media.errors import CodecError
from media.frame import Samples


def hum(rate: int, level: float, seconds: float = 0.5, pole: float = 0.9) -> Samples:
    """Noise with most of its energy at low frequencies, with an RMS of `level`."""
    white = np.random.default_rng(1).normal(0, 1, int(rate * seconds))
    shaped = np.zeros_like(white)
    state = 0.0
    for n, sample in enumerate(white):
        state = pole * state + sample
        shaped[n] = state
    return np.asarray(np.rint(shaped * level / np.sqrt(np.mean(shaped**2))), np.int16)


def spectrum_db(samples: Samples, rate: int, bands: int = 8) -> NDArray[np.float64]:
    """The power of equal bands up to 4 kHz, relative to their mean."""
    size = rate // 25
    frames = samples[: len(samples) // size * size].reshape(-1, size) * np.hanning(size)
    power = (np.abs(np.fft.rfft(frames)) ** 2).mean(axis=0)[: size * 4000 // rate]
    decibels: NDArray[np.float64] = 10 * np.log10(
        power[: len(power) // bands * bands].reshape(bands, -1).mean(axis=1)
    )
    return np.asarray(decibels - decibels.mean())


def rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples.astype(float) ** 2)))


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("level", [20, 200, 2000])
@pytest.mark.parametrize("pole", [0.9, 0.0, -0.7])
def test_noise_like_the_noise(rate: int, level: int, pole: float) -> None:
    """Level within 1.5 dB (steps of 1 dB), each of eight bands within 4 dB, after both ways."""
    heard = hum(8000, level, pole=pole)
    if rate == 16000:  # the same sound, sampled twice as often
        heard = np.asarray(np.rint(np.fft.irfft(np.fft.rfft(heard), 2 * len(heard)) * 2), np.int16)
    payload = analyse(heard, rate)
    assert len(payload) == 1 + ORDER
    noise = ComfortNoise(rate)
    noise.update(payload)
    made = np.concatenate([noise.conceal(rate // 50) for _ in range(100)])
    assert abs(20 * np.log10(rms(made) / rms(heard))) < 1.5
    assert np.abs(spectrum_db(made, rate) - spectrum_db(heard, rate)).max() < 4


def test_a_low_hum_has_a_negative_first_coefficient() -> None:
    assert analyse(hum(8000, 500), 8000)[1] < 40
    assert analyse(hum(8000, 500, pole=-0.9), 8000)[1] > 214


def test_level_alone() -> None:
    """One byte: white noise of that level; 127 is the quietest there is."""
    noise = ComfortNoise(8000)
    noise.update(bytes((40,)))
    made = np.concatenate([noise.conceal(160) for _ in range(50)])
    assert abs(20 * np.log10(rms(made[800:]) / 32768) + 40) < 0.5
    assert np.ptp(spectrum_db(made, 8000)) < 2
    noise.update(bytes((127, 127)))
    noise.conceal(160)
    assert not noise.conceal(160).any()


@pytest.mark.parametrize("samples", [np.zeros(160, np.int16), np.zeros(0, np.int16)])
def test_silence(samples: Samples) -> None:
    assert analyse(samples, 8000) == bytes((127,))


def test_loud_sound_is_described_too() -> None:
    square = np.where(np.arange(800) % 40 < 20, 32767, -32768).astype(np.int16)
    assert analyse(square, 8000)[0] <= 1


def test_a_new_level_is_led_over_to() -> None:
    noise = ComfortNoise(8000)
    noise.update(bytes((30,)))
    noise.conceal(160)
    noise.update(bytes((90,)))
    block = noise.conceal(160).astype(float)
    assert np.abs(block[:20]).mean() > 20 * np.abs(block[100:]).mean()


def test_the_same_again_each_time_and_no_beat() -> None:
    first, second = ComfortNoise(8000), ComfortNoise(8000)
    for one in (first, second):
        one.update(bytes((30, 60, 140)))
    a = np.concatenate([first.conceal(160) for _ in range(50)])
    assert np.array_equal(a, np.concatenate([second.conceal(80) for _ in range(100)]))
    assert abs(np.corrcoef(a[:4000], a[4000:])[0, 1]) < 0.1


@given(st.binary(max_size=40), st.sampled_from([8000, 16000, 48000]))
def test_any_payload_is_noise_or_codec_error(payload: bytes, rate: int) -> None:
    noise = ComfortNoise(rate)
    if not 1 <= len(payload) <= 33:
        with pytest.raises(CodecError, match=f"payload of {len(payload)} bytes"):
            noise.update(payload)
        return
    noise.update(payload)
    made = noise.conceal(rate // 50)
    assert (made.dtype, len(made)) == (np.dtype(np.int16), rate // 50)


@given(st.binary(min_size=2, max_size=2000))
def test_anything_can_be_described(data: bytes) -> None:
    payload = analyse(np.frombuffer(data[: len(data) // 2 * 2], np.int16), 8000)
    assert payload[0] <= 127
    ComfortNoise(8000).update(payload)
