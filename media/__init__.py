"""Session descriptions, RTP, codecs and whole media sessions, without SIP.

with MediaManager(ManagerConfig(rtp_port_range=PortRange(10000, 10100))) as manager:
    session, offer = manager.create_offer()
    manager.update_session(session.session_id, answer_from_the_peer)
    session.write(pcm)
"""

from media.audio.write_queue import Cleared
from media.config import JitterSettings, ManagerConfig, PortRange, SessionConstraints, SessionState
from media.errors import (
    AddressInUse,
    BadAddress,
    BadAnswer,
    BadAudio,
    BadDigits,
    BadPacket,
    BadPortRange,
    BadSdp,
    BufferFull,
    CodecError,
    CodecUnavailable,
    InvalidState,
    MediaError,
    MediaRefused,
    NegotiationError,
    NoCommonCodec,
    PortError,
    PortsExhausted,
    UnknownCodec,
    UnknownSession,
    Unsupported,
)
from media.events import (
    DtmfDigitReceived,
    MediaLost,
    MediaReceived,
    MediaRegained,
    SdpNegotiated,
    SessionClosed,
    SessionCreated,
    SessionError,
    SessionEvent,
    SessionEventName,
    SessionUpdated,
    StatisticsReported,
)
from media.frame import AudioFrame
from media.manager import MediaManager
from media.plan import MediaDirection
from media.sdp.description import SessionDescription
from media.session import MediaSession
from media.statistics import MediaStats, NetworkStats, SessionStatistics, StreamInfo

__all__ = [
    "AddressInUse",
    "AudioFrame",
    "BadAddress",
    "BadAnswer",
    "BadAudio",
    "BadDigits",
    "BadPacket",
    "BadPortRange",
    "BadSdp",
    "BufferFull",
    "Cleared",
    "CodecError",
    "CodecUnavailable",
    "DtmfDigitReceived",
    "InvalidState",
    "JitterSettings",
    "ManagerConfig",
    "MediaDirection",
    "MediaError",
    "MediaLost",
    "MediaManager",
    "MediaReceived",
    "MediaRefused",
    "MediaRegained",
    "MediaSession",
    "MediaStats",
    "NegotiationError",
    "NetworkStats",
    "NoCommonCodec",
    "PortError",
    "PortRange",
    "PortsExhausted",
    "SdpNegotiated",
    "SessionClosed",
    "SessionConstraints",
    "SessionCreated",
    "SessionDescription",
    "SessionError",
    "SessionEvent",
    "SessionEventName",
    "SessionState",
    "SessionStatistics",
    "SessionUpdated",
    "StatisticsReported",
    "StreamInfo",
    "UnknownCodec",
    "UnknownSession",
    "Unsupported",
]
