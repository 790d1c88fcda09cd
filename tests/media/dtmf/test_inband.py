"""Keys in the sound: Q.23 and Q.24's limits, and nothing in speech."""

import os
import wave
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from media.audio.synthesis import melody, speech
from media.audio.tones import DTMF_FREQUENCIES, amplitude, sweep, white_noise
from media.codec import registry
from media.dtmf.inband import InbandDetector
from media.dtmf.telephone_event import DtmfDigit
from media.frame import Samples

KEYS = "1234567890*#ABCD"
SPEECH = Path(os.environ.get("SIPMEDIA_SPEECH", "/usr/share/asterisk/sounds/en_US_f_Allison"))
Signal = NDArray[np.float64]


def tone(
    key: str,
    ms: float = 50,
    rate: int = 8000,
    *,
    low_dbov: float = -16.0,
    high_dbov: float = -16.0,
    low_off: float = 0.0,
    high_off: float = 0.0,
    phase: float = 0.0,
) -> Signal:
    low, high = DTMF_FREQUENCIES[key]
    time = 2 * np.pi * np.arange(round(rate * ms / 1000)) / rate
    return amplitude(low_dbov) * np.sin(low * (1 + low_off) * time + phase) + amplitude(high_dbov) * np.sin(
        high * (1 + high_off) * time + 2 * phase
    )


def pause(ms: float, rate: int = 8000) -> Signal:
    return np.zeros(round(rate * ms / 1000))


def detect(*parts: Signal, rate: int = 8000, block_ms: int = 20) -> list[DtmfDigit]:
    signal = np.concatenate([pause(33, rate), *parts, pause(100, rate)])
    samples = np.clip(np.rint(signal), -32768, 32767).astype(np.int16)
    return listen(samples, rate, block_ms)


def listen(samples: Samples, rate: int, block_ms: int = 20) -> list[DtmfDigit]:
    detector, size = InbandDetector(rate), rate * block_ms // 1000
    found: list[DtmfDigit] = []
    for start in range(0, len(samples), size):
        found += detector.process(samples[start : start + size])
    return found


def digits(found: list[DtmfDigit]) -> str:
    return "".join(digit.digit for digit in found)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize(("on", "off"), [(40, 40), (50, 50), (100, 60), (500, 45)])
def test_all_keys(rate: int, on: int, off: int) -> None:
    parts = [part for i, key in enumerate(KEYS) for part in (tone(key, on, rate, phase=i), pause(off, rate))]
    found = detect(*parts, rate=rate)
    assert digits(found) == KEYS
    assert all(abs(digit.duration_ms - on) <= 10 for digit in found)
    assert {digit.volume_dbm0 for digit in found} <= {-7, -6}


@pytest.mark.parametrize("ms", [10, 15, 20, 23])
def test_what_is_too_short_is_no_key(ms: int) -> None:
    assert digits(detect(*(part for key in KEYS for part in (tone(key, ms), pause(50))))) == ""


@pytest.mark.parametrize("off", [0.015, -0.015])
@pytest.mark.parametrize("key", KEYS)
def test_frequencies_a_little_off_are_accepted(key: str, off: float) -> None:
    for low, high in ((off, off), (off, 0.0), (0.0, off), (off, -off)):
        assert digits(detect(tone(key, 40, low_off=low, high_off=high))) == key


@pytest.mark.parametrize("off", [0.035, -0.035, 0.05, -0.05])
@pytest.mark.parametrize("key", KEYS)
def test_frequencies_far_off_are_refused(key: str, off: float) -> None:
    for low, high in ((off, off), (off, 0.0), (0.0, off)):
        assert digits(detect(tone(key, 60, low_off=low, high_off=high))) == ""


@pytest.mark.parametrize("key", KEYS)
def test_twist_and_level(key: str) -> None:
    for low, high in ((-12.0, -20.0), (-20.0, -16.0), (-9.2, -9.2), (-36.0, -36.0)):
        assert digits(detect(tone(key, low_dbov=low, high_dbov=high))) == key
    for low, high in ((-12.0, -26.0), (-26.0, -12.0), (-60.0, -60.0)):
        assert digits(detect(tone(key, low_dbov=low, high_dbov=high))) == ""


def test_an_interruption_of_10_ms_is_none() -> None:
    for key in KEYS:
        signal = tone(key, 100)
        signal[360:440] = 0
        assert digits(detect(signal)) == key
    assert digits(detect(tone("5", 45), pause(40), tone("5", 45))) == "55"


def test_one_key_may_follow_another_without_a_pause() -> None:
    assert digits(detect(tone("1", 60), tone("6", 60), tone("#", 60))) == "16#"


@pytest.mark.parametrize("snr_db", [24, 15])
def test_noise(snr_db: int) -> None:
    generator = np.random.default_rng(snr_db)
    for i, key in enumerate(KEYS * 4):
        signal = np.concatenate([pause(40), tone(key, 50, phase=i), pause(60)])
        noise = generator.normal(0, amplitude(-16) * 10 ** (-snr_db / 20), len(signal))
        assert digits(detect(signal + noise)) == key


@pytest.mark.parametrize("name", ["PCMU", "PCMA", "G722"])
def test_through_codecs(name: str) -> None:
    codec = registry.get(name)
    rate = codec.sample_rate_hz
    parts = [part for key in KEYS for part in (tone(key, 80, rate), pause(60, rate))]
    samples = np.rint(np.concatenate([*parts, pause(100, rate)])).astype(np.int16)
    encoder, decoder = codec.make_encoder(), codec.make_decoder()
    size = codec.sample_rate_hz // 50
    heard = [
        decoder.decode(encoder.encode(samples[start : start + size]))
        for start in range(0, len(samples) - size, size)
    ]
    assert digits(listen(np.concatenate(heard), rate)) == KEYS


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=40))
def test_the_size_of_blocks_does_not_matter(sizes: list[int]) -> None:
    samples = np.rint(np.concatenate([tone("7", 60), pause(60), tone("A", 45), pause(100)])).astype(np.int16)
    detector = InbandDetector(8000)
    found: list[DtmfDigit] = []
    start = 0
    for size in sizes * (len(samples) // sum(sizes) + 1):
        found += detector.process(samples[start : start + size])
        start += size
    assert found == listen(samples, 8000)
    assert digits(found) == "7A"


def test_nothing_in_other_sounds() -> None:
    for rate in (8000, 16000):
        for sound in (
            *(speech(rate, 20.0, Random(seed), pitch_hz=pitch) for seed, pitch in ((1, 110.0), (2, 205.0))),
            melody(rate),
            sweep(rate, 5.0),
            white_noise(rate, 20.0, Random(3), level_dbov=-20.0),
        ):
            assert digits(listen(sound, rate)) == ""


def test_nothing_in_real_speech() -> None:
    files = sorted(SPEECH.rglob("*.wav")) if SPEECH.is_dir() else []
    if not files:
        pytest.skip(
            "no recorded speech here: apt-get install asterisk-core-sounds-en-wav, "
            "or name a folder of WAV files in SIPMEDIA_SPEECH"
        )
    found, seconds = {}, 0.0
    for path in files:
        with wave.open(str(path)) as file:
            if file.getsampwidth() != 2 or file.getnchannels() != 1 or "dtmf" in path.name:
                continue
            rate = file.getframerate()
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
        seconds += len(samples) / rate
        if keys := digits(listen(samples, rate)):
            found[path.name] = keys
    assert found == {}, f"in {seconds:.0f} s of speech"
