"""What the engine is told about one stream: everything that was negotiated, and no SDP.

A plan is frozen. A re-INVITE makes a new one, and the engine swaps them between two ticks; SSRC,
sequence numbers and timestamps go on across the swap.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from media.codec.base import Codec

Address = tuple[str, int]
"""An IP address as text and a UDP port."""


class MediaDirection(enum.Enum):
    """Which way media flows, seen from the side whose description it stands in (RFC 3264 section 5.1)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        """Whether this side sends."""
        return self in (MediaDirection.SENDRECV, MediaDirection.SENDONLY)

    @property
    def receives(self) -> bool:
        """Whether this side wants to receive."""
        return self in (MediaDirection.SENDRECV, MediaDirection.RECVONLY)

    @property
    def reversed(self) -> "MediaDirection":
        """The same flow seen from the other side."""
        return _REVERSED[self]


_REVERSED = {
    MediaDirection.SENDRECV: MediaDirection.SENDRECV,
    MediaDirection.SENDONLY: MediaDirection.RECVONLY,
    MediaDirection.RECVONLY: MediaDirection.SENDONLY,
    MediaDirection.INACTIVE: MediaDirection.INACTIVE,
}


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """One negotiated audio stream, from our side.

    `send_codec` None sends nothing but RTCP and telephone-events. `receive_codecs` holds every payload
    type we announced: packets of others never reach a decoder. The telephone-event payload types
    (RFC 4733) are None where they were not negotiated; their clock is that of the codec unless
    `telephone_event_clock_hz` names another. `comfort_noise_receive` is the payload type of RFC 3389,
    `comfort_noise_send` the same if pauses shall be sent as such.
    `remote_rtp` and `remote_rtcp` are what signalling named (None: send only once the peer's
    address was learned; `remote_rtcp` None means the port after `remote_rtp`, RFC 3550 section 11).
    With `rtcp_mux` RTCP shares the RTP socket (RFC 5761); with `rtcp_reduced_size` RTCP that does not begin
    with a report is taken too (RFC 5506). `direction` is ours.
    """

    send_codec: Codec | None
    send_payload_type: int
    receive_codecs: Mapping[int, Codec]
    telephone_event_send: int | None = None
    telephone_event_receive: int | None = None
    telephone_event_clock_hz: int | None = None
    comfort_noise_send: int | None = None
    comfort_noise_receive: int | None = None
    direction: MediaDirection = MediaDirection.SENDRECV
    ptime_ms: int = 20
    remote_rtp: Address | None = None
    remote_rtcp: Address | None = None
    cname: str = ""
    rtcp_mux: bool = False
    rtcp_reduced_size: bool = False
    rtcp_xr: bool = False
    """Whether our reports tell VoIP metrics (RFC 3611)."""
