"""RTCP extended reports with VoIP metrics (RFC 3611 sections 2 and 4.7)."""

import struct
from dataclasses import dataclass

from media.errors import BadPacket
from media.rtcp.packet import OtherPacket
from media.rtp.bursts import GMIN

EXTENDED_REPORT = 207
UNAVAILABLE = 127
_VOIP_METRICS = 7
_METRICS = struct.Struct("!IBBBBHHHHbbBBBBBBBxHHH")
_BLOCK = struct.Struct("!BBH")
_ADAPTIVE, _FIXED, _ENHANCED_CONCEALMENT = 3, 2, 2


@dataclass(frozen=True, slots=True)
class VoipMetrics:
    """How one source was heard. Rates and densities between 0 and 1; times in ms; None: not known.

    Levels, echo and the rating of an outer network are not measured here and go out as unavailable.
    """

    ssrc: int
    loss_rate: float
    discard_rate: float
    """Came too late or too many at once."""
    burst_density: float
    gap_density: float
    burst_duration_ms: int
    gap_duration_ms: int
    round_trip_ms: int = 0
    end_system_delay_ms: int = 0
    r_factor: int | None = None
    mos_listening: float | None = None
    mos_conversation: float | None = None
    adaptive: bool = True
    buffer_nominal_ms: int = 0
    buffer_maximum_ms: int = 0
    buffer_absolute_maximum_ms: int = 0

    def __bytes__(self) -> bytes:
        config = _ENHANCED_CONCEALMENT << 6 | (_ADAPTIVE if self.adaptive else _FIXED) << 4
        return _METRICS.pack(
            self.ssrc,
            _fraction(self.loss_rate),
            _fraction(self.discard_rate),
            _fraction(self.burst_density),
            _fraction(self.gap_density),
            _short(self.burst_duration_ms),
            _short(self.gap_duration_ms),
            _short(self.round_trip_ms),
            _short(self.end_system_delay_ms),
            UNAVAILABLE,
            UNAVAILABLE,
            UNAVAILABLE,
            GMIN,
            UNAVAILABLE if self.r_factor is None else max(0, min(100, self.r_factor)),
            UNAVAILABLE,
            _mos(self.mos_listening),
            _mos(self.mos_conversation),
            config,
            _short(self.buffer_nominal_ms),
            _short(self.buffer_maximum_ms),
            _short(self.buffer_absolute_maximum_ms),
        )

    @classmethod
    def parse(cls, data: bytes) -> "VoipMetrics":
        """The 32 bytes of the block after its header."""
        (
            ssrc, loss, discard, burst, gap, burst_ms, gap_ms, trip, system, _, _, _, _,
            rating, _, listening, conversation, config, nominal, maximum, absolute,
        ) = _METRICS.unpack(data)  # fmt: skip
        return cls(
            ssrc,
            loss / 256,
            discard / 256,
            burst / 256,
            gap / 256,
            burst_ms,
            gap_ms,
            trip,
            system,
            None if rating == UNAVAILABLE else rating,
            None if listening == UNAVAILABLE else listening / 10,
            None if conversation == UNAVAILABLE else conversation / 10,
            config >> 4 & 0b11 == _ADAPTIVE,
            nominal,
            maximum,
            absolute,
        )


def extended_report(sender_ssrc: int, metrics: VoipMetrics) -> OtherPacket:
    """The packet that carries them."""
    body = bytes(metrics)
    header = struct.pack("!I", sender_ssrc) + _BLOCK.pack(_VOIP_METRICS, 0, len(body) // 4)
    return OtherPacket(EXTENDED_REPORT, 0, header + body)


def voip_metrics_in(packet: OtherPacket) -> list[VoipMetrics]:
    """All metrics of an extended report; its other blocks are passed over. Raises `BadPacket`."""
    if packet.packet_type != EXTENDED_REPORT:
        return []
    body, found, offset = packet.body, [], 4
    while offset + 4 <= len(body):
        kind, _, words = _BLOCK.unpack_from(body, offset)
        end = offset + 4 + 4 * words
        if end > len(body):
            raise BadPacket(f"RTCP XR block length {words} reaches past the end of the packet")
        if kind == _VOIP_METRICS:
            if words != 8:
                raise BadPacket(f"RTCP XR VoIP metrics have a length of {words} words, not 8")
            found.append(VoipMetrics.parse(body[offset + 4 : end]))
        offset = end
    return found


def _fraction(value: float) -> int:
    return max(0, min(255, int(value * 256)))


def _short(value: float) -> int:
    return max(0, min(0xFFFF, round(value)))


def _mos(value: float | None) -> int:
    return UNAVAILABLE if value is None else max(10, min(50, round(value * 10)))
