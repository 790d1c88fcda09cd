"""The sound of one call: what the application says and hears, and what the trace tells of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from media import (
    BadAudio,
    Cleared,
    DtmfDigitReceived,
    MediaError,
    MediaLost,
    MediaManager,
    MediaRegained,
    MediaSession,
    SdpNegotiated,
    SessionClosed,
    SessionStatistics,
    SessionUpdated,
)
from media.audio.country_tones import ToneKind, country_tone
from media.audio.frame_queue import FrameQueue
from media.audio.graph import AudioSource, Echo, SampleSource
from media.events import SessionError, SessionEvent
from media.files import File, FilePlayback, FileRecorder
from media.files.work import name_of
from media.session_audio import Audio
from sipmedia.emitter import Emitter
from sipmedia.errors import CallEnded, InvalidCallState
from sipmedia.events import MarkReached
from sipmedia.keypad import Keypad, SendMethod
from sipmedia.milestones import Milestones
from sipmedia.offer_answer import OfferAnswer
from sipmedia.playback import CallRecording, Playback, to_loop
from sipmedia.silence import SilenceGuard

if TYPE_CHECKING:
    from sipmedia.call import Call

Playable = File | NDArray[np.int16] | AudioSource
"""A file of any format libsndfile reads, int16 samples at the call's rate, or an audio source."""

_DISK_PATIENCE_S = 1.0


class CallSound(Emitter):
    """The half of a :class:`~sipmedia.Call` that is about its sound.

    Samples are mono int16 at :attr:`rate`. What needs a session raises :class:`InvalidCallState` before
    there is one, and :class:`CallEnded` when the call is over.
    """

    def __init__(
        self,
        media: OfferAnswer,
        milestones: Milestones,
        owner: Emitter,
        keypad: Keypad,
        silence: SilenceGuard,
    ) -> None:
        super().__init__(owner)
        self._media = media
        self._milestones = milestones
        self._keypad = keypad
        self._silence = silence
        self._recordings: list[CallRecording] = []
        self._session_open = False
        self._closing = False
        self._loop = asyncio.get_running_loop()
        media.on_session = self._watch
        if media.session is not None:
            self._watch(media.session)

    # --- what it is ---

    @property
    def session(self) -> MediaSession | None:
        """The media session; ``None`` before the first offer and when media was refused."""
        return self._media.session

    @property
    def codec(self) -> str | None:
        """The codec we send with, once agreed upon."""
        return self._media.session.codec if self._media.session is not None else None

    @property
    def rate(self) -> int:
        """Samples per second of what is written and heard: the codec's, 8000 with G.711, 16000 with G.722."""
        return self._open_session().rate

    def statistics(self) -> SessionStatistics | None:
        """Packets, loss, jitter ... so far, the last ones of a call that is over; ``None`` without media."""
        return self._media.session.statistics() if self._media.session is not None else None

    @property
    def media_manager(self) -> MediaManager:
        """The manager of its session."""
        return self._media.manager

    # --- saying ---

    def play(
        self,
        sound: Playable,
        *,
        repeat: int | None = 1,
        sample_rate_hz: int | None = None,
        first: bool = False,
    ) -> Playback:
        """Play a file, samples or a source after what is being played; ``await`` it to wait for its end.

        ``repeat``: rounds of a file or of samples, ``None`` for ever. ``sample_rate_hz``: of samples, if it
        is not the call's; files and sources say it themselves. ``first``: at once, what is being played
        goes on afterwards. Any rate is converted. A file that cannot
        be read raises :class:`media.BadAudio` where the playback is awaited.
        """
        session = self._agreed_session("play")
        if isinstance(sound, AudioSource):
            playback = Playback(type(sound).__name__, first=first)
            playback.begin(session, sound)
        elif isinstance(sound, np.ndarray):
            playback = Playback("samples", first=first)
            playback.begin(session, SampleSource(sound, sample_rate_hz or session.rate, repeat=repeat))
        else:
            playback = Playback(name_of(sound), first=first)
            self.spawn(self._open_file(playback, session, sound, repeat), f"playing {playback.name}")
        return playback

    def play_tone(self, kind: ToneKind, country: str = "us", *, duration_s: float | None = None) -> Playback:
        """Play a tone of a country's network: "dial", "ringback", "busy", "congestion" or "call_waiting".

        It ends with :meth:`Playback.stop`, or after ``duration_s``. For a caller who shall hear it ring while
        somebody else is called: ``call.progress()`` first, and stop it when that one answers.

        :raises media.BadAudio: for a country without tones; :data:`media.audio.country_tones.COUNTRIES`.
        """
        session = self._agreed_session("play a tone")
        return self.play(country_tone(country, kind, session.rate, duration_s=duration_s))

    @property
    def muted(self) -> bool:
        """Whether the far end hears silence in place of us."""
        return self._media.session is not None and self._media.session.muted

    def mute(self) -> None:
        """Send silence in place of all we say and play, which goes on unheard; keys are still sent.

        Nothing is told to the far end, unlike ``hold``.
        """
        self._open_session().muted = True

    def unmute(self) -> None:
        """Be heard again."""
        self._open_session().muted = False

    def stop_playing(self) -> None:
        """Stop all that :meth:`play` was given."""
        if self._media.session is not None:
            self._media.session.stop_playing()

    def write(self, pcm: Audio) -> None:
        """Send samples, their bytes, or a frame; at most 30 s may wait (:class:`media.BufferFull`)."""
        self._open_session().write(pcm)

    def clear(self) -> Cleared:
        """Drop what was written and not sent yet; says how much was sent, dropped and probably heard."""
        return self._open_session().clear()

    def mark(self, name: str) -> None:
        """Emit ``mark`` (:class:`MarkReached`) when all that was written until now is sent or dropped."""
        self._open_session().mark(lambda sent: to_loop(self._loop, lambda: self._reached(name, sent)))

    async def drain(self) -> None:
        """Wait until all that was written is sent."""
        await self._open_session().drain()

    async def send_dtmf(self, digits: str, duration_ms: int = 100, *, method: SendMethod = "auto") -> None:
        """Press keys (0-9 * # A-D, ! for flash) and wait until they are sent.

        ``method``: ``"rfc4733"`` telephone-events, ``"info"`` SIP INFO with application/dtmf-relay
        (``"info-plain"``: application/dtmf), ``"inband"`` their sound; ``"auto"`` the first of them that
        the far end takes.

        :raises media.BadDigits: for other keys. :raises media.InvalidState: when the far end does not take
            telephone-events, and they were asked for.
        """
        await self._keypad.press(self._agreed_session("press keys"), digits, duration_ms, method)

    def echo(self) -> None:
        """From now on say what is heard."""
        session = self._open_session()
        echo = Echo()
        session.add_sink(echo)
        session.set_source(echo)

    # --- hearing ---

    def frames(self) -> FrameQueue:
        """What is heard from now on: ``async for frame in call.frames()``.

        A reader that falls a second behind loses the oldest frames (``dropped`` counts them). It ends with
        the call.
        """
        return self._open_session().frames()

    def record(
        self,
        file: File,
        *,
        layout: Literal["received", "sent", "stereo", "mix"] = "received",
    ) -> CallRecording:
        """Record from now on until it is stopped or the call ends: WAV, or by suffix .flac, .opus, .ogg.

        ``layout``: what is heard, what is said, both with what is said on the left, or both in one
        channel. The disk never holds up the call: what it does not take in ten seconds is left out, and
        ``error`` is emitted at the end.
        :raises media.BadAudio: when the file cannot be written.
        """
        session = self._open_session()
        work = self._media.manager.runtime.run_file_work
        recorder = FileRecorder(file, session.rate, work, layout=layout)
        recording = CallRecording(name_of(file), recorder, session, self._recording_finished)
        self._recordings.append(recording)
        return recording

    # --- for the call ---

    @property
    def itself(self) -> Call:
        """This call, whole: what events tell of."""
        raise NotImplementedError

    def listener_added(self, name: str) -> None:
        """Keys are looked for in the sound only when somebody wants them."""
        session = self._media.session
        if name == "dtmf" and session is not None and self._session_open:
            self._keypad.expect(session)

    def _silent(self) -> None:
        """Session and recordings are closed."""
        raise NotImplementedError

    def _close_media(self) -> None:
        """Close session and recordings; :meth:`_silent` is called when both are done."""
        for recording in self._recordings:
            recording.close()
        if self._session_open:
            self._milestones.closing()
            self._media.close()  # without ports it is closed when this returns, else later
        self._closing = True
        if self._recordings:  # a disk that hangs must not hold up the end
            self._loop.call_later(_DISK_PATIENCE_S, self._give_up_recordings)
        self._check_silent()

    def _watch(self, session: MediaSession) -> None:
        session.observer = self._observe
        self._silence.watch(session)
        if session is self._media.session:
            self._session_open = True

    def _observe(self, event: SessionEvent) -> None:
        """What the call's session reports, or one forked from it for early media."""
        match event:
            case SdpNegotiated():
                self._milestones.negotiated(event)
                self._keypad.negotiated(event.session)
            case SessionUpdated():
                self._milestones.updated(event)
            case SessionError():
                self._milestones.failed(event)
            case DtmfDigitReceived():
                self._keypad.take_event(event)
            case MediaLost():
                self._silence.lost(event)
            case MediaRegained():
                self._silence.regained(event)
            case SessionClosed():
                self._session_closed(event)

    def _reached(self, name: str, sent: bool) -> None:
        self.emit("mark", MarkReached(self.itself, name, sent))

    def _session_closed(self, event: SessionClosed) -> None:
        if event.session is not self._media.session:
            return  # of an early dialog that was not answered
        self._session_open = False
        self._milestones.closed(event)
        self._check_silent()

    def _recording_finished(self, recording: CallRecording) -> None:
        result = recording.result
        if result is not None and (result.error or result.samples_dropped):
            lost = f"{result.samples_dropped / result.sample_rate_hz:.1f} s are missing: the disk is too slow"
            self.report(BadAudio(result.error or lost), f"recording {result.path or 'a call'}")
        if recording in self._recordings:  # else it was given up
            self._recordings.remove(recording)
            self._check_silent()

    def _give_up_recordings(self) -> None:
        if self._recordings:
            names = [recording.name for recording in self._recordings]
            self._recordings.clear()
            self.report(
                BadAudio("the disk is not done with it; it may end early"), f"recording {', '.join(names)}"
            )
            self._check_silent()

    def _check_silent(self) -> None:
        if self._closing and not self._session_open and not self._recordings:
            self._silent()

    def _open_session(self) -> MediaSession:
        session = self._media.session
        if self._closing or (session is not None and not self._session_open):
            raise CallEnded("the call is over")
        if session is None:
            raise InvalidCallState("the call has no media yet: wait until it is answered")
        return session

    def _agreed_session(self, doing: str) -> MediaSession:
        session = self._open_session()
        if not self._media.agreed:
            raise InvalidCallState(f"cannot {doing} yet: the two sides have not agreed on a codec")
        return session

    async def _open_file(
        self,
        playback: Playback,
        session: MediaSession,
        file: File,
        repeat: int | None,
    ) -> None:
        work = self._media.manager.runtime.run_file_work
        loop = asyncio.get_running_loop()
        try:
            source = await loop.run_in_executor(
                None, lambda: FilePlayback(file, session.rate, work, repeat=repeat)
            )
        except MediaError as error:
            playback.fail(error)
            return
        if self._closing:
            playback.finish(completed=False)
        else:
            playback.begin(session, source)
