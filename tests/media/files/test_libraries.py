"""What is said when a library of the files is missing."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from media.errors import BadAudio
from media.files import FilePlayback, FileRecorder
from media.frame import AudioFrame


def now(work: Callable[[], object]) -> None:
    work()


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.zeros(800, np.int16), 8000)
    return path


def test_without_soundfile(wav: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(BadAudio, match=r"playing .*sound\.wav needs the package soundfile .*pip install"):
        FilePlayback(wav, 8000, now)
    with pytest.raises(BadAudio, match="recording FLAC needs the package soundfile"):
        FileRecorder(wav.with_suffix(".flac"), 8000, now)
    recorder = FileRecorder(wav.with_name("other.wav"), 8000, now)
    recorder.sent.push(AudioFrame(np.zeros(160, np.int16), 8000))
    recorder.close()
    assert recorder.wait(0).frames_written == 160


def test_without_soxr(wav: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)
    assert FilePlayback(wav, 8000, now).pull(160) is not None
    with pytest.raises(
        BadAudio, match=r"playing .* means converting 8000 Hz to 16000 Hz, which needs .*soxr"
    ):
        FilePlayback(wav, 16000, now)
    recorder = FileRecorder(wav, 8000, now)
    recorder.sent.push(AudioFrame(np.zeros(320, np.int16), 16000))
    recorder.close()
    assert "needs the package soxr" in str(recorder.wait(0).error)
    assert "needs the package soxr" in caplog.text
