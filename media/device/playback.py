"""From the media thread to an open loudspeaker; the mirror image of `media.device.capture`.

    media thread --push--DriftingResampler--> ring --fill--> card

What the card is given is also kept for the echo canceller, if there is one (`reference`): the samples
as they are played, silence included where there was nothing to play.
"""

from collections.abc import Callable
from math import inf

import numpy as np

from media.device.base import Block, fill_with_silence
from media.device.capture import CaptureLine
from media.device.drift import DriftingResampler
from media.device.line import FAR_TOO_MUCH_S, PAUSE_S, Line
from media.frame import Samples


class PlaybackLine(Line):
    """Sound to one device. `fill` is the device's thread's, `push` the media thread's."""

    def __init__(
        self,
        device_rate_hz: int,
        block_s: float,
        clock: Callable[[], float],
        reference: CaptureLine | None = None,
    ) -> None:
        super().__init__(device_rate_hz, block_s, clock)
        self.reference = reference
        self._starved = 0  # blocks that could not be filled; the device's thread counts
        self._starved_seen = 0
        self._pushed = 0  # samples of the device's rate, the last time
        self._left_out: Samples | None = None  # where what was played broke off

    # --- the device's thread ---

    def fill(self, block: Block) -> None:
        """Give what is to be played now."""
        ring = self.ring
        got = ring.read_into(block)
        if got < len(block):
            fill_with_silence(block[got:])
            self._starved += 1
        now = self._clock()
        # Less what was pushed ahead of its time: a push comes for all of its samples at once.
        ahead = max(0.0, self._pushed - (now - self._ticked_at) * self.device_rate_hz)
        self._least = min(self._least, len(ring) - ahead)
        self._moved(ring.consumed, now)
        if self.reference is not None:
            self.reference.write(block)

    # --- the media thread ---

    def push(self, samples: Samples, rate_hz: int) -> None:
        """Play these samples after those before them."""
        now = self._clock()
        if rate_hz != self._rate_hz:
            self._tune(rate_hz)
        ahead_s, left_s = self._ahead_s(now), self._least_s(now)
        starved, self._starved_seen = self._starved != self._starved_seen, self._starved
        if not self.blocks:
            return  # the device does not run yet: what waits for it would only be late
        paused = now - self._ticked_at > PAUSE_S  # an empty ring is no fault then
        if starved and not paused:
            self.underruns += 1
            self._control.ran_dry(now)
        if starved or paused:
            self._gather(ahead_s)
            ahead_s, left_s = self._control.margin_s, inf
        excess_s = ahead_s - self._control.margin_s
        self._step = self._control.observe(excess_s, left_s, now)
        self._pushed = self._write(samples, excess_s)
        self._ticked_at = now

    def _write(self, samples: Samples, excess_s: float) -> int:
        """Put them into the ring, or leave them out; how many that were at the device's rate."""
        if self._left_out is not None or self._control.lasting_s(FAR_TOO_MUCH_S):
            if not self._leave_out(samples, excess_s):
                return 0
            samples = self._joined(samples)
        return self.ring.write(self._resampler.process(samples, self._step).data)

    def _converter(self, rate_hz: int) -> DriftingResampler:
        return DriftingResampler(rate_hz, self.device_rate_hz)

    def _ahead_s(self, now: float) -> float:
        """What is in the ring, less what the card must have used since its last block."""
        consumed, at = self._mark
        return (self.ring.written - consumed) / self.device_rate_hz - self._since_s(now, at)

    def _gather(self, ahead_s: float) -> None:
        """Before it begins, or begins again: silence for as long as there shall be something ahead."""
        silence = int((self._control.margin_s - ahead_s) * self.device_rate_hz)
        if silence > 0:
            self.ring.write(np.zeros(silence, np.int16).data)
        self._control.restart()

    def _leave_out(self, samples: Samples, excess_s: float) -> bool:
        """Too much waits for the card: leave this out, or, enough being left out, go on (True)."""
        if self._left_out is None:
            self._left_out = samples[: self._fade_length]
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
