"""From the media thread to an open loudspeaker; the mirror image of `media.device.capture`.

    media thread --push--> DriftFilter --Resampler--> ring --fill--> card

What the card is given is also kept for the echo canceller, if there is one (`reference`): the samples
as they are played, silence included where there was nothing to play.
"""

from collections.abc import Callable

import numpy as np

from media.audio.resample import Resampler
from media.device.base import Block, fill_with_silence
from media.device.capture import FADE_S, FAR_TOO_MUCH_S, RING_S, CaptureLine, LineStatistics
from media.device.drift import DriftFilter, FillControl
from media.device.ring import RingBuffer
from media.frame import Samples

_PAUSE_S = 0.1
"""When nothing was pushed for so long, an empty ring is no fault but a pause."""


class PlaybackLine:
    """Sound to one device. `fill` is the device's thread's, `push` the media thread's."""

    def __init__(
        self,
        device_rate_hz: int,
        block_s: float,
        clock: Callable[[], float],
        reference: CaptureLine | None = None,
    ) -> None:
        self.device_rate_hz = device_rate_hz
        self.ring = RingBuffer(int(RING_S * device_rate_hz))
        self.reference = reference
        self.blocks = 0
        self.underruns = 0
        self.skipped = 0
        self.last_block_at = clock()
        self._block_s = block_s
        self._clock = clock
        self._mark = (0, 0.0)
        self._starved = 0  # blocks that could not be filled; the device's thread counts
        self._starved_seen = 0
        self._last_push: float | None = None
        self._control = FillControl()
        self._step = 0.0
        self._left_out: Samples | None = None  # where what was played broke off
        self._tune(8000)

    # --- the device's thread ---

    def fill(self, block: Block) -> None:
        """Give what is to be played now."""
        ring = self.ring
        got = ring.read_into(block)
        if got < len(block):
            fill_with_silence(block[got:])
            self._starved += 1
        now = self._clock()
        self._mark = (ring.consumed, now)
        self.last_block_at = now
        self.blocks += 1
        if self.reference is not None:
            self.reference.write(block)

    # --- the media thread ---

    def push(self, samples: Samples, rate_hz: int) -> None:
        """Play these samples after those before them."""
        now = self._clock()
        if rate_hz != self._rate_hz:
            self._tune(rate_hz)
        ahead_s = self._ahead_s(now)
        starved, self._starved_seen = self._starved != self._starved_seen, self._starved
        paused = self._last_push is None or now - self._last_push > _PAUSE_S
        if not self.blocks:
            return  # the device does not run yet: what waits for it would only be late
        self._last_push = now
        if starved and not paused:
            self.underruns += 1
            self._control.ran_dry(now)
        if starved or paused:
            self._gather(ahead_s)
            ahead_s = self._control.margin_s
        excess_s = ahead_s - self._control.margin_s
        self._step = self._control.observe(excess_s, now)
        if self._left_out is not None or self._control.lasting_s > FAR_TOO_MUCH_S:
            if not self._leave_out(samples, excess_s):
                return
            samples = self._joined(samples)
        self.ring.write(self._resampler.process(self._drift.unrounded(samples, self._step)).data)

    @property
    def delay_s(self) -> float:
        """What waits here, the samples held back by the filters included."""
        return (
            len(self.ring) / self.device_rate_hz + DriftFilter.DELAY / self._rate_hz + self._resampler.delay_s
        )

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

    def _tune(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._resampler = Resampler(rate_hz, self.device_rate_hz)
        self._drift = DriftFilter()

    def _ahead_s(self, now: float) -> float:
        """What is in the ring, less what the card must have used since its last block."""
        consumed, at = self._mark
        return (self.ring.written - consumed) / self.device_rate_hz - min(now - at, 2 * self._block_s)

    def _gather(self, ahead_s: float) -> None:
        """Before it begins, or begins again: silence for as long as there shall be something ahead."""
        silence = int((self._control.margin_s - ahead_s) * self.device_rate_hz)
        if silence > 0:
            self.ring.write(np.zeros(silence, np.int16).data)
        self._control.restart()

    def _leave_out(self, samples: Samples, excess_s: float) -> bool:
        """Too much waits for the card: leave this out, or, enough being left out, go on (True)."""
        if self._left_out is None:
            self._left_out = samples[: int(FADE_S * self._rate_hz)]
        if excess_s > len(samples) / self._rate_hz:
            self.skipped += len(samples) * self.device_rate_hz // self._rate_hz
            return False
        self._control.restart()
        return True

    def _joined(self, samples: Samples) -> Samples:
        """What is played next, with what was left out faded into it."""
        before, self._left_out = self._left_out, None
        assert before is not None
        k = min(len(before), len(samples))
        fade = np.linspace(0, 1, k, dtype=np.float32)
        out = samples.copy()
        out[:k] = (before[:k] * (1 - fade) + samples[:k] * fade).astype(np.int16)
        return out
