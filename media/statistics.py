"""Statistics for applications: immutable snapshots of a session and of each kind of media in it."""

from collections.abc import Mapping
from dataclasses import dataclass

from media.config import SessionState
from media.latency import LatencyLedger
from media.plan import Address, MediaDirection
from media.quality import burst_ratio, mos, rating
from media.rtp.statistics import StreamStatistics


@dataclass(frozen=True, slots=True)
class MediaStats:
    """What one kind of media counted. Times are in ms, rates between 0 and 1, bytes those of payloads."""

    packets_sent: int = 0
    packets_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    packets_lost: int = 0
    """Never came (RFC 3550 A.3)."""
    packet_loss_rate: float = 0.0
    """Lost over expected."""
    jitter: float = 0.0
    """Interarrival jitter (RFC 3550 A.8)."""
    rtt: float | None = None
    """Round trip by RTCP; None until both ends have reported."""
    mos: float | None = None
    """What a listener here would say, 1 to 4.5, by the E-model (ITU-T G.107); None before anything came."""
    mos_interval: float | None = None
    """The same of the last few seconds (one RTCP interval)."""
    mos_worst: float | None = None
    """The lowest of all intervals."""
    latency: LatencyLedger | None = None
    """Where the delay from the far end's mouth to the ear here comes from."""
    packets_late: int = 0
    """Came after their turn; heard as lost."""
    packets_duplicate: int = 0
    packets_reordered: int = 0
    packets_discarded: int = 0
    """From strangers, of no agreed format, or too many at once."""
    remote_packet_loss_rate: float | None = None
    """Loss of what we send, as the peer last reported it."""
    remote_jitter: float | None = None
    """Jitter of what we send, as the peer last reported it."""
    remote_mos: float | None = None
    """What a listener at the far end would say, if the peer sends VoIP metrics (RFC 3611)."""
    dtmf_sent: int = 0
    dtmf_received: int = 0
    send_errors: int = 0
    buffer_depth: float = 0.0
    """Sound waiting in the jitter buffer."""
    buffer_target: float = 0.0
    """The delay the network asks for."""
    buffer_delay: float = 0.0
    """The delay the jitter buffer adds at present."""
    buffer_stretches: int = 0
    """How often sound was made longer or shorter to change that."""
    frames_concealed: int = 0
    """Gaps that were filled with more of what was heard before them."""
    codec: str | None = None
    ssrc: int = 0
    remote_ssrc: int | None = None


@dataclass(frozen=True, slots=True)
class NetworkStats:
    """The addresses of a session: ours as bound, theirs as signalled, theirs as learned from packets."""

    local: Address | None = None
    remote: Address | None = None
    source: Address | None = None


@dataclass(frozen=True, slots=True)
class SessionStatistics:
    """A snapshot of a session; `duration` in seconds, `last_activity` as time since 1970."""

    session_id: str
    state: SessionState
    duration: float
    last_activity: float
    """When the last packet came or went, or the session was made."""
    media: Mapping[str, MediaStats]
    """By kind: "audio"."""
    network: NetworkStats


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One negotiated stream, for display."""

    kind: str
    direction: MediaDirection
    codec: str | None
    payload_type: int
    ptime_ms: int
    remote: Address | None


def media_stats(counted: StreamStatistics, codec: str | None) -> MediaStats:
    """What the engine counted, in the words of the contract."""
    report = counted.remote_report
    return MediaStats(
        packets_sent=counted.packets_sent,
        packets_received=counted.packets_received,
        bytes_sent=counted.bytes_sent,
        bytes_received=counted.bytes_received,
        packets_lost=counted.packets_lost,
        packet_loss_rate=counted.fraction_lost,
        jitter=counted.jitter_ms,
        rtt=counted.rtt_ms,
        mos=_mos(counted, codec) if counted.packets_received and codec is not None else None,
        mos_interval=None if counted.quality is None else counted.quality.mos,
        mos_worst=counted.worst_mos,
        latency=counted.latency,
        packets_late=counted.packets_late,
        packets_duplicate=counted.packets_duplicate,
        packets_reordered=counted.packets_reordered,
        packets_discarded=(
            counted.discarded_foreign + counted.discarded_garbage + counted.discarded_overflow
        ),
        remote_packet_loss_rate=report.fraction_lost if report else None,
        remote_jitter=report.jitter_ms if report else None,
        remote_mos=None if counted.remote_metrics is None else counted.remote_metrics.mos_conversation,
        dtmf_sent=counted.dtmf_sent,
        dtmf_received=counted.dtmf_received,
        send_errors=counted.send_errors,
        buffer_depth=counted.buffer_depth_ms,
        buffer_target=counted.buffer_target_ms,
        buffer_delay=counted.buffer_delay_ms,
        buffer_stretches=counted.buffer_lengthened + counted.buffer_shortened,
        frames_concealed=counted.frames_concealed,
        codec=codec,
        ssrc=counted.ssrc,
        remote_ssrc=counted.remote_ssrc,
    )


PACKET_MS = 20.0
"""What the sender's packet adds to the delay a listener hears, where nothing better is known."""


def _mos(counted: StreamStatistics, codec: str) -> float:
    """What a listener here would say. Late packets are heard as lost; the way here is half the round trip."""
    missed = counted.packets_lost + counted.packets_late
    delay_ms = (counted.rtt_ms or 0.0) / 2 + counted.buffer_delay_ms + PACKET_MS
    if counted.latency is not None:
        delay_ms = counted.latency.mouth_to_ear_ms
    loss_percent = 100.0 * missed / (counted.packets_received + missed)
    runs = counted.loss_bursts + counted.packets_late
    burstiness = burst_ratio(loss_percent, missed / runs) if runs else 1.0
    return mos(
        rating(one_way_delay_ms=delay_ms, loss_percent=loss_percent, burst_ratio=burstiness, codec=codec)
    )
