"""From an open microphone to the media thread: rate and clock are changed here, and nowhere else.

    card --write--> ring --DriftingResampler--pull--> media thread

The ring is kept as full as the largest block and a margin. How full it is is reckoned as if
samples came one by one: what the card has recorded since its last block counts as if it were here, so that
the result does not jump with every block, and the delay stays the same however the two clocks lie.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import numpy as np

from media.device.base import Block
from media.device.drift import DriftingResampler
from media.device.line import FAR_TOO_MUCH_S, Line
from media.frame import Samples


class CaptureLine(Line):
    """Sound from one device. `write` is the device's thread's, `pull` the media thread's."""

    def __init__(self, device_rate_hz: int, block_s: float, clock: Callable[[], float]) -> None:
        self._running = False
        self._fade_in = False
        self._scratch: Samples = np.zeros(0, np.int16)
        self._held: Samples = np.zeros(0, np.int16)
        super().__init__(device_rate_hz, block_s, clock)

    # --- the device's thread ---

    def write(self, block: Block) -> None:
        """Take what was recorded."""
        now, ring = self._clock(), self.ring
        # Before it came, and less what the call would have used by now if it took sample by sample.
        self._least = min(self._least, len(ring) - (now - self._ticked_at) * self.device_rate_hz)
        ring.write(block)
        self._moved(ring.written, now)

    # --- the media thread ---

    def pull(self, n: int, rate_hz: int, beside: CaptureLine | None = None) -> Samples:
        """The next `n` samples at that rate; silence for what is not there.

        `beside`: a line just pulled from, whose steps this one takes too. What two devices of one clock hear
        and play then keeps its distance, which an echo canceller has learned; else it would have to learn
        it anew whenever one of the two is followed.
        """
        now = self._clock()
        if rate_hz != self._rate_hz:
            self._tune(rate_hz)
        control = self._control
        if beside is not None:
            control.follow(beside._control)
        if not self._running and not self._start(n / rate_hz, now):
            return np.zeros(n, np.int16)
        here_s, reckoned_s = self._level_s(now)
        needed_s = n / rate_hz
        excess_s = reckoned_s - needed_s - self._block_s - control.margin_s
        self._step = control.observe(excess_s, min(self._least_s(now), here_s - needed_s), now)
        self._ticked_at = now
        if lasting_s := control.lasting_s(FAR_TOO_MUCH_S):
            self._skip(lasting_s)
        while (missing := n - len(self._held)) > 0:
            if not self._fetch(missing):
                return self._run_dry(n, now)
        out, self._held = self._held[:n], self._held[n:]
        return self._faded(out) if self._fade_in else out

    @property
    def delay_s(self) -> float:
        """What waits here, the samples held back by the filters included."""
        return super().delay_s + len(self._held) / self._rate_hz

    def _tune(self, rate_hz: int) -> None:
        super()._tune(rate_hz)
        self._held = np.zeros(0, np.int16)
        self._fade_in = True

    def _converter(self, rate_hz: int) -> DriftingResampler:
        return DriftingResampler(self.device_rate_hz, rate_hz)

    def _level_s(self, now: float) -> tuple[float, float]:
        """What could be had at once, and with it what the card must have recorded since."""
        written, at = self._mark
        here_s = (written - self.ring.consumed) / self.device_rate_hz + len(self._held) / self._rate_hz
        return here_s, here_s + self._since_s(now, at)

    def _start(self, needed_s: float, now: float) -> bool:
        """Begin, or begin again, once there is as much as shall be there."""
        here_s, reckoned_s = self._level_s(now)
        spare_s = here_s - needed_s - self._control.margin_s
        too_much_s = reckoned_s - needed_s - self._control.margin_s - self._block_s
        if not self.blocks or min(spare_s, too_much_s) < 0:
            return False
        # Where the card calls for several blocks at once, what is reckoned to be there may not be.
        self.ring.skip(int(min(too_much_s, spare_s) * self.device_rate_hz))
        self._control.restart()
        self._least = inf
        self._running = self._fade_in = True
        return True

    def _fetch(self, missing: int) -> bool:
        """Bring `missing` samples or a few more, or less, from the ring; False when it is empty."""
        wanted = -(-missing * self.device_rate_hz // self._rate_hz)
        if len(self._scratch) != wanted:
            self._scratch = np.empty(wanted, np.int16)
        got = self.ring.read_into(self._scratch.data)
        if not got:
            return False
        samples = self._resampler.process(self._scratch[:got], self._step)
        self._held = np.concatenate((self._held, samples)) if len(self._held) else samples
        return True

    def _run_dry(self, n: int, now: float) -> Samples:
        """Too little is there: fade out what is, and gather again."""
        self.underruns += 1
        self._running = False
        self._control.ran_dry(now)
        out = np.zeros(n, np.int16)
        last = self._held[:n]
        k = min(len(last), self._fade_length)
        out[: len(last)] = last
        if k:
            fade = np.linspace(1, 0, k, dtype=np.float32)
            out[len(last) - k : len(last)] = (last[-k:] * fade).astype(np.int16)
        self._held = np.zeros(0, np.int16)
        return out

    def _skip(self, excess_s: float) -> None:
        """Leave out what has gathered: the sound before is faded into the sound after."""
        k = self._fade_length
        while len(self._held) < k and self._fetch(k):
            pass
        before, self._held = self._held[:k], np.zeros(0, np.int16)
        self.skipped += self.ring.skip(int(excess_s * self.device_rate_hz))
        self._fetch(k)
        k = min(len(before), len(self._held))
        fade = np.linspace(0, 1, k, dtype=np.float32)
        mixed = (before[:k] * (1 - fade) + self._held[:k] * fade).astype(np.int16)
        self._held = np.concatenate((mixed, self._held[k:]))
        self._control.restart()

    def _faded(self, samples: Samples) -> Samples:
        self._fade_in = False
        out = samples.copy()
        k = min(len(out), self._fade_length)
        out[:k] = (out[:k] * np.linspace(0, 1, k, dtype=np.float32)).astype(np.int16)
        return out
