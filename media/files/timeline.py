"""Where the frames of a recording belong in its file."""

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.files import libraries
from media.frame import AudioFrame, Samples

_RESTART_S = 1.0  # a timestamp that far in the past is a new stream, not a late frame


class Timeline:
    """Places frames by their timestamps and cuts off finished blocks, at most a second at a time.

    Time begins with the first frame of any channel; where no frame was there is silence. Frames of
    another rate (the codec changed in mid-call) are converted.
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self.position = 0
        """Samples cut off so far."""
        self.end = 0
        """Where the latest frame ends."""
        self._rate = sample_rate_hz
        self._tracks = [_Track() for _ in range(channels)]
        self._origin: float | None = None  # stream time of the first frame, in seconds

    def add(self, channel: int, frame: AudioFrame) -> None:
        """Put one frame in its place; the part of it that is cut off already is lost."""
        track = self._tracks[channel]
        time = frame.timestamp / frame.sample_rate_hz
        if self._origin is None:
            self._origin = time
        start = round((time - self._origin + track.shift) * self._rate)
        if start < self.position - _RESTART_S * self._rate:
            start = self.end
            track.shift = start / self._rate - time + self._origin
        if frame.sample_rate_hz == self._rate:
            track.end_conversion()
            track.parts.append((start, frame.samples))
        else:
            track.convert(frame, start, self._rate)
        self.end = max(self.end, start + len(frame.samples) * self._rate // frame.sample_rate_hz)

    def begin(self, time: float) -> None:
        """Let time begin there (seconds of the stream), unless it has begun."""
        if self._origin is None:
            self._origin = time

    def reach(self, time: float) -> None:
        """Let it last until there."""
        if self._origin is not None:
            self.end = max(self.end, round((time - self._origin) * self._rate))

    def finish(self) -> None:
        """No more frames come: put what rate converters still hold in its place."""
        for track in self._tracks:
            track.end_conversion()

    def cut(self, end: int) -> NDArray[np.int16] | None:
        """The next block before `end`, one column a channel; None when all up to there is cut off."""
        size = min(end - self.position, self._rate)
        if size <= 0:
            return None
        block = np.zeros((size, len(self._tracks)), np.int16)
        for channel, track in enumerate(self._tracks):
            track.end_conversion_before(self.position + size)
            track.copy_to(block[:, channel], self.position)
        self.position += size
        return block


class _Track:
    """One channel: samples with their places, in order."""

    def __init__(self) -> None:
        self.parts: deque[tuple[int, Samples]] = deque()
        self.shift = 0.0  # seconds that its restarted streams are moved by
        self._converter: Any = None  # soxr.ResampleStream, which comes without types
        self._rate_from = 0
        self._converted_to = 0  # where its next output belongs
        self._expected = 0  # where its next input should begin

    def convert(self, frame: AudioFrame, start: int, rate_to: int) -> None:
        if frame.sample_rate_hz != self._rate_from or abs(start - self._expected) > 1:
            self.end_conversion()
        if self._converter is None:
            self._converter = libraries.rate_converter(
                frame.sample_rate_hz, rate_to, "int16", "recording on after a change of codec"
            )
            self._rate_from, self._converted_to = frame.sample_rate_hz, start
        self._expected = start + len(frame.samples) * rate_to // frame.sample_rate_hz
        self._append_converted(self._converter.resample_chunk(frame.samples))

    def end_conversion_before(self, end: int) -> None:
        """A converter holds back a tenth of a second; let it out if its input stopped before `end`."""
        if self._expected <= end:
            self.end_conversion()

    def end_conversion(self) -> None:
        if self._converter is not None:
            self._append_converted(self._converter.resample_chunk(np.zeros(0, np.int16), last=True))
            self._converter = None

    def copy_to(self, block: Samples, position: int) -> None:
        """Fill `block`, whose first sample belongs at `position`, and keep what reaches beyond it."""
        parts, size = self.parts, len(block)
        while parts and parts[0][0] < position + size:
            start, samples = parts.popleft()
            start -= position
            if start < 0:
                samples, start = samples[-start:], 0
            fitting = samples[: size - start]
            block[start : start + len(fitting)] = fitting
            if len(fitting) < len(samples):
                parts.appendleft((position + size, samples[len(fitting) :]))
                break

    def _append_converted(self, samples: Samples) -> None:
        self.parts.append((self._converted_to, samples))
        self._converted_to += len(samples)
