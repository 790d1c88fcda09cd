"""What becomes of a call whose far end says nothing any more (``PhoneConfig.media_timeout``).

A program that was killed, or a phone that lost its network, sends no BYE: without this its call stays up
until somebody hangs up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from media import MediaLost as SessionMediaLost
from media import MediaRegained as SessionMediaRegained
from media import MediaSession
from sipmedia.events import MediaLost, MediaRegained

if TYPE_CHECKING:
    from sipmedia.call import Call
    from sipmedia.config import PhoneConfig
    from sipmedia.milestones import Milestones


class SilenceGuard:
    """Watches the sessions of one call; hangs up if the phone is set to."""

    def __init__(self, call: Call, milestones: Milestones, config: PhoneConfig) -> None:
        self._call = call
        self._milestones = milestones
        self._timeout = config.media_timeout
        self._hangs_up = config.hangup_on_media_timeout

    def watch(self, session: MediaSession) -> None:
        """Follow a session that was just made."""
        session.path.watch_silence(self._timeout)
        session.on("media_lost", self._lost)
        session.on("media_regained", self._regained)

    def _lost(self, event: SessionMediaLost) -> None:
        self._milestones.lost(event.silent_s)
        self._call.emit("media_lost", MediaLost(self._call, event.silent_s))
        if self._hangs_up:
            self._call.give_up(f"nothing heard for {event.silent_s:.0f} s")

    def _regained(self, event: SessionMediaRegained) -> None:
        self._call.emit("media_regained", MediaRegained(self._call, event.silent_s))
