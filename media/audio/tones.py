"""Tones and test signals.

Levels are in dBov: 0 dBov is the power of a full-scale square wave, so a full-scale sine has -3.01
(RFC 6464 section 3). The level is that of each frequency of a tone, not of their sum.
"""

from collections.abc import Sequence
from math import sqrt
from random import Random

import numpy as np
from numpy.typing import NDArray

from media.errors import BadAudio
from media.frame import AudioFrame, Samples

DTMF_FREQUENCIES = {
    key: (row, column)
    for row, keys in ((697, "123A"), (770, "456B"), (852, "789C"), (941, "*0#D"))
    for column, key in zip((1209, 1336, 1477, 1633), keys, strict=True)
}
"""Low and high frequency of each key in Hz (Q.23)."""

DTMF_LEVEL_DBOV = -16.0

_MODULATION_DEPTH = 0.9
_MODULATION_POWER = sqrt(1 + _MODULATION_DEPTH**2 / 2)  # so that the level stays what was asked for


def amplitude(level_dbov: float) -> float:
    """Peak of a sine of that level, in sample units."""
    return 32767 * sqrt(2.0) * float(10.0 ** (level_dbov / 20))


def to_samples(signal: NDArray[np.float64]) -> Samples:
    """Rounded and clipped to int16."""
    return np.clip(np.rint(signal), -32768, 32767).astype(np.int16)


class ToneSource:
    """An `AudioSource` of one or more sines, continuous or in a cadence.

    `cadence` alternates seconds of tone and of pause, from the start again when it ends: `(1.0, 4.0)` is
    a European ringback tone. `duration_s` is where the source ends (None: never). `modulation_hz`: how often
    a second the tone swells and fades.
    """

    def __init__(
        self,
        sample_rate_hz: int,
        frequencies_hz: Sequence[float],
        *,
        level_dbov: float = -16.0,
        cadence: Sequence[float] = (),
        duration_s: float | None = None,
        modulation_hz: float | None = None,
    ) -> None:
        for frequency in frequencies_hz:
            if not 0 < frequency < sample_rate_hz / 2:
                raise BadAudio(
                    f"a tone of {frequency} Hz is not between 0 and half the sample rate {sample_rate_hz}"
                )
        if len(cadence) % 2 or any(seconds <= 0 for seconds in cadence):
            raise BadAudio(f"a cadence is pairs of seconds of tone and pause, not {tuple(cadence)}")
        self._sample_rate_hz = sample_rate_hz
        self._angular = 2 * np.pi * np.array(frequencies_hz, np.float64)[:, None] / sample_rate_hz
        self._amplitude = amplitude(level_dbov)
        self._modulation = 2 * np.pi * modulation_hz / sample_rate_hz if modulation_hz else None
        self._edges = np.rint(np.cumsum(cadence) * sample_rate_hz).astype(np.int64)
        self._end = None if duration_s is None else round(duration_s * sample_rate_hz)
        self._position = 0

    def pull(self, n: int) -> AudioFrame | None:
        """The next `n` samples; the last block is filled up with silence; None after the end."""
        position = self._position
        if self._end is not None and position >= self._end:
            return None
        self._position += n
        time = np.arange(position, position + n)
        signal = self._amplitude * np.sin(self._angular * time).sum(axis=0)
        if self._modulation is not None:
            signal *= (1 + _MODULATION_DEPTH * np.sin(self._modulation * time)) / _MODULATION_POWER
        if len(self._edges):
            signal[np.searchsorted(self._edges, time % self._edges[-1], side="right") % 2 == 1] = 0
        if self._end is not None:
            signal[time >= self._end] = 0
        return AudioFrame(to_samples(signal), self._sample_rate_hz, position)


def dtmf_key(
    key: str, sample_rate_hz: int, duration_s: float = 0.1, *, level_dbov: float = DTMF_LEVEL_DBOV
) -> Samples:
    """The sound of one of the keys 0-9 * # A-D."""
    frequencies = DTMF_FREQUENCIES.get(key.upper())
    if frequencies is None:
        raise BadAudio(f"{key!r} is no key with a sound; those are {''.join(DTMF_FREQUENCIES)}")
    frame = ToneSource(sample_rate_hz, frequencies, level_dbov=level_dbov).pull(
        round(duration_s * sample_rate_hz)
    )
    assert frame is not None
    return frame.samples


def sweep(
    sample_rate_hz: int,
    duration_s: float,
    *,
    from_hz: float = 200.0,
    to_hz: float = 3400.0,
    level_dbov: float = -16.0,
) -> Samples:
    """A sine that rises (or falls) by equal ratios in equal times."""
    time = np.arange(round(duration_s * sample_rate_hz)) / sample_rate_hz
    rate = np.log(to_hz / from_hz) / duration_s
    phase = 2 * np.pi * from_hz * np.expm1(rate * time) / rate if rate else 2 * np.pi * from_hz * time
    return to_samples(amplitude(level_dbov) * np.sin(phase))


def white_noise(
    sample_rate_hz: int, duration_s: float, random: Random, *, level_dbov: float = -30.0
) -> Samples:
    """Gaussian noise of that power."""
    generator = np.random.default_rng(random.getrandbits(64))
    rms = amplitude(level_dbov) / sqrt(2.0)
    return to_samples(generator.normal(0.0, rms, round(duration_s * sample_rate_hz)))
