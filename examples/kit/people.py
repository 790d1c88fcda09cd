"""People with headsets that are programs: they speak into the microphone and remember what they heard."""

import random
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from media.audio.echo_cancellation import VoiceSettings
from media.audio.synthesis import speech
from media.device.virtual import VirtualBackend, VirtualCard
from sipmedia import Headset

RATE_HZ = 48000
_SAID_S = 6.0
_PIECE = 1600
_AUDIBLE = 300.0

Samples = NDArray[np.int16]


@dataclass
class Person:
    """One person: `said` is said over and over, `heard` is all that the loudspeaker played."""

    name: str
    pitch_hz: float
    heard: list[Samples] = field(default_factory=list)
    _place: int = 0

    def __post_init__(self) -> None:
        self.said = speech(RATE_HZ, _SAID_S, random.Random(self.name), pitch_hz=self.pitch_hz)

    def headset(self, *more: VirtualCard, ring: str | None = None) -> Headset:
        """This person's headset, and cards beside it."""
        card = VirtualCard(self.name, self._speak, self._hear)
        voice = VoiceSettings(echo_cancellation=False)  # nothing leaks from these loudspeakers
        return Headset(ring=ring, voice=voice, backend=VirtualBackend([card, *more]))

    def recording(self) -> Samples:
        """All that was heard until now."""
        return np.concatenate(self.heard) if self.heard else np.zeros(0, np.int16)

    def likeness(self, other: "Person") -> float:
        """How much of what was heard is the other's voice, a fifth of a second at a time: 1 is all of it."""
        heard, said = (samples[::6].astype(float) for samples in (self.recording(), np.tile(other.said, 2)))
        size = 1 << (len(said) + _PIECE).bit_length()
        spectrum = np.fft.rfft(said, size)
        energy = np.sqrt(np.maximum(np.convolve(said**2, np.ones(_PIECE), "valid"), 1.0))
        scores = []
        for start in range(0, len(heard) - _PIECE, _PIECE):
            piece = heard[start : start + _PIECE]
            if np.abs(piece).mean() > _AUDIBLE:
                product = np.fft.irfft(spectrum * np.conj(np.fft.rfft(piece, size)), size)[: len(energy)]
                scores.append(float((product / energy).max() / np.sqrt(piece @ piece)))
        return float(np.median(scores)) if scores else 0.0

    def _speak(self, n: int, _rate_hz: int) -> Samples:
        start, self._place = self._place, self._place + n
        return np.take(self.said, np.arange(start, start + n), mode="wrap")

    def _hear(self, samples: Samples, _rate_hz: int) -> None:
        self.heard.append(samples.copy())
