"""Recordings: every sample in its place, readable at any moment, and never a burden to the call."""

import gc
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typing_extensions import Buffer

from media.errors import BadAudio
from media.files import FileRecorder, Recording
from media.frame import AudioFrame, Samples

RATE = 8000


def now(work: Callable[[], object]) -> None:
    work()


def noise(n: int, seed: int = 1) -> Samples:
    return np.random.default_rng(seed).integers(-20000, 20000, n).astype(np.int16)


def frames(samples: Samples, start: int = 0, n: int = 160, rate: int = RATE) -> list[AudioFrame]:
    return [AudioFrame(samples[i : i + n], rate, start + i) for i in range(0, len(samples), n)]


def read(path: Path) -> tuple[Samples, int]:
    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    return samples, rate


def test_stereo_has_the_sent_left_and_the_received_right(tmp_path: Path) -> None:
    path = tmp_path / "both.wav"
    ours, theirs = noise(16000, 1), noise(16000, 2)
    recorder = FileRecorder(path, RATE, now)
    for left, right in zip(frames(ours), frames(theirs), strict=True):
        recorder.sent.push(left)
        recorder.received.push(right)
    results: list[Recording] = []
    recorder.close(results.append)
    assert results == [Recording(str(path), 16000, RATE, 2, 0)]
    assert recorder.wait(0) == results[0]
    assert results[0].duration == 2.0
    samples, rate = read(path)
    assert rate == RATE
    assert np.array_equal(samples, np.stack((ours, theirs), axis=1))


@pytest.mark.parametrize("layout", ["sent", "received"])
def test_mono_has_one_party(tmp_path: Path, layout: str) -> None:
    path = tmp_path / "one.wav"
    ours, theirs = noise(1600, 1), noise(1600, 2)
    recorder = FileRecorder(path, RATE, now, layout="sent" if layout == "sent" else "received")
    for left, right in zip(frames(ours), frames(theirs), strict=True):
        recorder.sent.push(left)
        recorder.received.push(right)
    recorder.close()
    samples, _ = read(path)
    assert np.array_equal(samples[:, 0], ours if layout == "sent" else theirs)


def test_silence_where_nothing_came(tmp_path: Path) -> None:
    path = tmp_path / "gaps.wav"
    recorder = FileRecorder(path, RATE, now)
    ours, theirs = noise(4000, 1), noise(800, 2)
    for frame in frames(ours, start=80_000):  # recording began in mid-call
        recorder.sent.push(frame)
    for frame in frames(theirs, start=80_000 + 1600):
        recorder.received.push(frame)
    for frame in frames(ours[:160], start=80_000 + 40_000):
        recorder.sent.push(frame)
    recorder.close()
    samples, _ = read(path)
    expected = np.zeros((40_160, 2), np.int16)
    expected[:4000, 0] = ours
    expected[1600:2400, 1] = theirs
    expected[40_000:, 0] = ours[:160]
    assert np.array_equal(samples, expected)


def test_a_side_that_restarts_goes_on_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "restart.wav"
    recorder = FileRecorder(path, RATE, now, layout="received")
    first, second = noise(16000, 1), noise(16000, 2)
    for frame in frames(first, start=1_000_000) + frames(second, start=0):
        recorder.received.push(frame)
    recorder.close()
    samples, _ = read(path)
    assert np.array_equal(samples[:, 0], np.concatenate((first, second)))


def test_a_codec_change_is_converted(tmp_path: Path) -> None:
    path = tmp_path / "change.wav"
    recorder = FileRecorder(path, RATE, now, layout="received")
    tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    for frame in frames(noise(8000)) + frames(tone.astype(np.int16), start=16000, n=320, rate=16000):
        recorder.received.push(frame)
    for frame in frames(noise(1600, 3), start=16000):
        recorder.received.push(frame)
    recorder.close()
    samples, _ = read(path)
    assert len(samples) == 17600
    expected = 8000 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    assert np.abs(samples[8500:15500, 0] - expected[500:7500]).max() < 40
    assert np.array_equal(samples[16000:, 0], noise(1600, 3))


def test_readable_though_never_closed(tmp_path: Path) -> None:
    path = tmp_path / "crash.wav"
    recorder = FileRecorder(path, RATE, now)
    assert len(read(path)[0]) == 0
    ours = noise(5 * RATE)
    for frame in frames(ours):
        recorder.sent.push(frame)
    copy = tmp_path / "copy.wav"
    copy.write_bytes(path.read_bytes())
    samples, _ = read(copy)
    assert len(samples) >= 3.7 * RATE
    assert np.array_equal(samples[:, 0], ours[: len(samples)])
    recorder.close()


def test_into_an_open_file_object() -> None:
    file = io.BytesIO()
    recorder = FileRecorder(file, RATE, now, layout="sent")
    recorder.sent.push(AudioFrame(noise(160), RATE, 0))
    recorder.close()
    assert not file.closed
    file.seek(0)
    assert np.array_equal(soundfile.read(file, dtype="int16")[0], noise(160))
    assert recorder.wait(0).path is None


def test_flac_by_suffix(tmp_path: Path) -> None:
    path = tmp_path / "call.flac"
    recorder = FileRecorder(path, RATE, now)
    recorder.sent.push(AudioFrame(noise(1600), RATE, 0))
    recorder.close()
    assert soundfile.info(path).format == "FLAC"
    assert np.array_equal(read(path)[0][:, 0], noise(1600))


def test_a_stalled_disk_costs_audio_and_nothing_else(tmp_path: Path) -> None:
    work: list[Callable[[], object]] = []
    path = tmp_path / "slow.wav"
    recorder = FileRecorder(path, RATE, work.append, layout="sent")
    sound = np.full(160, 1000, np.int16)
    for index in range(15 * 50):
        recorder.sent.push(AudioFrame(sound, RATE, index * 160))
    assert 4.9 * RATE < recorder.samples_dropped < 5.1 * RATE
    while work:
        work.pop(0)()
    recorder.sent.push(AudioFrame(sound, RATE, 15 * RATE))
    recorder.close()
    while work:
        work.pop(0)()
    result = recorder.wait(0)
    assert result.frames_written == 15 * RATE + 160
    assert result.samples_dropped == recorder.samples_dropped
    samples, _ = read(path)
    assert np.count_nonzero(samples) == 15 * RATE + 160 - result.samples_dropped


class FullDisk(io.BytesIO):
    """Takes no more than half a second."""

    def write(self, data: Buffer, /) -> int:
        if self.tell() > RATE:
            raise OSError(28, "No space left on device")
        return super().write(data)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_disk_that_is_full_from_the_start_is_told_once() -> None:
    with pytest.raises(BadAudio, match="No space left"):
        FileRecorder("/dev/full", 8000, lambda work: None)
    gc.collect()  # an error of what is collected fails the test


def test_a_full_disk_ends_the_recording(caplog: pytest.LogCaptureFixture) -> None:
    recorder = FileRecorder(FullDisk(), RATE, now, layout="sent")
    for frame in frames(noise(10 * RATE)):
        recorder.sent.push(frame)
    recorder.close()
    result = recorder.wait(0)
    assert result.error is not None
    assert "No space left on device" in result.error
    assert "No space left on device" in caplog.text
    assert result.frames_written < 10 * RATE


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(BadAudio, match=r"no/such\.wav cannot be recorded into: No such file"):
        FileRecorder(tmp_path / "no" / "such.wav", RATE, now)
    with pytest.raises(BadAudio, match="cannot be recorded into as XYZ"):
        FileRecorder(tmp_path / "call.xyz", RATE, now)


def test_wait_before_close(tmp_path: Path) -> None:
    recorder = FileRecorder(tmp_path / "open.wav", RATE, now)
    with pytest.raises(TimeoutError, match=r"was close\(\) called"):
        recorder.wait(0)
    recorder.close()
    recorder.close()
    assert recorder.wait(0).frames_written == 0


def test_a_mono_mix_of_both(tmp_path: Path) -> None:
    path = tmp_path / "mix.wav"
    ours, theirs = noise(16000, 1), noise(8000, 2)
    recorder = FileRecorder(path, RATE, now, layout="mix")
    late = frames(theirs, start=4000)
    for i, frame in enumerate(frames(ours)):
        recorder.sent.push(frame)
        if 25 <= i < 75:
            recorder.received.push(late[i - 25])
    recorder.close()
    assert recorder.wait(0).channels == 1
    mixed = ours.astype(int)
    mixed[4000:12000] += theirs
    samples, _ = read(path)
    assert np.array_equal(samples[:, 0], np.clip(mixed, -32768, 32767))


@pytest.mark.parametrize(
    ("name", "rate", "format", "subtype"),
    [
        ("a.opus", 8000, "OGG", "OPUS"),
        ("a.opus", 16000, "OGG", "OPUS"),
        ("a.ogg", 8000, "OGG", "VORBIS"),
        ("a.flac", 16000, "FLAC", "PCM_16"),
    ],
)
@pytest.mark.parametrize("layout", ["stereo", "mix"])
def test_other_formats(tmp_path: Path, name: str, rate: int, format: str, subtype: str, layout: str) -> None:
    path = tmp_path / name
    recorder = FileRecorder(path, rate, now, layout="stereo" if layout == "stereo" else "mix")
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)).astype(np.int16)
    for frame in frames(tone, n=rate // 50, rate=rate):
        recorder.sent.push(frame)
    recorder.close()
    result = recorder.wait(0)
    assert result.error is None
    info = soundfile.info(path)
    assert (info.format, info.subtype) == (format, subtype)
    assert info.channels == (2 if layout == "stereo" else 1)
    assert info.frames / info.samplerate == pytest.approx(2.0, abs=0.03)
    samples, read_rate = soundfile.read(path, dtype="float64", always_2d=True)
    middle = samples[read_rate // 2 : read_rate, 0]
    spectrum = np.abs(np.fft.rfft(middle))
    assert np.argmax(spectrum) * read_rate / len(middle) == pytest.approx(440, abs=3)


def test_opus_at_a_rate_it_has_not(tmp_path: Path) -> None:
    with pytest.raises(BadAudio, match=r"a\.opus cannot be recorded into as OPUS"):
        FileRecorder(tmp_path / "a.opus", 44100, now)


@pytest.mark.parametrize("early", [0, 4000])
def test_one_side_is_aligned_by_the_other(tmp_path: Path, early: int) -> None:
    """We send all the time, the peer speaks from 1 s to 2 s of 4: there is silence before and after."""
    path = tmp_path / "received.wav"
    theirs = noise(8000, 2)
    recorder = FileRecorder(path, RATE, now, layout="received")
    late = frames(theirs, start=8000 + early)
    for i, frame in enumerate(frames(noise(32000), start=early)):
        if 50 <= i < 100:
            recorder.received.push(late[i - 50])
        recorder.sent.push(frame)
    recorder.close()
    assert recorder.wait(0).duration == 4.0
    samples, _ = read(path)
    assert np.array_equal(samples[8000:16000, 0], theirs)
    assert not samples[:8000].any()
    assert not samples[16000:].any()
