"""Sound made a little shorter or longer without a change of pitch.

A piece is cut out, or played once more, whose length is the lag at which the sound resembles itself most: a
period of the pitch, or some of them. Where the two ends meet they are blended into each other (overlap-add
at the point of greatest likeness, as in WSOLA). Music has such lags too; noise has none, and if it is quiet
does not need one.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.frame import Samples

_SHORTEST_MS = 2.5
_LONGEST_MS = 15.0
_BLEND_MS = 5.0
_LONGEST_BLEND_MS = 10.0
_QUIET = 80.0
"""Nobody hears a cut in what is below this (RMS): 52 dB below full scale."""


def is_quiet(samples: Samples) -> bool:
    """Whether it is a pause: any length of it can be left out or repeated."""
    signal = samples.astype(np.float32)
    return bool(signal @ signal < _QUIET * _QUIET * len(signal))


def shortened(samples: Samples, sample_rate_hz: int, most_ms: float, likeness: float) -> Samples | None:
    """`samples` less a piece of 2.5 to 15 ms and `most_ms` at most; None where none is alike enough.

    `likeness` from 1 (the very same) over 0 (anything will do) is what the pieces either side must have in
    common. Where it is quiet the piece is as long as can be. Beginning and end stay as they are.
    """
    found = _cut(samples, sample_rate_hz, most_ms, likeness)
    if found is None:
        return None
    lag, blend = found
    rise = _rise(blend)
    joined = samples[lag:].copy()
    joined[:blend] = np.rint(samples[:blend] * (1.0 - rise) + joined[:blend] * rise).astype(np.int16)
    return joined


def lengthened(samples: Samples, sample_rate_hz: int, most_ms: float, likeness: float) -> Samples | None:
    """`samples` and a piece of them once more; all else as in `shortened`."""
    found = _cut(samples[::-1], sample_rate_hz, most_ms, likeness)
    if found is None:
        return None
    lag, blend = found
    # The last `blend` samples before the jump back lead over to those a lag earlier.
    rise = _rise(blend)
    turn = len(samples) - blend
    back = samples[turn - lag :].copy()
    back[:blend] = np.rint(samples[turn:] * (1.0 - rise) + back[:blend] * rise).astype(np.int16)
    return np.concatenate((samples[:turn], back))


def _cut(samples: Samples, sample_rate_hz: int, most_ms: float, likeness: float) -> tuple[int, int] | None:
    """The lag at which the beginning is met again, and how many samples to blend there."""
    per_ms = sample_rate_hz / 1000
    shortest = int(_SHORTEST_MS * per_ms)
    least_blend = int(_BLEND_MS * per_ms)
    room = len(samples) - least_blend
    if is_quiet(samples):
        lag = int(min(room, most_ms * per_ms))
        return (lag, least_blend) if lag >= shortest else None
    longest = int(min(room, most_ms * per_ms, _LONGEST_MS * per_ms))
    if longest < shortest:
        return None
    signal = samples.astype(np.float32)
    compared = min(len(signal) - longest, int(_LONGEST_BLEND_MS * per_ms))
    lag, alike = best_lag(signal, compared, shortest, longest)
    return (lag, compared) if alike >= likeness else None


def best_lag(
    signal: NDArray[np.floating[Any]], compared: int, shortest: int, longest: int
) -> tuple[int, float]:
    """Where from `shortest` to `longest` the first `compared` samples come again, and how alike (-1 to 1)."""
    beginning = signal[:compared]
    span = signal[shortest : longest + compared]
    correlation = np.correlate(span, beginning, "valid")
    sums = np.concatenate((np.zeros(1), np.cumsum(span * span, dtype=np.float64)))
    energy = sums[compared:] - sums[:-compared]
    alike = correlation / np.sqrt(np.maximum(energy * float(beginning @ beginning), 1.0))
    best = int(np.argmax(alike))
    return shortest + best, float(alike[best])


def _rise(n: int) -> NDArray[np.float64]:
    return np.arange(1, n + 1) / (n + 1)
