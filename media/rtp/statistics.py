"""What one stream has counted so far."""

from dataclasses import dataclass

from media.latency import LatencyLedger
from media.plan import Address
from media.quality import IntervalQuality
from media.rtcp.xr import VoipMetrics


@dataclass(frozen=True, slots=True)
class RemoteReport:
    """The peer's last RTCP report on what we send (RFC 3550 section 6.4.1)."""

    fraction_lost: float
    cumulative_lost: int
    jitter_ms: float
    received_at: float
    """Monotonic time."""


@dataclass(frozen=True, slots=True)
class StreamStatistics:
    """A snapshot. Packets and payload bytes are RTP's; times in ms unless said otherwise."""

    packets_sent: int = 0
    bytes_sent: int = 0
    packets_received: int = 0
    """Accepted ones: of the right source, format and payload type."""
    bytes_received: int = 0
    packets_lost: int = 0
    """By sequence numbers (RFC 3550 A.3); duplicates can make up for losses, never below 0."""
    packets_late: int = 0
    """Came after their turn and were not played."""
    loss_bursts: int = 0
    """In how many runs packets were lost."""
    packets_duplicate: int = 0
    packets_reordered: int = 0
    """Came after one with a higher sequence number, but were played."""
    discarded_foreign: int = 0
    """From an address or SSRC that this stream does not listen to."""
    discarded_garbage: int = 0
    """No RTP, a payload type nobody negotiated, a payload that no codec can decode."""
    discarded_overflow: int = 0
    """The jitter buffer was full."""
    fraction_lost: float = 0.0
    """Lost over expected, since the source started."""
    jitter_ms: float = 0.0
    """Interarrival jitter (RFC 3550 A.8)."""
    rtt_ms: float | None = None
    remote_report: RemoteReport | None = None
    remote_metrics: VoipMetrics | None = None
    """How the peer hears us, if it sends extended reports (RFC 3611)."""
    ssrc: int = 0
    remote_ssrc: int | None = None
    source: Address | None = None
    """The learned address; media goes there."""
    dtmf_sent: int = 0
    dtmf_received: int = 0
    send_errors: int = 0
    frames_concealed: int = 0
    """Frames made up for missing packets."""
    latency: LatencyLedger | None = None
    """Where the delay of what is heard comes from."""
    quality: IntervalQuality | None = None
    """How the last RTCP interval sounded, some seconds."""
    worst_mos: float | None = None
    """Of all intervals."""
    buffer_depth_ms: float = 0.0
    """Sound in the jitter buffer."""
    buffer_target_ms: float = 0.0
    """The delay that the network asks for."""
    buffer_delay_ms: float = 0.0
    """How long the promptest packets wait until they are played: the target and up to a block."""
    buffer_grown: int = 0
    """Packets played after their turn, so that the delay grew at once."""
    buffer_lengthened: int = 0
    """How often sound was stretched, for more delay (or because the peer's clock is slower)."""
    buffer_shortened: int = 0
    """How often sound was compressed, for less delay (or because the peer's clock is faster)."""
    buffer_stretched_ms: float = 0.0
    """Sound added by stretching, less what compressing left out."""
    source_errors: int = 0
    """Exceptions of sources, sinks, taps and codecs; the stream went on."""
    rtcp_packets_sent: int = 0
    rtcp_packets_received: int = 0
    opened_at: float = 0.0
    last_activity: float = 0.0
    """Monotonic time of the last packet either way."""
