"""Playback: the samples of the file, at the rate of the call, without ever waiting."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from media.errors import BadAudio
from media.files import FilePlayback
from media.files.playback import AHEAD_S
from media.frame import Samples

RATE = 8000


def now(work: Callable[[], object]) -> None:
    work()


def noise(n: int, seed: int = 1) -> Samples:
    return np.random.default_rng(seed).integers(-20000, 20000, n).astype(np.int16)


def sine(rate: int, seconds: float, hz: float = 440.0) -> Samples:
    return (8000 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.int16)


def everything(playback: FilePlayback, n: int = 160) -> Samples:
    parts = []
    position = None
    while (frame := playback.pull(n)) is not None:
        assert len(frame.samples) == n
        assert position is None or frame.timestamp == position
        position = frame.timestamp + n
        parts.append(frame.samples)
    return np.concatenate(parts)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_the_same_rate_is_sample_exact(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"exact.{suffix}"
    samples = noise(5 * RATE + 7)
    soundfile.write(path, samples, RATE)
    playback = FilePlayback(path, RATE, now)
    assert playback.duration_s == pytest.approx(5.000875)
    played = everything(playback)
    assert np.array_equal(played[: len(samples)], samples)
    assert len(played) == 5 * RATE + 160
    assert not played[len(samples) :].any()
    assert playback.pull(160) is None
    assert playback.underruns == 0


@pytest.mark.parametrize(
    ("subtype", "tolerance"), [("ULAW", 700), ("PCM_24", 0), ("FLOAT", 1), ("PCM_U8", 256)]
)
def test_other_sample_formats(tmp_path: Path, subtype: str, tolerance: int) -> None:
    path = tmp_path / "format.wav"
    soundfile.write(path, noise(800) / 32768.0, RATE, subtype=subtype)
    played = everything(FilePlayback(path, RATE, now))
    assert np.abs(played.astype(int) - noise(800)).max() <= tolerance


def test_stereo_is_mixed(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.stack((np.full(160, 1000), np.full(160, -400)), axis=1).astype(np.int16), RATE)
    assert set(everything(FilePlayback(path, RATE, now))) == {300}


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000])
def test_any_rate_is_converted(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "rate.wav"
    soundfile.write(path, sine(rate, 3.0), rate)
    played = everything(FilePlayback(path, 16000, now), 320)
    assert abs(len(played) - 48000) <= 320
    expected = sine(16000, 3.0)
    assert np.abs(played[1000:47000].astype(int) - expected[1000:47000]).max() < 60


def test_repeats(tmp_path: Path) -> None:
    path = tmp_path / "loop.wav"
    soundfile.write(path, noise(1000), RATE)
    assert np.array_equal(everything(FilePlayback(path, RATE, now, repeat=3))[:3000], np.tile(noise(1000), 3))
    endless = FilePlayback(path, RATE, now, repeat=None)
    for _ in range(1000):
        assert endless.pull(160) is not None
    endless.close()
    assert endless.pull(160) is None


def test_an_open_file_object_stays_open() -> None:
    file = io.BytesIO()
    soundfile.write(file, noise(480), RATE, format="WAV")
    file.seek(0)
    assert np.array_equal(everything(FilePlayback(file, RATE, now)), noise(480))
    assert not file.closed


def test_memory_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.zeros(60 * RATE, np.int16), RATE)
    playback = FilePlayback(path, RATE, now)
    most = 0
    while playback.pull(160) is not None:
        most = max(most, sum(len(block) for block in playback._ahead.blocks))
    assert most <= (AHEAD_S + 0.5) * RATE


def test_a_slow_disk_gives_silence_and_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "slow.wav"
    soundfile.write(path, np.full(RATE, 1000, np.int16), RATE)
    work: list[Callable[[], object]] = []
    playback = FilePlayback(path, RATE, work.append)
    pulled = [playback.pull(160) for _ in range(50)]
    assert all(frame is not None for frame in pulled)
    assert playback.underruns > 0
    while work:
        work.pop(0)()
    rest = everything(playback)
    heard = sum(np.count_nonzero(frame.samples) for frame in pulled if frame is not None)
    assert heard + np.count_nonzero(rest) == RATE


class BrokenFile:
    """What soundfile does when the disk breaks."""

    samplerate = RATE

    def read(self, frames: int, dtype: str, always_2d: bool) -> None:
        raise RuntimeError("Input/output error")

    def close(self) -> None:
        pass


def test_a_disk_that_breaks_ends_the_playback(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "broken.wav"
    soundfile.write(path, noise(RATE), RATE)
    work: list[Callable[[], object]] = []
    playback = FilePlayback(path, RATE, work.append)
    playback._file.close()
    playback._file = BrokenFile()
    while work:
        work.pop(0)()
    assert len(everything(playback)) == 2080  # the quarter second that was read, in whole blocks
    assert "broken.wav cannot be read on: Input/output error" in str(playback.error)
    assert "Input/output error" in caplog.text


def test_a_truncated_file_plays_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    soundfile.write(path, noise(8000), RATE)
    path.write_bytes(path.read_bytes()[:8044])
    assert np.array_equal(everything(FilePlayback(path, RATE, now)), noise(8000)[:4000])


def test_files_that_cannot_be_played(tmp_path: Path) -> None:
    with pytest.raises(BadAudio, match=r"missing\.wav cannot be opened: No such file"):
        FilePlayback(tmp_path / "missing.wav", RATE, now)
    with pytest.raises(BadAudio, match="cannot be opened: Is a directory"):
        FilePlayback(tmp_path, RATE, now)
    text = tmp_path / "text.wav"
    text.write_text("this is no sound")
    with pytest.raises(BadAudio, match=r"text\.wav is no audio file that can be played"):
        FilePlayback(text, RATE, now)
    with pytest.raises(BadAudio, match="the open file object is no audio file"):
        FilePlayback(io.BytesIO(b"RIFF"), RATE, now)
    empty = tmp_path / "empty.wav"
    soundfile.write(empty, noise(0), RATE)
    with pytest.raises(BadAudio, match="has no audio in it"):
        FilePlayback(empty, RATE, now)


def test_seek(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.arange(30000, dtype=np.int16), RATE)
    work: list[Callable[[], object]] = []
    playback = FilePlayback(path, RATE, work.append)

    def pull() -> int:
        while work:
            work.pop(0)()
        frame = playback.pull(160)
        assert frame is not None
        return int(frame.samples[0])

    assert [pull(), pull()] == [0, 160]
    playback.seek(2.5)
    assert pull() == 20000
    assert playback.position_s == pytest.approx(2.52)
    assert pull() == 20160
    playback.seek(0.0)
    assert [pull(), pull()] == [0, 160]
    playback.seek(3.7)  # all of the rest is read ahead at once
    assert pull() == 29600
    playback.seek(1.0)  # and one may still go back
    assert pull() == 8000
    playback.seek(99.0)
    while work:
        work.pop(0)()
    assert playback.pull(160) is None
    with pytest.raises(BadAudio, match="from -1 s on"):
        playback.seek(-1)


def test_seek_in_a_loop_at_another_rate(tmp_path: Path) -> None:
    path = tmp_path / "loop.flac"
    soundfile.write(path, np.repeat(np.arange(1, 5, dtype=np.int16) * 1000, 16000), 16000)
    playback = FilePlayback(path, RATE, now, repeat=None)
    playback.seek(2.2)
    frames = [playback.pull(160) for _ in range(250)]
    heard = [int(frame.samples[80]) for frame in frames if frame is not None]
    assert np.allclose([heard[i] for i in (10, 60, 110, 160, 210)], [3000, 4000, 1000, 2000, 3000], atol=2)
