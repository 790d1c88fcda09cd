"""Sounds for calls without a microphone: melodies, and a murmur that codecs and ears take for speech.

The voice is a harmonic series shaped by the formants of one vowel after another, with a falling
pitch, a syllable rhythm of about five a second, hissed consonants and a pause after each phrase. It
says nothing, but has the spectrum, dynamics and pauses that jitter buffers, concealment and voice
detection live on. Everything is determined by the arguments.
"""

from collections.abc import Sequence
from random import Random
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from media.audio.tones import amplitude, to_samples
from media.frame import Samples

Tune = Sequence[tuple[int, float]]
"""Notes as (MIDI number, seconds); number 0 is a rest."""

RISING_TUNE: Tune = ((67, 0.2), (71, 0.2), (74, 0.2), (79, 0.4), (76, 0.2), (74, 0.4), (0, 0.1), (79, 0.5))
FALLING_TUNE: Tune = ((76, 0.3), (75, 0.15), (76, 0.15), (71, 0.3), (74, 0.3), (72, 0.3), (69, 0.7))

# Formants in Hz of the vowels a, e, i, o, u and schwa (Peterson and Barney 1952, men).
_VOWELS = (
    (730.0, 1090.0, 2440.0),
    (530.0, 1840.0, 2480.0),
    (270.0, 2290.0, 3010.0),
    (570.0, 840.0, 2410.0),
    (300.0, 870.0, 2240.0),
    (490.0, 1350.0, 1690.0),
)
_FORMANT_GAINS = (1.0, 0.5, 0.25)
_FORMANT_WIDTHS_HZ = (80.0, 110.0, 160.0)


def melody(sample_rate_hz: int, tune: Tune = RISING_TUNE, *, level_dbov: float = -20.0) -> Samples:
    """The tune on a plucked instrument of four harmonics (as far as the rate carries them)."""
    notes = [np.zeros(0)]
    for number, seconds in tune:
        time = np.arange(round(seconds * sample_rate_hz)) / sample_rate_hz
        pitch = 440.0 * 2.0 ** ((number - 69) / 12)
        note = np.zeros(len(time))
        for harmonic in range(1, 5):
            if number and harmonic * pitch < 0.45 * sample_rate_hz:
                decay = np.exp(-time * 3.0 * harmonic / seconds)
                note += decay * np.sin(2 * np.pi * harmonic * pitch * time) / harmonic
        notes.append(note * _edges(len(time), sample_rate_hz // 200))
    return to_samples(amplitude(level_dbov) * np.concatenate(notes))


def speech(
    sample_rate_hz: int,
    duration_s: float,
    random: Random,
    *,
    pitch_hz: float = 120.0,
    level_dbov: float = -20.0,
) -> Samples:
    """Speech-like sound at about that level while it speaks; `random` decides what is "said"."""
    total = round(duration_s * sample_rate_hz)
    generator = np.random.default_rng(random.getrandbits(64))
    parts: list[NDArray[np.float64]] = []
    made = left_in_phrase = spoken = 0
    phase = 0.0
    vowel = random.choice(_VOWELS)
    while made < total:
        if left_in_phrase == 0:
            left_in_phrase = random.randint(4, 7)
            spoken = 0
            part = np.zeros(round(random.uniform(0.15, 0.35) * sample_rate_hz) if parts else 0)
        elif random.random() < 0.4:
            part = _hiss(round(random.uniform(0.04, 0.09) * sample_rate_hz), generator)
        else:
            part = np.zeros(round(random.uniform(0.01, 0.03) * sample_rate_hz))
        target = random.choice(_VOWELS)
        length = round(random.uniform(0.12, 0.22) * sample_rate_hz)
        # Pitch falls over the phrase, with an accent on each syllable.
        start_hz = pitch_hz * (1.15 - 0.05 * spoken) * random.uniform(0.95, 1.1)
        voiced, phase = _voiced(sample_rate_hz, length, start_hz, start_hz * 0.9, vowel, target, phase)
        parts += (part, voiced)
        made += len(part) + length
        vowel, left_in_phrase, spoken = target, left_in_phrase - 1, spoken + 1
    signal = np.concatenate(parts)[:total]
    loud = signal[np.abs(signal) > 0.05 * np.abs(signal).max()]
    return to_samples(signal * amplitude(level_dbov) / np.sqrt(2.0 * np.mean(loud**2)))


def demo_clip(sample_rate_hz: int, random: Random, *, voice: Literal["low", "high"]) -> Samples:
    """About four seconds, a tune and then speech: two clips that nobody and no correlation confuses."""
    if voice == "low":
        tune, pitch_hz = RISING_TUNE, 110.0
    else:
        tune, pitch_hz = FALLING_TUNE, 205.0
    pause = np.zeros(sample_rate_hz // 10, np.int16)
    return np.concatenate(
        (melody(sample_rate_hz, tune), pause, speech(sample_rate_hz, 1.8, random, pitch_hz=pitch_hz))
    )


def _voiced(
    sample_rate_hz: int,
    length: int,
    start_hz: float,
    end_hz: float,
    vowel: Sequence[float],
    target: Sequence[float],
    phase: float,
) -> tuple[NDArray[np.float64], float]:
    """One syllable that glides between two vowels; returns it and the phase where the pitch stopped."""
    pitch = np.linspace(start_hz, end_hz, length)
    phases = phase + np.cumsum(2 * np.pi * pitch / sample_rate_hz)
    glide = np.linspace(0.0, 1.0, length)
    signal = np.zeros(length)
    for harmonic in range(1, int(0.45 * sample_rate_hz / start_hz) + 1):
        frequency = harmonic * pitch
        gain = np.zeros(length)
        for begin, end, height, width in zip(vowel, target, _FORMANT_GAINS, _FORMANT_WIDTHS_HZ, strict=True):
            formant = begin + (end - begin) * glide
            gain += height / (1.0 + ((frequency - formant) / width) ** 2)
        signal += gain * np.sin(harmonic * phases)
    return signal * _edges(length, length // 4), float(phases[-1] % (2 * np.pi))


def _hiss(length: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """A consonant: noise with the lows differenced away."""
    return 0.15 * np.diff(generator.normal(0.0, 1.0, length + 1)) * _edges(length, length // 3)


def _edges(length: int, slope: int) -> NDArray[np.float64]:
    """An envelope of 1 with raised-cosine beginning and end."""
    envelope = np.ones(length)
    slope = min(slope, length // 2)
    if slope:
        rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(slope) + 0.5) / slope)
        envelope[:slope], envelope[-slope:] = rise, rise[::-1]
    return envelope
