"""RTP packets in a file for sipp to send: sound of any codec, and keys between it (RFC 4733).

sipp streams only a few codecs by itself; what is in a pcap file it sends as it is, at the times that stand
there. For that it opens a raw socket, which needs the right to (root, or CAP_NET_RAW).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

_SSRC = 0x51B9
_PACKET_S = 0.02
_KEYS = "0123456789*#ABCD"
_KEY_PACKETS = 5
_PAUSE_PACKETS = 5
_ETHERNET = 1


def may_send_raw() -> bool:
    """Whether sipp will be able to play a pcap file here."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP).close()
    except OSError:
        return False
    return True


def write_pcap(
    path: Path,
    payloads: Sequence[bytes],
    payload_type: int,
    clock_hz: int,
    *,
    keys: str = "",
    keys_at: int = 25,
    event_type: int = 101,
) -> Path:
    """`payloads`, one every 20 ms, with `keys` of 100 ms each in place of those from `keys_at` on."""
    units = clock_hz // 50
    plan: dict[int, list[tuple[bytes, int, bool]]] = {}  # by slot: event payload, its slot's begin, marker
    for number, key in enumerate(keys):
        begin = keys_at + number * (_KEY_PACKETS + _PAUSE_PACKETS)
        for step in range(_KEY_PACKETS + 2):
            duration = min(step + 1, _KEY_PACKETS) * units
            flags = 10 | (0x80 if step >= _KEY_PACKETS - 1 else 0)
            event = struct.pack("!BBH", _KEYS.index(key), flags, duration)
            plan.setdefault(begin + step, []).append((event, begin, step == 0))
    last_slot = keys_at + len(keys) * (_KEY_PACKETS + _PAUSE_PACKETS)
    sequence = 0
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, _ETHERNET))
        for slot, payload in enumerate(payloads):
            if keys and keys_at <= slot < last_slot:
                packets = [(event_type, e, begin, marker) for e, begin, marker in plan.get(slot, [])]
            else:
                packets = [(payload_type, payload, slot, slot in (0, last_slot))]
            for kind, body, begin, marker in packets:
                head = struct.pack("!BBHII", 0x80, kind | marker << 7, sequence, begin * units, _SSRC)
                _write_record(out, slot * _PACKET_S, head + body)
                sequence += 1
    return path


def _write_record(out: BinaryIO, seconds: float, data: bytes) -> None:
    udp = struct.pack("!HHHH", 17000, 17000, 8 + len(data), 0)
    address = socket.inet_aton("127.0.0.1")
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + 8 + len(data), 0, 0, 64, 17, 0, address, address)
    frame = bytes(12) + b"\x08\x00" + ip + udp + data
    micros = round(seconds * 1_000_000)
    record = struct.pack("<IIII", micros // 1_000_000, micros % 1_000_000, len(frame), len(frame))
    out.write(record + frame)
