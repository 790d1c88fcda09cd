"""The RTP packet (RFC 3550 section 5.1): one parser, one class.

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|V=2|P|X|  CC   |M|     PT      |       sequence number         |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                           timestamp                           |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
|                             SSRC                              |
+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
|               CSRC (CC times), extension (if X)               |
+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
"""

import struct

from media.errors import BadPacket

HEADER = struct.Struct("!BBHII")
HEADER_SIZE = HEADER.size
PLAIN = 0x80
"""The first byte of a packet that has neither padding, extension nor CSRCs: its payload follows `HEADER`."""
_EXTENSION = struct.Struct("!HH")


class RtpPacket:
    """One packet. A plain slotted class, as one is made for every datagram of every call.

    `extension` is the whole header extension without its first word, of which `extension_profile` are the
    first 16 bits (None: no extension). `padding` counts the padding bytes, the count byte included.
    """

    __slots__ = (
        "csrc",
        "extension",
        "extension_profile",
        "marker",
        "padding",
        "payload",
        "payload_type",
        "sequence_number",
        "ssrc",
        "timestamp",
    )

    def __init__(
        self,
        payload_type: int,
        sequence_number: int,
        timestamp: int,
        ssrc: int,
        payload: bytes,
        marker: bool = False,
        csrc: tuple[int, ...] = (),
        extension_profile: int | None = None,
        extension: bytes = b"",
        padding: int = 0,
    ) -> None:
        self.payload_type = payload_type
        self.sequence_number = sequence_number
        self.timestamp = timestamp
        self.ssrc = ssrc
        self.payload = payload
        self.marker = marker
        self.csrc = csrc
        self.extension_profile = extension_profile
        self.extension = extension
        self.padding = padding

    @classmethod
    def parse(cls, data: bytes) -> "RtpPacket":
        """Read a datagram; raises `BadPacket`, which names the wrong field, for what is no RTP packet."""
        if len(data) < HEADER_SIZE:
            raise BadPacket(f"RTP packet of {len(data)} bytes: the header alone has {HEADER_SIZE}")
        first, second, sequence_number, timestamp, ssrc = HEADER.unpack_from(data)
        if first == PLAIN:  # no padding, extension or CSRC: nearly every packet there is
            return cls(second & 0x7F, sequence_number, timestamp, ssrc, data[HEADER_SIZE:], second > 0x7F)
        if first >> 6 != 2:
            raise BadPacket(f"RTP version is {first >> 6}, not 2")
        start, end = HEADER_SIZE + 4 * (first & 0xF), len(data)
        if start > end:
            raise BadPacket(f"RTP CSRC list of {first & 0xF} entries is cut off")
        csrc = struct.unpack_from(f"!{first & 0xF}I", data, HEADER_SIZE)
        profile, extension, padding = None, b"", 0
        if first & 0x10:
            if start + 4 > end:
                raise BadPacket("RTP header extension is cut off")
            profile, words = _EXTENSION.unpack_from(data, start)
            start += 4 + 4 * words
            if start > end:
                raise BadPacket(f"RTP header extension length {words} reaches past the end of the packet")
            extension = data[start - 4 * words : start]
        if first & 0x20:
            padding = data[-1] if start < end else 0
            if not padding or padding > end - start:
                raise BadPacket(
                    f"RTP padding length {padding} does not fit into {end - start} bytes of payload"
                )
            end -= padding
        return cls(
            second & 0x7F, sequence_number, timestamp, ssrc, data[start:end], second > 0x7F,
            csrc, profile, extension, padding,
        )  # fmt: skip

    def __bytes__(self) -> bytes:
        """The packet as it goes on the wire; raises `BadPacket` for a field out of its range."""
        if self.extension_profile is not None and len(self.extension) % 4:
            raise BadPacket(f"RTP header extension has {len(self.extension)} bytes, no multiple of 4")
        if not 0 <= self.padding <= 255 or len(self.csrc) > 15 or not 0 <= self.payload_type <= 127:
            raise BadPacket("RTP padding, CSRC count or payload type is out of range")
        first = 0x80 | (0x20 if self.padding else 0) | len(self.csrc)
        if self.extension_profile is not None:
            first |= 0x10
        try:
            parts = [
                HEADER.pack(
                    first,
                    self.payload_type | self.marker << 7,
                    self.sequence_number,
                    self.timestamp,
                    self.ssrc,
                ),
                struct.pack(f"!{len(self.csrc)}I", *self.csrc),
            ]
            if self.extension_profile is not None:
                parts += _EXTENSION.pack(self.extension_profile, len(self.extension) // 4), self.extension
        except struct.error as error:
            raise BadPacket(
                f"RTP sequence number, timestamp, SSRC or extension is out of range: {error}"
            ) from None
        parts.append(self.payload)
        if self.padding:
            parts.append(bytes(self.padding - 1) + bytes((self.padding,)))
        return b"".join(parts)


def is_rtcp(data: bytes) -> bool:
    """Whether a datagram of a muxed transport is RTCP (RFC 5761 section 4): packet types 192 to 223."""
    return len(data) > 1 and 192 <= data[1] <= 223
