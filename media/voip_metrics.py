"""How we hear the peer, as VoIP metrics for it (RFC 3611 section 4.7)."""

from media.audio.jitter_buffer import JitterBuffer
from media.latency import LatencyLedger
from media.quality import IntervalQuality
from media.rtcp.xr import VoipMetrics
from media.rtp.receiver import Receiver


def measured(
    receiver: Receiver,
    buffer: JitterBuffer,
    ledger: LatencyLedger,
    quality: IntervalQuality | None,
    *,
    packet_ms: float,
    rtt_s: float | None,
) -> VoipMetrics:
    """The metrics of the source that `receiver` counts; the opinion is that of the last interval."""
    expected = max(1, receiver.sequence.expected)
    burst_density, gap_density, burst_ms, gap_ms = receiver.losses.figures(expected, packet_ms)
    opinion = None if quality is None else quality.mos
    return VoipMetrics(
        receiver.ssrc,
        receiver.lost / expected,
        (buffer.late + buffer.overflow) / expected,
        burst_density,
        gap_density,
        burst_ms,
        gap_ms,
        0 if rtt_s is None else round(rtt_s * 1000),
        round(ledger.mouth_to_ear_ms - (ledger.network_ms or 0.0)),
        None if quality is None else round(quality.rating),
        opinion,
        opinion,
        buffer.adaptive,
        round(buffer.target_ms),
        round(buffer.current_delay_ms),
        round(buffer.max_delay_ms),
    )
