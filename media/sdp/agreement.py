"""What both ends settled on for an audio line: RFC 3264 sections 6.1 and 8.4.

- We send the first codec of the other side's list that we know, with the payload type found there.
- What the peer's fmtp asks of a codec binds our encoder (`Codec.bound_by`).
- c=0.0.0.0, the hold of RFC 2543, means "send nothing to me": the answer is recvonly (or inactive).
- A host name in c= is accepted; we do not resolve it but answer to where the media comes from.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from media.codec.base import Codec
from media.plan import Address, MediaDirection
from media.sdp.attributes import RtpMap, direction_of, fmtp_of, maxptime_of, ptime_of, rtcp_of
from media.sdp.description import MediaDescription, SessionDescription
from media.sdp.local_audio import LocalAudio
from media.sdp.payload_types import EVENT_CLOCK_HZ, NOISE_KEY, key_of


@dataclass(frozen=True, slots=True)
class AudioAgreement:
    """What offer and answer came to for the audio line at `index`, from our side.

    Everything a `StreamPlan` needs but the CNAME, under the same names. `remote_rtp` is None while the
    peer gave no address to send to (held the old way, or a host name).
    """

    index: int
    direction: MediaDirection
    send_codec: Codec
    send_payload_type: int
    receive_codecs: Mapping[int, Codec]
    telephone_event_send: int | None
    telephone_event_receive: int | None
    telephone_event_clock_hz: int | None
    comfort_noise_send: int | None
    comfort_noise_receive: int | None
    ptime_ms: int
    remote_rtp: Address | None
    remote_rtcp: Address | None
    rtcp_mux: bool
    rtcp_reduced_size: bool
    rtcp_xr: bool = False
    """Whether the peer wants our VoIP metrics (RFC 3611), and we send them."""


def agree(
    session: SessionDescription,
    index: int,
    receive: Sequence[RtpMap],
    send: Sequence[RtpMap],
    local: LocalAudio,
    *,
    theirs: Sequence[RtpMap],
) -> AudioAgreement:
    """Put together an agreement from the formats we receive and send, and the peer's own line."""
    media = session.media[index]
    codecs = {key_of(codec): codec for codec in local.codecs}
    first = next(entry for entry in send if entry.is_codec)
    send_codec = codecs[key_of(first)].bound_by(fmtp_of(media, first.payload_type) or "")
    event = _event_of(send, first.clock_rate_hz)
    event_clock_hz = first.clock_rate_hz if event is None else event.clock_rate_hz
    our_event = _event_of(receive, event_clock_hz)
    suppress = local.silence_suppression
    receive_codecs = {entry.payload_type: codecs[key_of(entry)] for entry in receive if entry.is_codec}
    numbers = {entry.payload_type for entry in receive}
    for entry in theirs:
        if entry.is_codec and entry.payload_type not in numbers:
            receive_codecs[entry.payload_type] = codecs[key_of(entry)]
    remote_rtp, remote_rtcp, reachable = _addresses(session, media)
    their_direction = direction_of(media, session)
    mux = local.rtcp_mux and media.has("rtcp-mux")
    return AudioAgreement(
        index=index,
        direction=_direction(
            sends=local.direction.sends and their_direction.receives and reachable,
            receives=local.direction.receives and their_direction.sends,
        ),
        send_codec=send_codec,
        send_payload_type=first.payload_type,
        receive_codecs=receive_codecs,
        telephone_event_send=None if event is None else event.payload_type,
        telephone_event_receive=None if our_event is None else our_event.payload_type,
        telephone_event_clock_hz=None if event_clock_hz == first.clock_rate_hz else event_clock_hz,
        comfort_noise_send=_noise_type(send, first.clock_rate_hz) if suppress else None,
        comfort_noise_receive=_noise_type(receive, first.clock_rate_hz),
        ptime_ms=_send_ptime(media, local.ptime_ms, send_codec.ptimes_ms),
        remote_rtp=remote_rtp,
        remote_rtcp=remote_rtp if mux else remote_rtcp,
        rtcp_mux=mux,
        rtcp_reduced_size=local.rtcp_reduced_size and media.has("rtcp-rsize"),
        rtcp_xr=local.rtcp_xr and "voip-metrics" in (media.attribute("rtcp-xr") or "").split(),
    )


def _direction(*, sends: bool, receives: bool) -> MediaDirection:
    if sends:
        return MediaDirection.SENDRECV if receives else MediaDirection.SENDONLY
    return MediaDirection.RECVONLY if receives else MediaDirection.INACTIVE


def _event_of(entries: Iterable[RtpMap], clock_rate_hz: int) -> RtpMap | None:
    """The telephone-event that goes with a codec: the same clock (RFC 4733 section 2.1), else 8000 Hz."""
    events = {entry.clock_rate_hz: entry for entry in entries if entry.is_event}
    return events.get(clock_rate_hz) or events.get(EVENT_CLOCK_HZ)


def _noise_type(entries: Iterable[RtpMap], clock_rate_hz: int) -> int | None:
    """The payload type of comfort noise, if the codec has its clock (RFC 3389 section 4)."""
    if clock_rate_hz != NOISE_KEY[1]:
        return None
    return next((entry.payload_type for entry in entries if key_of(entry) == NOISE_KEY), None)


def _send_ptime(media: MediaDescription, ours_ms: int, possible_ms: Sequence[int]) -> int:
    """How long our packets are: as they wish, else as we like, not over their maxptime.

    Where the codec has no packet as short as they ask for, it is the shortest there is, as with other
    devices: packets longer than asked for are better than no call, and receivers go by timestamps.
    """
    wish = ptime_of(media) or ours_ms
    limit = min(wish, maxptime_of(media) or wish)
    return next((ptime for ptime in possible_ms if ptime <= limit), possible_ms[-1])


def _addresses(
    session: SessionDescription, media: MediaDescription
) -> tuple[Address | None, Address | None, bool]:
    """Where their RTP and RTCP are (RTCP None: the port after RTP's), and whether they want any at all."""
    connection = session.connection_of(media)
    host = connection.host if connection else ""
    address = ip_address_of(host)
    if address is None:
        return None, None, not host.lower().endswith(".invalid")
    if address.is_unspecified:
        return None, None, False
    rtcp = rtcp_of(media)
    if rtcp is None or (rtcp[0] == media.port + 1 and rtcp[1] in (None, host)):
        return (host, media.port), None, True
    rtcp_host = rtcp[1] if rtcp[1] is not None and _same_family(rtcp[1], host) else host
    return (host, media.port), (rtcp_host, rtcp[0]), True


def _same_family(first: str, second: str) -> bool:
    """Whether both are IP addresses of one version."""
    one, other = ip_address_of(first), ip_address_of(second)
    return one is not None and other is not None and one.version == other.version


@lru_cache(maxsize=256)
def ip_address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address if it is one and no host name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
