"""The least there can be: a program that copies a microphone to UDP, another copies that to a loudspeaker.

    python -m benchmarks.audio_bare send DEVICE HOST PORT
    python -m benchmarks.audio_bare play DEVICE HOST PORT

Blocks of 20 ms, PortAudio's low latency, no codec, no jitter buffer, no drift: what is behind two blocks is
thrown away. It is ended by a signal.
"""

from __future__ import annotations

import socket
import sys
import time
from collections import deque
from typing import Any

import sounddevice

RATE_HZ = 48000
_AT_MOST_S = 3600.0
BLOCK = 960
_SETTINGS: dict[str, Any] = {
    "samplerate": RATE_HZ, "blocksize": BLOCK, "channels": 1, "dtype": "int16", "latency": "low",
}  # fmt: skip


def send(device: str, peer: tuple[str, int]) -> None:
    """Microphone to UDP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:

        def copy(block: Any, _frames: int, _times: Any, _status: Any) -> None:
            out.sendto(bytes(block), peer)

        with sounddevice.RawInputStream(device=device, callback=copy, **_SETTINGS):
            time.sleep(_AT_MOST_S)


def play(device: str, address: tuple[str, int]) -> None:
    """UDP to loudspeaker."""
    waiting: deque[bytes] = deque(maxlen=2)

    def copy(block: Any, _frames: int, _times: Any, _status: Any) -> None:
        block[:] = waiting.popleft() if waiting else bytes(len(block))

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as source:
        source.bind(address)
        with sounddevice.RawOutputStream(device=device, callback=copy, **_SETTINGS):
            while True:
                waiting.append(source.recv(65536))


if __name__ == "__main__":
    {"send": send, "play": play}[sys.argv[1]](sys.argv[2], (sys.argv[3], int(sys.argv[4])))
