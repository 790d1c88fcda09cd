"""Sounds for tests to say: the same from the same arguments, and told apart from each other."""

from __future__ import annotations

from random import Random

from media.audio.synthesis import speech as synthetic_speech
from media.audio.tones import ToneSource
from media.frame import Samples


def speech(seconds: float = 4.0, seed: int = 1, rate: int = 8000) -> Samples:
    """Speech-like samples, others for each seed: what correlation finds exactly."""
    return synthetic_speech(rate, seconds, Random(seed), pitch_hz=110.0 + 12 * (seed % 10))


def tone(hz: float, seconds: float = 1.0, rate: int = 8000) -> Samples:
    """A pure tone, 20 dB below full scale."""
    frame = ToneSource(rate, (hz,), level_dbov=-20.0).pull(round(seconds * rate))
    assert frame is not None
    return frame.samples
