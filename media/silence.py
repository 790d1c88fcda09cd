"""Whether the peer is still there: media that has gone for good, as when its program was killed. Pure.

RTP itself never says so: a peer that is switched off just sends nothing more. What counts as a sign of life
is any valid packet of it, RTP (telephone-events too) or RTCP, as RFC 3550 section 6.3.5 has it for
participants. Silence is no sign of death where none was asked to speak: on hold, either way, and before
the first packet ever came. A peer that announced a pause (comfort noise, RFC 3389) is given longer, for
some send nothing more until it is over.
"""

import enum

LOOK_EVERY_S = 0.5
_PATIENCE_IN_PAUSES = 4.0
_STALL_S = 2.0


class Life(enum.Enum):
    """What a look found that was not so before."""

    LOST = enum.auto()
    REGAINED = enum.auto()


class SilenceWatch:
    """Follows one stream; looked at every `LOOK_EVERY_S`. Times are monotonic, in seconds."""

    __slots__ = ("_looked_at", "_lost", "_since", "silent_s", "timeout_s")

    def __init__(self, timeout_s: float | None = None) -> None:
        self.timeout_s = timeout_s
        """How long a silence makes the media count as lost; None: for ever."""
        self.silent_s = 0.0
        """How long the silence was, or is by now, that the last find was about."""
        self._since = 0.0
        self._looked_at = 0.0
        self._lost = False

    def look(self, now: float, last_packet: float, *, expected: bool, paused: bool) -> Life | None:
        """What is new. `last_packet`: when anything valid came last, 0 for never.

        `expected`: both sides may send; `paused`: the peer said that it will be silent.
        """
        stalled = now - self._looked_at > _STALL_S  # it is we who were away: nobody read the sockets
        self._looked_at = now
        if self._lost and last_packet > self._since:
            self._lost = False
            self.silent_s = last_packet - self._since
            self._since = last_packet
            return Life.REGAINED
        if self.timeout_s is None or self._lost:
            return None
        if not expected or not last_packet or stalled:
            self._since = now
            return None
        self._since = max(self._since, last_packet)
        if now - self._since < self.timeout_s * (_PATIENCE_IN_PAUSES if paused else 1.0):
            return None
        self._lost = True
        self.silent_s = now - self._since
        return Life.LOST
