"""RTCP packets (RFC 3550 section 6): parsed from and packed into compound datagrams."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from media.errors import BadPacket

SENDER_REPORT, RECEIVER_REPORT, SOURCE_DESCRIPTION, GOODBYE, APPLICATION = 200, 201, 202, 203, 204
CNAME = 1

_HEADER = struct.Struct("!BBH")
_BLOCK = struct.Struct("!IIIIII")
_SENDER_INFO = struct.Struct("!IIIIII")


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """How one source is received (section 6.4.1); `jitter` in timestamp units, times in 1/65536 s."""

    ssrc: int
    fraction_lost: int
    cumulative_lost: int
    highest_sequence: int
    jitter: int
    last_sr: int
    delay_since_last_sr: int

    @classmethod
    def parse(cls, data: bytes, offset: int) -> "ReportBlock":
        """The block that begins at `offset`, where 24 bytes must be."""
        ssrc, lost, highest, jitter, last_sr, delay = _BLOCK.unpack_from(data, offset)
        cumulative = lost & 0xFFFFFF
        if cumulative & 0x800000:
            cumulative -= 0x1000000
        return cls(ssrc, lost >> 24, cumulative, highest, jitter, last_sr, delay)

    def __bytes__(self) -> bytes:
        lost = self.fraction_lost << 24 | self.cumulative_lost & 0xFFFFFF
        return _BLOCK.pack(
            self.ssrc, lost, self.highest_sequence, self.jitter, self.last_sr, self.delay_since_last_sr
        )


@dataclass(frozen=True, slots=True)
class SenderInfo:
    """What a sender has sent; `ntp` is 32.32 fixed point since 1900 and the same moment as `rtp`."""

    ntp: int
    rtp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class SenderReport:
    """SR (section 6.4.1)."""

    ssrc: int
    info: SenderInfo
    blocks: tuple[ReportBlock, ...] = ()
    extension: bytes = b""

    def __bytes__(self) -> bytes:
        info = self.info
        body = _SENDER_INFO.pack(
            self.ssrc, info.ntp >> 32, info.ntp & 0xFFFFFFFF, info.rtp, info.packets, info.octets
        )
        return _packed(
            SENDER_REPORT, len(self.blocks), body + b"".join(map(bytes, self.blocks)) + self.extension
        )


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    """RR (section 6.4.2)."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()
    extension: bytes = b""

    def __bytes__(self) -> bytes:
        body = struct.pack("!I", self.ssrc) + b"".join(map(bytes, self.blocks)) + self.extension
        return _packed(RECEIVER_REPORT, len(self.blocks), body)


@dataclass(frozen=True, slots=True)
class SourceDescription:
    """SDES (section 6.5): for each SSRC or CSRC its items, as (type, text in UTF-8)."""

    chunks: tuple[tuple[int, tuple[tuple[int, bytes], ...]], ...]

    @property
    def cnames(self) -> dict[int, str]:
        """The canonical name of each source that gives one."""
        return {
            ssrc: text.decode("utf-8", "replace")
            for ssrc, items in self.chunks
            for kind, text in items
            if kind == CNAME
        }

    def __bytes__(self) -> bytes:
        body = b""
        for ssrc, items in self.chunks:
            chunk = struct.pack("!I", ssrc)
            for kind, text in items:
                chunk += bytes((kind, len(text))) + text
            body += chunk + bytes(4 - len(chunk) % 4)  # one to four zeros end the list
        return _packed(SOURCE_DESCRIPTION, len(self.chunks), body)


@dataclass(frozen=True, slots=True)
class Goodbye:
    """BYE (section 6.6)."""

    sources: tuple[int, ...]
    reason: str = ""

    def __bytes__(self) -> bytes:
        body = struct.pack(f"!{len(self.sources)}I", *self.sources)
        if self.reason:
            text = self.reason.encode()[:255]
            body += bytes((len(text),)) + text
            body += bytes(-len(body) % 4)
        return _packed(GOODBYE, len(self.sources), body)


@dataclass(frozen=True, slots=True)
class OtherPacket:
    """APP, feedback (RFC 4585), XR (RFC 3611), or a type nobody knows: passed on unread.

    `count` are the five bits that hold a subtype, format or count; `body` what follows the header.
    """

    packet_type: int
    count: int
    body: bytes

    def __bytes__(self) -> bytes:
        return _packed(self.packet_type, self.count, self.body)


RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Goodbye | OtherPacket


def parse_compound(data: bytes, *, reduced_size: bool = False) -> list[RtcpPacket]:
    """Read a datagram; raises `BadPacket`, naming the wrong field.

    It must begin with a report, as RFC 3550 section 6.1 demands, unless `reduced_size` (RFC 5506) was
    negotiated. Only the last packet may be padded (appendix A.2).
    """
    packets = list(_split(data))
    if not packets:
        raise BadPacket("empty RTCP datagram")
    if not reduced_size and not isinstance(packets[0], SenderReport | ReceiverReport):
        raise BadPacket(f"RTCP packet type {data[1]} comes first; a compound packet begins with SR or RR")
    return packets


def compound(packets: Iterable[RtcpPacket]) -> bytes:
    """The datagram of these packets."""
    return b"".join(map(bytes, packets))


def _packed(packet_type: int, count: int, body: bytes) -> bytes:
    if len(body) % 4 or not 0 <= count <= 31:
        raise BadPacket(f"RTCP packet of {len(body)} bytes and count {count} cannot be packed")
    return _HEADER.pack(0x80 | count, packet_type, len(body) // 4) + body


def _split(data: bytes) -> Iterator[RtcpPacket]:
    offset = 0
    while offset < len(data):
        if offset + 4 > len(data):
            raise BadPacket(f"RTCP header is cut off after {len(data) - offset} bytes")
        first, packet_type, words = _HEADER.unpack_from(data, offset)
        if first >> 6 != 2:
            raise BadPacket(f"RTCP version is {first >> 6}, not 2")
        end = offset + 4 + 4 * words
        if end > len(data):
            raise BadPacket(f"RTCP length {words} reaches past the end of the datagram")
        body = data[offset + 4 : end]
        if first & 0x20:
            if end != len(data):
                raise BadPacket("RTCP padding in a packet that is not the last")
            padding = body[-1] if body else 0
            if not padding or padding % 4 or padding > len(body):
                raise BadPacket(f"RTCP padding length {padding} does not fit into {len(body)} bytes")
            body = body[:-padding]
        yield _parse(packet_type, first & 0x1F, body)
        offset = end


def _parse(packet_type: int, count: int, body: bytes) -> RtcpPacket:
    match packet_type:
        case 200:
            _demand(body, 24 + 24 * count, f"SR with {count} report blocks")
            ssrc, high, low, rtp, packets, octets = _SENDER_INFO.unpack_from(body)
            info = SenderInfo(high << 32 | low, rtp, packets, octets)
            return SenderReport(ssrc, info, _blocks(body, 24, count), body[24 + 24 * count :])
        case 201:
            _demand(body, 4 + 24 * count, f"RR with {count} report blocks")
            return ReceiverReport(
                int.from_bytes(body[:4], "big"), _blocks(body, 4, count), body[4 + 24 * count :]
            )
        case 202:
            return SourceDescription(tuple(_chunks(body, count)))
        case 203:
            return _goodbye(body, count)
        case 204:
            _demand(body, 8, "APP")
        case 205 | 206:
            _demand(body, 8, "feedback")
    return OtherPacket(packet_type, count, body)


def _demand(body: bytes, size: int, what: str) -> None:
    if len(body) < size:
        raise BadPacket(f"RTCP {what} is cut off: length {len(body)} bytes, {size} needed")


def _blocks(body: bytes, offset: int, count: int) -> tuple[ReportBlock, ...]:
    return tuple(ReportBlock.parse(body, offset + 24 * index) for index in range(count))


def _chunks(body: bytes, count: int) -> Iterator[tuple[int, tuple[tuple[int, bytes], ...]]]:
    offset = 0
    for _ in range(count):
        if offset + 4 > len(body):
            raise BadPacket(f"RTCP SDES with {count} chunks is cut off")
        ssrc = int.from_bytes(body[offset : offset + 4], "big")
        offset += 4
        items: list[tuple[int, bytes]] = []
        while True:
            if offset >= len(body):
                raise BadPacket("RTCP SDES chunk without the zero that ends it")
            kind = body[offset]
            if kind == 0:
                offset += 4 - offset % 4
                break
            end = offset + 2 + (body[offset + 1] if offset + 1 < len(body) else 0xFFFF)
            if end > len(body):
                raise BadPacket(f"RTCP SDES item of type {kind} is cut off")
            items.append((kind, body[offset + 2 : end]))
            offset = end
        yield ssrc, tuple(items)


def _goodbye(body: bytes, count: int) -> Goodbye:
    _demand(body, 4 * count, f"BYE with {count} sources")
    reason = ""
    if len(body) > 4 * count:
        size = body[4 * count]
        _demand(body, 4 * count + 1 + size, f"BYE with a reason of {size} bytes")
        reason = body[4 * count + 1 : 4 * count + 1 + size].decode("utf-8", "replace")
    return Goodbye(struct.unpack_from(f"!{count}I", body), reason)
