"""Filling the gaps of lost packets, after G.711 Appendix I, for 16-bit PCM of any rate.

While packets are missing the last pitch period is repeated; after 10 ms the last two, after 20 ms the
last three, which sounds less like a machine. From 10 ms on it fades by a fifth every 10 ms: nobody's
voice stays the same for longer than 60 ms. When packets come again, the repetition runs on for a few
milliseconds under a cross-fade.

Where the packet after the gap is here already, as it is with a packet's worth of delay, `between` does
better than any repetition can. The repetition is bent, by a little change of its pitch, so that it meets what
comes after in step, and led over into the same made backwards from there.

Appendix I delays all audio by 3.75 ms to bend the last good samples towards the repetition. We do not:
without loss the audio is untouched and on time. The step between the last sample and the repetition is
instead spread over its first quarter period.
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

from media.audio.time_stretch import best_lag
from media.frame import Samples

_SHORTEST_PITCH_MS = 5.0
_LONGEST_PITCH_MS = 15.0
_WINDOW_MS = 20.0
_PERIODS = 3
_STEP_MS = 10
_FADE_PER_STEP = 0.2
_WHOLE_MS = 30.0
"""A gap with both sides known does not fade before this, seen from either."""
_IN_STEP = 0.4
"""How alike the repetition and what comes after must be to be brought into step."""

# Frames remembered for the repetition: enough of 10 ms ones for three of the longest periods, the
# cross-fade before them and the window in which the pitch is sought.
_REMEMBERED_FRAMES = 8


class Concealer:
    """Conceals the losses of one stream.

    Every frame in playing order goes through `good`, every missing one is asked of `conceal`. `good`
    costs a list operation while nothing is lost. `concealed` counts the samples made up.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self.concealed = 0
        self._shortest = round(_SHORTEST_PITCH_MS * sample_rate_hz / 1000)
        self._longest = round(_LONGEST_PITCH_MS * sample_rate_hz / 1000)
        self._window = round(_WINDOW_MS * sample_rate_hz / 1000)
        self._step = _STEP_MS * sample_rate_hz // 1000
        self._recent: deque[Samples] = deque(maxlen=_REMEMBERED_FRAMES)
        self._lost = 0  # samples since the last good one
        self._loops: list[NDArray[np.float64]] = []  # of one, two and three periods
        self._pitch = 0
        self._offset = 0  # in the present loop
        self._jump = np.zeros(0)  # what is added to begin where the last sample was

    def reset(self) -> None:
        """Forget everything: the next frame has nothing to do with the ones before."""
        self._recent.clear()
        self._lost = 0

    def good(self, samples: Samples) -> Samples:
        """A frame that arrived: itself, or its beginning blended with the repetition after a loss."""
        if self._lost:
            samples = self._rejoined(samples)
        self._recent.append(samples)
        return samples

    def conceal(self, n: int) -> Samples:
        """`n` samples in place of lost ones; silence when there was nothing before or too much is lost."""
        self.concealed += n
        if not self._recent:
            return np.zeros(n, np.int16)
        if not self._lost:
            self._begin()
        samples = np.rint(self._repeated(n)).astype(np.int16)
        if len(self._recent[-1]) < self._step:  # crumbs must not crowd out what is remembered
            self._recent[-1] = np.concatenate((self._recent[-1], samples))
        else:
            self._recent.append(samples)
        return samples

    def between(self, n: int, after: Samples) -> Samples:
        """`n` samples in place of lost ones, when those that follow them are known already.

        `after` goes through `good` next. Some of this gap may have been made up before.
        """
        least = self._shortest * 2
        if not self._recent or len(after) < least:
            return self.conceal(n)
        self.concealed += n
        position = self._lost
        if not position:
            self._begin()
        follows = after[: self._window].astype(np.float64)
        half = self._pitch // 2
        compared = min(len(follows), self._window)
        forward = self._run(n + half + compared, position)
        forward = self._in_step(forward, follows, n, min(half, n // 3))
        backward = self._backwards(follows, n)
        rise = np.arange(1, n + 1) / (n + 1)
        whole = int(_WHOLE_MS / _STEP_MS * self._step)
        if position + n > whole:
            since = np.arange(position, position + n) - (self._step if position else whole)
            forward *= np.clip(1.0 - _FADE_PER_STEP * np.maximum(0.0, since) / self._step, 0.0, 1.0)
            until = np.arange(n, 0, -1) - whole
            backward *= np.clip(1.0 - _FADE_PER_STEP * np.maximum(0.0, until) / self._step, 0.0, 1.0)
        power = float(forward @ forward) * float(backward @ backward)
        alike = max(0.0, float(forward @ backward) / max(1.0, power**0.5))
        # What is not alike would lose power where the two are mixed.
        mixed = forward * (1.0 - rise) + backward * rise
        mixed /= np.sqrt(rise * rise + (1.0 - rise) ** 2 + 2.0 * alike * rise * (1.0 - rise))
        samples: Samples = np.rint(np.clip(mixed, -32768, 32767)).astype(np.int16)
        self._recent.append(samples)
        self._lost = 0
        return samples

    def _in_step(
        self, forward: NDArray[np.float64], follows: NDArray[np.float64], n: int, most: int
    ) -> NDArray[np.float64]:
        """The repetition for the gap, made faster or slower so that `follows` goes on where it ends."""
        compared = len(forward) - n - self._pitch // 2
        span = forward[n - most : n + most + compared]
        part = follows[:compared]
        correlation = np.correlate(span, part, "valid")
        sums = np.concatenate(((0.0,), np.cumsum(span * span)))
        energy = sums[compared:] - sums[:-compared]
        alike = correlation / np.sqrt(np.maximum(energy * (part @ part), 1.0))
        alike -= 0.2 * np.abs(np.arange(-most, most + 1)) / max(1, most)  # rather less than more
        best = int(np.argmax(alike))
        shift = best - most
        if not shift or alike[best] < _IN_STEP:
            return forward[:n]
        bent: NDArray[np.float64] = np.interp(
            np.arange(n) * ((n + shift) / n), np.arange(n + most + 1), forward[: n + most + 1]
        )
        return bent

    def _backwards(self, follows: NDArray[np.float64], n: int) -> NDArray[np.float64]:
        """What leads up to `follows`, made of its first period."""
        longest = min(self._longest, len(follows) - self._shortest)
        lowest = max(self._shortest, min(longest, self._pitch * 3 // 4))
        highest = max(lowest, min(longest, self._pitch * 4 // 3))
        compared = len(follows) - highest
        period, _ = best_lag(follows, compared, lowest, highest)
        loop = follows[:period]
        made = loop[(np.arange(n) - n) % period].copy()
        quarter = min(period // 4, n)
        rise = np.arange(1, quarter + 1) / (quarter + 1)
        if quarter and period < len(follows):
            made[n - quarter :] += (follows[0] - follows[period]) * rise
        return made

    def _begin(self) -> None:
        """Find the pitch and cut the loops out of what was last heard."""
        needed = _PERIODS * self._longest + self._longest // 4 + 1
        history = np.concatenate(self._recent).astype(np.float64)[
            -max(needed, self._window + self._longest) :
        ]
        if len(history) < needed:
            history = np.concatenate((np.zeros(needed - len(history)), history))
        self._pitch = pitch = self._find_pitch(history)
        quarter = pitch // 4
        rise = np.arange(1, quarter + 1) / (quarter + 1)
        end = len(history)
        self._loops = []
        for periods in range(1, _PERIODS + 1):
            start = end - periods * pitch
            loop = history[start:].copy()
            # its end leads over to its beginning
            loop[-quarter:] += (history[start - quarter : start] - loop[-quarter:]) * rise
            self._loops.append(loop)
        self._offset = 0
        self._jump = (history[-1] - history[end - pitch - 1]) * (1.0 - rise)

    def _find_pitch(self, history: NDArray[np.float64]) -> int:
        """The lag at which the last 20 ms resemble what came before the most (normalised correlation)."""
        recent = history[-self._window :]
        span = history[-self._window - self._longest : -self._shortest]
        correlation = np.correlate(span, recent, "valid")  # from the longest lag to the shortest
        sums = np.concatenate(((0.0,), np.cumsum(span * span)))
        energy = sums[self._window :] - sums[: -self._window]
        floor = self._window  # one unit a sample: silence has no pitch
        return self._longest - int(np.argmax(correlation / np.sqrt(np.maximum(energy, floor))))

    def _repeated(self, n: int) -> NDArray[np.float64]:
        """The next `n` samples of the repetition, faded."""
        position = self._lost
        self._lost = position + n
        steps = np.arange(position, position + n) / self._step
        gain = 1.0 - _FADE_PER_STEP * (steps - 1.0)
        if gain[0] <= 0.0:
            return np.zeros(n)
        return np.clip(self._run(n, position) * np.clip(gain, 0.0, 1.0), -32768, 32767)

    def _run(self, n: int, position: int) -> NDArray[np.float64]:
        """The same without the fading, from `position` samples after the last good one."""
        parts = []
        done = 0
        while done < n:
            present = (position + done) // self._step
            length = min(n - done, (present + 1) * self._step - position - done)
            parts.append(self._from_loop(min(present, _PERIODS - 1), length, position + done))
            done += length
        signal = np.concatenate(parts)
        if position < len(self._jump):
            jump = self._jump[position : position + n]
            signal[: len(jump)] += jump
        return signal

    def _from_loop(self, number: int, n: int, position: int) -> NDArray[np.float64]:
        loop = self._loops[number]
        if number and position == number * self._step:  # this loop's turn begins: blend from the shorter
            before = self._loops[number - 1]
            quarter = min(n, self._pitch // 4)
            old = before[(self._offset + np.arange(quarter)) % len(before)]
            self._offset %= self._pitch
            new = loop[(self._offset + np.arange(n)) % len(loop)]
            new[:quarter] += (old - new[:quarter]) * (1.0 - np.arange(1, quarter + 1) / (quarter + 1))
        else:
            new = loop[(self._offset + np.arange(n)) % len(loop)]
        self._offset = (self._offset + n) % len(loop)
        return new

    def _rejoined(self, samples: Samples) -> Samples:
        """Appendix I: a quarter period and 4 ms for each further 10 ms lost, at most 10 ms."""
        lost_steps = self._lost // self._step
        overlap = self._pitch // 4 + max(0, lost_steps - 1) * self._step * 4 // _STEP_MS
        overlap = min(overlap, self._step, len(samples))
        if overlap:
            repeated = self._repeated(overlap)
            rise = np.arange(1, overlap + 1) / (overlap + 1)
            joined = samples.copy()
            joined[:overlap] = np.rint(repeated + (samples[:overlap] - repeated) * rise).astype(np.int16)
            samples = joined
        self._lost = 0
        return samples
