"""How much delay the network asks for: statistics of arrivals, and the target made of them.

Every packet has a *transit*: its arrival less its timestamp, by two clocks that have nothing to do with each
other. The least transit of the last few seconds is the *base*; by how much a packet is slower than that
is its *lag*. The base follows a clock that drifts, and a route that changed.

Lags are counted in a histogram that forgets (`_MEMORY_S`). What all but one in a hundred of the packets need
is `needed_ms`. A single burst so is forgotten after about three seconds; but where bursts come again within
`_PEAK_APART_S` they are remembered, and their height is needed until twice the time between
them has gone by without another one.

A packet costs a subtraction, two comparisons and an addition; all else is done five times a second.
"""

from math import exp

import numpy as np
from numpy.typing import NDArray

_BINS = 100
_TOO_LATE = 0.01
_MEMORY_S = 1.0
_BASE_WINDOW_S = 2.0
_JUMP_BACK_S = 0.5
_EVALUATE_S = 0.2
_EVALUATE_EARLY_S = 0.04
_EARLY = 15
"""So often at first: what is learned while nobody speaks yet costs nothing."""
_NEGLIGIBLE = 1e-3
_NEVER = float("inf")
_PEAK_RISE_MS = 40.0
_PEAK_APART_S = 10.0
_SAME_PEAK_S = 0.6


class DelayTarget:
    """What the lags of one source ask for, up to `most_ms`; lags below `prompt_ms` count as none."""

    __slots__ = (
        "_base_until",
        "_bins_per_s",
        "_counts",
        "_early",
        "_evaluated",
        "_forgotten",
        "_histogram",
        "_least_now",
        "_least_then",
        "_most_s",
        "_ms_per_bin",
        "_peak_apart_s",
        "_peak_at",
        "_peak_ms",
        "_prompt",
        "_prompt_count",
        "_prompt_s",
        "_worst",
        "base",
        "evaluate_at",
        "needed_ms",
    )

    def __init__(self, most_ms: float, prompt_ms: float = 0.0) -> None:
        self._ms_per_bin = max(0.5, most_ms / _BINS)
        self._bins_per_s = 1000 / self._ms_per_bin
        self._prompt_s = max(self._ms_per_bin, prompt_ms) / 1000
        self._most_s = most_ms / 1000
        self.reset()

    def reset(self) -> None:
        """Another source, or another clock: nothing is known."""
        self.base = _NEVER
        """The least transit in seconds; infinite before there was a packet."""
        self.needed_ms = 0.0
        """The lag that all but a hundredth of the packets keep to."""
        self.evaluate_at = 0.0
        """When to call `evaluate` again."""
        self._forget_lags()
        self._evaluated = self._base_until = 0.0
        self._least_now = self._least_then = _NEVER
        self._forgotten = True
        self._early = _EARLY
        self._peak_ms = self._peak_apart_s = 0.0
        self._peak_at = -_NEVER

    def _forget_lags(self) -> None:
        self.needed_ms = 0.0
        self._counts = [0] * (_BINS + 1)
        self._histogram: NDArray[np.float64] = np.zeros(_BINS + 1)
        self._worst = 0  # the highest bin counted since the last evaluation
        self._prompt = False
        self._prompt_count = 0

    def observe(self, transit: float) -> None:
        """Count a packet."""
        lag = transit - self.base
        if self._least_now <= transit and lag < self._prompt_s:  # nearly all packets
            self._prompt_count += 1
            return
        if transit < self._least_now:
            self._least_now = transit
            if lag < 0.0:
                self.base = transit
                lag = 0.0
        number = int(lag * self._bins_per_s)
        if number:
            if number > _BINS:
                number = _BINS
            if number > self._worst:
                self._worst = number
        self._counts[number] += 1

    def begin_spurt(self, transit: float) -> float:
        """The first packet after a pause, before it is observed; its lag in seconds.

        Timestamps that jumped, and the base of long ago, say nothing of it. Nor does a base that would make
        it later than ever is waited for: the sender's timestamps stood still meanwhile, or the route got
        longer, and every packet from here on would be as late.
        """
        lag = transit - self.base
        jumped = not -_JUMP_BACK_S < lag <= self._most_s
        if jumped and not self._forgotten:
            self._forget_lags()  # they were behind a base that is no more
        if self._forgotten or jumped:
            self.base = self._least_now = transit
            self._least_then = _NEVER
            self._base_until = 0.0
            self._forgotten = False
            return 0.0
        return max(0.0, lag)

    def evaluate(self, now: float) -> None:
        """Make `needed_ms` of what was counted, and let the base forget."""
        self.evaluate_at = now + (_EVALUATE_S if self._early <= 0 else _EVALUATE_EARLY_S)
        self._early -= 1
        if now >= self._base_until:
            if self._base_until:
                self.base = min(self._least_now, self._least_then)
                self._forgotten = self.base == _NEVER
                self._least_then, self._least_now = self._least_now, _NEVER
            self._base_until = now + _BASE_WINDOW_S
        counts, worst = self._counts, self._worst
        counts[0] += self._prompt_count
        self._worst = self._prompt_count = 0
        if not worst and self._prompt:
            counts[0] = 0  # nothing but prompt packets, now as before: the usual case
        elif total := sum(counts):
            histogram = self._histogram
            histogram *= exp(-min(5.0, now - self._evaluated) / _MEMORY_S)
            histogram += np.array(counts) * (1.0 / max(10.0, total))
            self._remember_peaks(now, worst * self._ms_per_bin)
            above = np.cumsum(histogram[::-1])
            highest = _BINS - int(np.searchsorted(above, _TOO_LATE * above[-1], "right"))
            self.needed_ms = (highest + 1) * self._ms_per_bin if highest > 0 else 0.0
            self._prompt = not worst and float(above[-2]) < _NEGLIGIBLE
            self._counts = [0] * (_BINS + 1)
        self._evaluated = now

    def peak_ms(self, now: float) -> float:
        """The height of bursts that come again and again, 0 while there are none."""
        if self._peak_apart_s and now - self._peak_at <= 2 * self._peak_apart_s:
            return self._peak_ms
        return 0.0

    def _remember_peaks(self, now: float, worst_ms: float) -> None:
        if worst_ms < _PEAK_RISE_MS or worst_ms < self.needed_ms + _PEAK_RISE_MS:
            return
        since = now - self._peak_at
        if since < _SAME_PEAK_S:
            self._peak_ms = max(self._peak_ms, worst_ms)
            return
        again = since <= _PEAK_APART_S
        self._peak_apart_s = since if again else 0.0
        self._peak_ms = max(self._peak_ms, worst_ms) if again else worst_ms
        self._peak_at = now
