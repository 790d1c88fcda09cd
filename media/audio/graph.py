"""The audio graph: everything that gives audio is an `AudioSource`, all that takes it an `AudioSink`.

The media thread calls them, a packet's length at a time, for all calls in turn: a `pull` or `push`
that waits holds up every call. What feeds them from elsewhere does so through a queue
(`media.audio.write_queue`, `media.audio.frame_queue`).
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np

from media.errors import BadAudio
from media.frame import AudioFrame, Samples


@runtime_checkable
class AudioSource(Protocol):
    """Gives audio to send."""

    def pull(self, n: int) -> AudioFrame | None:
        """The next `n` samples, or None when there is nothing to send now (a gap, or the end)."""
        ...


class AudioSink(Protocol):
    """Takes audio that was received or sent."""

    def push(self, frame: AudioFrame) -> None:
        """Take one frame; the next one follows it, but for gaps that its timestamp shows."""
        ...


@runtime_checkable
class SeekableSource(AudioSource, Protocol):
    """A source that can be played from another place on, from any thread."""

    @property
    def duration_s(self) -> float:
        """Length of one round."""
        ...

    @property
    def position_s(self) -> float:
        """Where it is."""
        ...

    def seek(self, position_s: float) -> None:
        """Go on from there."""
        ...


class Echo:
    """Sends back what comes in: a sink for the received audio and the source of the sent one.

    Sample exact and in order. What came in a burst is shortened to a packet or two, oldest first, so
    the delay cannot grow; `dropped` counts those samples.
    """

    moves_with_call = True

    def __init__(self) -> None:
        self.dropped = 0
        self._frames: deque[AudioFrame] = deque()
        self._held = 0
        self._largest = 0

    def push(self, frame: AudioFrame) -> None:
        """Take a received frame."""
        size = len(frame.samples)
        self._frames.append(frame)
        self._held += size
        if size > self._largest:
            self._largest = size

    def pull(self, n: int) -> AudioFrame | None:
        """The oldest `n` samples held, or None until there are that many."""
        if self._held < n:
            return None
        frames = self._frames
        if self._held > self._largest + n:
            excess = self._held - max(self._largest, n)
            self._take(excess)
            self.dropped += excess
        first = frames[0]
        if len(first.samples) == n:
            frames.popleft()
            self._held -= n
            return first
        return AudioFrame(self._take(n), first.sample_rate_hz, first.timestamp)

    def _take(self, n: int) -> Samples:
        """Remove the oldest `n` samples, which must be there."""
        self._held -= n
        parts = []
        while n:
            frame = self._frames.popleft()
            if len(frame.samples) > n:
                rest = AudioFrame(frame.samples[n:], frame.sample_rate_hz, frame.timestamp + n)
                self._frames.appendleft(rest)
            parts.append(frame.samples[:n])
            n -= len(parts[-1])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


class SampleSource:
    """Plays samples that are in memory, `repeat` times (None: for ever)."""

    def __init__(self, samples: Samples, sample_rate_hz: int, *, repeat: int | None = 1) -> None:
        self._samples = samples
        self._sample_rate_hz = sample_rate_hz
        self._left = repeat if len(samples) else 0
        self._offset = 0
        self._position = 0

    @property
    def duration_s(self) -> float:
        """Length of one round."""
        return len(self._samples) / self._sample_rate_hz

    @property
    def position_s(self) -> float:
        """Where in the samples it is, in seconds."""
        return self._offset / self._sample_rate_hz

    def seek(self, position_s: float) -> None:
        """Go on from there; beyond the end is the end of the round. Raises `BadAudio` when negative."""
        if position_s < 0:
            raise BadAudio(f"samples cannot be played from {position_s} s on")
        self._offset = min(round(position_s * self._sample_rate_hz), max(0, len(self._samples) - 1))

    def pull(self, n: int) -> AudioFrame | None:
        """The next `n` samples, the last block filled up with silence; None after the end."""
        if self._left == 0:
            return None
        parts, missing = [], n
        while missing and self._left != 0:
            part = self._samples[self._offset : self._offset + missing]
            parts.append(part)
            missing -= len(part)
            self._offset += len(part)
            if self._offset == len(self._samples):
                self._offset = 0
                if self._left is not None:
                    self._left -= 1
        if missing:
            parts.append(np.zeros(missing, np.int16))
        position = self._position
        self._position += n
        samples = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return AudioFrame(samples, self._sample_rate_hz, position)


Done = Callable[[bool], None]
"""Called when a source was played: True to its end, False when it was stopped or failed."""


class _Item:
    """One listed source; compared by identity."""

    __slots__ = ("on_done", "source")

    def __init__(self, source: AudioSource, on_done: Done | None) -> None:
        self.source = source
        self.on_done = on_done

    def finish(self, *, completed: bool) -> None:
        if self.on_done is not None:
            self.on_done(completed)


class Playlist:
    """Plays sources one after the other, and between them whatever `fallback` gives.

    `play` and `stop` may be called from any thread; `pull` belongs to the media thread. A source has
    ended when it gives None. Its `on_done` is called exactly once, by whoever took it off the list:
    taking an item from a deque is atomic, which decides between a `pull` and a `stop` at once.

    A source that raises is taken off, and `on_failed` told; the others, and the call, go on.
    """

    def __init__(
        self, fallback: AudioSource | None = None, on_failed: Callable[[Exception], None] | None = None
    ) -> None:
        self.fallback = fallback
        self.muted = False
        """While it is set all goes on as it would, but silence is what is given."""
        self._on_failed = on_failed
        self._items: deque[_Item] = deque()

    @property
    def playing(self) -> bool:
        """Whether a source is being played or waits for its turn."""
        return bool(self._items)

    def play(self, source: AudioSource, on_done: Done | None = None, *, first: bool = False) -> None:
        """Play `source` after those already listed; when it ends `on_done` runs on the media thread.

        `first`: at once, before those listed, which go on afterwards where they were.
        """
        if first:
            self._items.appendleft(_Item(source, on_done))
        else:
            self._items.append(_Item(source, on_done))

    def stop(self) -> int:
        """Drop all listed sources, also the one playing; returns how many. Callbacks get False."""
        dropped = 0
        while self._items:
            try:
                item = self._items.popleft()
            except IndexError:  # it ended just now
                break
            item.finish(completed=False)
            dropped += 1
        return dropped

    def release(self) -> None:
        """Nobody pulls any more: let go of what is played, and of who is told of failures."""
        self.stop()
        self.fallback = self._on_failed = None

    def take_over(self, other: "Playlist") -> None:
        """Play what `other` has listed after our own, the one playing from where it is."""
        while other._items:
            try:
                self._items.append(other._items.popleft())
            except IndexError:  # it ended just now
                break

    def pull(self, n: int) -> AudioFrame | None:
        """The next `n` samples of the source playing, else of the fallback."""
        while self._items:
            try:
                item = self._items[0]
            except IndexError:  # stop() was quicker
                break
            failure: Exception | None = None
            try:
                frame = item.source.pull(n)
            except Exception as error:  # a user's object
                failure, frame = error, None
            if frame is not None:
                return _silent(frame) if self.muted else frame
            try:
                self._items.remove(item)
            except ValueError:  # stop() was quicker, and has told its owner
                continue
            item.finish(completed=failure is None)
            if failure is not None and self._on_failed is not None:
                self._on_failed(failure)
        if self.fallback is None:
            return None
        frame = self.fallback.pull(n)
        return _silent(frame) if self.muted and frame is not None else frame


def _silent(frame: AudioFrame) -> AudioFrame:
    return AudioFrame(np.zeros_like(frame.samples), frame.sample_rate_hz, frame.timestamp)


class Tee:
    """A source whose audio is also pushed into a sink: a recorder's tap on what is played."""

    def __init__(self, source: AudioSource, sink: AudioSink) -> None:
        self._source = source
        self._sink = sink

    def pull(self, n: int) -> AudioFrame | None:
        """What the source gives, after the sink has had it."""
        frame = self._source.pull(n)
        if frame is not None:
            self._sink.push(frame)
        return frame
