"""WebRTC's audio processing module; the one module that imports pywebrtc_audio (the extra `aec`)."""

from typing import Any

import numpy as np
from pywebrtc_audio import AudioProcessor

from media.audio.echo_cancellation import VoiceSettings
from media.frame import Samples

_NOISE_LEVEL = 1
"""12 dB: more is heard in the voice."""


class WebRtcProcessor:
    """Echo cancellation (AEC3), noise suppression and gain control at any rate from 8 kHz on."""

    def __init__(self, sample_rate_hz: int, settings: VoiceSettings, delay_s: float) -> None:
        self._engine: Any = AudioProcessor(
            sample_rate=sample_rate_hz,
            echo_cancellation=settings.echo_cancellation is not False,
            noise_suppression=settings.noise_suppression,
            auto_gain_control=settings.gain_control,
            ns_level=_NOISE_LEVEL,
            stream_delay_ms=round(delay_s * 1000),
        )

    def process(self, near: Samples, far: Samples) -> Samples:
        """See `media.audio.echo_cancellation.VoiceProcessor`."""
        cleaned: Samples = self._engine.process(np.ascontiguousarray(near), np.ascontiguousarray(far))
        return cleaned
