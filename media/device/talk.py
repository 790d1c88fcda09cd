"""A person in a call, on the media thread: the microphone is a source, the loudspeaker a sink.

    microphone - CaptureLine - clean - gain, mute - pull    (sent)
    loudspeaker - PlaybackLine - volume - push              (received)

Lines come and go with devices; without one there is silence, and the call goes on. What is set here may be
set from any thread.
"""

from collections.abc import Callable

import numpy as np

from media.audio.echo_cancellation import VoiceProcessor, VoiceSettings
from media.device.capture import CaptureLine
from media.device.metering import Meter
from media.device.playback import PlaybackLine
from media.frame import AudioFrame, Samples


class TalkPath:
    """`AudioSource` and `AudioSink` of the call that a person takes part in.

    `rate_hz` says at every pull what the call wants. `microphone` and `loudspeaker` measure: the one what
    was recorded, before anything is done to it, the other what is played.
    """

    def __init__(self, settings: VoiceSettings | None = None) -> None:
        self.rate_hz: Callable[[], int] = lambda: 8000
        self.microphone = Meter()
        self.loudspeaker = Meter()
        self.muted = False
        self.gain = 1.0
        self.volume = 1.0
        self.capture: CaptureLine | None = None
        self.playback: PlaybackLine | None = None
        self.delay_s = 0.0
        """Between a sample's being played and being recorded, as the devices say."""
        self._settings = settings or VoiceSettings()
        self._processor: VoiceProcessor | None = None
        self._processor_is_for: tuple[int, CaptureLine, CaptureLine] | None = None
        self._gain_now = 1.0
        self._volume_now = 1.0
        self._position = 0

    @property
    def settings(self) -> VoiceSettings:
        """What is done to the voice; takes effect with the next block."""
        return self._settings

    @settings.setter
    def settings(self, settings: VoiceSettings) -> None:
        self._settings = settings
        self._processor_is_for = None

    def pull(self, n: int) -> AudioFrame:
        """What the person says, `n` samples of it; silence while there is no microphone."""
        rate_hz = self.rate_hz()
        line = self.capture
        if line is None:
            samples = np.zeros(n, np.int16)
        else:
            samples = line.pull(n, rate_hz)
            self.microphone.measure(samples, rate_hz)
            samples = self._cleaned(line, samples, rate_hz)
        before, self._gain_now = self._gain_now, 0.0 if self.muted else self.gain
        position, self._position = self._position, self._position + n
        return AudioFrame(_scaled(samples, before, self._gain_now), rate_hz, position)

    def push(self, frame: AudioFrame) -> None:
        """Let the person hear a frame."""
        before, self._volume_now = self._volume_now, self.volume
        samples = _scaled(frame.samples, before, self._volume_now)
        self.loudspeaker.measure(samples, frame.sample_rate_hz)
        line = self.playback
        if line is not None:
            line.push(samples, frame.sample_rate_hz)

    def _cleaned(self, line: CaptureLine, near: Samples, rate_hz: int) -> Samples:
        playback = self.playback
        reference = None if playback is None else playback.reference
        if reference is None:
            if self._settings.noise_suppression or self._settings.gain_control:
                reference = line  # nothing is played: what is improved has no echo in it
            else:
                return near
        wanted = (rate_hz, line, reference)
        if self._processor_is_for != wanted:
            self._processor_is_for = wanted
            self._processor = self._settings.make(rate_hz, self.delay_s)
        far = np.zeros(len(near), np.int16) if reference is line else reference.pull(len(near), rate_hz, line)
        if self._processor is None or len(near) * 100 % rate_hz:
            return near
        return self._processor.process(near, far)


def _scaled(samples: Samples, before: float, after: float) -> Samples:
    """Louder or softer; a change is a ramp over the block, so that it does not click."""
    if before == after == 1.0:
        return samples
    if before == after == 0.0:
        return np.zeros(len(samples), np.int16)
    gain = (
        np.float32(after) if before == after else np.linspace(before, after, len(samples), dtype=np.float32)
    )
    out: Samples = np.clip(samples * gain, -32768, 32767).astype(np.int16)
    return out
