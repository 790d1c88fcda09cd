"""Cleaning what a microphone hears: echo, noise, loudness; one interface, and the engines behind it.

A `VoiceProcessor` gets what was recorded (`near`) beside what the loudspeaker played in the same time
(`far`), and gives what shall be sent. The engine is WebRTC's (`media.audio.webrtc`, the extra `aec`);
without it echo can still be kept from the far end by being silent while it speaks (`Ducker`).
"""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Protocol

import numpy as np

from media.device.errors import ProcessingUnavailable
from media.frame import Samples


class VoiceProcessor(Protocol):
    """Cleans one microphone's sound."""

    def process(self, near: Samples, far: Samples) -> Samples:
        """What is to be sent of `near`; both are of one length, a whole number of 10 ms."""
        ...


@dataclass(frozen=True, slots=True)
class VoiceSettings:
    """What is done to a microphone's sound.

    `echo_cancellation`: None does it where the extra `aec` is installed; True does it, or else is silent
    while the far end speaks (`Ducker`). `noise_suppression` (steady noise, by 12 dB) and `gain_control`
    (quiet voices louder) need the extra.
    """

    echo_cancellation: bool | None = None
    noise_suppression: bool = False
    gain_control: bool = False

    def check(self) -> None:
        """Raises `ProcessingUnavailable` for what cannot be done here."""
        if engine_installed():
            return
        if self.noise_suppression:
            raise ProcessingUnavailable("noise suppression")
        if self.gain_control:
            raise ProcessingUnavailable("automatic gain control")

    @property
    def engine(self) -> str:
        """What does it: "webrtc", "ducking" or "off"."""
        if engine_installed() and (self.echo_cancellation is not False or self._improves):
            return "webrtc"
        return "ducking" if self.echo_cancellation else "off"

    @property
    def _improves(self) -> bool:
        return self.noise_suppression or self.gain_control

    def make(self, sample_rate_hz: int, delay_s: float) -> VoiceProcessor | None:
        """A processor for that rate; None when there is nothing to do.

        `delay_s` is what lies between a sample's being played and being recorded, as far as is known.
        """
        if self.engine == "webrtc":
            from media.audio.webrtc import WebRtcProcessor

            return WebRtcProcessor(sample_rate_hz, self, delay_s)
        return Ducker(sample_rate_hz, delay_s) if self.engine == "ducking" else None


def engine_installed() -> bool:
    """Whether the extra `aec` is."""
    return find_spec("pywebrtc_audio") is not None


_FAR_SPEAKS = 300.0
"""-41 dB below full scale: louder than the noise of a line, softer than any speech."""
_NEAR_IS_LOUDER = 1.5
_HANG_S = 0.25
"""For so long after the far end's last sound its echo may still come."""
_DUCKED = 0.02


class Ducker:
    """Half duplex: while the far end speaks, and its echo rings on, what is recorded is 34 dB softer.

    Unless the near voice is clearly louder than what is played, so that one can break in. Changes are
    ramps of 20 ms and do not click.
    """

    def __init__(self, sample_rate_hz: int, delay_s: float) -> None:
        self._rate_hz = sample_rate_hz
        self._hang_s = _HANG_S + delay_s
        self._since_far_s = np.inf
        self._far_level = 0.0
        self._gain = 1.0

    def process(self, near: Samples, far: Samples) -> Samples:
        """See `VoiceProcessor`."""
        seconds = len(near) / self._rate_hz
        far_level, near_level = _level(far), _level(near)
        self._since_far_s = 0.0 if far_level > _FAR_SPEAKS else self._since_far_s + seconds
        self._far_level = max(far_level, self._far_level * 0.9)
        echo_due = self._since_far_s < self._hang_s
        breaks_in = near_level > _NEAR_IS_LOUDER * max(self._far_level, _FAR_SPEAKS)
        before, self._gain = self._gain, _DUCKED if echo_due and not breaks_in else 1.0
        if before == self._gain == 1.0:
            return near
        return (near * np.linspace(before, self._gain, len(near), dtype=np.float32)).astype(np.int16)


def _level(samples: Samples) -> float:
    wide = samples.astype(np.float32)
    return float(np.sqrt(wide @ wide / max(1, len(wide))))
