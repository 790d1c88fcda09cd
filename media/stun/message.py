"""STUN messages (RFC 8489 section 5 and 14): pure, and strict about lengths.

Integrity and fingerprint are checked and written here, too, although Binding discovery needs neither: a
message that carries a wrong fingerprint is none of ours, and ICE will want both.
"""

from __future__ import annotations

import enum
import hmac
import ipaddress
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from media.errors import BadPacket
from media.plan import Address

__all__ = ["Attribute", "MessageClass", "StunMessage", "is_stun"]

MAGIC_COOKIE = 0x2112A442
BINDING = 0x001
HEADER_LENGTH = 20

_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_COOKIE_BYTES = MAGIC_COOKIE.to_bytes(4, "big")
_FINGERPRINT_XOR = 0x5354554E
_IPV4, _IPV6 = 1, 2


class MessageClass(enum.IntEnum):
    """The two class bits of the message type."""

    REQUEST = 0
    INDICATION = 1
    SUCCESS = 2
    ERROR = 3


class Attribute(enum.IntEnum):
    """The attributes known here (section 14); those under 0x8000 must be understood to use a message."""

    MAPPED_ADDRESS = 0x0001
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    REALM = 0x0014
    NONCE = 0x0015
    XOR_MAPPED_ADDRESS = 0x0020
    SOFTWARE = 0x8022
    ALTERNATE_SERVER = 0x8023
    FINGERPRINT = 0x8028


def is_stun(data: bytes) -> bool:
    """Whether a datagram of the RTP socket is STUN: RFC 7983 section 7, and the magic cookie."""
    return len(data) >= HEADER_LENGTH and data[0] < 4 and data[4:8] == _COOKIE_BYTES


@dataclass(frozen=True, slots=True)
class StunMessage:
    """One message. ``attributes`` are type and value without padding, in order."""

    method: int
    message_class: MessageClass
    transaction_id: bytes
    attributes: tuple[tuple[int, bytes], ...] = ()
    wire: bytes = field(default=b"", compare=False, repr=False)
    """What it was read from: integrity covers the padding, too, which may hold anything."""

    @classmethod
    def parse(cls, data: bytes) -> StunMessage:
        """Read one datagram; `BadPacket` says what is wrong, also with a fingerprint that does not fit."""
        if len(data) < HEADER_LENGTH:
            raise BadPacket(f"a STUN message has at least {HEADER_LENGTH} bytes, this has {len(data)}")
        kind, length, cookie, transaction_id = _HEADER.unpack_from(data)
        if kind >> 14:
            raise BadPacket("the first two bits of a STUN message are zero")
        if cookie != MAGIC_COOKIE:
            raise BadPacket("the magic cookie of STUN is missing")
        if length % 4 or length != len(data) - HEADER_LENGTH:
            raise BadPacket(
                f"the header says {length} bytes follow, but there are {len(data) - HEADER_LENGTH}"
            )
        attributes = []
        position = HEADER_LENGTH
        while position < len(data):
            number, size = _ATTRIBUTE.unpack_from(data, position)
            value = data[position + 4 : position + 4 + size]
            if len(value) != size:
                raise BadPacket(f"attribute {number:#06x} says {size} bytes, but {len(value)} are left")
            if number == Attribute.FINGERPRINT and value != _fingerprint(data[:position]):
                raise BadPacket("the fingerprint does not fit")
            attributes.append((number, value))
            position += 4 + size + -size % 4
        method = (kind & 0x000F) | (kind & 0x00E0) >> 1 | (kind & 0x3E00) >> 2
        message_class = MessageClass((kind & 0x0010) >> 4 | (kind & 0x0100) >> 7)
        return cls(method, message_class, transaction_id, tuple(attributes), data)

    def __bytes__(self) -> bytes:
        body = b"".join(
            _ATTRIBUTE.pack(number, len(value)) + value + bytes(-len(value) % 4)
            for number, value in self.attributes
        )
        return self._header(len(body)) + body

    def get(self, number: int) -> bytes | None:
        """The value of the first attribute of that type."""
        return next((value for other, value in self.attributes if other == number), None)

    @property
    def mapped_address(self) -> Address | None:
        """Where the server saw us: XOR-MAPPED-ADDRESS, or the MAPPED-ADDRESS of old servers; `BadPacket`."""
        value = self.get(Attribute.XOR_MAPPED_ADDRESS)
        if value is not None:
            return self._unpack(value, xor=True)
        value = self.get(Attribute.MAPPED_ADDRESS)
        return None if value is None else self._unpack(value, xor=False)

    @property
    def error(self) -> tuple[int, str] | None:
        """Code and reason of an error response; `BadPacket`."""
        value = self.get(Attribute.ERROR_CODE)
        if value is None:
            return None
        if len(value) < 4:
            raise BadPacket(f"an error code has 4 bytes, this has {len(value)}")
        return (value[2] & 7) * 100 + value[3], value[4:].decode("utf-8", "replace")

    def with_mapped_address(self, address: Address) -> StunMessage:
        """A copy that tells this address."""
        host = ipaddress.ip_address(address[0])
        mask = self._mask(host.max_prefixlen // 8)
        packed = bytes(a ^ b for a, b in zip(host.packed, mask, strict=True))
        port = address[1] ^ (MAGIC_COOKIE >> 16)
        family = _IPV4 if host.version == 4 else _IPV6
        value = struct.pack("!xBH", family, port) + packed
        return self.plus((Attribute.XOR_MAPPED_ADDRESS, value))

    def plus(self, *attributes: tuple[int, bytes]) -> StunMessage:
        """A copy with these attributes after the others."""
        everything = (*self.attributes, *attributes)
        return StunMessage(self.method, self.message_class, self.transaction_id, everything)

    def with_fingerprint(self) -> StunMessage:
        """A copy with a FINGERPRINT, which must be the last attribute (section 14.7)."""
        head = self._header(len(bytes(self)) - HEADER_LENGTH + 8) + bytes(self)[HEADER_LENGTH:]
        return self.plus((Attribute.FINGERPRINT, _fingerprint(head)))

    def with_integrity(self, key: bytes) -> StunMessage:
        """A copy with a MESSAGE-INTEGRITY over all before it (section 14.5)."""
        return self.plus((Attribute.MESSAGE_INTEGRITY, self._integrity(bytes(self)[HEADER_LENGTH:], key)))

    def has_integrity(self, key: bytes) -> bool:
        """Whether its MESSAGE-INTEGRITY was made with this key; what comes after it does not count."""
        data = self.wire or bytes(self)
        position = HEADER_LENGTH
        for number, value in self.attributes:
            if number == Attribute.MESSAGE_INTEGRITY:
                return hmac.compare_digest(value, self._integrity(data[HEADER_LENGTH:position], key))
            position += 4 + len(value) + -len(value) % 4
        return False

    def _integrity(self, body: bytes, key: bytes) -> bytes:
        return hmac.digest(key, self._header(len(body) + 24) + body, "sha1")

    def _header(self, length: int) -> bytes:
        kind = (
            (self.method & 0x000F)
            | (self.method & 0x0070) << 1
            | (self.method & 0x0F80) << 2
            | (self.message_class & 1) << 4
            | (self.message_class & 2) << 7
        )
        return _HEADER.pack(kind, length, MAGIC_COOKIE, self.transaction_id)

    def _mask(self, length: int) -> bytes:
        return (_COOKIE_BYTES + self.transaction_id)[:length]

    def _unpack(self, value: bytes, *, xor: bool) -> Address:
        family = value[1] if len(value) > 1 else 0
        length = {_IPV4: 4, _IPV6: 16}.get(family)
        if length is None or len(value) != 4 + length:
            raise BadPacket(f"an address of {len(value)} bytes and family {family} cannot be read")
        port = int.from_bytes(value[2:4], "big")
        packed = value[4:]
        if xor:
            port ^= MAGIC_COOKIE >> 16
            packed = bytes(a ^ b for a, b in zip(packed, self._mask(length), strict=True))
        return str(ipaddress.ip_address(packed)), port


def binding_request(transaction_id: bytes, attributes: Iterable[tuple[int, bytes]] = ()) -> StunMessage:
    """What asks for our address."""
    return StunMessage(BINDING, MessageClass.REQUEST, transaction_id, tuple(attributes))


def _fingerprint(data: bytes) -> bytes:
    return struct.pack("!I", (zlib.crc32(data) ^ _FINGERPRINT_XOR) & 0xFFFFFFFF)
