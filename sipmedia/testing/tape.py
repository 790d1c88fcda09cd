"""Sound with its place in time: what a tape recorded of a call, or a file holds."""

from __future__ import annotations

import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from media.files.libraries import soundfile
from media.frame import AudioFrame, Samples


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """Mono int16 samples.

    `began` is the clock's time of the first sample, `None` when no clock was there (a file); sounds that
    have it, of parties on one clock, can be compared in time. `name` says in messages whose it is.
    """

    samples: Samples
    rate: int = 8000
    name: str = "the sound"
    began: float | None = None

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.rate

    def between(self, start: float, end: float | None = None) -> Samples:
        """The samples of a span in seconds; what is past the end is left out."""
        first = max(0, round(start * self.rate))
        return self.samples[first : None if end is None else max(first, round(end * self.rate))]

    def at_rate(self, rate: int) -> Sound:
        """The same sound at another sample rate."""
        return Sound(convert(self.samples, self.rate, rate), rate, self.name, self.began)


class Tape:
    """An audio sink that keeps all it hears, each frame where its timestamp says.

    Times on it are seconds since its stream began; the tapes of what a call says and hears have the same
    zero. What never came is silence. It is kept in memory: an hour at 8000 Hz is 58 MB.
    """

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self.name = name
        self.frames = 0
        """How many were heard."""
        self._clock = clock
        self._rate = 0
        self._samples = bytearray()
        self._began: float | None = None

    def push(self, frame: AudioFrame) -> None:
        """Hear a frame."""
        if not self._rate:
            self._rate = frame.sample_rate_hz
        samples, at = frame.samples, frame.timestamp
        if frame.sample_rate_hz != self._rate:
            samples = convert(samples, frame.sample_rate_hz, self._rate)
            at = at * self._rate // frame.sample_rate_hz
        start, end = 2 * at, len(self._samples)
        if start > end:
            self._samples.extend(bytes(start - end))
        self._samples[start : start + 2 * len(samples)] = samples.tobytes()
        self.frames += 1
        began = self._clock() - at / self._rate
        # A thread that was kept waiting hands frames over late, never early: the earliest is right.
        if self._began is None or began < self._began:
            self._began = began

    @property
    def seconds(self) -> float:
        """How much is on it by now: the time to hand to an assertion as `since`."""
        return len(self._samples) / 2 / self._rate if self._rate else 0.0

    def sound(self) -> Sound:
        """What is on it by now."""
        samples = np.frombuffer(bytes(self._samples), np.int16)
        return Sound(samples, self._rate or 8000, self.name, self._began)


def convert(samples: Samples, rate: int, to: int) -> Samples:
    """Samples at another rate by straight lines between them: good enough to compare, not to listen to."""
    if rate == to or not len(samples):
        return samples
    positions = np.arange(round(len(samples) * to / rate)) * (rate / to)
    converted: Samples = np.interp(positions, np.arange(len(samples)), samples).astype(np.int16)
    return converted


def read_sound(path: str | Path, channel: int = 0) -> Sound:
    """One channel of a file, of any format that libsndfile reads."""
    samples, rate = soundfile("to read a recording").read(str(path), dtype="int16", always_2d=True)
    return Sound(np.ascontiguousarray(samples[:, channel]), int(rate), Path(path).name)


def write_wav(path: Path, sound: Sound) -> None:
    """Write a sound as a mono WAV file of 16 bits."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(sound.rate)
        out.writeframes(sound.samples.astype("<i2").tobytes())
