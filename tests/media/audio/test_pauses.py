"""media/audio/pauses.py and voice_activity.py: what is speech, and what is said of pauses."""

import numpy as np
import pytest

from media.audio.pauses import Pauses
from media.audio.synthesis import melody, speech
from media.audio.voice_activity import VoiceActivity
from media.frame import Samples


def noise(level: float, seconds: float, rate: int = 8000, seed: int = 1) -> Samples:
    return np.random.default_rng(seed).normal(0, level, int(rate * seconds)).astype(np.int16)


def blocks(samples: Samples, rate: int = 8000) -> list[Samples]:
    size = rate // 50
    return [samples[at : at + size] for at in range(0, len(samples) - size + 1, size)]


def voiced(seconds: float, rate: int = 8000, level: float = 6000) -> Samples:
    t = np.arange(int(seconds * rate)) / rate
    sound = sum(np.sin(2 * np.pi * 130 * n * t) / n for n in range(1, 12))
    return np.asarray(sound * level / 2, np.int16)


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("level", [0, 10, 60, 200])
def test_speech_stands_out_of_noise(rate: int, level: int) -> None:
    detector = VoiceActivity(rate)
    background = noise(level, 6, rate)
    sound = background.copy()
    sound[2 * rate : 3 * rate] += voiced(1, rate)
    active = np.array([detector.is_active(block) for block in blocks(sound, rate)])
    assert active[100:150].all()  # the speech, and what follows it at once
    assert active[150:158].all()
    assert not active[40:99].any()
    assert not active[170:].any()


def test_no_speech_is_missed_in_a_melody() -> None:
    detector = VoiceActivity(8000)
    sound = melody(8000)
    parts = blocks(sound)
    missed = [part for part in parts if not detector.is_active(part)]
    loud = [part for part in missed if np.abs(part).max() > 1500]
    assert len(loud) <= len(parts) // 50


def test_a_noise_that_grows_is_followed() -> None:
    detector = VoiceActivity(8000)
    for block in blocks(noise(20, 2)):
        detector.is_active(block)
    active = [detector.is_active(block) for block in blocks(noise(120, 12))]
    assert not any(active[-100:])


def test_digital_silence_is_no_speech_from_the_first_block_on() -> None:
    detector = VoiceActivity(8000)
    assert not any(detector.is_active(np.zeros(160, np.int16)) for _ in range(10))


def test_what_is_sent_in_a_pause() -> None:
    """The description at its beginning, after 200 ms, and then once a second."""
    pauses = Pauses(8000)
    said = [pauses.told(block) for block in blocks(np.concatenate((noise(50, 2), voiced(1), noise(50, 5))))]
    assert all(said[n] is None for n in range(100, 150))
    after = said[150:]
    begin = next(n for n, payload in enumerate(after) if payload is not None)
    assert 5 <= begin <= 15
    pause = after[begin:]
    assert None not in pause
    sent = [n for n, payload in enumerate(pause) if payload]
    assert sent[0] == 0
    assert sent[1] == 10
    assert all(40 <= gap <= 60 for gap in np.diff(sent[1:]))
    level = pause[sent[1]]
    assert level is not None
    assert abs(level[0] - 56.3) < 2  # RMS 50 in -dBov


def test_a_changed_level_is_told_soon() -> None:
    pauses = Pauses(8000)
    for block in blocks(noise(50, 3)):
        pauses.told(block)
    said = [pauses.told(block) for block in blocks(noise(18, 0.6))]
    told = [payload[0] for payload in said if payload]
    assert told
    assert abs(told[-1] - 65.2) < 2


def test_silence_is_told_in_one_byte() -> None:
    pauses = Pauses(16000)
    assert pauses.told(np.zeros(320, np.int16)) == bytes((127,))
    assert pauses.told(np.zeros(320, np.int16)) == b""


def test_speech_like_sound_is_sent() -> None:
    import random

    pauses = Pauses(8000)
    sound = speech(8000, 6.0, random.Random(1))
    parts = blocks(sound)
    left_out = [part for part in parts if pauses.told(part) is not None]
    energy = sum(float(np.sum(part.astype(float) ** 2)) for part in left_out)
    assert energy < 0.01 * float(np.sum(sound.astype(float) ** 2))
