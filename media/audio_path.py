"""The local end of a session's audio: its ports, its stream in the engine, what it plays and who listens.

A session has one, and shares it with the sessions forked from it: they all offered the same port.
It lives until the last of them lets go. The descriptions above it come and go; SSRC, sequence numbers,
queued audio and listeners stay.
"""

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from media.audio.graph import AudioSink, AudioSource, Playlist
from media.audio.write_queue import Idle, WriteQueue
from media.driver import StreamHandle
from media.errors import InvalidState
from media.forwarding import Filler
from media.frame import AudioFrame
from media.plan import Address, StreamPlan
from media.ports import PortAllocator, RtpSockets
from media.rtp.statistics import StreamStatistics
from media.stun.transaction import Mapped

if TYPE_CHECKING:
    from media.session import MediaSession

OpenStream = Callable[["AudioPath", RtpSockets, StreamPlan | None, Sequence[AudioSink]], StreamHandle]
"""How a path gets its stream in the engine."""

FAR_BUFFER_S = 0.06
"""What lies between a packet's arrival and its sound at a usual phone: jitter buffer and sound card."""


def moves_with_call(sink: object) -> bool:
    """Whether a sink or source belongs to the talk rather than to the session: it says so itself."""
    return bool(getattr(sink, "moves_with_call", False))


class AudioPath:
    """Ports, stream and queues of one or more sessions.

    `queue` is what the application writes to, `playlist` what the engine pulls from.
    """

    def __init__(self, rate_hz: int, idle: Idle, media_timeout_s: float | None = None) -> None:
        self.queue = WriteQueue(rate_hz, idle=idle)
        self.playlist = Playlist(self.queue, self._source_failed)
        self.plan: StreamPlan | None = None
        self.address: Address | None = None
        self.mapped: Mapped | None = None
        """What our ports look like from outside, if a STUN server told."""
        self.media_timeout_s = media_timeout_s
        """How long nothing may come before `media_lost`; change it by `watch_silence`."""
        self._source: AudioSource | None = None
        self._waiting: list[AudioSource | None] = []
        """What was sent before each of the sources that were added, the oldest first."""
        self._forwarding: tuple[AudioPath, Filler] | None = None
        self._sockets: RtpSockets | None = None
        self._handle: StreamHandle | None = None
        self._sinks: list[AudioSink] = []
        self._taps: list[AudioSink] = []
        self._users: list[MediaSession] = []
        self._closed = False
        self._lock = threading.Lock()

    @property
    def owner(self) -> "MediaSession":
        """The session that last put a plan to work; the engine's events are its events."""
        return self._users[-1]

    @property
    def rate_hz(self) -> int:
        """The rate of what is written."""
        return self.queue.sample_rate_hz

    def bind(self, allocator: PortAllocator, host: str, port: int | None) -> Address:
        """Take a pair of ports, if that was not done; returns where RTP listens."""
        if self._sockets is None:
            self._sockets = allocator.allocate(host, port)
            self.address = self._sockets.address
        assert self.address is not None
        return self.address

    def apply(self, session: "MediaSession", plan: StreamPlan | None, open_stream: OpenStream) -> None:
        """From now on go by the plan of `session`; the first one opens the stream."""
        with self._lock:
            if self._closed:
                return
            # Replaced, not changed: the thread of events reads `owner` without the lock.
            self._users = [*(user for user in self._users if user is not session), session]
            self.plan = plan
            if plan is not None and plan.send_codec is not None:
                self._set_rate(plan.send_codec.sample_rate_hz)
            if self._handle is not None:
                self._handle.update(plan)
                return
            assert self._sockets is not None
            self._handle = open_stream(self, self._sockets, plan, self._sinks)
            for tap in self._taps:
                self._handle.add_tap(tap)

    def set_source(self, source: AudioSource | None) -> None:
        """Send what `source` gives in place of what is written or added; None: what is written again."""
        self._waiting = []
        self._send(source)

    def add_source(self, source: AudioSource) -> None:
        """Send what `source` gives until it is removed, or something else is set or added."""
        self._waiting.append(self._source)
        self._send(source)

    def remove_source(self, source: AudioSource) -> None:
        """No more of it: if it is sent, what was sent before is again. Harmless when it was not there."""
        if source in self._waiting:
            self._waiting.remove(source)
        elif source is self._source and source is not None:
            self._send(self._waiting.pop() if self._waiting else None)

    def _send(self, source: AudioSource | None) -> None:
        self._source = source
        if source is None:
            self.playlist.fallback = self.queue
        elif isinstance(source, Filler):
            self.playlist.fallback = source
        else:
            self.playlist.fallback = _InPlace(source, self)

    def add_sink(self, sink: AudioSink) -> None:
        """Give `sink` what is received."""
        with self._lock:
            self._sinks.append(sink)
            if self._handle is not None:
                self._handle.add_sink(sink)

    def remove_sink(self, sink: AudioSink) -> None:
        """No more of it; harmless when it was not there."""
        with self._lock:
            if sink in self._sinks:
                self._sinks.remove(sink)
                if self._handle is not None:
                    self._handle.remove_sink(sink)

    def add_tap(self, sink: AudioSink) -> None:
        """Give `sink` what is sent."""
        with self._lock:
            self._taps.append(sink)
            if self._handle is not None:
                self._handle.add_tap(sink)

    def remove_tap(self, sink: AudioSink) -> None:
        """No more of it; harmless when it was not there."""
        with self._lock:
            if sink in self._taps:
                self._taps.remove(sink)
                if self._handle is not None:
                    self._handle.remove_tap(sink)

    def take_over(self, other: "AudioPath") -> None:
        """Play what `other` played, if it is of the same rate, and let those listen there who move along."""
        if other.rate_hz == self.rate_hz:
            self.playlist.take_over(other.playlist)
            if other._source is not None and moves_with_call(other._source):
                self.set_source(other._source)
                other.set_source(None)
        with other._lock:
            sinks, taps = list(other._sinks), list(other._taps)
        for sink in filter(moves_with_call, sinks):
            other.remove_sink(sink)
            self.add_sink(sink)
        for tap in filter(moves_with_call, taps):
            other.remove_tap(tap)
            self.add_tap(tap)

    def open_silent(self, session: "MediaSession", open_stream: OpenStream) -> StreamHandle:
        """The stream on the ports that are bound, before anything is negotiated: for STUN."""
        if self._handle is None:
            self.apply(session, None, open_stream)
        if self._handle is None:
            raise InvalidState("this session is closed; make a new one with manager.create_offer()")
        return self._handle

    def open_handle(self) -> StreamHandle:
        """The stream, to send something by hand; `InvalidState` before it is negotiated."""
        handle = self._handle
        if handle is None or self.plan is None or self.plan.send_codec is None:
            raise InvalidState("nothing can be sent yet: first exchange offer and answer")
        return handle

    def watch_silence(self, timeout_s: float | None) -> None:
        """Emit `media_lost` when nothing came for so long that should have; None: never."""
        with self._lock:
            self.media_timeout_s = timeout_s
            if self._handle is not None:
                self._handle.watch_silence(timeout_s)

    def forward_to(self, other: "AudioPath", on_misfit: Callable[[], None]) -> None:
        """Send on what is received, undecoded, as what `other` of the same manager sends.

        `other` sends silence while nothing comes. `on_misfit`: see `StreamHandle.forward_to`. Raises
        `InvalidState` before both are negotiated.
        """
        forwarder = self.open_handle().forward_to(other.open_handle(), on_misfit)
        filler = Filler(forwarder)
        self._forwarding = other, filler
        other.add_source(filler)

    def stop_forwarding(self) -> None:
        """Send on no more, and give `other` its own sound back; harmless when that was not done."""
        if self._handle is not None:
            self._handle.stop_forwarding()
        forwarding, self._forwarding = self._forwarding, None
        if forwarding is not None:
            other, filler = forwarding
            other.remove_source(filler)

    def note_round_trip(self, rtt_ms: float) -> None:
        """What RTCP measured: until a sample is heard it takes half of that and the far end's buffer."""
        self.queue.latency_s = rtt_ms / 2000 + FAR_BUFFER_S

    def statistics(self) -> StreamStatistics:
        """What the stream counted, zeros before there is one."""
        return self._handle.statistics() if self._handle is not None else StreamStatistics()

    def join(self, session: "MediaSession") -> None:
        """One more session uses it."""
        with self._lock:
            self._users.insert(0, session)

    def leave(self, session: "MediaSession") -> bool:
        """One session fewer. True: the engine will report the end; False: nothing more will happen."""
        with self._lock:
            if len(self._users) > 1:
                self._users.remove(session)
                return False
            self._closed = True
            handle, sockets = self._handle, self._sockets
        self.playlist.stop()
        self.queue.close()
        if handle is not None:
            handle.close()
            return True
        if sockets is not None:
            sockets.close()
        return False

    def forget(self, session: "MediaSession") -> None:
        """The session is over: nothing shall keep it in memory."""
        with self._lock:
            if session in self._users:
                self._users.remove(session)
            over = self._closed and not self._users
        if over:
            self.playlist.release()
            self._source, self._waiting = None, []

    def _source_failed(self, error: Exception) -> None:
        if self._handle is not None:
            self._handle.source_failed(error)

    def _set_rate(self, rate_hz: int) -> None:
        """Follow a codec with another rate; what was written at the old one would have the wrong pitch."""
        if rate_hz == self.queue.sample_rate_hz:
            return
        old, self.queue = self.queue, WriteQueue(rate_hz, idle=self.queue.idle)
        self.queue.latency_s = old.latency_s
        if self._source is None:
            self.playlist.fallback = self.queue
        old.clear()


class _InPlace:
    """A source in place of what is written, until it raises; and silence where it has nothing, if so asked.

    An echo of a peer that says nothing would else say nothing either; a peer behind NAT may wait for that.
    """

    def __init__(self, source: AudioSource, path: AudioPath) -> None:
        self._source = source
        self._path = path
        self._silence = AudioFrame(np.zeros(0, np.int16), 0, 0)

    def pull(self, n: int) -> AudioFrame | None:
        try:
            frame = self._source.pull(n)
        except Exception as error:  # a user's object: it must not stop the call
            path = self._path
            if path.playlist.fallback is self:
                path.set_source(None)
            path._source_failed(error)
            return path.queue.pull(n)
        if frame is not None or self._path.queue.idle == "none":
            return frame
        silence, rate = self._silence, self._path.rate_hz
        if len(silence.samples) != n or silence.sample_rate_hz != rate:
            silence = self._silence = AudioFrame(np.zeros(n, np.int16), rate, 0)
        return silence
