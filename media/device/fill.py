"""How full the buffer between two clocks shall be, and by how much faster it must be read to stay so.

Two things are told from what a buffer holds. **Drift**: its usual level moves, by 6 ms a minute where two
clocks are 100 parts in a million apart; it is read a little faster or slower so that the level stays at its
aim, and what that takes in the long run is learned, so that a clock that is off costs nothing of the margin.
**Lateness**: now and then the buffer is nearly empty although its usual level is right, because a card calls
late or in bursts, or this computer is busy. How far it falls below its usual level is what has to be kept
(`margin_s`), and that for a while: lateness comes again.
"""

from __future__ import annotations

from collections import deque
from math import inf

from media.device.drift import MAX_STEP

LEAST_MARGIN_S = 0.01
"""Stalls of 5 ms come without any warning, every few minutes on a computer that does nothing else."""
_MOST_MARGIN_S = 0.06
_SPARE_S = 0.003
"""What shall be left at the worst moment."""
_MORE_AT_ONCE_S = 0.01
"""One stall, however long, asks for no more than this; if there are many it adds up."""
_STALL_S = 1.0
"""What is late within so long is one stall."""
_REMEMBERED_S = 60.0
"""For so long the worst moment counts."""
_LESS_MARGIN_S = 0.001
_LESS_PART = 0.1
_LESS_EVERY_S = 3.0
"""So often, once it has been quiet, it is let go of the larger of the two."""

_GAIN_PER_S = 0.08
"""A millisecond too much is drained at 80 parts in a million."""
_LEARNING = 0.0002
"""How much of a drift each decision makes of what is off: what lasts is learned in a minute."""
_NEAR_S = 0.005
"""Further from the aim it is no drift that is seen, but a new aim or a stall."""
_MOST_DRIFT = 0.0005
_HASTE_S = 0.01
"""What is off by this much is corrected twice as fast as that, and so on: gentle near the aim."""
_APART_S = 0.006
"""So much more or less than the other may a buffer hold that goes along before it goes its own way."""
_NOTHING = 1e-5
"""Ten parts in a million are not worth a second filter."""
_OBSERVATIONS = 101
_EACH = 10
_LASTING = 6
_SMOOTHING = 0.3


class FillControl:
    """Watches one buffer, from one observation a tick. `margin_s` is what is kept beyond what blocks need."""

    __slots__ = (
        "_drift",
        "_leader",
        "_most_s",
        "_needed_at",
        "_recent",
        "_smooth",
        "_stall_ends",
        "_step",
        "_until_next",
        "margin_s",
    )

    def __init__(self) -> None:
        self.margin_s = LEAST_MARGIN_S
        self._leader: FillControl | None = None
        self._needed_at: float | None = None
        self._stall_ends = -inf
        self._most_s = 0.0
        self._recent: deque[float] = deque(maxlen=_OBSERVATIONS)
        self._drift = 0.0
        self.restart()

    def follow(self, leader: FillControl) -> None:
        """Go along with a buffer just observed: with its margin, which is kept for both, and its steps."""
        self._leader = leader
        self.margin_s = leader.margin_s

    def restart(self) -> None:
        """The buffer was filled anew; how full it was before says nothing now."""
        self._recent.clear()
        self._smooth: float | None = None
        self._step = self._drift
        self._until_next = 2 * _EACH

    def ran_dry(self, now: float) -> None:
        """It was empty when it should not have been."""
        if self._leader is not None:
            self._leader.ran_dry(now)
            return
        self._keep(inf, now)

    def observe(self, excess_s: float, left_s: float, now: float) -> float:
        """The step (see `DriftingResampler`) for the next block.

        `excess_s`: how much more than wanted is there, reckoned as if samples came and went one by one.
        `left_s`: what was really there since the last observation when least was, whenever a tick had come.
        """
        self._recent.append(excess_s)
        usual_s = excess_s if self._smooth is None else self._smooth
        keeper = self if self._leader is None else self._leader
        keeper._keep(self.margin_s + usual_s - left_s + _SPARE_S, now)
        self._until_next -= 1
        if not self._until_next:
            self._until_next = _EACH
            self._decide()
        return self._step if self._leader is None else self._leader._step + self._apart

    @property
    def _apart(self) -> float:
        """What a buffer that goes along adds to the other's steps: nothing, while it is about as full."""
        if self._leader is None or self._smooth is None or self._leader._smooth is None:
            return 0.0
        off = self._smooth - self._leader._smooth
        beyond = max(0.0, abs(off) - _APART_S)
        return min(MAX_STEP, _GAIN_PER_S * beyond) * (1 if off > 0 else -1)

    def lasting_s(self, least_s: float) -> float:
        """What has been above the wanted fill for a tenth of a second at least: no late tick does that.

        0 when it is below `least_s`.
        """
        recent = self._recent
        if recent[-1] < least_s or len(recent) < _LASTING:  # as good as always
            return 0.0
        lasting_s = min(recent[-i] for i in range(1, _LASTING + 1))
        return lasting_s if lasting_s >= least_s else 0.0

    def _keep(self, needed_s: float, now: float) -> None:
        """A margin that would have been enough just now."""
        margin_s = self.margin_s
        if self._needed_at is None or needed_s > margin_s - _LESS_MARGIN_S:
            if needed_s > margin_s:
                if now > self._stall_ends:
                    self._stall_ends, self._most_s = now + _STALL_S, margin_s + _MORE_AT_ONCE_S
                self.margin_s = min(_MOST_MARGIN_S, self._most_s, needed_s)
            self._needed_at = now
        elif now - self._needed_at > _REMEMBERED_S and margin_s > LEAST_MARGIN_S:
            self._needed_at += _LESS_EVERY_S
            less_s = max(_LESS_MARGIN_S, _LESS_PART * margin_s)
            self.margin_s = max(LEAST_MARGIN_S, margin_s - less_s)

    def _decide(self) -> None:
        usual = sorted(self._recent)[len(self._recent) // 2]
        smooth = usual if self._smooth is None else self._smooth + _SMOOTHING * (usual - self._smooth)
        self._smooth = smooth
        if abs(smooth) < _NEAR_S:
            learned = self._drift + _LEARNING * smooth
            self._drift = max(-_MOST_DRIFT, min(_MOST_DRIFT, learned))
        wanted = self._drift + _GAIN_PER_S * smooth * (1 + abs(smooth) / _HASTE_S)
        self._step = 0.0 if abs(wanted) < _NOTHING else max(-MAX_STEP, min(MAX_STEP, wanted))
