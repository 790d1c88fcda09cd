"""What can be read off a session: where it stands, what was agreed upon, what was counted."""

from __future__ import annotations

from media.config import SessionState
from media.gathering import GatheringSession
from media.plan import Address, MediaDirection
from media.sdp.negotiation import Negotiation, SignalingState
from media.statistics import NetworkStats, SessionStatistics, StreamInfo, media_stats


class SessionStatus(GatheringSession):
    """The part of a `MediaSession` that tells and changes nothing."""

    session_id: str
    _negotiation: Negotiation
    _started: float
    _ended: float | None
    _final: SessionStatistics | None

    @property
    def state(self) -> SessionState:
        """Where it stands; PAUSED means negotiated with nothing flowing either way."""
        if self._closed:
            return SessionState.CLOSED
        if self._negotiation.agreed:
            paused = self.direction is MediaDirection.INACTIVE
            return SessionState.PAUSED if paused else SessionState.ACTIVE
        if self._negotiation.state is SignalingState.STABLE:
            return SessionState.IDLE
        return SessionState.NEGOTIATING

    @property
    def signaling_state(self) -> SignalingState:
        """Whether an offer is open, and whose."""
        return self._negotiation.state

    @property
    def direction(self) -> MediaDirection:
        """Which way audio flows as negotiated, from our side; INACTIVE before the first answer."""
        audio = self._negotiation.audio
        return audio.direction if audio is not None else MediaDirection.INACTIVE

    @property
    def codec(self) -> str | None:
        """The name of the codec we send with, None before the first answer or without audio."""
        audio = self._negotiation.audio
        return audio.send_codec.name if audio is not None else None

    @property
    def local_address(self) -> Address | None:
        """Where our RTP socket listens, None before an offer or answer of ours was made."""
        return self._path.address

    @property
    def remote_address(self) -> Address | None:
        """Where our RTP goes: as learned from the peer's packets, else as its description says."""
        audio = self._negotiation.audio
        return self._path.statistics().source or (audio.remote_rtp if audio is not None else None)

    @property
    def local_sdp(self) -> str | None:
        """Our description as text: the open offer, else the agreed one."""
        description = self._negotiation.local
        return str(description) if description is not None else None

    @property
    def remote_sdp(self) -> str | None:
        """The peer's description as text: the open offer, else the agreed one."""
        description = self._negotiation.remote
        return str(description) if description is not None else None

    @property
    def streams(self) -> tuple[StreamInfo, ...]:
        """The negotiated streams."""
        audio = self._negotiation.audio
        if audio is None:
            return ()
        return (
            StreamInfo(
                "audio",
                audio.direction,
                audio.send_codec.name,
                audio.send_payload_type,
                audio.ptime_ms,
                self.remote_address,
            ),
        )

    def statistics(self) -> SessionStatistics:
        """A snapshot; of a closed session the last one."""
        if self._final is not None:
            return self._final
        runtime = self._manager.runtime
        now = runtime.monotonic()
        counted = self._path.statistics()
        idle_s = now - max(counted.last_activity, self._started)
        audio = self._negotiation.audio
        return SessionStatistics(
            session_id=self.session_id,
            state=self.state,
            duration=(self._ended or now) - self._started,
            last_activity=runtime.wall() - idle_s,
            media={"audio": media_stats(counted, self.codec)},
            network=NetworkStats(
                self.local_address, audio.remote_rtp if audio is not None else None, counted.source
            ),
        )
