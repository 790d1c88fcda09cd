"""What media reports: frozen dataclasses, one argument for each handler.

Two floors. *Stream events* come out of the engine and name the stream they belong to by the handle
its opener got. *Session events* are what `manager.on(...)` and `session.on(...)` give to the
application; the table `SESSION_EVENTS` ties the names to the classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from media.frame import AudioFrame
    from media.sdp.description import SessionDescription
    from media.session import MediaSession
    from media.statistics import SessionStatistics

# --- stream events: from the engine to the session that opened the stream ---


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """Base of what the engine reports; `stream` is the handle that `open_stream` returned."""

    stream: Any


@dataclass(frozen=True, slots=True)
class DtmfReceived(StreamEvent):
    """One telephone-event digit (0-9 * # A-D) ended; reported once however often its end was sent."""

    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class FirstMedia(StreamEvent):
    """The first valid RTP packet came in, from `source`."""

    source: tuple[str, int]


@dataclass(frozen=True, slots=True)
class SourceLocked(StreamEvent):
    """Symmetric RTP settled on `source`: media goes there, packets from elsewhere are refused."""

    source: tuple[str, int]


@dataclass(frozen=True, slots=True)
class RtcpBye(StreamEvent):
    """The peer said it leaves the RTP session; `reason` is its text, often empty."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class RtcpReport(StreamEvent):
    """The peer reported how our stream arrives there (one SR or RR block, RFC 3550 section 6.4)."""

    fraction_lost: float
    cumulative_lost: int
    jitter_ms: float
    rtt_ms: float | None


@dataclass(frozen=True, slots=True)
class StreamSilent(StreamEvent):
    """Nothing valid came for so long although it was expected (`media.silence`)."""

    silent_s: float


@dataclass(frozen=True, slots=True)
class StreamHeard(StreamEvent):
    """After `StreamSilent` something came again; `silent_s` is how long there was nothing."""

    silent_s: float


@dataclass(frozen=True, slots=True)
class MediaFrame(StreamEvent):
    """A frame was played out; made only while somebody listens for it."""

    frame: AudioFrame


@dataclass(frozen=True, slots=True)
class StreamFailed(StreamEvent):
    """Something raised while the stream was served; a source, sink or tap that did was taken off it.

    The stream goes on. `what` names the thing at fault, `error` is what it raised.
    """

    what: str
    error: Exception


@dataclass(frozen=True, slots=True)
class StreamClosed(StreamEvent):
    """The stream is gone and its sockets are closed; `statistics` is its last StreamStatistics."""

    statistics: Any


# --- session events: what applications listen to ---

SessionEventName = Literal[
    "session_created",
    "session_updated",
    "session_closed",
    "session_error",
    "media_received",
    "media_lost",
    "media_regained",
    "sdp_negotiated",
    "dtmf_received",
    "statistics",
]


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """Base of the session events."""

    session: MediaSession

    @property
    def session_id(self) -> str:
        """The identifier of the session this is about."""
        return self.session.session_id


@dataclass(frozen=True, slots=True)
class SessionCreated(SessionEvent):
    """A session came to be; emitted before the call that made it returns."""


@dataclass(frozen=True, slots=True)
class SessionUpdated(SessionEvent):
    """State, direction, codec or addresses changed; `what` names the cause.

    "offered", "negotiated", "rolled_back", "first_media" (sound arrives), "source_locked" (the
    peer's address was learned), "remote_bye" (the peer's RTCP BYE).
    """

    what: str


@dataclass(frozen=True, slots=True)
class SdpNegotiated(SessionEvent):
    """An offer met its answer: both descriptions, and the codec we send with (None: no audio)."""

    local: SessionDescription
    remote: SessionDescription
    codec: str | None

    @property
    def local_sdp(self) -> str:
        """Ours as text."""
        return str(self.local)

    @property
    def remote_sdp(self) -> str:
        """The peer's as text."""
        return str(self.remote)


@dataclass(frozen=True, slots=True)
class SessionClosed(SessionEvent):
    """The session ended, its ports are free again; `statistics` are its last ones."""

    statistics: SessionStatistics


@dataclass(frozen=True, slots=True)
class SessionError(SessionEvent):
    """Something went wrong in a session; `error` is the exception. A refused call also raises it.

    `what` names the source, sink or tap of yours that raised it and was taken off; the session goes on.
    """

    error: Exception
    what: str = ""


@dataclass(frozen=True, slots=True)
class MediaReceived(SessionEvent):
    """A frame of received audio, `kind` being "audio"; posted only while somebody listens."""

    frame: AudioFrame
    kind: str = "audio"


@dataclass(frozen=True, slots=True)
class MediaLost(SessionEvent):
    """Neither RTP nor RTCP came for `silent_s` seconds, though both sides may talk: the peer may be gone.

    Emitted once a silence, with `ManagerConfig.media_timeout_s`; the session goes on.
    """

    silent_s: float


@dataclass(frozen=True, slots=True)
class MediaRegained(SessionEvent):
    """After `MediaLost` a packet came, `silent_s` seconds after the one before."""

    silent_s: float


@dataclass(frozen=True, slots=True)
class DtmfDigitReceived(SessionEvent):
    """The peer pressed a key: `digit` is one of 0-9 * # A-D."""

    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class StatisticsReported(SessionEvent):
    """The periodic `statistics` event."""

    statistics: SessionStatistics


SESSION_EVENTS: Mapping[SessionEventName, type[SessionEvent]] = MappingProxyType(
    {
        "session_created": SessionCreated,
        "session_updated": SessionUpdated,
        "session_closed": SessionClosed,
        "session_error": SessionError,
        "media_received": MediaReceived,
        "media_lost": MediaLost,
        "media_regained": MediaRegained,
        "sdp_negotiated": SdpNegotiated,
        "dtmf_received": DtmfDigitReceived,
        "statistics": StatisticsReported,
    }
)
"""The names to listen to and what each handler gets."""
