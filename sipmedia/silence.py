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
from sipmedia.parts import CallPart

if TYPE_CHECKING:
    from sipmedia.call import Call
    from sipmedia.config import PhoneConfig
    from sipmedia.milestones import Milestones


class SilenceGuard(CallPart):
    """Watches the sessions of one call; hangs up if the phone is set to."""

    def __init__(self, call: Call, milestones: Milestones, config: PhoneConfig) -> None:
        super().__init__(call)
        self._milestones = milestones
        self._timeout = config.media_timeout
        self._hangs_up = config.hangup_on_media_timeout

    def watch(self, session: MediaSession) -> None:
        """Follow a session that was just made."""
        session.path.watch_silence(self._timeout)

    def lost(self, event: SessionMediaLost) -> None:
        """Nothing has come for so long."""
        self._milestones.lost(event.silent_s)
        self.call.emit("media_lost", MediaLost(self.call, event.silent_s))
        if self._hangs_up:
            self.call.give_up(f"nothing heard for {event.silent_s:.0f} s")

    def regained(self, event: SessionMediaRegained) -> None:
        """It is there again."""
        self.call.emit("media_regained", MediaRegained(self.call, event.silent_s))
