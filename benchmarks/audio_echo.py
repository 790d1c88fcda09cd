"""Echo: how much of it is taken out of a call, and what that does to a voice that speaks at the same time.

A speaks to B, whose microphone hears its loudspeaker; what A's loudspeaker plays is what came back.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.speech import CLIPS, NARROW, SOUNDS, clips, pesq_of, read
from media.audio.resample import Resampler
from media.frame import Samples
from tests.interop.harness.pulse import RATE_HZ, Pulse

JUDGED_HZ = NARROW
_FAR_S = 16.0
_SETTLED_S = 2.5
"""Two seconds, and the way there and back."""
_NEAR_AFTER_S, _NEAR_S = 5.0, 8.0
_ECHO_DELAY_S, _ECHO_GAIN = 0.15, 0.2


def voice(which: str, seconds: float) -> Samples:
    """Recorded speech at the cards' rate. :raises Missing: where it is not installed"""
    files = clips(SOUNDS, CLIPS)[:: 2 if which == "near" else -2]
    spoken = np.concatenate([read(file) for file in files])[: int(seconds * NARROW)]
    return Resampler(NARROW, RATE_HZ).process(spoken)


class EchoRemoved:
    """Only the far end speaks."""

    def listen(self, server: Pulse) -> Samples:
        """What comes back to it, from its first word on."""
        with server.listens("a") as ear, server.speaks("a", voice("far", _FAR_S)):
            time.sleep(_FAR_S)
            return ear.heard()

    def decibels(self, without: Samples, with_it: Samples) -> tuple[float, float]:
        """How much softer the echo is with echo cancellation, once that has had its two seconds.

        In the middle one of the seconds, and over all: a block that the system lost changes the echo's delay,
        which costs a second.
        """
        start, end = int(_SETTLED_S * RATE_HZ), min(len(without), len(with_it))
        each = [
            _decibels(without[i : i + RATE_HZ], with_it[i : i + RATE_HZ])
            for i in range(start, end - RATE_HZ, RATE_HZ)
        ]
        return float(np.median(each)), _decibels(without[start:end], with_it[start:end])


class DoubleTalk:
    """Both speak; what A hears of B is compared with what B said."""

    def listen(self, server: Pulse) -> Samples:
        """What A hears while both speak."""
        near = voice("near", _NEAR_S)
        with server.listens("a") as ear, server.speaks("a", voice("far", _FAR_S)):
            time.sleep(_NEAR_AFTER_S)
            with server.speaks("b", near):
                time.sleep(_NEAR_S + 0.5)
            return ear.heard()

    def judged(self, recording: Samples) -> tuple[float, float]:
        """PESQ of B's voice in the call, and of what the engine alone makes of the same voices."""
        near = _judged(voice("near", _NEAR_S))
        heard = _aligned(_judged(recording), near)
        return pesq_of(near, heard), pesq_of(near, self._alone(near))

    def _alone(self, near: Samples) -> Samples:
        from media.audio.echo_cancellation import VoiceSettings

        engine = VoiceSettings(echo_cancellation=True).make(JUDGED_HZ, _ECHO_DELAY_S)
        assert engine is not None
        far = _judged(voice("far", _FAR_S))
        microphone = np.zeros(len(far))
        late = int(_ECHO_DELAY_S * JUDGED_HZ)
        microphone[late:] += _ECHO_GAIN * far[: len(far) - late]
        start = int(_NEAR_AFTER_S * JUDGED_HZ)
        microphone[start : start + len(near)] += near[: len(microphone) - start]
        recorded = np.clip(microphone, -32768, 32767).astype(np.int16)
        block = JUDGED_HZ // 50
        cleaned = [
            engine.process(recorded[i : i + block], far[i : i + block])
            for i in range(0, len(far) - block + 1, block)
        ]
        return _aligned(np.concatenate(cleaned), near)


def _judged(samples: Samples) -> Samples:
    return Resampler(RATE_HZ, JUDGED_HZ).process(samples)


def _aligned(heard: Samples, said: Samples) -> Samples:
    """The part of what was heard that is what was said, wherever it begins."""
    size = 1 << (len(heard) + len(said)).bit_length()
    spectrum = np.fft.rfft(heard.astype(float), size) * np.conj(np.fft.rfft(said.astype(float), size))
    product = np.fft.irfft(spectrum, size)[: max(1, len(heard) - len(said) // 2)]
    start = int(np.argmax(product))
    part = heard[start : start + len(said)]
    return np.concatenate((part, np.zeros(len(said) - len(part), np.int16)))


def _decibels(loud: Samples, soft: Samples) -> float:
    return 20 * float(np.log10(_rms(loud) / max(0.5, _rms(soft))))


def _rms(samples: Samples) -> float:
    wide = samples.astype(float)
    return float(np.sqrt(np.mean(wide * wide)))


echo_removed = EchoRemoved()
double_talk = DoubleTalk()
