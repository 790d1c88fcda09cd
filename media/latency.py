"""Where the delay of a call comes from: from the mouth at the far end to the ear here.

The ledger is made of what one end can know. The way through the network is half the round trip that RTCP
measured, so a way there that is longer than the way back shows as half the difference in either; and the
far end is taken to work as we do: it sends a packet when its last sample is there.
"""

from dataclasses import dataclass

ENCODER_LOOKAHEAD_MS = {"OPUS": 6.5, "G722": 1.4}
"""What a codec's filters hold back, both halves together; nothing for those not named."""


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
    rtt_ms: float | None,
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
        network_ms=None if rtt_ms is None else rtt_ms / 2,
        buffer_ms=buffer_ms,
        playout_ms=playout_ms,
    )
