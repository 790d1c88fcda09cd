"""What a call plays and records, as its caller holds it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

import numpy as np

from media import BadAudio
from media.audio.graph import AudioSource, SeekableSource
from media.audio.rate_match import RateMatch
from media.files import FileRecorder, Recording
from media.frame import AudioFrame

if TYPE_CHECKING:
    from media import MediaSession


class Playback:
    """Something being played into a call: await it to wait for its end, :meth:`stop` to end it early.

    While it is paused there is silence, and what is to be played next waits.
    """

    def __init__(self, name: str, *, first: bool = False) -> None:
        self.name = name
        self._first = first
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[bool] = self._loop.create_future()
        self._source: _Controlled | None = None
        self._paused = False
        self._start_s: float | None = None

    def __await__(self) -> Generator[object, None, bool]:
        """True when all of it was sent, False when it was stopped or the call ended."""
        yield from asyncio.wait([self._done]).__await__()
        return self._done.result()

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return self._done.done()

    @property
    def position(self) -> float:
        """Where in the sound it is, in seconds; 0.0 before it begins and for sources that do not say."""
        source = self._source.source if self._source is not None else None
        return source.position_s if isinstance(source, SeekableSource) else self._start_s or 0.0

    @property
    def paused(self) -> bool:
        """Whether it waits for :meth:`resume`."""
        return self._paused

    def pause(self) -> None:
        """Be silent until :meth:`resume`."""
        self._paused = True
        if self._source is not None:
            self._source.paused = True

    def resume(self) -> None:
        """Go on where it was; harmless when it is not paused."""
        self._paused = False
        if self._source is not None:
            self._source.paused = False

    def seek(self, seconds: float) -> None:
        """Go on from there, counted from the beginning.

        :raises media.BadAudio: for a negative position, a file that cannot seek, or a source without
            positions (one that is no :class:`media.audio.graph.SeekableSource`).
        """
        if self._source is None:
            self._start_s = seconds
        elif isinstance(self._source.source, SeekableSource):
            self._source.source.seek(seconds)
        else:
            raise BadAudio(f"{self.name} cannot be played from another place on")

    def stop(self) -> None:
        """Play no more of it; what was written or is to be played next goes on. Harmless when it is over."""
        if self._source is not None:
            self._source.stopped = True
        self.finish(completed=False)

    def begin(self, session: MediaSession, source: AudioSource) -> None:
        """Hand the source to the session; done by the call."""
        if self.done:
            return
        self._source = _Controlled(source, session, paused=self._paused)
        if self._start_s is not None:
            self.seek(self._start_s)
        session.play(
            self._source,
            lambda completed: to_loop(self._loop, lambda: self.finish(completed=completed)),
            first=self._first,
        )

    def finish(self, *, completed: bool) -> None:
        """It is over; done by the call."""
        if not self._done.done():
            self._done.set_result(completed)

    def fail(self, error: Exception) -> None:
        """It cannot be played; whoever awaits it gets the error."""
        if not self._done.done():
            self._done.set_exception(error)


class _Controlled:
    """A source that ends or pauses as soon as somebody wants it to, at the rate that the call has now."""

    def __init__(self, source: AudioSource, session: MediaSession, *, paused: bool) -> None:
        self.stopped = False
        self.paused = paused
        self.source = source
        self._matched = RateMatch(source)
        self._session = session

    def pull(self, n: int) -> AudioFrame | None:
        """The next samples, or None."""
        if self.stopped:
            return None
        rate = self._session.rate
        if self.paused:
            return AudioFrame(np.zeros(n, np.int16), rate)
        return self._matched.pull(n, rate)


class CallRecording:
    """A recording that goes on until :meth:`stop` or the end of the call."""

    def __init__(
        self,
        name: str,
        recorder: FileRecorder,
        session: MediaSession,
        on_finished: Callable[[CallRecording], None],
    ) -> None:
        self.name = name
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

    @property
    def samples_dropped(self) -> int:
        """How many samples are missing so far because the disk did not take them in time."""
        return self._recorder.samples_dropped

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
