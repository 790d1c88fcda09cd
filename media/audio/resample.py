"""Another sample rate for a running stream: exact, at once, and with little delay.

A polyphase FIR filter with state. Of n samples in come exactly n * to / from out whenever that is a whole
number (otherwise the fraction is carried over, never lost), in the same call, whatever the blocks.

The ratio is reduced to up / down. Between two input samples lie `up` places; the filter of each place is one
row of a table, and an output is the product of a row with the samples around it. Where one rate is a multiple
of the other, a block is one matrix product; else (44.1 kHz) the rows of the block are laid out once and kept.

The filter is a sinc under a Kaiser window, flat to 90 % of the lower Nyquist frequency. It looks `_WINGS`
samples of the lower rate ahead, which is the delay: 2 ms where a rate is 8000 Hz. soxr's streams are
steeper but give nothing for 20 ms and more; use soxr for files.
"""

from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

from media.frame import Samples

_WINGS = 16
"""Samples of the lower rate on each side of an output."""
_CUTOFF = 0.93
"""Middle of the transition, relative to the lower Nyquist frequency."""
_KAISER_BETA = 7.0
_LONG = 4096


def taps_at(places: NDArray[np.float64], slower: float, cutoff: float = _CUTOFF) -> NDArray[np.float32]:
    """The filters that give the sound so many samples after a sample, one a row.

    `slower`: how much wider they are because the output has the lower rate.
    """
    half = int(np.ceil(_WINGS * slower))
    scaled = (np.arange(-half + 1, half + 1)[None, :] - places[:, None]) / slower
    window = np.i0(_KAISER_BETA * np.sqrt(np.clip(1 - (scaled / _WINGS) ** 2, 0, 1))) / np.i0(_KAISER_BETA)
    taps = np.sinc(cutoff * scaled) * window
    taps /= taps.sum(axis=1, keepdims=True)  # every place passes a constant unchanged: no hum from rounding
    return taps.astype(np.float32)


@lru_cache(maxsize=32)
def _table(up: int, down: int) -> NDArray[np.float32]:
    """The taps of each place between two inputs: row p is for an output p / up after an input."""
    return taps_at(np.arange(up) / up, max(1.0, down / up))


class Resampler:
    """One stream's way from one rate to another; `process` must see its blocks in order.

    `delay_s` is by how much what comes out is later. Equal rates pass through untouched.
    """

    __slots__ = ("_down", "_history", "_phase", "_table", "_taps", "_up", "delay_s")

    def __init__(self, from_hz: int, to_hz: int) -> None:
        if from_hz <= 0 or to_hz <= 0:
            raise ValueError(f"sample rates are above 0, not {from_hz} and {to_hz}")
        common = gcd(from_hz, to_hz)
        self._up, self._down = to_hz // common, from_hz // common
        self._table = _table(self._up, self._down)
        self._taps = self._table.shape[1]
        self.delay_s = 0.0 if self._up == self._down else self._taps / 2 / from_hz
        self.reset()

    def reset(self) -> None:
        """Another stream begins: silence was before it."""
        self._history = np.zeros(self._taps, np.float32)
        self._phase = 0  # of the next output, in 1 / up of an input sample after the oldest new one

    def process(self, samples: Samples | NDArray[np.float32]) -> Samples:
        """What these samples give; all that is due so far comes out."""
        if self._up == self._down:
            if samples.dtype == np.float32:
                return rounded(samples.astype(np.float32))
            return samples.astype(np.int16, copy=False)
        signal = np.concatenate((self._history, samples), dtype=np.float32)
        ahead = len(samples) * self._up - self._phase
        count = max(0, -(-ahead // self._down))
        # What sliding_window_view gives, without its checks, which cost as much as the filter.
        windows = np.ndarray((len(signal) - self._taps + 1, self._taps), np.float32, signal, 0, (4, 4))
        if self._down == 1 or self._up == 1:
            out = self._in_groups(windows, count)
        else:
            starts, taps = _gathered(self._up, self._down, self._phase, count)
            out = np.einsum("ij,ij->i", windows[starts], taps)
        self._phase += count * self._down - len(samples) * self._up
        self._history = signal[len(samples) :]
        return rounded(out)

    def _in_groups(self, windows: NDArray[np.float32], count: int) -> NDArray[np.float32]:
        """Where each window gives all `up` outputs that lie in it: one matrix product."""
        start, row = divmod(self._phase, self._up)
        groups = -(-(row + count) // self._up)
        own = windows[start + 1 :: self._down][:groups]
        if groups < _LONG:  # laid out it is quicker, but takes a hundred times the room
            own = np.ascontiguousarray(own)
        return (own @ self._table.T).reshape(-1)[row : row + count]


def rounded(sound: NDArray[np.float32]) -> Samples:
    """As 16-bit samples; what is beyond them is clipped. `sound` is used up."""
    np.minimum(sound, 32767, out=sound)
    np.maximum(sound, -32768, out=sound)
    samples = np.empty(len(sound), np.int16)
    return np.rint(sound, out=samples, casting="unsafe")


@lru_cache(maxsize=32)
def _gathered(up: int, down: int, phase: int, count: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """For `count` outputs from `phase` on: where their windows begin, and their taps."""
    starts, rows = np.divmod(phase + np.arange(count) * down, up)
    return starts + 1, _table(up, down)[rows]
