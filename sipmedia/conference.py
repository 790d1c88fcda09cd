"""Several calls in one conversation, and the person at this machine: everybody hears everybody else."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Self

from media import MediaManager
from media.audio.graph import AudioSource
from media.audio.mixer import Mixer
from media.audio.party import Party
from media.files import File, FilePlayback
from sipmedia.headset import Headset
from sipmedia.seat import HeadsetSeat, Seat, same_manager, session_of

if TYPE_CHECKING:
    from sipmedia.call import Call

_MUSIC_RATE_HZ = 16000


class Conference:
    """A conference of calls, which may use different codecs; also a context manager.

        conference = Conference(music="waiting.flac")
        alice = conference.add(call)
        alice.muted = True
        conference.add(headset)

    ``music``: a file, or an endless source, for those on hold and for who is alone. What is said in one call
    is heard in the others at the same tick. What a call plays (``call.play``) is heard by that party alone,
    in place of the others; what is written (``call.write``) waits until the call has left. All calls must
    be of one media manager: of one phone, or of phones that share it (``Softphone(media=...)``). A headset
    takes part as long as there are calls; when they have left it is still there for those that come.
    """

    def __init__(self, *, music: AudioSource | File | None = None) -> None:
        self._music_file: File | None = None
        self._mixer = Mixer()
        if isinstance(music, AudioSource):
            self._mixer.music = music
        else:
            self._music_file = music
        self._seats: dict[Call, Seat] = {}
        self._headsets: dict[Headset, HeadsetSeat] = {}
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

    @property
    def headsets(self) -> tuple[Headset, ...]:
        """Who takes part at this machine."""
        return tuple(self._headsets)

    def __getitem__(self, member: Call | Headset) -> Party:
        """What a member's part is: mute, deaf, gain, level ...; ``KeyError`` when it takes no part."""
        if isinstance(member, Headset):
            return self._headsets[member].party
        return self._seats[member].party

    def add(self, member: Call | Headset, *, gain: float = 1.0) -> Party:
        """Let a call or a headset take part until it ends, leaves or is removed; its :class:`Party`.

        ``party.muted``, ``.deaf``, ``.on_hold``, ``.gain`` and ``.whisper_to`` (another party) may be set at
        any time; ``party.level_dbov`` is how loud it is now. A headset leaves the call it was in, and leaves
        the conference by ``attach`` and ``detach``.

        :raises InvalidCallState: before there is media, and for a call of another media manager.
        :raises CallEnded: when the call is over.
        """
        if isinstance(member, Headset):
            return self._add_headset(member, gain)
        if member in self._seats:
            return self._seats[member].party
        session = session_of(member)
        self._manager = same_manager(member, self._manager)
        seat = self._seats[member] = Seat(session, self._mixer, gain)
        member.once("ended", lambda _: self.remove(member))
        if self._music_file is not None:
            file, self._music_file = self._music_file, None
            member.spawn(self._open_music(file, self._manager), "opening the music of a conference")
        return seat.party

    def _add_headset(self, headset: Headset, gain: float) -> Party:
        if headset not in self._headsets:
            headset.occupy(lambda: self._headsets.pop(headset).leave())
            self._headsets[headset] = HeadsetSeat(headset, self._mixer, gain)
        return self._headsets[headset].party

    def remove(self, member: Call | Headset) -> None:
        """Let a call leave, which goes on by itself, or a headset. Harmless when it takes no part."""
        if isinstance(member, Headset):
            if member in self._headsets:
                member.detach()
            return
        seat = self._seats.pop(member, None)
        if seat is not None:
            seat.leave()

    def close(self) -> None:
        """Let all leave."""
        for call in self.calls:
            self.remove(call)
        for headset in self.headsets:
            self.remove(headset)

    async def _open_music(self, file: File, manager: MediaManager) -> None:
        work = manager.runtime.run_file_work
        loop = asyncio.get_running_loop()
        self._mixer.music = await loop.run_in_executor(
            None, lambda: FilePlayback(file, _MUSIC_RATE_HZ, work, repeat=None)
        )
