"""The sound of a session as the application handles it: what it writes, plays, presses and hears."""

import asyncio
import threading
from collections.abc import Callable

from media.audio.frame_queue import FrameQueue
from media.audio.graph import AudioSink, AudioSource
from media.audio.write_queue import Cleared
from media.audio_path import AudioPath
from media.errors import BadAudio, InvalidState
from media.frame import AudioFrame, Samples

Audio = AudioFrame | Samples | bytes | bytearray | memoryview


class SessionAudio:
    """The half of `MediaSession` that is about samples. Every method from any thread."""

    def __init__(self, path: AudioPath) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._closed = False
        self._readers: list[FrameQueue] = []

    @property
    def rate(self) -> int:
        """The sample rate (Hz) of what is written; before the answer that of our first codec.

        It changes when another codec is negotiated; what still waits then is dropped.
        """
        return self._path.rate_hz

    def write(self, pcm: Audio) -> None:
        """Send audio: an `AudioFrame`, int16 samples or their little-endian bytes, at `rate`.

        It is queued and sent at the pace of the call. Raises `BufferFull` when 30 s are waiting, `BadAudio`
        for half a sample or another rate, `InvalidState` when the session is closed.
        """
        if isinstance(pcm, AudioFrame):
            rate_hz = self._path.rate_hz
            if pcm.sample_rate_hz != rate_hz:
                raise BadAudio(
                    f"a frame of {pcm.sample_rate_hz} Hz was written to a session of {rate_hz} Hz; "
                    "convert it to session.rate first"
                )
            pcm = pcm.samples
        self._path.queue.write(pcm)

    def send_audio(self, pcm: Audio) -> None:
        """The same as `write`."""
        self.write(pcm)

    async def drain(self) -> None:
        """Wait until all that was written is sent (or cleared, or the session closed)."""
        loop = asyncio.get_running_loop()
        sent = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(sent.set)

        self._path.queue.add_drained_callback(wake)
        await sent.wait()

    def clear(self) -> Cleared:
        """Drop what is written and not yet sent; tells how much was sent, dropped, and probably heard."""
        return self._path.queue.clear()

    def mark(self, on_mark: Callable[[bool], None]) -> None:
        """Call `on_mark(True)` when all that was written before is sent, `on_mark(False)` if it is dropped.

        Once, on the thread that caused it: the media thread as a rule, this one if nothing waits.
        """
        self._check_open()
        self._path.queue.mark(on_mark)

    def send_audio_raw(self, payload: bytes) -> None:
        """Send one encoded payload as one packet in the next slot, in place of a written frame.

        Raises `InvalidState` before offer and answer were exchanged.
        """
        self._check_open()
        self._path.open_handle().send_raw(payload)

    def send_dtmf(self, digits: str, duration: int = 100) -> None:
        """Press keys (0-9 * # A-D), each for `duration` ms, after those still being pressed.

        Raises `BadDigits`, and `InvalidState` where the peer did not agree to telephone-event.
        """
        self._check_open()
        self._path.open_handle().send_dtmf(digits, duration)

    def frames(self) -> FrameQueue:
        """What the peer says from now on: `async for frame in session.frames()`, or plain `for` in a thread.

        Each call gives a reader of its own. One that falls a second behind loses the oldest frames
        (`dropped` counts them). It ends with the session; close it to stop earlier.
        """
        with self._lock:
            self._check_open()
            reader = FrameQueue(self._path.rate_hz, on_close=lambda: self._reader_closed(reader))
            self._readers.append(reader)
        self._path.add_sink(reader)
        return reader

    def play(
        self, source: AudioSource, on_done: Callable[[bool], None] | None = None, *, first: bool = False
    ) -> None:
        """Send `source`, before what is written, until it gives None; several play one after the other.

        `first` plays it at once; what was playing goes on afterwards. `on_done` is called once, on the
        media thread: True at its end, False when it was stopped.
        """
        self._check_open()
        self._path.playlist.play(source, on_done, first=first)

    def stop_playing(self) -> int:
        """Drop what `play` was given; returns how many sources that were."""
        return self._path.playlist.stop()

    @property
    def muted(self) -> bool:
        """Whether silence is sent in place of all sound; packets, keys, and what is heard go on."""
        return self._path.playlist.muted

    @muted.setter
    def muted(self, muted: bool) -> None:
        self._path.playlist.muted = muted

    def set_source(self, source: AudioSource | None) -> None:
        """Send `source` (an echo, a tone) in place of what is written or added, until set to None."""
        self._path.set_source(source)

    def add_source(self, source: AudioSource) -> None:
        """Send `source` until :meth:`remove_source`; what was sent before waits, and is sent again then."""
        self._path.add_source(source)

    def remove_source(self, source: AudioSource) -> None:
        """No more of it, whether it is what is sent now or waits; harmless when it was not added."""
        self._path.remove_source(source)

    def add_sink(self, sink: AudioSink) -> None:
        """Give `sink` each received frame, on the media thread."""
        self._path.add_sink(sink)

    def remove_sink(self, sink: AudioSink) -> None:
        """No more of them."""
        self._path.remove_sink(sink)

    def add_tap(self, sink: AudioSink) -> None:
        """Give `sink` each frame that is sent, on the media thread."""
        self._path.add_tap(sink)

    def remove_tap(self, sink: AudioSink) -> None:
        """No more of them."""
        self._path.remove_tap(sink)

    def take_readers(self, other: "SessionAudio") -> None:
        """The readers of `other`, whose sinks are ours already, end with us and not with it."""
        with other._lock:
            readers, other._readers = other._readers, []
        with self._lock:
            self._readers += readers

    def _check_open(self) -> None:
        if self._closed:
            raise InvalidState("this session is closed; make a new one with manager.create_offer()")

    def _reader_closed(self, reader: FrameQueue) -> None:
        with self._lock:
            if reader in self._readers:
                self._readers.remove(reader)
        self._path.remove_sink(reader)

    def _close_readers(self) -> None:
        for reader in list(self._readers):
            reader.close()
