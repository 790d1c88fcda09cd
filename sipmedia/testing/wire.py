"""What a call's packets held on the wire, read by decoders of our own.

They are written after the recommendations and share nothing with `media.codec`, so that a mistake
there shows as a difference here. Only simulated networks are listened to.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from sipmedia.simulation.impairments import Datagram
from sipmedia.testing.tape import Sound

Address = tuple[str, int]

_KEPT = 3000
"""Packets that are kept of each direction: a minute."""
_RTP_HEADER = 12


class Wire:
    """Keeps the last RTP packets that each address received; `Capture.on_received` calls it."""

    def __init__(self) -> None:
        self._packets: dict[Address, deque[bytes]] = {}

    def __call__(self, host: str, datagram: Datagram) -> None:
        """A datagram reaches a host."""
        data = datagram.data
        if len(data) > _RTP_HEADER and data[0] >> 6 == 2 and not 200 <= data[1] <= 207:
            packets = self._packets.get(datagram.destination)
            if packets is None:
                packets = self._packets[datagram.destination] = deque(maxlen=_KEPT)
            packets.append(data)

    def packets(self, destination: Address) -> list[bytes]:
        """What the address received, oldest first."""
        return list(self._packets.get(destination, ()))

    def sound(
        self, destination: Address, codec: str, payload_type: int, *, swapped: bool = False
    ) -> Sound | None:
        """The sound in the packets to an address, lost ones left silent; None when we cannot decode it.

        `swapped`: read L16 with its bytes in the wrong order.
        """
        width = _WIDTHS.get(codec)
        if width is None:
            return None
        rate = 16000 if codec == "L16" else 8000
        parts: dict[int, NDArray[np.int16]] = {}
        first: int | None = None
        for data in self.packets(destination):
            if data[1] & 0x7F != payload_type:
                continue
            timestamp = int.from_bytes(data[4:8], "big")
            first = timestamp if first is None else first
            position = (timestamp - first + (1 << 31)) % (1 << 32) - (1 << 31)
            payload = data[_RTP_HEADER + 4 * (data[0] & 15) :]
            parts[position] = _decode(codec, payload[: len(payload) // width * width], swapped)
        if not parts:
            return None
        start, end = min(parts), max(at + len(part) for at, part in parts.items())
        samples = np.zeros(end - start, np.int16)
        for at, part in parts.items():
            samples[at - start : at - start + len(part)] = part
        return Sound(samples, rate, "the wire")

    def keys(self, destination: Address, payload_type: int) -> str:
        """The keys in the telephone-event packets to an address (RFC 4733), in order of their timestamps."""
        events: dict[int, int] = {}
        for data in self.packets(destination):
            if data[1] & 0x7F == payload_type and len(data) >= _RTP_HEADER + 4:
                events.setdefault(int.from_bytes(data[4:8], "big"), data[_RTP_HEADER])
        return "".join(_KEYS[code] for code in events.values() if code < len(_KEYS))


_KEYS = "0123456789*#ABCD"
_WIDTHS = {"PCMU": 1, "PCMA": 1, "L16": 2}


def _decode(codec: str, payload: bytes, swapped: bool) -> NDArray[np.int16]:
    if codec == "L16":
        return np.frombuffer(payload, "<i2" if swapped else ">i2").astype(np.int16)
    table = _MU_LAW if codec == "PCMU" else _A_LAW
    return np.array([table[code] for code in payload], np.int16)


def _mu_law(code: int) -> int:
    """G.711 table 2a, as 16-bit samples."""
    code = ~code & 0xFF
    magnitude = ((code & 15) * 8 + 132 << (code >> 4 & 7)) - 132
    return -magnitude if code & 0x80 else magnitude


def _a_law(code: int) -> int:
    """G.711 table 1a, as 16-bit samples."""
    code ^= 0x55
    segment, step = code >> 4 & 7, (code & 15) * 16 + 8
    magnitude = step if segment == 0 else step + 256 << segment - 1
    return magnitude if code & 0x80 else -magnitude


_MU_LAW = [_mu_law(code) for code in range(256)]
_A_LAW = [_a_law(code) for code in range(256)]
