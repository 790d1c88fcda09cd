"""Playback and recording with a real file thread, and what importing them loads."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile

from media.files import FilePlayback, FileRecorder, FileWork
from media.frame import AudioFrame

RATE = 8000


def on(files: ThreadPoolExecutor) -> FileWork:
    def run(work: Callable[[], object]) -> None:
        files.submit(work)

    return run


def test_every_sample_once_and_in_order(tmp_path: Path) -> None:
    """Copied from file to file faster than real time, waiting for the disk about as often as not."""
    samples = np.random.default_rng(1).integers(1, 30000, 60 * RATE).astype(np.int16)
    soundfile.write(tmp_path / "in.wav", samples, RATE)
    with ThreadPoolExecutor(1) as files:
        playback = FilePlayback(tmp_path / "in.wav", RATE, on(files))
        recorder = FileRecorder(tmp_path / "out.wav", RATE, on(files), layout="sent")
        blocks = 0
        while (frame := playback.pull(160)) is not None:
            recorder.sent.push(frame)
            blocks += 1
            assert blocks < 6000
            if blocks % 60 == 0:
                files.submit(int).result(10)
        recorder.close()
        result = recorder.wait(10)
    out, _ = soundfile.read(tmp_path / "out.wav", dtype="int16")
    assert result.frames_written == len(out)
    assert result.samples_dropped == 0
    assert np.array_equal(out[out != 0], samples)


def test_closing_while_it_plays(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "in.wav", np.ones(10 * RATE, np.int16), RATE)
    with ThreadPoolExecutor(1) as files:
        for pulls in range(20):
            playback = FilePlayback(tmp_path / "in.wav", RATE, on(files))
            for _ in range(pulls * 5):
                assert playback.pull(160) is not None
            playback.close()
            playback.close()
            assert playback.pull(160) is None
            assert playback.error is None


def test_two_recordings_share_the_thread(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as files:
        recorders = [FileRecorder(tmp_path / f"{i}.wav", RATE, on(files)) for i in range(2)]
        for index in range(200):
            for value, recorder in enumerate(recorders, 1):
                recorder.received.push(AudioFrame(np.full(160, value, np.int16), RATE, index * 160))
        for recorder in recorders:
            recorder.close()
        assert [recorder.wait(10).frames_written for recorder in recorders] == [32000, 32000]
    for value in (1, 2):
        samples, _ = soundfile.read(tmp_path / f"{value - 1}.wav", dtype="int16")
        assert set(samples[:, 1]) == {value}


def test_libraries_are_loaded_when_needed() -> None:
    code = (
        "import sys, media.files, media.codec; "
        "sys.exit(', '.join({'soundfile', 'soxr', 'G722', 'sounddevice'} & set(sys.modules)) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
