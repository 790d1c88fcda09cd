"""Comfort noise (RFC 3389): a pause told in a few bytes, and noise made from them.

A payload is a level and the reflection coefficients of an all-pole filter at 8000 Hz:

    | 0 | level: -dBov, 7 bits | k1: 8 bits | k2 | ... |        k = 258 (N - 127) / 32768

The filter is 1/A(z) with A(z) = 1 + a1/z + ..., a1 = k1, so that a low hum has k1 near -1: the RFC
leaves the sign open, and this is how WebRTC reads it.

Noise is not filtered sample by sample: two seconds of it, with just the spectrum of the filter, come out of
one inverse Fourier transform of random phases, and are played round and round.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from media.errors import CodecError
from media.frame import Samples

CLOCK_RATE_HZ = 8000
ORDER = 8
"""Coefficients that we send."""
_MAX_ORDER = 32
_FULL_SCALE = 32768.0
_LOOP_S = 2
_SEED = 3389
"""Noise shall sound the same in every run: there is nothing to learn from its samples."""
_BLEND_MS = 10
_LAG_WINDOW_HZ = 60.0
_LEAST_TRANSFORM = 128


def analyse(samples: Samples, sample_rate_hz: int, order: int = ORDER) -> bytes:
    """The payload that describes these samples (a few frames of background noise)."""
    signal = samples.astype(np.float64)
    if not len(signal):
        return bytes((127,))
    level = float(np.sqrt(np.mean(signal * signal)))
    if level < 1.0:
        return bytes((127,))
    windowed = signal * np.hanning(len(signal))
    power = np.abs(np.fft.rfft(windowed, max(2 * len(windowed), _LEAST_TRANSFORM))) ** 2
    kept = power[: len(power) * CLOCK_RATE_HZ // sample_rate_hz]  # what is below 4 kHz
    correlation = np.fft.irfft(kept)[: order + 1]
    lags = np.arange(order + 1) / CLOCK_RATE_HZ
    correlation *= np.exp(-0.5 * (2 * np.pi * _LAG_WINDOW_HZ * lags) ** 2)
    correlation[0] *= 1.0001
    below = float(np.sqrt(kept.sum() / max(power.sum(), 1e-9)))
    decibels = -20 * np.log10(max(level * below, 1.0) / _FULL_SCALE)
    coefficients = np.rint(_reflection(correlation) * 32768 / 258) + 127
    return bytes((min(127, round(decibels)), *np.clip(coefficients, 0, 254).astype(int).tolist()))


def _reflection(correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reflection coefficients by Levinson's and Durbin's recursion."""
    order = len(correlation) - 1
    filter_ = np.zeros(order + 1)
    filter_[0] = 1.0
    error = float(correlation[0])
    found = np.zeros(order)
    for m in range(1, order + 1):
        if error <= 0.0:
            break
        k = -float(filter_[:m] @ correlation[m:0:-1]) / error
        found[m - 1] = k = max(-0.999, min(0.999, k))
        filter_[1 : m + 1] += k * filter_[m - 1 :: -1][:m]
        error *= 1.0 - k * k
    return found


def _polynomial(reflection: NDArray[np.float64]) -> NDArray[np.float64]:
    """A(z) of reflection coefficients."""
    filter_ = np.ones(1)
    for k in reflection:
        filter_ = np.append(filter_, 0.0) + k * np.append(0.0, filter_[::-1])
    return filter_


@lru_cache(maxsize=4)
def _phases(bins: int) -> NDArray[np.complex128]:
    angles = np.random.default_rng(_SEED).uniform(0, 2 * np.pi, bins)
    phases: NDArray[np.complex128] = np.exp(1j * angles)
    return phases


class ComfortNoise:
    """Noise as the last payload describes it, at any sample rate; one for each received stream."""

    __slots__ = ("_loop", "_position", "_rate")

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate = sample_rate_hz
        self._loop = np.zeros(_LOOP_S * sample_rate_hz, np.int16)
        self._position = 0

    def update(self, payload: bytes) -> None:
        """Make noise like this from now on; `CodecError` for a payload that is none."""
        if not payload or len(payload) > 1 + _MAX_ORDER:
            raise CodecError(f"comfort noise payload of {len(payload)} bytes")
        level = _FULL_SCALE * 10 ** (-(payload[0] & 0x7F) / 20)
        quantised = np.frombuffer(payload, np.uint8, offset=1).astype(np.float64)
        polynomial = _polynomial(np.clip((quantised - 127) * 258 / 32768, -0.999, 0.999))
        size = len(self._loop)
        bins = size // 2 + 1
        heard = min(bins, CLOCK_RATE_HZ * _LOOP_S // 2)
        response = np.fft.rfft(polynomial, CLOCK_RATE_HZ * _LOOP_S)[:heard]
        spectrum = np.zeros(bins, np.complex128)
        spectrum[1:heard] = (_phases(bins)[:heard] / response)[1:]
        noise = np.fft.irfft(spectrum, size)
        noise *= level / max(float(np.sqrt(np.mean(noise * noise))), 1e-12)
        loop = np.clip(np.rint(noise), -32768, 32767).astype(np.int16)
        self._blend_into(loop)
        self._loop = loop

    def conceal(self, n: int) -> Samples:
        """The next `n` samples."""
        at = self._position
        self._position = (at + n) % len(self._loop)
        return self._loop[(at + np.arange(n)) % len(self._loop)]

    def _blend_into(self, loop: Samples) -> None:
        """Lead over from what was played until now."""
        n = _BLEND_MS * self._rate // 1000
        places = (self._position + np.arange(n)) % len(loop)
        rise = np.arange(1, n + 1) / (n + 1)
        loop[places] = np.rint(self._loop[places] * (1 - rise) + loop[places] * rise).astype(np.int16)
