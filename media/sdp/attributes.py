"""What the attributes of an audio line say: formats, packet times, directions, RTCP's address.

Each function reads one attribute and forgives what devices get wrong; what cannot be understood
counts as absent. Attributes nobody here knows are kept by `media.sdp.description`.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from media.plan import MediaDirection
from media.sdp.description import Connection, Line, MediaDescription, SessionDescription

TELEPHONE_EVENT = "telephone-event"
COMFORT_NOISE = "CN"

RTP_PROFILES = frozenset({"RTP/AVP", "RTP/AVPF"})
"""What we speak. AVPF (RFC 4585) only allows feedback and earlier RTCP, it demands neither."""

STATIC_PAYLOAD_TYPES = {
    0: ("PCMU", 8000, 1),
    3: ("GSM", 8000, 1),
    4: ("G723", 8000, 1),
    5: ("DVI4", 8000, 1),
    6: ("DVI4", 16000, 1),
    7: ("LPC", 8000, 1),
    8: ("PCMA", 8000, 1),
    9: ("G722", 8000, 1),
    10: ("L16", 44100, 2),
    11: ("L16", 44100, 1),
    12: ("QCELP", 8000, 1),
    13: (COMFORT_NOISE, 8000, 1),
    14: ("MPA", 90000, 1),
    15: ("G728", 8000, 1),
    16: ("DVI4", 11025, 1),
    17: ("DVI4", 22050, 1),
    18: ("G729", 8000, 1),
}
"""RFC 3551 table 4: what an audio payload type means without an rtpmap."""


class RtpMap(NamedTuple):
    """a=rtpmap (RFC 8866 section 6.6): what one payload type carries."""

    payload_type: int
    encoding: str
    clock_rate_hz: int
    channels: int = 1

    @property
    def label(self) -> str:
        """As people write it: "PCMU", or with what is not 8000 Hz mono, "opus/48000/2"."""
        if self.channels != 1:
            return f"{self.encoding}/{self.clock_rate_hz}/{self.channels}"
        return self.encoding if self.clock_rate_hz == 8000 else f"{self.encoding}/{self.clock_rate_hz}"

    @property
    def is_event(self) -> bool:
        """Whether it is telephone-event (RFC 4733)."""
        return self.encoding.lower() == TELEPHONE_EVENT

    @property
    def is_noise(self) -> bool:
        """Whether it is comfort noise (RFC 3389)."""
        return self.encoding.upper() == COMFORT_NOISE

    @property
    def is_codec(self) -> bool:
        """Whether it carries speech of its own, and not what goes along with it."""
        return not self.is_event and not self.is_noise

    def line(self) -> Line:
        """The a= line that says so; the channel count is left out when it is 1."""
        channels = f"/{self.channels}" if self.channels != 1 else ""
        return Line("a", f"rtpmap:{self.payload_type} {self.encoding}/{self.clock_rate_hz}{channels}")


_RTPMAP = re.compile(r"\s*(\d{1,3})\s+([^\s/]+)\s*/\s*(\d{1,9})\s*(?:/\s*(\d{1,3}))?\s*$", re.ASCII)


@lru_cache(maxsize=256)  # most peers say the same few things
def parse_rtpmap(value: str) -> RtpMap | None:
    """Read the value of a=rtpmap; None where encoding or clock rate are missing."""
    match = _RTPMAP.match(value)
    if match is None:
        return None
    payload_type, encoding, rate, channels = match.groups()
    clock_rate_hz = int(rate)
    if encoding.upper() == "G722" and clock_rate_hz == 16000:
        clock_rate_hz = 8000  # written by devices that never read RFC 3551 section 4.5.2; they send 8000
    if encoding.upper() == "OPUS":
        channels = "2"  # so says RFC 7587 section 7, whatever is sent; there are devices that leave it out
    return RtpMap(int(payload_type), encoding, clock_rate_hz, int(channels or 1) or 1)


def formats_of(media: MediaDescription, otherwise: Iterable[RtpMap] = ()) -> list[RtpMap]:
    """The payload types of an audio line in its order of preference, each once, as far as they are known.

    Types 0-127 count; one without rtpmap means what RFC 3551 says, else what `otherwise` says, or nothing.
    """
    mapped: dict[int, RtpMap] = {}
    for kind, value in media.lines:
        if kind == "a" and value.startswith("rtpmap:"):
            entry = parse_rtpmap(value[7:])
            if entry is not None:
                mapped.setdefault(entry.payload_type, entry)
    assumed = {entry.payload_type: entry for entry in otherwise}
    found: dict[int, RtpMap] = {}
    for text in media.formats:
        if not (text.isascii() and text.isdigit()) or len(text) > 3 or int(text) > 127:
            continue
        payload_type = int(text)
        entry = mapped.get(payload_type)
        if entry is None and payload_type in STATIC_PAYLOAD_TYPES:
            entry = RtpMap(payload_type, *STATIC_PAYLOAD_TYPES[payload_type])
        if entry is None:
            entry = assumed.get(payload_type)
        if entry is not None:
            found.setdefault(payload_type, entry)
    return list(found.values())


def fmtp_of(media: MediaDescription, payload_type: int) -> str | None:
    """The parameters of a=fmtp for a payload type, None if there are none."""
    for _, value in media.attributes("fmtp"):
        number, _, parameters = (value or "").strip().partition(" ")
        if number.isascii() and number.isdigit() and int(number) == payload_type:
            return parameters.strip()
    return None


@lru_cache(maxsize=64)
def parse_events(parameters: str) -> frozenset[int]:
    """The events in the fmtp of telephone-event, "0-15,66" (RFC 4733 section 2.4.1)."""
    events: set[int] = set()
    for part in parameters.removeprefix("events=").split(","):
        match = re.fullmatch(r"\s*(\d{1,3})\s*(?:-\s*(\d{1,3}))?\s*", part, re.ASCII)
        if match is not None:
            first, last = int(match[1]), int(match[2] or match[1])
            events.update(range(first, min(last, 255) + 1))
    return frozenset(events)


@lru_cache(maxsize=64)
def format_events(events: frozenset[int]) -> str:
    """The fmtp of telephone-event for a set of events."""
    runs: list[list[int]] = []
    for event in sorted(events):
        if runs and runs[-1][1] == event - 1:
            runs[-1][1] = event
        else:
            runs.append([event, event])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def direction_of(media: MediaDescription, session: SessionDescription) -> MediaDirection:
    """The direction of a media line: its own attribute, else the session's, else sendrecv."""
    for section in (media, session):
        for kind, value in section.lines:
            if kind == "a" and value.strip() in _DIRECTIONS:
                return _DIRECTIONS[value.strip()]
    return MediaDirection.SENDRECV


_DIRECTIONS = {direction.value: direction for direction in MediaDirection}


def ptime_of(media: MediaDescription) -> float | None:
    """a=ptime in milliseconds: the packet time the writer wishes to receive."""
    return _milliseconds(media.attribute("ptime"))


def maxptime_of(media: MediaDescription) -> float | None:
    """a=maxptime in milliseconds: the longest packet the writer can take."""
    return _milliseconds(media.attribute("maxptime"))


def _milliseconds(value: str | None) -> float | None:
    """A positive number of milliseconds, or None."""
    match = re.match(r"\s*(\d{1,6}(?:\.\d{1,6})?)\s*$", value or "", re.ASCII)
    return (float(match[1]) or None) if match else None


def rtcp_of(media: MediaDescription) -> tuple[int, str | None] | None:
    """a=rtcp (RFC 3605): the port for RTCP and, if it differs, the address."""
    value = media.attribute("rtcp")
    if value is None:
        return None
    port, _, rest = value.strip().partition(" ")
    if not (port.isascii() and port.isdigit()) or not 0 < int(port[:6]) <= 65535:
        return None
    if not rest.strip():
        return int(port), None
    try:
        return int(port), Connection.parse(rest).host
    except ValueError:
        return int(port), None
