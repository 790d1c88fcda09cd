"""What both directions of a device have in common: a ring between two clocks, and the account of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from media.device.drift import DriftingResampler
from media.device.fill import FillControl
from media.device.ring import RingBuffer

_RING_S = 1.0
FAR_TOO_MUCH_S = 0.025
"""What is this much above the wanted delay, and stays so, is left out: following it would take long."""
FADE_S = 0.002
PAUSE_S = 0.1
"""When there was no tick for so long, the call was on hold."""
_USUAL_RATES_HZ = (8000, 16000, 48000)
"""Of calls."""


@dataclass(frozen=True, slots=True)
class LineStatistics:
    """What became of one direction since its device was opened; times in ms."""

    blocks: int
    underruns: int
    """How often there was nothing when something was due: a gap was heard."""
    skipped_ms: float
    """Left out because too much had gathered."""
    xruns: int
    """Losses in the system's own buffers, before or behind ours."""
    delay_ms: float
    """What waits in our buffer now."""
    margin_ms: float
    """How much of that is kept against lateness."""
    drift_ppm: float
    """By how much the device is being followed now."""


class Line:
    """One direction. Its device's thread moves blocks, the media thread samples at the rate of the call."""

    def __init__(self, device_rate_hz: int, block_s: float, clock: Callable[[], float]) -> None:
        self.device_rate_hz = device_rate_hz
        self.ring = RingBuffer(int(_RING_S * device_rate_hz))
        self.blocks = 0
        self.underruns = 0
        self.skipped = 0
        self.last_block_at = clock()
        self._block_s = block_s
        self._clock = clock
        self._mark = (0, 0.0)
        """How many samples the device had moved in all, and when it moved the last of them."""
        self._ticked_at = -inf
        self._least = inf
        """Samples that were there at the worst moment: see `_least_s`."""
        self._control = FillControl()
        self._step = 0.0
        for rate_hz in reversed(_USUAL_RATES_HZ):  # filters take a moment to make: here it is nobody's gap
            self._tune(rate_hz)

    @property
    def delay_s(self) -> float:
        """What waits here, the samples held back by the filters included."""
        return len(self.ring) / self.device_rate_hz + self._resampler.delay_s

    def statistics(self, xruns: int = 0) -> LineStatistics:
        """A snapshot, from any thread."""
        return LineStatistics(
            blocks=self.blocks,
            underruns=self.underruns,
            skipped_ms=1000 * (self.skipped + self.ring.overrun) / self.device_rate_hz,
            xruns=xruns,
            delay_ms=1000 * self.delay_s,
            margin_ms=1000 * self._control.margin_s,
            drift_ppm=1e6 * self._step,
        )

    def _moved(self, samples: int, now: float) -> None:
        """The device's thread: so many in all."""
        self._mark = (samples, now)
        self.last_block_at = now
        self.blocks += 1

    def _least_s(self, now: float) -> float:
        """The media thread: the least that was there since the last tick, whenever one had come.

        Infinite after a pause, when nobody needed anything.
        """
        least, self._least = self._least, inf
        return inf if now - self._ticked_at > PAUSE_S else least / self.device_rate_hz

    def _since_s(self, now: float, at: float) -> float:
        """What the card must have moved since its last block: it does so sample by sample."""
        return min(now - at, 2 * self._block_s)

    def _tune(self, rate_hz: int) -> None:
        """The call has another rate."""
        self._rate_hz = rate_hz
        self._resampler = self._converter(rate_hz)

    def _converter(self, rate_hz: int) -> DriftingResampler:
        """From one of the two rates to the other."""
        raise NotImplementedError

    @property
    def _fade_length(self) -> int:
        return int(FADE_S * self._rate_hz)
