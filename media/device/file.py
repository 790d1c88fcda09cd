"""Files in place of a microphone and a loudspeaker: one is said, the other is what was heard."""

import numpy as np

from media.device.virtual import VirtualCard
from media.files import File, FilePlayback, FileRecorder
from media.files.work import name_of
from media.frame import AudioFrame, Samples
from media.runtime import Runtime, current_runtime

RATE_HZ = 48000


def file_microphone(file: File, *, repeat: int | None = 1, runtime: Runtime | None = None) -> VirtualCard:
    """A microphone that a file is played into, `repeat` times (None: for ever); silence after that.

    Raises `BadAudio` when the file cannot be read.
    """
    runtime = runtime or current_runtime()
    playback = FilePlayback(file, RATE_HZ, runtime.run_file_work, repeat=repeat)

    def said(n: int, _rate_hz: int) -> Samples:
        frame = playback.pull(n)
        return np.zeros(n, np.int16) if frame is None else frame.samples

    return VirtualCard(f"file:{name_of(file)}", microphone=said, rates_hz=(RATE_HZ,), on_close=playback.close)


def file_loudspeaker(file: File, *, runtime: Runtime | None = None) -> VirtualCard:
    """A loudspeaker that is recorded, at 48 kHz (WAV, or by suffix .flac, .ogg, .opus).

    Raises `BadAudio` when the file cannot be written.
    """
    runtime = runtime or current_runtime()
    recorder = FileRecorder(file, RATE_HZ, runtime.run_file_work, layout="received")
    position = 0

    def heard(samples: Samples, rate_hz: int) -> None:
        nonlocal position
        recorder.received.push(AudioFrame(samples.copy(), rate_hz, position))
        position += len(samples)

    return VirtualCard(
        f"file:{name_of(file)}", loudspeaker=heard, rates_hz=(RATE_HZ,), on_close=recorder.close
    )
