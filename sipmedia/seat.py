"""Places at a mixer, of a call and of a headset, and what it takes to have one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from media import MediaManager, MediaSession
from media.audio.mixer import Mixer
from media.frame import AudioFrame
from sipmedia.errors import CallEnded, InvalidCallState

if TYPE_CHECKING:
    from sipmedia.call import Call
    from sipmedia.headset import Headset


class Seat:
    """A call's place at a mixer: what the call hears comes from there, and what it says goes there."""

    def __init__(self, session: MediaSession, mixer: Mixer, gain: float = 1.0) -> None:
        self.party = mixer.add(session.rate, gain=gain)
        self._session = session
        self._mixer = mixer
        session.add_sink(self.party)
        session.add_source(self)

    def pull(self, n: int) -> AudioFrame:
        """What the party hears, at the rate that the call has now (media thread)."""
        self.party.sample_rate_hz = self._session.rate
        return self.party.pull(n)

    def leave(self) -> None:
        """Give the call its own sound back: what it sent before, a headset's for one."""
        self._session.remove_sink(self.party)
        self._session.remove_source(self)
        self._mixer.remove(self.party)


class HeadsetSeat:
    """The place of a person at this machine, who speaks and hears whenever the calls are mixed."""

    def __init__(self, headset: Headset, mixer: Mixer, gain: float = 1.0) -> None:
        self._mixer = mixer
        self.party = party = mixer.add_local(headset.path, headset.path, gain=gain)
        headset.path.rate_hz = lambda: party.sample_rate_hz

    def leave(self) -> None:
        """Be neither heard nor spoken to."""
        self._mixer.remove(self.party)


def session_of(call: Call) -> MediaSession:
    """The open media session of a call.

    :raises InvalidCallState: before there is media. :raises CallEnded: when the call is over.
    """
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
