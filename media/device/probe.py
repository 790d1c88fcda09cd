"""How long sound takes from us to the loudspeaker, through the air, and from the microphone back to us."""

import numpy as np

from media.device.talk import TalkPath
from media.frame import AudioFrame, Samples
from media.runtime import Runtime, Ticker

RATE_HZ = 16000
_BLOCK_S = 0.02
_EVERY_BLOCKS = 25
_CHIRP_S = 0.03
_CHIRP_HZ = (500.0, 5000.0)
_AMPLITUDE = 12000.0
_CLEAR = 8.0
"""A peak so many times above what is usual is the chirp."""


def chirp() -> Samples:
    """What is played: short, and unlike anything a room makes."""
    t = np.arange(int(_CHIRP_S * RATE_HZ)) / RATE_HZ
    low, high = _CHIRP_HZ
    phase = 2 * np.pi * (low * t + (high - low) * t**2 / (2 * _CHIRP_S))
    samples: Samples = (_AMPLITUDE * np.hanning(len(t)) * np.sin(phase)).astype(np.int16)
    return samples


class DelayProbe:
    """Plays a chirp every half second through `path`, listens to its microphone, and finds them again.

    With `talk_through` it plays nothing of its own, but what the microphone hears.
    """

    def __init__(self, runtime: Runtime, path: TalkPath, *, talk_through: bool = False) -> None:
        path.rate_hz = lambda: RATE_HZ
        self._path = path
        self._talk_through = talk_through
        self._n = int(_BLOCK_S * RATE_HZ)
        self._heard: list[Samples] = []
        self._blocks = 0
        played = np.zeros(_EVERY_BLOCKS * self._n, np.int16)
        played[: len(chirp())] = chirp()
        self._played = played
        self._due = runtime.monotonic()
        self._ticker: Ticker = runtime.start_ticker(self)
        self._ticker.wake()

    def step(self, now: float) -> float:
        """What is due; for the ticker."""
        while self._due <= now:
            self._due += _BLOCK_S
            heard = self._path.pull(self._n)
            if self._talk_through:
                self._path.push(heard)
                continue
            start = self._blocks % _EVERY_BLOCKS * self._n
            self._path.push(AudioFrame(self._played[start : start + self._n], RATE_HZ))
            self._heard.append(heard.samples)
            self._blocks += 1
        return self._due

    def stop(self) -> None:
        """No more of it."""
        self._ticker.stop()

    def delays_ms(self) -> list[float]:
        """How late each chirp came back, of those that did."""
        if not self._heard:
            return []
        heard = np.concatenate(self._heard).astype(float)
        period, sought = _EVERY_BLOCKS * self._n, chirp().astype(float)
        delays = []
        for start in range(0, len(heard) - period + 1, period):
            likeness = np.abs(np.correlate(heard[start : start + period], sought, "valid"))
            at = int(likeness.argmax())
            if likeness[at] > _CLEAR * max(1.0, float(np.median(likeness))) and likeness[at] > 1e6:
                delays.append(1000 * at / RATE_HZ)
        return delays
