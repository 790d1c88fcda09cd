"""One media session: its offers and answers, its audio, its events.

Made by a `MediaManager`. Every method may be called from any thread; those that are coroutines need
an event loop, the others never wait. Events that a call causes are emitted before it returns, those from
the wire where the manager's `start()` was called (see `media.dispatch`).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from media.audio_path import AudioPath
from media.codec.base import Codec
from media.config import SessionConstraints
from media.dispatch import Emitter
from media.errors import MediaError
from media.events import (
    MediaReceived,
    SdpNegotiated,
    SessionClosed,
    SessionError,
    SessionEvent,
    SessionEventName,
    SessionUpdated,
)
from media.frame import AudioFrame
from media.plan import StreamPlan
from media.planning import agreed_plan, offering_plan
from media.sdp.description import SessionDescription
from media.sdp.local_audio import LocalAudio
from media.sdp.negotiation import Negotiation, SignalingState
from media.session_status import SessionStatus
from media.statistics import SessionStatistics
from media.wishes import Wishes

if TYPE_CHECKING:
    from media.manager import MediaManager

Handler = TypeVar("Handler", bound=Callable[..., Any])
Sdp = str | bytes | SessionDescription


class MediaSession(SessionStatus):
    """A session of one manager.

    `session_id` names it there; `created_at` is when it was made (seconds since 1970).
    """

    def __init__(
        self, manager: MediaManager, session_id: str, negotiation: Negotiation, path: AudioPath | None = None
    ) -> None:
        self._wishes: Wishes = manager.default_wishes
        self._pending: Wishes | None = None
        self._known: dict[int, Codec] = {}
        """Every format agreed so far: what it names may still arrive for a while."""
        rate_hz = self._wishes.codecs[0].sample_rate_hz
        config = manager.config
        super().__init__(path or AudioPath(rate_hz, config.idle, config.media_timeout_s))
        self._path.join(self)
        self.session_id = session_id
        self.created_at = manager.runtime.wall()
        self._manager = manager
        self._negotiation = negotiation
        self._started = manager.runtime.monotonic()
        self._ended: float | None = None
        self._events = Emitter(manager.dispatcher)
        self.observer: Callable[[SessionEvent], object] | None = None
        """Told of every event, before the listeners, until it is over: for a phone, which wants them all."""
        self._final: SessionStatistics | None = None
        self._waiting: list[concurrent.futures.Future[None]] = []
        self._frame_post: _FramePost | None = None

    def __repr__(self) -> str:
        return f"<MediaSession {self.session_id[:8]} {self.state.value} {self.local_address}>"

    # --- what it is ---

    @property
    def itself(self) -> MediaSession:
        """This session."""
        return self

    # --- offer and answer ---

    def create_offer(self, constraints: SessionConstraints | None = None) -> str:
        """Our offer, the first or a new one in a running session; the answer goes to `set_remote_answer`.

        From now on what we offered may arrive. In a running session all goes on as before until the
        answer. Raises `InvalidState` while an offer is open, `PortError`, `BadAddress`, `UnknownCodec`.
        """
        with self._reporting(), self._lock:
            self._check_open()
            first = not self._negotiation.agreed
            wishes = self._wishes.changed(constraints)
            local = self._local_audio(wishes)
            description = self._negotiation.create_offer(local)
            self._pending = wishes
            self._apply_offer(local)
        if not first:
            self._emit("session_updated", SessionUpdated(self, "offered"))
        return str(description)

    def set_remote_offer(self, sdp: Sdp) -> None:
        """The peer's offer; answer it with `create_answer`, or `rollback()`.

        Raises `BadSdp`, and `InvalidState` while another offer is open (roll ours back first: glare).
        """
        with self._reporting(), self._lock:
            self._check_open()
            self._negotiation.set_remote_offer(as_description(sdp))
        if self._negotiation.agreed:
            self._emit("session_updated", SessionUpdated(self, "offered"))

    def check_offer(self, constraints: SessionConstraints | None = None) -> None:
        """Raise what `create_answer` would for the open offer; nothing changes but that ports are taken.

        For a phone that must refuse a call it could never answer before it rings.
        """
        with self._lock:
            self._check_open()
            local = self._local_audio(self._wishes.changed(constraints))
            self._negotiation.check_answer(local)

    def create_answer(self, constraints: SessionConstraints | None = None) -> str:
        """Our answer to the peer's offer; media flows by it from now on.

        Raises `NoCommonCodec` or `MediaRefused` where nothing of the offer can be used: the offer stays
        open, the session as it was; try other constraints, `rollback()` or close. Also `PortError` and
        `BadAddress`.
        """
        with self._reporting(), self._lock:
            self._check_open()
            self._negotiation.check_answer_possible()
            wishes = self._wishes.changed(constraints)
            description = self._negotiation.create_answer(self._local_audio(wishes))
            self._wishes = wishes
            self._apply_agreement()
        self._negotiated()
        return str(description)

    def set_remote_answer(self, sdp: Sdp) -> None:
        """The peer's answer to our offer; media flows by it from now on.

        Raises `BadSdp`, `BadAnswer`, `NoCommonCodec`; the offer then stays open and the session as it was.
        """
        with self._reporting(), self._lock:
            self._check_open()
            self._negotiation.set_remote_answer(as_description(sdp))
            if self._pending is not None:
                self._wishes, self._pending = self._pending, None
            self._apply_agreement()
        self._negotiated()

    def rollback(self) -> None:
        """Forget the open offer, ours or theirs; what was agreed before goes on.

        Raises `InvalidState` if no offer is open.
        """
        with self._lock:
            self._check_open()
            ours = self._negotiation.state is SignalingState.HAVE_LOCAL_OFFER
            self._negotiation.rollback()
            self._pending = None
            if ours:
                self._apply_agreement()
        self._emit("session_updated", SessionUpdated(self, "rolled_back"))

    def fork(self) -> MediaSession:
        """A session that stands where this one does, on the same ports.

        For early dialogs (RFC 3261 section 13.2.2.4): fork while the offer is open, give the fork a preview
        or one branch's answer, and this one the final answer. Whichever got an answer last has the
        sound; the ports live until the last is closed.
        """
        with self._lock:
            self._check_open()
            session = MediaSession(
                self._manager, self._manager.new_session_id(), self._negotiation.fork(), self._path
            )
            session._wishes, session._pending = self._wishes, self._pending
            session._known = dict(self._known)
        self._manager.adopt(session)
        return session

    def repeat_offer(self) -> str:
        """Offer what we said last, word for word: a refresh that changes nothing (RFC 4028 section 7.4).

        Raises as `create_offer` does, and `InvalidState` when nothing is agreed yet.
        """
        with self._reporting(), self._lock:
            self._check_open()
            return str(self._negotiation.repeat_offer(self._local_audio(self._wishes)))

    def take_over(self, fork: MediaSession) -> None:
        """Stand where one of our forks does: its branch of a forked call is the one that was answered."""
        with self._lock:
            self._check_open()
            self._negotiation = fork._negotiation.fork()
            self._wishes, self._pending = fork._wishes, None
            self._known = dict(fork._known)
            self._apply_agreement()
        self._negotiated()

    # --- events and end ---

    def on(self, event: SessionEventName, handler: Handler) -> Handler:
        """Call `handler` with one event object for each `event` of this session; returns `handler`."""
        self._events.on(event, handler)
        if event == "media_received":
            self.watch_frames()
        elif event == "statistics":
            self._manager.report_statistics()
        return handler

    def remove_listener(self, event: SessionEventName, handler: Callable[..., Any]) -> None:
        """Do not call `handler` any more."""
        self._events.remove_listener(event, handler)

    def close(self) -> None:
        """End it and return at once; `session_closed` brings the last statistics when the ports are free."""
        self._manager.close_session(self.session_id)

    async def wait_closed(self) -> None:
        """Wait until the ports are free and `session_closed` was emitted; returns at once if that is so."""
        with self._lock:
            if self._final is not None:
                return
            future: concurrent.futures.Future[None] = concurrent.futures.Future()
            self._waiting.append(future)
        await asyncio.wrap_future(future)

    # --- for the manager ---

    @property
    def events(self) -> Emitter:
        """Its emitter."""
        return self._events

    @property
    def path(self) -> AudioPath:
        """Its ports and queues."""
        return self._path

    def watch_frames(self) -> None:
        """Post received frames as `media_received` from now on."""
        with self._lock:
            if self._frame_post is None and not self._closed:
                self._frame_post = _FramePost(self, self._manager)
                self._path.add_sink(self._frame_post)

    def shut(self) -> bool:
        """Close; True if the engine will report the end, False if `finish` is to be called now."""
        with self._lock:
            if self._closed:
                return True
            self._ended = self._manager.runtime.monotonic()
            self._closed = True
            post = self._frame_post
        self._close_readers()
        if post is not None:
            self._path.remove_sink(post)
        return self._path.leave(self)

    def finish(self) -> None:
        """The ports are free: fix the statistics, tell listeners and those who wait."""
        statistics = self.statistics()
        with self._lock:
            if self._final is not None:
                return
            self._final = statistics
            waiting, self._waiting = self._waiting, []
        self._path.forget(self)
        self._emit("session_closed", SessionClosed(self, statistics))
        self.observer = None
        for future in waiting:
            future.set_result(None)

    # --- inside ---

    def _emit(self, name: SessionEventName, event: SessionEvent) -> None:
        self._manager.emit(name, event)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """What the block refuses is also a `session_error`, once the lock is free."""
        try:
            yield
        except MediaError as error:
            self._emit("session_error", SessionError(self, error))
            raise

    def _negotiated(self) -> None:
        ours, theirs = self._negotiation.local, self._negotiation.remote
        if ours is not None and theirs is not None:
            self._emit("sdp_negotiated", SdpNegotiated(self, ours, theirs, self.codec))
        self._emit("session_updated", SessionUpdated(self, "negotiated"))

    def _local_audio(self, wishes: Wishes) -> LocalAudio:
        """What we offer or accept; takes the ports if that was not done yet."""
        path = self._path
        if path.mapped is None:
            wishes.check_reachable()
        bound = path.bind(self._manager.ports, wishes.local_ip, wishes.local_port)
        return wishes.local_audio(bound, path.mapped)

    def _apply(self, plan: StreamPlan | None) -> None:
        self._path.apply(self, plan, self._manager.open_stream)

    def _apply_agreement(self) -> None:
        """Go by what is agreed, and stay ready for all that was agreed earlier."""
        audio = self._negotiation.audio
        if audio is None:
            self._apply(None)
            return
        self._apply(agreed_plan(audio, self._known, self._manager.cname))
        self._known.update(audio.receive_codecs)

    def _apply_offer(self, local: LocalAudio) -> None:
        """Be ready for what we just offered."""
        current = self._path.plan if self._negotiation.audio is not None else None
        n = self._negotiation
        plan = offering_plan(
            local, n.offered_codecs, n.offered_events, current, self._manager.cname, n.offered_noise
        )
        self._apply(plan)


class _FramePost:
    """The sink behind `media_received`."""

    def __init__(self, session: MediaSession, manager: MediaManager) -> None:
        self._session = session
        self._manager = manager

    def push(self, frame: AudioFrame) -> None:
        """Post the frame if somebody still listens; media thread."""
        session, manager = self._session, self._manager
        if manager.listens("media_received", session):
            event = MediaReceived(session, frame)
            manager.dispatcher.post_droppable(lambda: manager.emit("media_received", event))


def as_description(sdp: Sdp) -> SessionDescription:
    """A description from text, bytes, or one already read; `BadSdp` says what is wrong."""
    return sdp if isinstance(sdp, SessionDescription) else SessionDescription.parse(sdp)
