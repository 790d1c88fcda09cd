"""Following another clock: no two sound cards, and no card and this computer, agree on what a second is.

100 parts in a million, which is usual, are 6 ms a minute: a buffer between two clocks runs over or dry in the
end. So what passes the buffer is made longer or shorter by exactly the difference: `FillControl`
(`media.device.fill`) says by how much, and `DriftingResampler`, which changes the rate anyhow, does it by
reading the sound at places a little further apart, or closer. 100 parts in a million are a sixth of a
hundredth of a semitone.

**How.** While a block passes, its places move by a small part of a sample. The block is filtered twice, with
the filters of its first places and with those of its last, and faded from one into the other. That is one
matrix product and exact to -70 dB at 100 parts in a million.
"""

from functools import lru_cache
from math import ceil, floor, gcd

import numpy as np
from numpy.typing import NDArray

from media.audio.resample import rounded, taps_at
from media.frame import Samples

_PHASES = 4096
"""Filters kept from one sample of the lower rate to the next: what lies between is below -70 dB."""
_PIECE_MOVE = 0.125
"""A block whose places move by more than this part of a sample of the lower rate is cut into pieces."""

MAX_STEP = 0.003
"""At most three parts in a thousand, a twentieth of a semitone: nobody hears that."""

Taps = NDArray[np.float32]


@lru_cache(maxsize=16)
def _table(up: int, down: int) -> tuple[Taps, int, int]:
    """The filters of the places from a little before a sample to a little after the next.

    Also how many there are from a sample to the next, and in which row those of the sample itself are.
    """
    slower = max(1.0, down / up)
    phases = up * ceil(_PHASES / slower / up)
    before = ceil(_PIECE_MOVE * slower * phases) + 1
    places = np.arange(-before, phases + before + 1) / phases
    if up == down:  # nothing to be kept out: what is read at samples' own places is those samples
        return taps_at(places, slower, cutoff=1.0), phases, before
    return taps_at(places, slower), phases, before


class DriftingResampler:
    """One stream's way from one rate to another, a little faster or slower; blocks must come in order.

    Of n samples come n * to / from / (1 + step), and never more than a sample more or less than that in all.
    What comes out is later by `delay_s`.
    """

    __slots__ = (
        "_banks",
        "_base",
        "_down",
        "_history",
        "_off",
        "_phases",
        "_rows",
        "_table",
        "_up",
        "delay_s",
    )

    def __init__(self, from_hz: int, to_hz: int) -> None:
        common = gcd(from_hz, to_hz)
        self._up, self._down = to_hz // common, from_hz // common
        self._table, self._phases, first = _table(self._up, self._down)
        up, taps = self._up, self._table.shape[1]
        self._rows = first + np.arange(up) * (self._phases // up)
        self._banks: Taps = np.zeros((2, up, taps), np.float32)
        self._history: Taps = np.zeros(taps - 1, np.float32)
        # The next output is self._base / up + self._off inputs after where the history begins.
        self._base = 0
        self._off = 0.0
        self.delay_s: float = taps / 2 / from_hz

    def process(self, samples: Samples, step: float = 0.0) -> Samples:
        """What these samples give; each output is 1 + `step` times as far from the last as rates say."""
        signal = np.concatenate((self._history, samples), dtype=np.float32)
        up, down = self._up, self._down
        end = up * (len(signal) - self._banks.shape[2] + 1)
        longest = end if step == 0 else max(1, int(_PIECE_MOVE * max(down, up) / down / abs(step)))
        pieces = []
        while (count := min(-((self._base - end) // down), longest)) > 0:
            pieces.append(self._piece(signal, count, step))
        passed = self._base // up
        self._history = signal[passed:]
        self._base -= passed * up
        if not pieces:
            return np.zeros(0, np.int16)
        return rounded(pieces[0] if len(pieces) == 1 else np.concatenate(pieces))

    def _piece(self, signal: Taps, count: int, step: float) -> Taps:
        """The next `count` outputs."""
        move = count * step * self._down / self._up
        first, last = self._filtered(signal, count, self._off + move if step else None)
        self._base += count * self._down
        self._off += move
        carry = floor(self._off * self._up)
        self._base += carry
        self._off -= carry / self._up
        if last is not None:
            last *= _ramp(count)
            first += last
        return first

    def _filtered(self, signal: Taps, count: int, end_off: float | None) -> tuple[Taps, Taps | None]:
        """As the places are at first, and by how much that differs from what they are in the end."""
        up, down, banks = self._up, self._down, self._banks
        taps = banks.shape[2]
        self._table.take(self._rows + round(self._off * self._phases), 0, banks[0], "clip")
        if end_off is None:
            banks = banks[:1]
        else:
            self._table.take(self._rows + round(end_off * self._phases), 0, banks[1], "clip")
            banks[1] -= banks[0]
        start, row = divmod(self._base, up)
        if down == 1 or up == 1:  # each window gives all `up` outputs that lie in it
            groups = -(-(row + count) // up)
            windows = np.ndarray((groups, taps), np.float32, signal, 4 * start, (4 * down, 4))
            found = np.ascontiguousarray(windows) @ banks.transpose(0, 2, 1)
            sound = found.reshape(len(banks), groups * up)[:, row : row + count]
        else:
            starts, rows = np.divmod(row + np.arange(count) * down, up)
            every = np.ndarray((len(signal) - taps + 1, taps), np.float32, signal, 0, (4, 4))
            sound = np.einsum("ij,kij->ki", every[start + starts], banks[:, rows])
        return sound[0], sound[1] if end_off is not None else None


@lru_cache(maxsize=64)
def _ramp(n: int) -> Taps:
    return np.arange(n, dtype=np.float32) / np.float32(n)
