"""The media manager: makes sessions, owns their ports and their one media thread, and reports on them.

Usable without SIP, from plain threads or inside an event loop. See `media.session` for what a session can
do and `media.dispatch` for where event handlers run.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from media.audio.graph import AudioSink
from media.audio_path import AudioPath
from media.config import ManagerConfig, SessionConstraints
from media.dispatch import Dispatcher, Emitter, guarded
from media.driver import MediaDriver, StreamHandle
from media.errors import InvalidState, UnknownSession
from media.events import (
    DtmfDigitReceived,
    DtmfReceived,
    FirstMedia,
    MediaLost,
    MediaRegained,
    RtcpBye,
    RtcpReport,
    SessionCreated,
    SessionError,
    SessionEvent,
    SessionEventName,
    SessionUpdated,
    SourceLocked,
    StatisticsReported,
    StreamClosed,
    StreamEvent,
    StreamFailed,
    StreamHeard,
    StreamSilent,
)
from media.plan import StreamPlan
from media.ports import PortAllocator, RtpSockets
from media.runtime import Runtime, current_runtime
from media.sdp.description import SessionDescription
from media.sdp.negotiation import Negotiation, SignalingState
from media.session import Handler, MediaSession, Sdp, as_description
from media.statistics import SessionStatistics
from media.wishes import Wishes

_log = logging.getLogger(__name__)

_UPDATES: dict[type[StreamEvent], str] = {
    FirstMedia: "first_media",
    SourceLocked: "source_locked",
    RtcpBye: "remote_bye",
}


class MediaManager:
    """Sessions, ports and statistics of one process (or one address of it).

    `start()` it, or use it in a `with` statement; inside an event loop its handlers run there.
    `runtime` replaces clock, sockets and thread; inside a simulation its own is found. Raises
    `UnknownCodec` for a default codec that is not there.
    """

    def __init__(self, config: ManagerConfig | None = None, runtime: Runtime | None = None) -> None:
        self.config = config or ManagerConfig()
        self.runtime: Runtime = runtime or current_runtime()
        self.default_wishes = Wishes.of(self.config)
        self.ports = PortAllocator(self.runtime, self.config.rtp_port_range)
        self.dispatcher = Dispatcher(self.runtime.monotonic)
        self.cname = f"{self.runtime.random.getrandbits(96):024x}"  # RFC 7022 section 4.2
        self._events = Emitter(self.dispatcher)
        self._driver: MediaDriver | None = None
        self._sessions: dict[str, MediaSession] = {}
        self._paths: dict[StreamHandle, AudioPath] = {}
        self._closing: dict[AudioPath, MediaSession] = {}
        self._lock = threading.Lock()

    # --- life ---

    def start(self) -> None:
        """Begin; harmless when running. Called inside a running event loop, handlers will run there."""
        if self._driver is not None:
            return
        self.dispatcher.start()
        driver = MediaDriver(self.runtime, self._on_stream_event)
        driver.start()
        self._driver = driver

    def stop(self) -> None:
        """Close all sessions, wait for their ports (milliseconds), end the thread; harmless when stopped.

        The last `session_closed` events are emitted before it returns, unless it is called from
        another thread than that of the event loop.
        """
        driver, self._driver = self._driver, None
        if driver is None:
            return
        for session in list(self._sessions.values()):
            self._close(session)
        driver.stop()
        self.dispatcher.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def driver(self) -> MediaDriver:
        """The running media driver; `InvalidState` before `start()`."""
        if self._driver is None:
            raise InvalidState("the media manager is not running: call start(), or use it in a `with` block")
        return self._driver

    # --- sessions ---

    def create_session(self) -> MediaSession:
        """A new session without an offer, for `await session.gather()` before the first one."""
        session = self._new_session()
        self.adopt(session)
        return session

    def create_offer(self, constraints: SessionConstraints | None = None) -> tuple[MediaSession, str]:
        """A new session and its offer. Raises what `MediaSession.create_offer` does."""
        session = self._new_session()
        try:
            sdp = session.create_offer(constraints)
        except BaseException:
            session.shut()
            raise
        self.adopt(session)
        return session, sdp

    def create_session_from_sdp(self, sdp: Sdp) -> MediaSession:
        """A new session with the peer's offer; answer it with `create_answer`. Raises `BadSdp`."""
        return self.create_session_from_description(as_description(sdp))

    def create_session_from_description(self, description: SessionDescription) -> MediaSession:
        """The same with a description that was read already."""
        session = self._new_session()
        session.set_remote_offer(description)
        self.adopt(session)
        return session

    def create_answer(self, session_id: str, constraints: SessionConstraints | None = None) -> str:
        """The answer of a session that has an offer. Raises what `MediaSession.create_answer` does."""
        return self.get_session(session_id).create_answer(constraints)

    def update_session(self, session_id: str, sdp: Sdp) -> None:
        """Hand a session the peer's description: the answer if our offer is open, else a new offer.

        After a new offer call `create_answer`. Raises `UnknownSession` and what the session raises.
        """
        session = self.get_session(session_id)
        if session.signaling_state is SignalingState.HAVE_LOCAL_OFFER:
            session.set_remote_answer(sdp)
        else:
            session.set_remote_offer(sdp)

    def get_session(self, session_id: str) -> MediaSession:
        """The open session of that name; `UnknownSession` if there is none."""
        try:
            return self._sessions[session_id]
        except KeyError:
            raise UnknownSession(session_id) from None

    def close_session(self, session_id: str) -> None:
        """End a session. Returns at once; `session_closed` follows when its ports are free."""
        self._close(self.get_session(session_id))

    def list_sessions(self) -> list[str]:
        """The identifiers of all open sessions, oldest first."""
        return list(self._sessions)

    def get_session_statistics(self, session_id: str) -> SessionStatistics:
        """A snapshot of what a session counted."""
        return self.get_session(session_id).statistics()

    def capabilities(self) -> str:
        """What we could offer, with port 0: what an answer to SIP's OPTIONS carries (RFC 3264 section 9)."""
        unbound = (self.config.default_local_ip, 0)
        return str(self._new_negotiation().create_offer(self.default_wishes.local_audio(unbound)))

    # --- events ---

    def on(self, event: SessionEventName, handler: Handler) -> Handler:
        """Call `handler` with one event object for each `event` of any session; returns `handler`."""
        self._events.on(event, handler)
        if event == "media_received":
            for session in list(self._sessions.values()):
                session.watch_frames()
        elif event == "statistics":
            self.report_statistics()
        return handler

    def remove_listener(self, event: SessionEventName, handler: Callable[..., Any]) -> None:
        """Do not call `handler` any more."""
        self._events.remove_listener(event, handler)

    # --- for its sessions ---

    def new_session_id(self) -> str:
        """A name nobody else has: 32 hexadecimal digits."""
        return f"{self.runtime.random.getrandbits(128):032x}"

    def adopt(self, session: MediaSession) -> None:
        """Add a session that is ready to be seen."""
        with self._lock:
            self._sessions[session.session_id] = session
        if self._events.has_listeners("media_received"):
            session.watch_frames()
        self.emit("session_created", SessionCreated(session))

    def emit(self, name: SessionEventName, event: SessionEvent) -> None:
        """Call the session's observer and handlers, then the manager's, on this thread."""
        observer = event.session.observer
        if observer is not None:
            guarded(observer, event)
        for emitter in (event.session.events, self._events):
            if emitter.has_listeners(name):
                emitter.emit(name, event)

    def listens(self, name: SessionEventName, session: MediaSession) -> bool:
        """Whether a handler would be called."""
        return self._events.has_listeners(name) or session.events.has_listeners(name)

    def open_stream(
        self, path: AudioPath, sockets: RtpSockets, plan: StreamPlan | None, sinks: Sequence[AudioSink]
    ) -> StreamHandle:
        """A stream in the engine, whose events from now on belong to `path`."""
        with self._lock:  # so that no event is delivered before the path is known
            handle = self.driver.open_stream(
                sockets,
                plan,
                source=path.playlist,
                sinks=tuple(sinks),
                jitter_buffer=self.config.jitter_buffer.make_buffer(),
            )
            self._paths[handle] = path
        handle.watch_silence(path.media_timeout_s)
        return handle

    def report_statistics(self) -> None:
        """Emit `statistics` periodically as long as somebody listens."""
        self.dispatcher.every(self.config.statistics_interval_s, self._report_statistics)

    # --- inside ---

    def _new_session(self) -> MediaSession:
        _ = self.driver  # raises if it does not run
        return MediaSession(self, self.new_session_id(), self._new_negotiation())

    def _new_negotiation(self) -> Negotiation:
        number = self.runtime.random.randrange(1, 1 << 31)  # some devices read it as a 32-bit number
        return Negotiation(number, user_name=self.config.user_name, session_name=self.config.session_name)

    def _close(self, session: MediaSession) -> None:
        with self._lock:
            if self._sessions.pop(session.session_id, None) is None:
                return
            self._closing[session.path] = session
        if not session.shut():
            with self._lock:
                if self._closing.get(session.path) is session:
                    del self._closing[session.path]
            session.finish()

    def _on_stream_event(self, event: StreamEvent) -> None:
        """Media thread: pass on, never wait."""
        self.dispatcher.post(lambda: self._deliver(event))

    def _deliver(self, event: StreamEvent) -> None:
        """An event of the engine, where handlers run."""
        closed = isinstance(event, StreamClosed)
        with self._lock:
            path = self._paths.pop(event.stream, None) if closed else self._paths.get(event.stream)
        if path is None:
            return
        if closed:
            with self._lock:
                session = self._closing.pop(path, None)
            if session is not None:
                session.finish()
            return
        session = path.owner
        if isinstance(event, DtmfReceived):
            self.emit("dtmf_received", DtmfDigitReceived(session, event.digit, event.duration_ms))
        elif isinstance(event, StreamFailed):
            if not self.listens("session_error", session):
                _log.error("%s failed and was taken off", event.what, exc_info=event.error)
            self.emit("session_error", SessionError(session, event.error, event.what))
        elif isinstance(event, StreamSilent):
            self.emit("media_lost", MediaLost(session, event.silent_s))
        elif isinstance(event, StreamHeard):
            self.emit("media_regained", MediaRegained(session, event.silent_s))
        elif isinstance(event, RtcpReport):
            if event.rtt_ms is not None:
                path.note_round_trip(event.rtt_ms)
        elif type(event) in _UPDATES:
            self.emit("session_updated", SessionUpdated(session, _UPDATES[type(event)]))

    def _report_statistics(self) -> bool:
        """Emit one round; False if nobody listens any more."""
        sessions = list(self._sessions.values())
        heard = self._events.has_listeners("statistics")
        for session in sessions:
            if heard or session.events.has_listeners("statistics"):
                self.emit("statistics", StatisticsReported(session, session.statistics()))
        return heard or any(session.events.has_listeners("statistics") for session in sessions)
