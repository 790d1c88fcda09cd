"""The queue between the media thread, which receives audio, and one reader of it."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Self

from media.frame import AudioFrame

LIMIT_S = 1.0
"""How much audio waits for a reader before the oldest is dropped."""


class FrameQueue:
    """An `AudioSink` to read from: `async for` on an event loop, plain `for` on any other thread.

    For one reader. One who falls behind loses the oldest frames (`dropped` counts them) and never
    slows the call. Iteration ends when the queue is closed and empty. A reader who leaves early
    closes the queue (or uses it as a context manager) so that it is no longer filled; `on_close` is
    how its maker hears of that.
    """

    moves_with_call = True

    def __init__(
        self, sample_rate_hz: int, *, limit_s: float = LIMIT_S, on_close: Callable[[], None] | None = None
    ) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.dropped = 0
        self._limit = int(limit_s * sample_rate_hz)
        self._frames: deque[AudioFrame] = deque()
        self._held = 0
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._threads_waiting = 0
        self._future: asyncio.Future[None] | None = None
        self._closed = False
        self._on_close = on_close

    def __len__(self) -> int:
        return len(self._frames)

    def push(self, frame: AudioFrame) -> None:
        """Take a frame (media thread). The reader is only woken when it waits."""
        with self._lock:
            if self._closed:
                return
            self._frames.append(frame)
            self._held += len(frame.samples)
            while self._held > self._limit and len(self._frames) > 1:
                self._held -= len(self._frames.popleft().samples)
                self.dropped += 1
            self._wake()

    def get_nowait(self) -> AudioFrame | None:
        """The oldest frame, or None when there is none now."""
        with self._lock:
            return self._next()

    def close(self) -> None:
        """No more frames are taken; those held can still be read. May be called twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._wake()
        if self._on_close is not None:
            self._on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[AudioFrame]:
        while True:
            with self._lock:
                while not self._frames and not self._closed:
                    self._threads_waiting += 1
                    try:
                        self._arrived.wait()
                    finally:
                        self._threads_waiting -= 1
                frame = self._next()
            if frame is None:
                return
            yield frame

    def __aiter__(self) -> AsyncIterator[AudioFrame]:
        return self

    async def __anext__(self) -> AudioFrame:
        while True:
            with self._lock:
                frame = self._next()
                if frame is not None:
                    return frame
                if self._closed:
                    raise StopAsyncIteration
                future = self._future
                if future is None or future.done():  # done: an earlier wait was cancelled
                    future = self._future = asyncio.get_running_loop().create_future()
            await future

    def _next(self) -> AudioFrame | None:
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._held -= len(frame.samples)
        return frame

    def _wake(self) -> None:
        if self._threads_waiting:
            self._arrived.notify_all()
        future, self._future = self._future, None
        if future is not None:
            try:
                future.get_loop().call_soon_threadsafe(_finish, future)
            except RuntimeError:  # the reader's loop was closed while it waited: nobody reads any more
                self._closed = True


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
