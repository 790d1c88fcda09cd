"""How loud a direction is, whether it is clipped, and whether the microphone gives anything at all."""

from dataclasses import dataclass

import numpy as np

from media.frame import Samples

FLOOR_DBFS = -100.0
"""What is said of silence."""
SILENT_AFTER_S = 5.0
"""So much digital silence is no pause: the microphone is muted, or it is the wrong one."""
_CLIPPED = 32700
_FULL_SCALE = 32768.0


@dataclass(frozen=True, slots=True)
class Level:
    """Loudness since the last look, in dB below full scale (0 is the most there is)."""

    peak_dbfs: float
    rms_dbfs: float
    clipped: int
    """Samples at full scale."""
    silent_s: float
    """For how long there has been nothing but zeros."""


class Meter:
    """Measures one direction. `measure` belongs to one thread, `take` to another: what falls between two
    looks may be counted with either."""

    __slots__ = ("_clipped", "_count", "_energy", "_peak", "_silent_s")

    def __init__(self) -> None:
        self._silent_s = 0.0
        self._count = self._peak = self._clipped = 0
        self._energy = 0.0

    def measure(self, samples: Samples, sample_rate_hz: int) -> None:
        """Take a block into account."""
        n = len(samples)
        if not n:
            return
        peak = max(int(samples.max()), -int(samples.min()))
        self._count += n
        if not peak:
            self._silent_s += n / sample_rate_hz
            return
        self._silent_s = 0.0
        self._peak = max(self._peak, peak)
        wide = samples.astype(np.float32)
        self._energy += float(wide @ wide)
        if peak >= _CLIPPED:
            self._clipped += int(np.count_nonzero(np.abs(wide) >= _CLIPPED))

    def restart(self) -> None:
        """Another device: its silence begins now."""
        self._silent_s = 0.0

    def take(self) -> Level:
        """What was measured since the last call."""
        count, energy, peak, clipped = self._count, self._energy, self._peak, self._clipped
        self._reset()
        rms = (energy / count) ** 0.5 if count else 0.0
        return Level(decibels(peak), decibels(rms), clipped, self._silent_s)

    def _reset(self) -> None:
        self._count = self._peak = self._clipped = 0
        self._energy = 0.0


def decibels(amplitude: float) -> float:
    """An amplitude of int16 samples in dB below full scale, never less than `FLOOR_DBFS`."""
    if amplitude <= 0:
        return FLOOR_DBFS
    return max(FLOOR_DBFS, 20 * float(np.log10(amplitude / _FULL_SCALE)))
