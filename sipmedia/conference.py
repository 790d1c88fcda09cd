"""Several calls in one conversation: everybody hears everybody else."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Self

from media import MediaManager, MediaSession
from media.audio.graph import AudioSource
from media.audio.mixer import Mixer, Party
from media.files import File, FilePlayback
from media.frame import AudioFrame
from sipmedia.errors import CallEnded, InvalidCallState

if TYPE_CHECKING:
    from sipmedia.call import Call

_MUSIC_RATE_HZ = 16000


class Seat:
    """A call's place at a mixer: what the call hears comes from there, and what it says goes there."""

    def __init__(self, session: MediaSession, mixer: Mixer, gain: float = 1.0) -> None:
        self.party = mixer.add(session.rate, gain=gain)
        self._session = session
        self._mixer = mixer
        session.add_sink(self.party)
        session.set_source(self)

    def pull(self, n: int) -> AudioFrame:
        """What the party hears, at the rate that the call has now (media thread)."""
        self.party.sample_rate_hz = self._session.rate
        return self.party.pull(n)

    def leave(self) -> None:
        """Give the call its own sound back."""
        self._session.remove_sink(self.party)
        self._session.set_source(None)
        self._mixer.remove(self.party)


class Conference:
    """A conference of calls, which may use different codecs; also a context manager.

        conference = Conference(music="waiting.flac")
        alice = conference.add(call)
        alice.muted = True

    ``music``: a file, or an endless source, for those on hold and for who is alone. What is said in one call
    is heard in the others at the same tick. What a call plays (``call.play``) is heard by that party alone,
    in place of the others; what is written (``call.write``) waits until the call has left. All calls must
    be of one media manager: of one phone, or of phones that share it (``Softphone(media=...)``).
    """

    def __init__(self, *, music: AudioSource | File | None = None) -> None:
        self._music_file: File | None = None
        self._mixer = Mixer()
        if isinstance(music, AudioSource):
            self._mixer.music = music
        else:
            self._music_file = music
        self._seats: dict[Call, Seat] = {}
        self._manager: MediaManager | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def calls(self) -> tuple[Call, ...]:
        """Who takes part, in the order in which they came."""
        return tuple(self._seats)

    def __getitem__(self, call: Call) -> Party:
        """What a call's part is: mute, deaf, gain, level ...; ``KeyError`` when it takes no part."""
        return self._seats[call].party

    def add(self, call: Call, *, gain: float = 1.0) -> Party:
        """Let a call take part until it ends or is removed; its :class:`~media.audio.mixer.Party`.

        ``party.muted``, ``.deaf``, ``.on_hold``, ``.gain`` and ``.whisper_to`` (another party) may be set at
        any time; ``party.level_dbov`` is how loud it is now.

        :raises InvalidCallState: before there is media, and for a call of another media manager.
        :raises CallEnded: when the call is over.
        """
        if call in self._seats:
            return self._seats[call].party
        session = session_of(call)
        self._manager = same_manager(call, self._manager)
        seat = self._seats[call] = Seat(session, self._mixer, gain)
        call.once("ended", lambda _: self.remove(call))
        if self._music_file is not None:
            file, self._music_file = self._music_file, None
            call.spawn(self._open_music(file, self._manager), "opening the music of a conference")
        return seat.party

    def remove(self, call: Call) -> None:
        """Let a call leave; it goes on by itself. Harmless when it takes no part."""
        seat = self._seats.pop(call, None)
        if seat is not None:
            seat.leave()

    def close(self) -> None:
        """Let all calls leave."""
        for call in self.calls:
            self.remove(call)

    async def _open_music(self, file: File, manager: MediaManager) -> None:
        work = manager.runtime.run_file_work
        loop = asyncio.get_running_loop()
        self._mixer.music = await loop.run_in_executor(
            None, lambda: FilePlayback(file, _MUSIC_RATE_HZ, work, repeat=None)
        )


def session_of(call: Call) -> MediaSession:
    """The open media session of a call; raises as :meth:`Conference.add`."""
    session = call.session
    if session is None:
        raise InvalidCallState("the call has no media yet: wait until it is answered")
    if call.state.value == "ended":
        raise CallEnded("the call is over")
    return session


def same_manager(call: Call, manager: MediaManager | None) -> MediaManager:
    """The call's media manager; :raises InvalidCallState: when it is another."""
    if manager is not None and call.media_manager is not manager:
        raise InvalidCallState(
            "these calls belong to different media managers, and one media thread has to mix them: "
            "let their phones share one, Softphone(media=manager)"
        )
    return call.media_manager
