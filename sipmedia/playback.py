"""What a call plays and records, as its caller holds it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import numpy as np

from media.audio.graph import AudioSource
from media.files import FileRecorder, Recording
from media.frame import AudioFrame

if TYPE_CHECKING:
    from media import MediaSession


class Playback:
    """Something being played into a call: await it to wait for its end, :meth:`stop` to end it early."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[bool] = self._loop.create_future()
        self._source: _Stoppable | None = None

    def __await__(self) -> Generator[object, None, bool]:
        """True when all of it was sent, False when it was stopped or the call ended."""
        yield from asyncio.wait([self._done]).__await__()
        return self._done.result()

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return self._done.done()

    def stop(self) -> None:
        """Play no more of it; what was written or is to be played next goes on. Harmless when it is over."""
        if self._source is not None:
            self._source.stopped = True
        self.finish(completed=False)

    def begin(self, session: MediaSession, source: AudioSource) -> None:
        """Hand the source to the session; done by the call."""
        if self.done:
            return
        self._source = _Stoppable(source, session)
        session.play(
            self._source, lambda completed: to_loop(self._loop, lambda: self.finish(completed=completed))
        )

    def finish(self, *, completed: bool) -> None:
        """It is over; done by the call."""
        if not self._done.done():
            self._done.set_result(completed)

    def fail(self, error: Exception) -> None:
        """It cannot be played; whoever awaits it gets the error."""
        if not self._done.done():
            self._done.set_exception(error)


class _Stoppable:
    """A source that ends as soon as somebody wants it to, and goes on when the codec's rate changes.

    What began at 8 kHz and goes on in a G.722 call (or the other way) is interpolated in straight lines:
    heard in full, if not in full quality. What is played afterwards is read at the new rate.
    """

    def __init__(self, source: AudioSource, session: MediaSession) -> None:
        self.stopped = False
        self._source = source
        self._session = session
        self._rate = session.rate
        self._last = np.zeros(1, np.int16)

    def pull(self, n: int) -> AudioFrame | None:
        """The next samples, or None."""
        if self.stopped:
            return None
        wanted = self._session.rate
        if wanted == self._rate:
            return self._source.pull(n)
        count = max(1, n * self._rate // wanted)
        frame = self._source.pull(count)
        if frame is None:
            return None
        known = np.concatenate((self._last, frame.samples))  # beginning where the last ended
        self._last = known[-1:]
        places = np.arange(1, n + 1) * (count / n)
        samples = np.interp(places, np.arange(count + 1), known).astype(np.int16)
        return AudioFrame(samples, wanted, frame.timestamp * wanted // self._rate)


class CallRecording:
    """A recording that goes on until :meth:`stop` or the end of the call."""

    def __init__(
        self, recorder: FileRecorder, session: MediaSession, on_finished: Callable[[CallRecording], None]
    ) -> None:
        self._recorder = recorder
        self._session = session
        self._on_finished = on_finished
        self._loop = asyncio.get_running_loop()
        self._finished: asyncio.Future[Recording] = self._loop.create_future()
        self._stopping = False
        session.add_tap(recorder.sent)
        session.add_sink(recorder.received)

    @property
    def result(self) -> Recording | None:
        """What was written, once it is finished; ``error`` in it says why it may end early."""
        return self._finished.result() if self._finished.done() else None

    async def stop(self) -> Recording:
        """Finish the file and wait for it; may be called twice."""
        self.close()
        await asyncio.wait([self._finished])
        return self._finished.result()

    def close(self) -> None:
        """Begin to finish the file."""
        if self._stopping:
            return
        self._stopping = True
        self._session.remove_tap(self._recorder.sent)
        self._session.remove_sink(self._recorder.received)
        self._recorder.close(lambda result: to_loop(self._loop, lambda: self._finish(result)))

    def _finish(self, result: Recording) -> None:
        self._finished.set_result(result)
        self._on_finished(self)


def to_loop(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    """Run it on the loop, from any thread; nothing happens when the loop is closed."""
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:  # the loop is closed: nobody waits any more
        pass
