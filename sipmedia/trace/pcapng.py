"""Writes datagrams as a pcapng file, which Wireshark and tshark open.

Each capture interface is one host. Packets are raw IP (LINKTYPE_RAW) with the headers that a real
network would have shown, checksums included. Blocks and options: draft-ietf-opsawg-pcapng.
"""

import ipaddress
import struct
from collections.abc import Sequence
from typing import BinaryIO

Address = tuple[str, int]

LINKTYPE_RAW = 101
_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_COMMENT, _IF_NAME, _IF_TSRESOL, _SHB_USERAPPL, _EPB_FLAGS = 1, 2, 9, 4, 2
_NANOSECONDS = 9
_INBOUND, _OUTBOUND = 1, 2
_UDP = 17

_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_PORTS = struct.Struct("!HHHH")
_PACKET_HEAD = struct.Struct("<IIIIIII")
_OPTION = struct.Struct("<HH")
_LENGTH = struct.Struct("<I")
_FLAGS_INBOUND = struct.pack("<HHIHH", _EPB_FLAGS, 4, _INBOUND, 0, 0)


class PcapngWriter:
    """Writes one section to an open binary file.

    Times are seconds after `started_at` (itself whole seconds since 1970), so that a double keeps the
    nanoseconds that the file does. Interfaces may be added at any time before
    their first packet. `comment` stands in the head of the section (what run this was, its seed).
    """

    def __init__(
        self, file: BinaryIO, *, started_at: int = 0, comment: str = "", application: str = "sipmedia"
    ) -> None:
        self._file = file
        self._started_ns = started_at * 1_000_000_000
        self._interfaces: dict[str, int] = {}
        self._packed: dict[str, bytes] = {}
        body = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
        self._block(_SECTION, body + _options((_COMMENT, comment), (_SHB_USERAPPL, application)))

    def interface(self, name: str) -> int:
        """The number of the interface of that name, new or known."""
        number = self._interfaces.get(name)
        if number is None:
            number = self._interfaces[name] = len(self._interfaces)
            resolution = _OPTION.pack(_IF_TSRESOL, 1) + bytes((_NANOSECONDS, 0, 0, 0))
            body = struct.pack("<HHI", LINKTYPE_RAW, 0, 0)
            self._block(_INTERFACE, body + _options((_IF_NAME, name), more=resolution))
        return number

    def write(
        self,
        time: float,
        interface: str,
        source: Address,
        destination: Address,
        data: bytes,
        *,
        inbound: bool = True,
        comment: str = "",
    ) -> None:
        """Append a UDP datagram as the host named `interface` saw it; `comment` is shown with the packet."""
        number = self._interfaces.get(interface)
        if number is None:
            number = self.interface(interface)
        packet = self._ip(source, destination, data)
        size = len(packet)
        nanoseconds = self._started_ns + round(time * 1e9)
        if inbound and not comment:
            options = _FLAGS_INBOUND
        else:
            flags = _OPTION.pack(_EPB_FLAGS, 4) + struct.pack("<I", _INBOUND if inbound else _OUTBOUND)
            options = _options((_COMMENT, comment), more=flags)
        total = _PACKET_HEAD.size + size + (padding := -size & 3) + len(options) + 4
        head = _PACKET_HEAD.pack(
            _PACKET, total, number, nanoseconds >> 32, nanoseconds & 0xFFFFFFFF, size, size
        )
        self._file.write(b"".join((head, packet, bytes(padding), options, _LENGTH.pack(total))))

    def _ip(self, source: Address, destination: Address, data: bytes) -> bytes:
        """The datagram with its UDP and IP headers (RFC 768, 791, 8200)."""
        size = len(data) + 8
        packed_source, packed_destination = self._pack(source[0]), self._pack(destination[0])
        # Sums of 16-bit words modulo 65535 are the number itself modulo 65535.
        addresses = int.from_bytes(packed_source, "big") + int.from_bytes(packed_destination, "big")
        even = data if len(data) % 2 == 0 else data + b"\0"
        words = addresses + _UDP + 2 * size + source[1] + destination[1] + int.from_bytes(even, "big")
        checksum = 0xFFFF - words % 0xFFFF  # never 0, which would mean "none"
        ports = _PORTS.pack(source[1], destination[1], size, checksum)
        if len(packed_source) == 16:
            head = _IPV6.pack(6 << 28, size, _UDP, 64, packed_source, packed_destination)
            return head + ports + data
        length = size + 20
        head_sum = (0x4500 + length + 0x4000 + (64 << 8 | _UDP) + addresses) % 0xFFFF
        head = _IPV4.pack(
            0x45, 0, length & 0xFFFF, 0, 0x4000, 64, _UDP,
            (0xFFFF - head_sum) & 0xFFFF if head_sum else 0, packed_source, packed_destination,
        )  # fmt: skip
        return head + ports + data

    def _pack(self, host: str) -> bytes:
        packed = self._packed.get(host)
        if packed is None:
            packed = self._packed[host] = ipaddress.ip_address(host).packed
        return packed

    def _block(self, kind: int, body: bytes) -> None:
        length = struct.pack("<I", len(body) + 12)
        self._file.write(struct.pack("<I", kind) + length + body + length)


def _options(*texts: tuple[int, str], more: bytes = b"") -> bytes:
    """A list of options with its end; empty texts are left out."""
    parts: Sequence[bytes] = [_option(code, text.encode()) for code, text in texts if text]
    return b"".join((*parts, more, _OPTION.pack(0, 0)))


def _option(code: int, value: bytes) -> bytes:
    return _OPTION.pack(code, len(value)) + value + bytes(-len(value) & 3)
