"""Where the delay of a call comes from: from the mouth at the far end to the ear here.

The ledger is made of what one end can know. The way through the network is half the round trip that RTCP
measured, so a way there that is longer than the way back shows as half the difference in either; and the
far end is taken to work as we do: it sends a packet when its last sample is there.
"""

from collections import deque
from dataclasses import dataclass
from statistics import median

ENCODER_LOOKAHEAD_MS = {"OPUS": 6.5, "G722": 1.4}
"""What a codec's filters hold back, both halves together; nothing for those not named."""


_ROUND_TRIPS = 32
"""Two minutes of reports."""
_LAG_OF_JITTER = 1.5
"""How late a packet is on average, in units of RTP's jitter: as for delays spread evenly."""
_MOST_CORRECTED = 3.0


@dataclass(frozen=True, slots=True)
class SenderTiming:
    """What the sender report that came with a round trip tells of the way here."""

    lag_ms: float
    """Its arrival, less when RTP's promptest packet with its RTP timestamp would have come."""
    ahead_ms: float | None
    """Its RTP timestamp, less that of the packet that came last before it; None where that is not known."""
    jitter_ms: float
    """RTP's on the way here (RFC 3550 section 6.4.1)."""


class NetworkDelay:
    """How long the promptest packets are on their way here: what the jitter buffer counts its delay from.

    Half of the shortest round trip, were it not for jitter: a report comes every five seconds, and each is
    behind an RTP packet, so none of the last few need have met a prompt network both there and back. Both
    ways are corrected for that. Back, a sender report tells how late it was itself. There, a report is
    late as those that come here are, in proportion to the jitters of both ways.
    """

    __slots__ = ("_trips",)

    def __init__(self) -> None:
        self._trips: deque[tuple[float, float, SenderTiming | None]] = deque(maxlen=_ROUND_TRIPS)

    def measured(self, rtt_ms: float, jitter_ms: float, timing: SenderTiming | None) -> None:
        """A round trip, and RTP's jitter on the way there as the peer reports it."""
        self._trips.append((rtt_ms, jitter_ms, timing))

    def one_way_ms(self, packet_ms: float) -> float | None:
        """The way here of a prompt packet, None before there was a round trip."""
        if not self._trips:
            return None
        timings = [timing for _, _, timing in self._trips if timing is not None]
        late_ms = _packet_after(timings, packet_ms)
        lags = [timing.lag_ms + late_ms for timing in timings]
        ways = [rtt if timing is None else rtt - timing.lag_ms - late_ms for rtt, _, timing in self._trips]
        usual, least = median(ways), min(ways)
        there = sum(jitter for _, jitter, _ in self._trips) / len(ways)
        here = sum(timing.jitter_ms for timing in timings) / len(timings) if timings else 0.0
        excess = median(lags) * there / here if here > 1.0 else _LAG_OF_JITTER * there
        excess = min(excess, _MOST_CORRECTED * (usual - least))  # a peer may report any jitter
        return max(0.0, min(least, usual - excess)) / 2


def _packet_after(timings: list[SenderTiming], packet_ms: float) -> float:
    """How much later than a report with a packet's timestamp that packet is sent.

    A report has the timestamp of what is sampled as it is sent (RFC 3550 section 6.4.1), and that goes with
    the next packet. Some senders count from their last packet instead; their reports are less than a
    packet ahead of it.
    """
    known = [timing.ahead_ms for timing in timings if timing.ahead_ms is not None]
    return 0.0 if known and median(known) < 0.9 * packet_ms else packet_ms


@dataclass(frozen=True, slots=True)
class LatencyLedger:
    """The parts of one direction's delay in ms; their sum is `mouth_to_ear_ms`."""

    capture_ms: float = 0.0
    """A microphone gives sound in blocks: the first sample of one waits for the last."""
    encode_ms: float = 0.0
    """What a packet waits for beyond one block, and the codec's filters."""
    pacing_ms: float = 0.0
    """How much later than its time it is sent."""
    network_ms: float | None = None
    """The way here; None until RTCP told of a round trip, and then nothing is counted for it."""
    buffer_ms: float = 0.0
    """In the jitter buffer, until the tick that plays it."""
    playout_ms: float = 0.0
    """From there to the loudspeaker; 0 for files and echoes."""

    @property
    def mouth_to_ear_ms(self) -> float:
        """The sum."""
        network_ms = 0.0 if self.network_ms is None else self.network_ms
        return (
            self.capture_ms + self.encode_ms + self.pacing_ms + network_ms + self.buffer_ms + self.playout_ms
        )


def received_audio(
    *,
    codec: str,
    packet_ms: float,
    buffer_ms: float,
    network_ms: float | None,
    block_ms: float = 20.0,
    pacing_ms: float = 0.0,
    playout_ms: float = 0.0,
) -> LatencyLedger:
    """The ledger of what is heard here."""
    captured_ms = min(block_ms, packet_ms)
    return LatencyLedger(
        capture_ms=captured_ms,
        encode_ms=packet_ms - captured_ms + ENCODER_LOOKAHEAD_MS.get(codec.upper(), 0.0),
        pacing_ms=pacing_ms,
        network_ms=network_ms,
        buffer_ms=buffer_ms,
        playout_ms=playout_ms,
    )
