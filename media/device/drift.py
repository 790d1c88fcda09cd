"""Following another clock: no two sound cards, and no card and this computer, agree on what a second is.

100 parts in a million, which is usual, are 6 ms a minute: a buffer between two clocks runs over or dry in the
end. So what passes the buffer is made longer or shorter by exactly the difference: `FillControl`
(`media.device.fill`) says by how much, and `DriftFilter` does it, by reading the sound at places
between the samples. 100 parts in a million are a sixth of a hundredth of a semitone.

**How.** Between one block and the next the place moves by a small part of a sample. The block is filtered
twice, with the interpolation filter of its first place and with that of its last, and faded from one into
the other. That costs two short convolutions and is exact to -70 dB at 100 parts in a million.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from media.frame import Samples

_HALF = 12
"""Samples on each side of a place that the filter looks at."""
_PHASES = 4096
"""Places between two samples for which a filter is kept: what lies between those is below -70 dB."""
_BEYOND = 0.25
"""How far beyond its own sample a place may move within a piece."""
_PIECE_MOVE = 0.125
"""A block that moves by more than this part of a sample is cut into pieces."""
_KAISER_BETA = 6.0

MAX_STEP = 0.003
"""At most three parts in a thousand, a twentieth of a semitone: nobody hears that."""


@lru_cache(maxsize=1)
def _table() -> NDArray[np.float32]:
    """The filters of the places from -_BEYOND to 1 + _BEYOND."""
    places = np.arange(round(_PHASES * (1 + 2 * _BEYOND)) + 2) / _PHASES - _BEYOND
    offsets = np.arange(-_HALF + 1, _HALF + 1)[None, :] - places[:, None]
    window = np.i0(_KAISER_BETA * np.sqrt(np.clip(1 - (offsets / (_HALF + _BEYOND)) ** 2, 0, 1)))
    taps = np.sinc(offsets) * window
    taps /= taps.sum(axis=1, keepdims=True)
    return taps.astype(np.float32)


def _filter(place: float) -> NDArray[np.float32]:
    """The filter that gives the sound `place` samples after a sample."""
    table = _table()
    taps: NDArray[np.float32] = table[round((place + _BEYOND) * _PHASES)]
    return taps


class DriftFilter:
    """One stream's sound a little faster or slower; `process` must see its blocks in order.

    `DELAY` samples later, and never more than a sample of difference between what went in and what came out
    beyond what was asked for.
    """

    __slots__ = ("_history", "_place")

    DELAY = _HALF

    def __init__(self) -> None:
        self._history = np.zeros(2 * _HALF - 1, np.float32)
        self._place = float(_HALF - 1)

    def process(self, samples: Samples, step: float) -> Samples:
        """What these samples give when each output is 1 + `step` inputs after the one before."""
        out = self.unrounded(samples, step)
        np.rint(out, out=out)
        return np.clip(out, -32768, 32767, out=out).astype(np.int16)

    def unrounded(self, samples: Samples, step: float) -> NDArray[np.float32]:
        """The same as `process`, for something that computes on with it."""
        signal = np.concatenate((self._history, samples), dtype=np.float32)
        place = self._place
        parts = []
        longest = len(signal) if step == 0 else max(1, int(_PIECE_MOVE / abs(step)))
        while (n := min(len(signal) - _HALF - int(place), longest)) > 0:
            start = int(place)
            first = place - start
            piece = signal[start - _HALF + 1 : start + n + _HALF]
            out = np.correlate(piece, _filter(first), "valid")
            if step:
                last = np.correlate(piece, _filter(first + n * step), "valid")
                last -= out
                last *= _ramp(n)
                out += last
            parts.append(out)
            place += n * (1 + step)
        start = int(place) - _HALF + 1
        self._history = signal[start:]
        self._place = place - start
        if not parts:
            return np.zeros(0, np.float32)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


@lru_cache(maxsize=64)
def _ramp(n: int) -> NDArray[np.float32]:
    return np.arange(n, dtype=np.float32) / np.float32(n)
