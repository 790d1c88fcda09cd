"""Test sound, and the question every interop test asks: is this recording that sound?

The sounds are tunes of tones drawn from a seed, so that two parties' sounds cannot be taken for each
other, and a half second of one is found at one place only. The mu-law encoder here is our second
one on purpose: a mistake in the product's codec must not cancel out.
"""

from __future__ import annotations

import random
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 8000
Samples = NDArray[np.int16]


def tune(seed: int, seconds: float = 4.0, rate_hz: int = RATE_HZ) -> Samples:
    """`seconds` of tones between 300 and 3000 Hz, 80 ms each, with phases and pitches of `seed`."""
    draw = random.Random(seed)
    note = round(0.08 * rate_hz)
    t = np.arange(note) / rate_hz
    envelope = np.hanning(note) ** 0.25
    notes = [
        7000 * envelope * np.sin(2 * np.pi * (draw.uniform(300, 3000) * t + draw.random()))
        for _ in range(round(seconds / 0.08))
    ]
    return np.concatenate(notes).astype(np.int16)


def write_wav(path: Path, samples: Samples, rate_hz: int = RATE_HZ) -> Path:
    """Write mono 16-bit `samples`; gives the path back."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(samples.astype("<i2").tobytes())
    return path


def read_wav(path: Path, channel: int = 0) -> Samples:
    """One channel of a 16-bit WAV file; also of one whose writer was ended before it closed the file."""
    data = path.read_bytes()
    channels = int.from_bytes(data[22:24], "little")
    start = data.index(b"data") + 8
    body = data[start : start + (len(data) - start) // (2 * channels) * 2 * channels]
    return np.frombuffer(body, "<i2").reshape(-1, channels)[:, channel].astype(np.int16)


def mu_law(samples: Samples) -> bytes:
    """G.711 mu-law by the segment search of the ITU's description."""
    magnitude = np.minimum(np.abs(samples.astype(np.int32)), 32635) + 132
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (segment + 3)) & 0x0F
    sign = np.where(samples < 0, 0x80, 0)
    return bytes((~(sign | (segment << 4) | mantissa) & 0xFF).astype(np.uint8))


def a_law(samples: Samples) -> bytes:
    """G.711 A-law likewise: 13 bits, 8 segments, even bits inverted."""
    magnitude = np.where(samples >= 0, samples, -samples.astype(np.int32) - 1).astype(np.int32) >> 3
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0)
    mantissa = (magnitude >> np.maximum(segment, 1)) & 0x0F
    sign = np.where(samples >= 0, 0x80, 0)
    return bytes(((sign | (segment << 4) | mantissa) ^ 0x55).astype(np.uint8))


@dataclass(frozen=True)
class Match:
    """How much of a recording is the expected sound."""

    audible_s: float
    """Seconds of the recording that are not silence."""
    correlation: float
    """Median over the audible pieces of the best normalised correlation with the sound; 1: equal."""

    def __str__(self) -> str:
        return f"{self.audible_s:.2f} s audible, correlation {self.correlation:.3f}"


def match(recording: Samples, sound: Samples, rate_hz: int = RATE_HZ, piece_s: float = 0.5) -> Match:
    """Compare each audible half second of `recording` with every place of `sound`, which may repeat.

    Shorter pieces are for a listener that shifts what it plays in time, as linphone's jitter buffer does.
    """
    window = round(rate_hz * piece_s)
    reference = np.concatenate([sound, sound[:window]]).astype(np.float64)
    size = 1 << (len(reference) + window).bit_length()
    spectrum = np.fft.rfft(reference, size)
    running = np.concatenate([[0.0], np.cumsum(reference**2)])
    energy = np.sqrt(np.maximum(running[window:] - running[:-window], 1.0))
    best = []
    for start in range(0, len(recording) - window + 1, window):
        piece = recording[start : start + window].astype(np.float64)
        # A window counts when nearly all of it sounds: its edges are quiet where a call starts or ends.
        loud = np.abs(piece.reshape(-1, rate_hz // 50)).max(axis=1) > 200
        if loud.mean() < 0.9:
            continue
        dot = np.fft.irfft(spectrum * np.conj(np.fft.rfft(piece, size)), size)[: len(energy)]
        best.append(float(np.max(dot / energy)) / float(np.sqrt(piece @ piece)))
    return Match(len(best) * piece_s, float(np.median(best)) if best else 0.0)


def assert_heard(
    recording: Samples, sound: Samples, at_least_s: float, rate_hz: int = RATE_HZ, piece_s: float = 0.5
) -> Match:
    """Fail unless `recording` holds `at_least_s` seconds that are `sound` (as G.711 or better carries it)."""
    result = match(recording, sound, rate_hz, piece_s)
    assert result.audible_s >= at_least_s, f"heard too little: {result} of {len(recording) / rate_hz:.2f} s"
    assert result.correlation > 0.95, f"heard something else: {result}"
    return result
