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
_LONGEST_PERIOD_MS = 15.0
_BLEND_MS = 5.0
_LONGEST_BLEND_MS = 10.0
_AS_GOOD = 0.15
"""By how much a better fitting piece may be less alike: one cut is heard less than two."""
_ALIKE = 0.9
"""How alike the ends must be where sound is cut, at first; less with the time that none was found."""
_PATIENCE_S = 0.25
_URGENT_MS = 60.0
_VERY_ALIKE = 0.97
_UNTIL_QUIET_S = 3.0
"""What is not urgent waits so long for a pause, and then for sound that is very much alike."""
_QUIET = 80.0
"""Nobody hears a cut in what is below this (RMS): 52 dB below full scale."""


def is_quiet(samples: Samples) -> bool:
    """Whether it is a pause: any length of it can be left out or repeated."""
    signal = samples.astype(np.float32)
    return bool(signal @ signal < _QUIET * _QUIET * len(signal))


def wanted_likeness(change_ms: float, waited_s: float, urgent: bool, quiet: bool) -> float | None:
    """How alike the ends must be for a change wished for so long; None while a pause is waited for."""
    if not urgent:
        return _VERY_ALIKE if quiet or waited_s >= _UNTIL_QUIET_S else None
    urgency = waited_s / _PATIENCE_S + max(0.0, abs(change_ms) - _LONGEST_PERIOD_MS) / _URGENT_MS
    return _ALIKE - 0.5 * min(1.0, urgency) if urgency < 2.0 else -1.0


def shortened(samples: Samples, sample_rate_hz: int, most_ms: float, likeness: float) -> Samples | None:
    """`samples` less a piece of 2.5 ms to `most_ms`, as long as can be; None where none is alike enough.

    `likeness` from 1 (the very same) over 0 (anything will do) is what the pieces either side must have in
    common. Beginning and end stay as they are.
    """
    found = _cut(samples, sample_rate_hz, 0.0, most_ms, likeness)
    if found is None:
        return None
    lag, blend = found
    rise = _rise(blend)
    joined = samples[lag:].copy()
    joined[:blend] = np.rint(samples[:blend] * (1.0 - rise) + joined[:blend] * rise).astype(np.int16)
    return joined


def lengthened(
    samples: Samples, before: Samples, sample_rate_hz: int, least_ms: float, likeness: float
) -> Samples | None:
    """`samples` and a piece of them, and of the sound `before` them, once more; all else as in `shortened`.

    The piece has `least_ms`, and where there is something to be heard up to 15 ms more, as it fits; less if
    there is too little sound.
    """
    whole = np.concatenate((before, samples))
    found = _cut(whole[::-1], sample_rate_hz, least_ms, least_ms + _LONGEST_PERIOD_MS, likeness)
    if found is None:
        return None
    lag, blend = found
    # The last `blend` samples before the jump back lead over to those a lag earlier.
    rise = _rise(blend)
    turn = len(whole) - blend
    back = whole[turn - lag :].copy()
    back[:blend] = np.rint(whole[turn:] * (1.0 - rise) + back[:blend] * rise).astype(np.int16)
    return np.concatenate((whole[len(before) : turn], back))


def _cut(
    samples: Samples, sample_rate_hz: int, least_ms: float, most_ms: float, likeness: float
) -> tuple[int, int] | None:
    """The lag at which the beginning is met again, and how many samples to blend there."""
    per_ms = sample_rate_hz / 1000
    shortest = int(_SHORTEST_MS * per_ms)
    least_blend = int(_BLEND_MS * per_ms)
    room = len(samples) - least_blend
    least, longest = int(min(room, least_ms * per_ms)), int(min(room, most_ms * per_ms))
    if is_quiet(samples):
        lag = least if least > shortest else longest
        return (lag, least_blend) if lag >= shortest else None
    least = max(shortest, min(least, longest - shortest))
    if longest < least:
        return None
    signal = samples.astype(np.float32)
    compared = min(len(signal) - longest, int(_LONGEST_BLEND_MS * per_ms))
    alike = likenesses(signal, compared, least, longest)
    best = int(np.argmax(alike))
    if alike[best] < likeness:
        return None
    if least == shortest:  # the longer the better
        peak = alike[1:-1]
        peaks = (peak >= max(likeness, alike[best] - _AS_GOOD)) & (peak >= alike[:-2]) & (peak >= alike[2:])
        best = max(best, int(np.flatnonzero(peaks)[-1]) + 1) if peaks.any() else best
    return least + best, compared


def best_lag(
    signal: NDArray[np.floating[Any]], compared: int, shortest: int, longest: int
) -> tuple[int, float]:
    """Where from `shortest` to `longest` the first `compared` samples come again, and how alike (-1 to 1)."""
    alike = likenesses(signal, compared, shortest, longest)
    best = int(np.argmax(alike))
    return shortest + best, float(alike[best])


def likenesses(
    signal: NDArray[np.floating[Any]], compared: int, shortest: int, longest: int
) -> NDArray[np.float64]:
    """How alike (-1 to 1) the first `compared` samples are to those at each lag."""
    beginning = signal[:compared]
    span = signal[shortest : longest + compared]
    correlation = np.correlate(span, beginning, "valid")
    sums = np.concatenate((np.zeros(1), np.cumsum(span * span, dtype=np.float64)))
    energy = sums[compared:] - sums[:-compared]
    alike: NDArray[np.float64] = correlation / np.sqrt(np.maximum(energy * float(beginning @ beginning), 1.0))
    return alike


def _rise(n: int) -> NDArray[np.float64]:
    return np.arange(1, n + 1) / (n + 1)
