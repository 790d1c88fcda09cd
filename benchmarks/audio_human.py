"""People at the cards: says clicks into one phone's microphone, hears them at the other's loudspeaker.

    python -m benchmarks.audio_human MOUTH EAR SECONDS     prints one JSON object: [time, delay in ms] of each

The same program, with its own delays of playing and recording, measures everybody.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import sounddevice

RATE_HZ = 48000
BLOCK = 960
EVERY_S = 1.0
_CHIRP = int(0.03 * RATE_HZ)
_CLEAR = 0.6


def chirp() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """What is said: within what G.711 carries, and found to a fraction of a millisecond."""
    t = np.arange(_CHIRP) / RATE_HZ
    return 14000 * np.hanning(_CHIRP) * np.sin(2 * np.pi * (500 * t + 2500 / 0.06 * t**2))


def measure(mouth: str, ear: str, seconds: float) -> list[tuple[float, float]]:
    """When each chirp was said, and how late it was heard."""
    said = chirp().astype(np.int16)
    spoken: list[float] = []
    heard: list[tuple[float, np.ndarray[Any, Any]]] = []
    place = 0

    def speak(out: Any, frames: int, _times: Any, _status: Any) -> None:
        nonlocal place
        block = np.frombuffer(out, np.int16)
        block[:] = 0
        offset = place % int(EVERY_S * RATE_HZ)
        if offset < len(said):
            if offset == 0:
                spoken.append(time.monotonic())
            part = said[offset : offset + frames]
            block[: len(part)] = part
        place += frames

    def hear(block: Any, frames: int, _times: Any, _status: Any) -> None:
        heard.append((time.monotonic(), np.frombuffer(block, np.int16).copy()))

    settings: dict[str, Any] = {
        "samplerate": RATE_HZ, "blocksize": BLOCK, "channels": 1, "dtype": "int16", "latency": "low",
    }  # fmt: skip
    with (
        sounddevice.RawInputStream(device=ear, callback=hear, **settings),
        sounddevice.RawOutputStream(device=mouth, callback=speak, **settings),
    ):
        time.sleep(seconds)
    return found(spoken, heard)


def found(spoken: list[float], heard: list[tuple[float, np.ndarray[Any, Any]]]) -> list[tuple[float, float]]:
    """Each chirp's delay; those not found within a second are left out."""
    starts = np.array([at for at, _ in heard])
    # When a block was got is late by chance: the earliest of its neighbours, block for block, is the truth.
    steps = starts - np.arange(len(starts)) * BLOCK / RATE_HZ
    window = 25
    for i in range(len(starts)):
        near = steps[max(0, i - window) : i + window]
        starts[i] = i * BLOCK / RATE_HZ + float(np.median(near))
    sound = np.concatenate([block for _, block in heard]).astype(float)
    sought = chirp()
    out = []
    for at in spoken:
        first = int(np.searchsorted(starts, at)) * BLOCK
        piece = sound[first : first + RATE_HZ]
        if len(piece) < RATE_HZ:
            break
        size = 1 << (len(piece) + len(sought)).bit_length()
        product = np.fft.irfft(np.fft.rfft(piece, size) * np.conj(np.fft.rfft(sought, size)), size)
        product = product[: len(piece) - len(sought)]
        best = int(np.argmax(product))
        energy = piece[best : best + len(sought)]
        if product[best] > _CLEAR * np.sqrt((energy @ energy) * (sought @ sought)):
            out.append((at - spoken[0], 1000 * (starts[first // BLOCK] - at + best / RATE_HZ)))
    return out


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2], float(sys.argv[3]))))
