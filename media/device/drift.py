"""Following another clock: no two sound cards, and no card and this computer, agree on what a second is.

100 parts in a million, which is usual, are 6 ms a minute: a buffer between two clocks runs over or dry in the
end. So what passes the buffer is made longer or shorter by exactly the difference: `FillControl` looks at
how full the buffer is and says by how much, and `DriftFilter` does it, by reading the sound at places
between the samples. 100 parts in a million are a sixth of a hundredth of a semitone.

**How.** Between one block and the next the place moves by a small part of a sample. The block is filtered
twice, with the interpolation filter of its first place and with that of its last, and faded from one into
the other. That costs two short convolutions and is exact to -70 dB at 100 parts in a million.
"""

from collections import deque
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


_GAIN_PER_S = 0.04
"""A millisecond too much is drained at 40 parts in a million, so 100 parts of drift leave it 2.5 ms off."""
_HASTE_S = 0.01
"""What is off by this much is corrected twice as fast as that, and so on: gentle near the aim."""
_APART_S = 0.006
"""So far a buffer that goes along with another may be from its aim before it goes its own way."""
_NOTHING = 1e-5
"""Ten parts in a million, a quarter of a millisecond off, are not worth a second filter."""
_OBSERVATIONS = 101
_EACH = 10
_LASTING = 6
_SMOOTHING = 0.3

FIRST_MARGIN_S = 0.004
_MORE_MARGIN_S = 0.005
_MOST_MARGIN_S = 0.06
_LESS_MARGIN_S = 0.001
_QUIET_S = 3.0


class FillControl:
    """Says how much faster to take from a buffer so that it stays as full as it should be.

    Observations, one a tick, are in seconds above the wanted fill. A tick or a callback that came late
    made one of them wrong, this way or that: the median of two seconds is what counts.

    `margin_s` is what is kept beyond what blocks need. It grows when the buffer ran dry all the same, and
    shrinks slowly while it does not (and while `shrinks` is True).
    """

    __slots__ = ("_recent", "_since", "_smooth", "_step", "_until_next", "margin_s", "shrinks")

    def __init__(self) -> None:
        self.margin_s = FIRST_MARGIN_S
        self.shrinks = True
        self._recent: deque[float] = deque(maxlen=_OBSERVATIONS)
        self._since: float | None = None
        self.restart()

    def restart(self) -> None:
        """The buffer was filled anew; what was seen before says nothing now."""
        self._recent.clear()
        self._smooth: float | None = None
        self._step = 0.0
        self._until_next = 2 * _EACH

    def ran_dry(self, now: float) -> None:
        """It was empty when it should not have been."""
        self.margin_s = min(_MOST_MARGIN_S, self.margin_s + _MORE_MARGIN_S)
        self._since = now

    def observe(self, excess_s: float, now: float) -> float:
        """The step (see `DriftFilter`) for the next block."""
        self._recent.append(excess_s)
        self._until_next -= 1
        if not self._until_next:
            self._until_next = _EACH
            self._decide(now)
        return self._step

    @property
    def apart(self) -> float:
        """What a buffer that takes another's steps must add to them: nothing, while it is near its aim."""
        off = self._smooth or 0.0
        beyond = max(0.0, abs(off) - _APART_S)
        return min(MAX_STEP, _GAIN_PER_S * beyond) * (1 if off > 0 else -1)

    @property
    def lasting_s(self) -> float:
        """What has been above the wanted fill for a tenth of a second at least: no late tick does that."""
        recent = self._recent
        if len(recent) < _LASTING:
            return 0.0
        return min(recent[-i] for i in range(1, _LASTING + 1))

    def _decide(self, now: float) -> None:
        if self._since is None:
            self._since = now
        elif self.shrinks and now - self._since > _QUIET_S and self.margin_s > FIRST_MARGIN_S:
            self._since = now
            self.margin_s = max(FIRST_MARGIN_S, self.margin_s - _LESS_MARGIN_S)
        usual = sorted(self._recent)[len(self._recent) // 2]
        self._smooth = usual if self._smooth is None else self._smooth + _SMOOTHING * (usual - self._smooth)
        wanted = _GAIN_PER_S * self._smooth * (1 + abs(self._smooth) / _HASTE_S)
        self._step = 0.0 if abs(wanted) < _NOTHING else max(-MAX_STEP, min(MAX_STEP, wanted))
