"""One audio line of an offer or answer against what we can do.

Pure functions between descriptions, `LocalAudio` (what we would like) and `AudioAgreement` (what both ends
settled on). The rules are those of RFC 3264 sections 5.1, 6.1 and 8.4; where there is a choice:

- An answer names *all* common codecs, in the order of the offer and before all else, with its payload types;
  `prefer_own` takes our order, `one_codec` only the first. telephone-event is added for each clock
  rate in use, and at 8000 Hz for those devices that know no other; comfort noise when wished.
- RTP/AVP and RTP/AVPF are accepted and answered with the same profile (of AVPF nothing is used).
  RTP/SAVP, RTP/SAVPF and the DTLS profiles are refused: plain RTP in their place would be
  a downgrade. a=crypto on an RTP/AVP line asks for SRTP only where it is possible (RFC 8643): ignored.
"""

from collections.abc import Iterable, Sequence

from media.plan import MediaDirection
from media.sdp.agreement import AudioAgreement, agree, ip_address_of
from media.sdp.attributes import (
    RTP_PROFILES,
    RtpMap,
    fmtp_of,
    format_events,
    formats_of,
    parse_events,
)
from media.sdp.description import Line, MediaDescription, SessionDescription
from media.sdp.local_audio import LocalAudio
from media.sdp.payload_types import EVENT_CLOCK_HZ, NOISE_KEY, CodecKey, key_of

OUR_EVENTS = frozenset(range(16))
"""The digits 0-9 * # A-D (RFC 4733 table 3)."""


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
    if media.media.lower() != "audio":
        return f"{where} is {media.media}, we do audio only"
    if media.protocol.upper() not in RTP_PROFILES:
        return f"{where} wants {media.protocol}, we do plain RTP/AVP only (no SRTP yet)"
    if media.port > 65535:
        return f"{where} has no valid port"
    connection = session.connection_of(media)
    if connection is None:
        return f"{where} has no c= line to say where its media goes"
    theirs, ours = ip_address_of(connection.host), ip_address_of(local.address)
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
        wanted = rates if rates <= offered_rates else rates | {EVENT_CLOCK_HZ}
        for entry in offered:
            if entry.is_event and entry.clock_rate_hz in wanted:
                beside.setdefault(entry.clock_rate_hz, entry)
    chosen.extend(beside.values())
    if local.comfort_noise and NOISE_KEY[1] in rates:
        chosen.extend([entry for entry in offered if key_of(entry) == NOISE_KEY][:1])
    if not local.prefer_own:
        # Whatever the offer puts first: many devices take the first format of an answer for the codec.
        chosen.sort(key=lambda entry: (not entry.is_codec, offered.index(entry)))
    return chosen


def answer_audio(
    session: SessionDescription, index: int, chosen: Sequence[RtpMap], local: LocalAudio
) -> tuple[MediaDescription, AudioAgreement]:
    """Our line in the answer to an offered one, and what that settles."""
    media = session.media[index]
    agreement = agree(session, index, chosen, chosen, local, theirs=chosen)
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
    return agree(session, index, offered, matched, local, theirs=matched)


def labels(entries: Iterable[RtpMap]) -> tuple[str, ...]:
    """The codecs among formats as people write them, without telephone-event and comfort noise."""
    return tuple(dict.fromkeys(entry.label for entry in entries if entry.is_codec))


def _answered_events(media: MediaDescription, chosen: Iterable[RtpMap]) -> frozenset[int] | None:
    """The events our answer names: those offered that we know; None where the offer names none (all)."""
    for entry in chosen:
        if entry.is_event:
            parameters = fmtp_of(media, entry.payload_type)
            return None if parameters is None else (parse_events(parameters) & OUR_EVENTS) or OUR_EVENTS
    return None
