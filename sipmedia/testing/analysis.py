"""What is to be heard in samples: levels, tones, silence, and a description in words."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from media.frame import Samples
from sipmedia.testing.tape import Sound

SILENCE_DBFS = -50.0
"""What is quieter counts as silence: the noise of G.711 is below, a whisper on the telephone above."""

_WINDOW_S = 0.02
_TONE_WINDOW_S = 0.04
_TONE_SHARE = 0.6
_TONE_BRIDGE_S = 0.06
_DESCRIBED = 8


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of sound, in seconds."""

    start: float
    end: float

    @property
    def length(self) -> float:
        """In seconds."""
        return self.end - self.start

    def __str__(self) -> str:
        return f"{self.start:.2f}-{self.end:.2f} s"


def level_dbfs(samples: Samples) -> float:
    """The level (RMS) below a full-scale square wave, -120 for digital silence."""
    if not len(samples):
        return -120.0
    rms = float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) / 32767
    return 20 * float(np.log10(max(rms, 1e-6)))


def silent_spans(sound: Sound, below_dbfs: float = SILENCE_DBFS) -> list[Span]:
    """Where nothing is heard, in steps of 20 ms."""
    return _spans(_levels(sound) < below_dbfs, _WINDOW_S, sound.seconds)


def loud_spans(sound: Sound, below_dbfs: float = SILENCE_DBFS, bridge: float = 0.1) -> list[Span]:
    """Where something is heard; pauses shorter than `bridge` do not part it."""
    spans = _spans(_levels(sound) >= below_dbfs, _WINDOW_S, sound.seconds)
    return _bridged(spans, bridge)


def gaps(sound: Sound, below_dbfs: float = SILENCE_DBFS) -> list[Span]:
    """The silences between the first and the last sound."""
    loud = loud_spans(sound, below_dbfs, 0.0)
    return [Span(before.end, after.start) for before, after in pairwise(loud) if after.start > before.end]


def tone_spans(sound: Sound, hz: float) -> list[Span]:
    """Where a tone of this frequency makes up most of what is heard; lost packets in it do not part it."""
    size = round(_TONE_WINDOW_S * sound.rate)
    windows = _windows(sound.samples, size, size // 2).astype(np.float64)
    if not len(windows):
        return []
    taper = np.hanning(size)
    wave = taper * np.exp(-2j * np.pi * hz / sound.rate * np.arange(size))
    power = np.maximum(np.mean(windows**2, axis=1), 1e-3)
    # |X| of a tone of amplitude A is A/2 times the sum of the taper, and its power A^2/2.
    share = 2 * (np.abs(windows @ wave) / taper.sum()) ** 2 / power
    loud = 10 * np.log10(power / 32767**2) >= SILENCE_DBFS
    spans = _spans(loud & (share >= _TONE_SHARE), _TONE_WINDOW_S / 2, sound.seconds)
    return _bridged(spans, _TONE_BRIDGE_S)


def main_frequency(samples: Samples, rate: int) -> float:
    """The strongest frequency (Hz)."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * rate / len(samples)


def describe(sound: Sound, start: float = 0.0, end: float | None = None) -> str:
    """What is heard in a span, in words a person can check with their ears."""
    part = Sound(sound.between(start, end), sound.rate)
    if not len(part.samples):
        return "nothing: no sound ever came"
    loud = loud_spans(part)
    if not loud:
        return f"silence, all the {part.seconds:.2f} s"
    words = []
    for span in loud[:_DESCRIBED]:
        samples = part.between(span.start, span.end)
        shown = Span(span.start + start, span.end + start)
        hz = main_frequency(samples, part.rate)
        words.append(f"{shown}: {level_dbfs(samples):.0f} dBFS, strongest at {hz:.0f} Hz")
    if len(loud) > _DESCRIBED:
        words.append(f"and {len(loud) - _DESCRIBED} more")
    return "; ".join(words) + "; silence otherwise"


def _levels(sound: Sound) -> NDArray[np.float64]:
    size = round(_WINDOW_S * sound.rate)
    windows = _windows(sound.samples, size, size).astype(np.float64)
    power = np.mean((windows / 32767) ** 2, axis=1)
    levels: NDArray[np.float64] = 10 * np.log10(np.maximum(power, 1e-12))
    return levels


def _windows(samples: Samples, size: int, step: int) -> NDArray[np.int16]:
    if len(samples) < size:
        return np.zeros((0, size), np.int16)
    return np.lib.stride_tricks.sliding_window_view(samples, size)[::step]


def _spans(mask: NDArray[np.bool_], step: float, seconds: float) -> list[Span]:
    """The runs of true windows, one beginning every `step` seconds."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [
        Span(float(start) * step, min(float(end) * step, seconds))
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    ]


def _bridged(spans: list[Span], bridge: float) -> list[Span]:
    joined: list[Span] = []
    for span in spans:
        if joined and span.start - joined[-1].end < bridge + 1e-9:
            joined[-1] = Span(joined[-1].start, span.end)
        else:
            joined.append(span)
    return joined
