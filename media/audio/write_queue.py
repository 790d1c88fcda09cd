"""The queue between an application that writes audio and the media thread that sends it."""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from media.errors import BufferFull, InvalidState
from media.frame import AudioFrame, Samples, samples_from

LIMIT_S = 30.0
"""How much a queue holds before it refuses more."""

Idle = Literal["none", "silence"]


@dataclass(frozen=True, slots=True)
class Cleared:
    """What became of the samples written since the last `clear` (or since the start).

    `sent` + `dropped` is exactly their number: `sent` went to the network, `dropped` never will.
    `heard_estimate` is how many of the sent ones the far end has probably played by now.
    """

    sent: int
    dropped: int
    heard_estimate: int


class WriteQueue:
    """An `AudioSource` fed by `write` from any thread.

    `pull` belongs to the media thread. One lock guards the counts, held for a few list operations
    only, so that `clear` can say exactly what was sent. When empty the queue gives nothing
    (`idle="none"`) or silence (`idle="silence"`).

    `latency_s` is what the stream believes lies between sending a sample and hearing it (half the
    round trip and the far end's buffer); it only serves `Cleared.heard_estimate`.
    """

    def __init__(self, sample_rate_hz: int, *, limit_s: float = LIMIT_S, idle: Idle = "none") -> None:
        self.sample_rate_hz = sample_rate_hz
        self.idle = idle
        self.latency_s = 0.1
        self._limit = int(limit_s * sample_rate_hz)
        self._lock = threading.Lock()
        self._blocks: deque[Samples] = deque()
        self._offset = 0  # samples of the first block that are sent already
        self._pending = 0
        self._sent = 0  # since the last clear
        self._position = 0  # samples of stream time, sent or idle
        self._last_sent_position = 0
        self._drained: list[Callable[[], None]] = []
        self._total_sent = 0  # since the start
        self._marks: deque[tuple[int, Callable[[bool], None]]] = deque()  # by the total sent then
        self._closed = False
        self._silence = np.zeros(0, np.int16)

    @property
    def pending(self) -> int:
        """Samples written and not yet sent."""
        return self._pending

    @property
    def sent(self) -> int:
        """Samples sent since the last `clear`."""
        return self._sent

    def write(self, samples: Samples | bytes | bytearray | memoryview) -> None:
        """Queue mono int16 samples, or their little-endian bytes, at the queue's rate.

        The samples are copied (but for `bytes`), so the caller may reuse its buffer. Raises `BufferFull`
        over the limit, with nothing taken; `BadAudio` for other data; `InvalidState` once closed.
        """
        block = samples_from(samples)
        size = len(block)
        if not size:
            return
        with self._lock:
            if self._closed:
                raise InvalidState("audio was written to a session that is closed; write to an open one")
            if self._pending + size > self._limit:
                raise self._full(size)
            self._blocks.append(block)
            self._pending += size

    def pull(self, n: int) -> AudioFrame | None:
        """The next `n` samples; the last ones before an empty queue are filled up with silence."""
        position = self._position
        self._position = position + n
        samples: Samples | None = None
        waiting: list[Callable[[], object]] = []
        if self._pending:
            with self._lock:
                available = min(n, self._pending)
                if available:  # else clear() was quicker
                    samples = self._take(available)
                    self._pending -= available
                    self._sent += available
                    self._total_sent += available
                    self._last_sent_position = position + n
                    while self._marks and self._marks[0][0] <= self._total_sent:
                        waiting.append(partial(self._marks.popleft()[1], True))
                    if not self._pending and self._drained:
                        waiting += self._take_waiting()
        if samples is None:
            if self.idle == "none":
                return None
            samples = self._zeros(n)
        elif len(samples) < n:
            samples = np.concatenate((samples, self._zeros(n - len(samples))))
        for callback in waiting:
            callback()
        return AudioFrame(samples, self.sample_rate_hz, position)

    def clear(self) -> Cleared:
        """Drop all that is not yet sent and start counting anew (see `Cleared`)."""
        with self._lock:
            dropped, sent = self._pending, self._sent
            since_sent = self._position - self._last_sent_position
            under_way = max(0, int(self.latency_s * self.sample_rate_hz) - since_sent)
            self._blocks.clear()
            self._offset = self._pending = self._sent = 0
            waiting = self._take_waiting()
            marks, self._marks = self._marks, deque()
        for _, on_mark in marks:
            on_mark(False)
        for callback in waiting:
            callback()
        return Cleared(sent, dropped, max(0, sent - under_way))

    def mark(self, on_mark: Callable[[bool], None]) -> None:
        """Call `on_mark(True)` once, when all that was written before is sent; False if it is dropped.

        It runs on the thread that caused it: the media thread as a rule, this one, at once, when nothing
        waits to be sent. It must not block. Marks at the same place keep their order.
        """
        with self._lock:
            if self._pending:
                self._marks.append((self._total_sent + self._pending, on_mark))
                return
        on_mark(True)

    def add_drained_callback(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, when the last sample was sent, dropped, or the queue closed.

        It runs on the thread that caused it (the media thread as a rule; this one, at once, when the
        queue is empty already) and must not block.
        """
        with self._lock:
            if self._pending:
                self._drained.append(callback)
                return
        callback()

    def close(self) -> Cleared:
        """Refuse further writes and drop what is left."""
        with self._lock:
            self._closed = True
        return self.clear()

    def _full(self, size: int) -> BufferFull:
        rate = self.sample_rate_hz
        return BufferFull(
            f"the write queue holds {self._pending / rate:.1f} s of at most {self._limit / rate:.1f} s, "
            f"so {size / rate:.2f} s more do not fit; "
            "wait with `await drain()`, write at the pace of the call, or clear()"
        )

    def _take(self, n: int) -> Samples:
        """The next `n` samples, which must be there; the caller holds the lock."""
        parts = []
        while n:
            block = self._blocks[0]
            start = self._offset
            part = block[start : start + n]
            n -= len(part)
            if start + len(part) == len(block):
                self._blocks.popleft()
                self._offset = 0
            else:
                self._offset = start + len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _take_waiting(self) -> list[Callable[[], None]]:
        waiting, self._drained = self._drained, []
        return waiting

    def _zeros(self, n: int) -> Samples:
        if len(self._silence) != n:
            self._silence = np.zeros(n, np.int16)
            self._silence.flags.writeable = False
        return self._silence
