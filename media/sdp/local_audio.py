"""What we would like of an audio line."""

from dataclasses import dataclass

from media.codec.base import Codec
from media.plan import Address, MediaDirection


@dataclass(frozen=True, slots=True)
class LocalAudio:
    """What we would offer or accept: our address as the peer shall see it, codecs by preference, wishes.

    `events_payload_type` is where our offers put telephone-event, None for never; in answers it only
    matters whether it is None. `rtcp_address` is where RTCP is received if not on the next port (RFC 3605).
    `comfort_noise` offers and accepts CN/8000 (RFC 3389); `silence_suppression`
    sends it in our pauses. `enabled` False switches the line off (port 0).
    """

    address: str
    port: int
    codecs: tuple[Codec, ...]
    direction: MediaDirection = MediaDirection.SENDRECV
    ptime_ms: int = 20
    events_payload_type: int | None = 101
    prefer_own: bool = False
    one_codec: bool = False
    rtcp_mux: bool = False
    rtcp_reduced_size: bool = False
    rtcp_xr: bool = False
    comfort_noise: bool = False
    silence_suppression: bool = False
    enabled: bool = True
    rtcp_address: Address | None = None
