"""How loud a direction is, whether it is clipped, and whether the microphone gives anything at all."""

from collections import deque
from dataclasses import dataclass

import numpy as np

from media.frame import Samples

FLOOR_DBFS = -100.0
"""What is said of silence."""
SILENT_AFTER_S = 5.0
"""So much digital silence is no pause: the microphone is muted, or it is the wrong one."""
_CLIPPED = 32700
_FULL_SCALE = 32768.0
_KEPT_BLOCKS = 100
"""Two seconds, as calls are: more is not kept for somebody who never looks."""


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
    """Measures one direction. `measure` belongs to one thread and only keeps the block; `take`, which
    belongs to another, reckons with all that came since it was last called."""

    __slots__ = ("_blocks", "_silent_s")

    def __init__(self) -> None:
        self._silent_s = 0.0
        self._blocks: deque[tuple[Samples, int]] = deque(maxlen=_KEPT_BLOCKS)

    def measure(self, samples: Samples, sample_rate_hz: int) -> None:
        """Take a block into account, which nobody changes any more."""
        self._blocks.append((samples, sample_rate_hz))

    def restart(self) -> None:
        """Another device: its silence begins now."""
        self._blocks.clear()
        self._silent_s = 0.0

    def take(self) -> Level:
        """What was measured since the last call."""
        kept, blocks = self._blocks, [np.zeros(0, np.int16)]
        seconds = 0.0
        for _ in range(len(kept)):
            samples, rate_hz = kept.popleft()
            blocks.append(samples)
            seconds += len(samples) / rate_hz
        wide = np.concatenate(blocks, dtype=np.float32)
        peak = float(np.abs(wide).max(initial=0.0))
        if not peak:
            self._silent_s += seconds
            return Level(FLOOR_DBFS, FLOOR_DBFS, 0, self._silent_s)
        self._silent_s = 0.0
        clipped = int(np.count_nonzero(np.abs(wide) >= _CLIPPED)) if peak >= _CLIPPED else 0
        rms = float(wide @ wide / len(wide)) ** 0.5
        return Level(decibels(peak), decibels(rms), clipped, 0.0)


def decibels(amplitude: float) -> float:
    """An amplitude of int16 samples in dB below full scale, never less than `FLOOR_DBFS`."""
    if amplitude <= 0:
        return FLOOR_DBFS
    return max(FLOOR_DBFS, 20 * float(np.log10(amplitude / _FULL_SCALE)))
