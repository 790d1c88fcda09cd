"""sipmedia/testing/tape.py: each frame where its timestamp says."""

from pathlib import Path

import numpy as np
import pytest

from media.frame import AudioFrame
from sipmedia.testing import Sound, Tape, read_sound, tone, write_wav
from sipmedia.testing.tape import convert


def frame(timestamp: int, value: int = 1000, rate: int = 8000) -> AudioFrame:
    return AudioFrame(np.full(rate // 50, value, np.int16), rate, timestamp)


def test_what_never_came_is_silence() -> None:
    times = iter([10.0, 10.06])
    tape = Tape("bob", lambda: next(times))
    tape.push(frame(160))
    tape.push(frame(640, 2000))
    sound = tape.sound()
    assert (tape.frames, tape.seconds, sound.seconds) == (2, 0.1, 0.1)
    assert [int(sound.samples[at]) for at in (0, 160, 320, 640)] == [0, 1000, 0, 2000]
    assert sound.began == pytest.approx(9.98)


def test_a_frame_handed_over_late_does_not_move_the_beginning() -> None:
    times = iter([10.0, 10.07, 10.04])
    tape = Tape("bob", lambda: next(times))
    for number in range(3):
        tape.push(frame(160 * number))
    assert tape.sound().began == pytest.approx(10.0)


def test_seconds_go_on_when_the_rate_changes() -> None:
    tape = Tape("bob", lambda: 0.0)
    tape.push(frame(0))
    tape.push(frame(320, rate=16000))
    assert tape.seconds == pytest.approx(0.04)
    assert tape.sound().samples.all()


def test_nothing_yet() -> None:
    tape = Tape("bob", lambda: 0.0)
    assert (tape.seconds, tape.sound().seconds, tape.sound().began) == (0.0, 0.0, None)


def test_spans_and_files(tmp_path: Path) -> None:
    sound = Sound(tone(440, 1), 8000)
    assert len(sound.between(0.25, 0.5)) == 2000
    assert len(sound.between(0.9)) == 800
    assert len(sound.between(2, 3)) == 0
    write_wav(tmp_path / "tone.wav", sound)
    again = read_sound(tmp_path / "tone.wav")
    assert np.array_equal(again.samples, sound.samples)
    assert (again.name, again.rate) == ("tone.wav", 8000)


def test_another_rate_keeps_the_length() -> None:
    wide = Sound(tone(440, 1, 16000), 16000).at_rate(8000)
    assert wide.seconds == 1
    assert np.abs(wide.samples.astype(int) - tone(440, 1)).max() < 400
    assert convert(np.zeros(0, np.int16), 8000, 16000).size == 0
