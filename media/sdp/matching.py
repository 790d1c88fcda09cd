"""One audio line of an offer or answer against what we can do: codecs, payload types, addresses.

Pure functions between descriptions and the two values of this module, `LocalAudio` (what we would
like) and `AudioAgreement` (what both ends settled on). The rules are those of RFC 3264 sections
5.1, 6.1 and 8.4; where there is a choice:

- An answer names *all* common codecs, in the order of the offer, with the payload types of the offer;
  `prefer_own` takes our order, `one_codec` only the first. telephone-event is added for each clock
  rate in use, and at 8000 Hz for those devices that know no other; comfort noise when wished.
- We send the first codec of the other side's list that we know, with the payload type found there.
- RTP/AVP and RTP/AVPF are accepted and answered with the same profile (of AVPF nothing is used).
  RTP/SAVP, RTP/SAVPF and the DTLS profiles are refused: plain RTP in their place would be
  a downgrade. a=crypto on an RTP/AVP line asks for SRTP only where it is possible (RFC 8643): ignored.
- What the peer's fmtp asks of a codec binds our encoder (`Codec.bound_by`).
- c=0.0.0.0, the hold of RFC 2543, means "send nothing to me": the answer is recvonly (or inactive).
- A host name in c= is accepted; we do not resolve it but answer to where the media comes from.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from media.codec.base import Codec
from media.plan import Address, MediaDirection
from media.sdp.attributes import (
    COMFORT_NOISE,
    RTP_PROFILES,
    TELEPHONE_EVENT,
    RtpMap,
    direction_of,
    fmtp_of,
    format_events,
    formats_of,
    maxptime_of,
    parse_events,
    ptime_of,
    rtcp_of,
)
from media.sdp.description import Line, MediaDescription, SessionDescription

OUR_EVENTS = frozenset(range(16))
"""The digits 0-9 * # A-D (RFC 4733 table 3)."""

_EVENT_CLOCK_HZ = 8000
"""That of telephone-event in devices that offer no other, whatever the codec."""


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


CodecKey = tuple[str, int, int]
NOISE_KEY: CodecKey = (COMFORT_NOISE, 8000, 1)


def key_of(item: Codec | RtpMap) -> CodecKey:
    """What makes two descriptions of a codec the same: name in any case, clock rate, channels."""
    if isinstance(item, Codec):
        return (item.name.upper(), item.clock_rate_hz, item.channels)
    return (item.encoding.upper(), item.clock_rate_hz, item.channels)


@dataclass(frozen=True, slots=True)
class PayloadTypes:
    """Which payload type stands for which codec in a session, for as long as it lasts (RFC 3264 s8.3.2).

    `by_key` are the numbers of our codecs, `by_number` all that were ever seen in it.
    """

    by_key: Mapping[CodecKey, int] = field(default_factory=dict)
    by_number: Mapping[int, CodecKey] = field(default_factory=dict)

    def learn(self, agreed: Iterable[RtpMap], seen: Iterable[RtpMap] = ()) -> "PayloadTypes":
        """With what a peer's line says: `agreed` codecs that have no number yet keep the peer's.

        Unless it stands for another codec of ours: a peer that gives numbers a new meaning in mid-session
        (against section 8.3.2) would have us offer one number twice.
        """
        by_key, by_number = dict(self.by_key), dict(self.by_number)
        for entry in agreed:
            if entry.payload_type not in by_key.values():
                by_key.setdefault(key_of(entry), entry.payload_type)
            by_number.setdefault(entry.payload_type, key_of(entry))
        for entry in seen:
            by_number.setdefault(entry.payload_type, key_of(entry))
        return PayloadTypes(by_key, by_number)

    def assign(self, key: CodecKey, wish: int | None) -> tuple[int, "PayloadTypes"]:
        """The number for a codec: the one it has, else `wish` if that is free, else a free dynamic one."""
        known = self.by_key.get(key)
        if known is not None:
            return known, self
        dynamic = (*range(96, 128), *range(35, 64))
        wishes = dynamic if wish is None else (wish, *dynamic)
        ours = set(self.by_key.values())
        free = [number for number in wishes if self.by_number.get(number, key) == key and number not in ours]
        # A peer that used up every number of its own accord gets one of them in a second meaning.
        number = free[0] if free else next(number for number in dynamic if number not in ours)
        return number, PayloadTypes({**self.by_key, key: number}, {**self.by_number, number: key})


def offered_formats(local: LocalAudio, types: PayloadTypes) -> tuple[list[RtpMap], PayloadTypes]:
    """The formats of an offer: our codecs in order, comfort noise, telephone-event for each clock rate."""
    entries = []
    event_key = (TELEPHONE_EVENT.upper(), local.codecs[0].clock_rate_hz if local.codecs else 8000, 1)
    if local.events_payload_type is not None:  # first, so that no codec takes the number it wants
        _, types = types.assign(event_key, local.events_payload_type)
    for codec in local.codecs:
        number, types = types.assign(key_of(codec), codec.static_payload_type)
        entries.append(RtpMap(number, codec.name, codec.clock_rate_hz, codec.channels))
    if local.comfort_noise and any(codec.clock_rate_hz == NOISE_KEY[1] for codec in local.codecs):
        number, types = types.assign(NOISE_KEY, 13)
        entries.append(RtpMap(number, *NOISE_KEY))
    if local.events_payload_type is not None:
        rates = [codec.clock_rate_hz for codec in local.codecs]
        if max(rates, default=0) > 16000:  # Opus: many a device that has it sends events at 8000 all the same
            rates.append(_EVENT_CLOCK_HZ)
        for rate in dict.fromkeys(rates):
            number, types = types.assign((TELEPHONE_EVENT.upper(), rate, 1), local.events_payload_type)
            entries.append(RtpMap(number, TELEPHONE_EVENT, rate))
    return entries, types


def audio_line(
    local: LocalAudio,
    protocol: str,
    entries: Sequence[RtpMap],
    direction: MediaDirection,
    *,
    events: frozenset[int] | None = OUR_EVENTS,
    rtcp_mux: bool = False,
    rtcp_reduced_size: bool = False,
    rtcp_xr: bool = False,
) -> MediaDescription:
    """Our audio line with these formats; `events` None leaves the fmtp of telephone-event out."""
    parameters = {key_of(codec): codec.fmtp for codec in local.codecs if codec.fmtp}
    lines = []
    for entry in entries:
        lines.append(entry.line())
        fmtp = parameters.get(key_of(entry))
        if entry.is_event and events is not None:
            fmtp = format_events(events)
        if fmtp:
            lines.append(Line("a", f"fmtp:{entry.payload_type} {fmtp}"))
    lines.append(Line("a", f"ptime:{local.ptime_ms}"))
    if local.rtcp_address is not None and local.rtcp_address != (local.address, local.port + 1):
        host, port = local.rtcp_address
        lines.append(Line("a", f"rtcp:{port} IN {'IP6' if ':' in host else 'IP4'} {host}"))
    if rtcp_mux:
        lines.append(Line("a", "rtcp-mux"))
    if rtcp_reduced_size:
        lines.append(Line("a", "rtcp-rsize"))
    if rtcp_xr:
        lines.append(Line("a", "rtcp-xr:voip-metrics"))
    lines.append(Line("a", direction.value))
    formats = tuple(str(entry.payload_type) for entry in entries)
    return MediaDescription("audio", local.port, protocol, formats, tuple(lines))


def refused_line(media: MediaDescription) -> MediaDescription:
    """The same line with port 0 (RFC 3264 section 6); its formats only fill the place the grammar demands."""
    return MediaDescription(media.media, 0, media.protocol, media.formats or ("0",))


def why_unusable(
    session: SessionDescription, media: MediaDescription, local: LocalAudio, number: int
) -> str | None:
    """Why we cannot do a live line of theirs, as a sentence; None if we can (codecs not yet looked at)."""
    where = f"line {number} ({media.media} {media.port} {media.protocol})"
    if media.media != "audio":
        return f"{where} is {media.media}, we do audio only"
    if media.protocol.upper() not in RTP_PROFILES:
        return f"{where} wants {media.protocol}, we do plain RTP/AVP only (no SRTP yet)"
    if media.port > 65535:
        return f"{where} has no valid port"
    connection = session.connection_of(media)
    if connection is None:
        return f"{where} has no c= line to say where its media goes"
    theirs, ours = _ip(connection.host), _ip(local.address)
    if theirs is not None and not theirs.is_unspecified:
        if theirs.is_multicast or connection.host == "255.255.255.255":
            return f"{where} is sent to the group {connection.host}, we do one peer only"
        if ours is not None and ours.version != theirs.version:
            return f"{where} is at {connection.host}, which {local.address} cannot reach (IPv4 and IPv6)"
    return None


def match_offer(offered: Sequence[RtpMap], local: LocalAudio) -> list[RtpMap]:
    """Those formats of an offered line that our answer will name; no codec among them: empty."""
    ours = [key_of(codec) for codec in local.codecs]
    codecs: dict[CodecKey, RtpMap] = {}
    for entry in offered:
        key = key_of(entry)
        if key in ours:
            codecs.setdefault(key, entry)
    chosen = list(codecs.values())
    if local.prefer_own:
        chosen.sort(key=lambda entry: ours.index(key_of(entry)))
    if local.one_codec:
        del chosen[1:]
    beside: dict[int, RtpMap] = {}
    rates = {entry.clock_rate_hz for entry in chosen}
    if chosen and local.events_payload_type is not None:
        offered_rates = {entry.clock_rate_hz for entry in offered if entry.is_event}
        wanted = rates if rates <= offered_rates else rates | {_EVENT_CLOCK_HZ}
        for entry in offered:
            if entry.is_event and entry.clock_rate_hz in wanted:
                beside.setdefault(entry.clock_rate_hz, entry)
    chosen.extend(beside.values())
    if local.comfort_noise and NOISE_KEY[1] in rates:
        chosen.extend([entry for entry in offered if key_of(entry) == NOISE_KEY][:1])
    if not local.prefer_own:
        chosen.sort(key=offered.index)
    return chosen


def answer_audio(
    session: SessionDescription, index: int, chosen: Sequence[RtpMap], local: LocalAudio
) -> tuple[MediaDescription, AudioAgreement]:
    """Our line in the answer to an offered one, and what that settles."""
    media = session.media[index]
    agreement = _agree(session, index, chosen, chosen, local, theirs=chosen)
    return (
        audio_line(
            local,
            media.protocol,
            chosen,
            agreement.direction,
            events=_answered_events(media, chosen),
            rtcp_mux=agreement.rtcp_mux,
            rtcp_reduced_size=agreement.rtcp_reduced_size,
            rtcp_xr=agreement.rtcp_xr,
        ),
        agreement,
    )


def match_answer(media: MediaDescription, offered: Sequence[RtpMap], local: LocalAudio) -> list[RtpMap]:
    """The formats of the answer that we offered, as the answer numbers them and in its order.

    A dynamic type without rtpmap means what it meant in the offer; sloppy answers leave that out.
    """
    keys = {key_of(entry) for entry in offered}
    matched = [entry for entry in formats_of(media, offered) if key_of(entry) in keys]
    if local.prefer_own:
        order = [key_of(entry) for entry in offered]
        matched.sort(key=lambda entry: order.index(key_of(entry)))
    return matched


def accept_audio(
    session: SessionDescription,
    index: int,
    offered: Sequence[RtpMap],
    matched: Sequence[RtpMap],
    local: LocalAudio,
) -> AudioAgreement:
    """What an answer settles about the line we offered; `matched` holds at least one codec.

    We stay ready for all we offered under our numbers, and under the answer's where it uses others.
    """
    return _agree(session, index, offered, matched, local, theirs=matched)


def labels(entries: Iterable[RtpMap]) -> tuple[str, ...]:
    """The codecs among formats as people write them, without telephone-event and comfort noise."""
    return tuple(dict.fromkeys(entry.label for entry in entries if entry.is_codec))


def _agree(
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
    return events.get(clock_rate_hz) or events.get(_EVENT_CLOCK_HZ)


def _noise_type(entries: Iterable[RtpMap], clock_rate_hz: int) -> int | None:
    """The payload type of comfort noise, if the codec has its clock (RFC 3389 section 4)."""
    if clock_rate_hz != NOISE_KEY[1]:
        return None
    return next((entry.payload_type for entry in entries if key_of(entry) == NOISE_KEY), None)


def _answered_events(media: MediaDescription, chosen: Iterable[RtpMap]) -> frozenset[int] | None:
    """The events our answer names: those offered that we know; None where the offer names none (all)."""
    for entry in chosen:
        if entry.is_event:
            parameters = fmtp_of(media, entry.payload_type)
            return None if parameters is None else (parse_events(parameters) & OUR_EVENTS) or OUR_EVENTS
    return None


def _send_ptime(media: MediaDescription, ours_ms: int, possible_ms: Sequence[int]) -> int:
    """How long our packets are: as they wish, else as we like, never over their maxptime."""
    wish = ptime_of(media) or ours_ms
    limit = min(wish, maxptime_of(media) or wish)
    return next((ptime for ptime in possible_ms if ptime <= limit), possible_ms[-1])


def _addresses(
    session: SessionDescription, media: MediaDescription
) -> tuple[Address | None, Address | None, bool]:
    """Where their RTP and RTCP are (RTCP None: the port after RTP's), and whether they want any at all."""
    connection = session.connection_of(media)
    host = connection.host if connection else ""
    address = _ip(host)
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
    one, other = _ip(first), _ip(second)
    return one is not None and other is not None and one.version == other.version


@lru_cache(maxsize=256)
def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address if it is one and no host name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
