"""The interface of voice processing, the half-duplex fallback, and the engine where it is installed."""

from random import Random

import numpy as np
import pytest

from media.audio import echo_cancellation
from media.audio.echo_cancellation import Ducker, VoiceSettings
from media.audio.synthesis import speech
from media.device.errors import ProcessingUnavailable
from media.frame import Samples

RATE, BLOCK = 16000, 320
SILENCE = np.zeros(BLOCK, np.int16)


def loud(amplitude: int) -> Samples:
    return np.tile(np.array([amplitude, -amplitude], np.int16), BLOCK // 2)


def test_nobody_else_speaks_so_nothing_is_changed() -> None:
    ducker = Ducker(RATE, 0.05)
    for _ in range(20):
        assert (ducker.process(loud(3000), SILENCE) == loud(3000)).all()


def test_while_the_far_end_speaks_its_echo_is_not_sent() -> None:
    ducker = Ducker(RATE, 0.05)
    first = ducker.process(loud(1000), loud(5000))
    assert abs(int(first[0])) > 900  # a ramp, no click
    assert np.abs(ducker.process(loud(1000), loud(5000))).max() < 30


def test_its_last_echo_is_not_sent_either_and_then_one_can_speak() -> None:
    ducker = Ducker(RATE, 0.1)
    for _ in range(5):
        ducker.process(SILENCE, loud(5000))
    levels = [int(np.abs(ducker.process(loud(500), SILENCE)).max()) for _ in range(40)]
    assert max(levels[:15]) < 30  # 250 ms and the way through the room
    assert min(levels[30:]) == 500


def test_who_is_clearly_louder_breaks_in() -> None:
    ducker = Ducker(RATE, 0.0)
    ducker.process(loud(12000), loud(3000))
    assert (ducker.process(loud(12000), loud(3000)) == loud(12000)).all()


@pytest.mark.parametrize(
    ("installed", "settings", "engine"),
    [
        (True, VoiceSettings(), "webrtc"),
        (True, VoiceSettings(echo_cancellation=False), "off"),
        (True, VoiceSettings(echo_cancellation=False, gain_control=True), "webrtc"),
        (False, VoiceSettings(), "off"),
        (False, VoiceSettings(echo_cancellation=True), "ducking"),
        (False, VoiceSettings(echo_cancellation=False), "off"),
    ],
)
def test_who_does_it(
    installed: bool, settings: VoiceSettings, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(echo_cancellation, "engine_installed", lambda: installed)
    assert settings.engine == engine


def test_what_cannot_be_done_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(echo_cancellation, "engine_installed", lambda: False)
    VoiceSettings(echo_cancellation=True).check()
    for settings in (VoiceSettings(noise_suppression=True), VoiceSettings(gain_control=True)):
        with pytest.raises(ProcessingUnavailable, match=r"pip install '\.\[aec\]'"):
            settings.check()


@pytest.mark.parametrize("rate_hz", [8000, 16000, 48000])
def test_the_engine_takes_out_an_echo(rate_hz: int) -> None:
    pytest.importorskip("pywebrtc_audio")
    engine = VoiceSettings(echo_cancellation=True).make(rate_hz, 0.1)
    assert engine is not None
    far = speech(rate_hz, 10.0, Random(3))
    near = np.zeros(len(far), np.int16)
    late = rate_hz // 10
    near[late:] = (0.3 * far[:-late]).astype(np.int16)
    n = rate_hz // 50
    out = np.concatenate([engine.process(near[i : i + n], far[i : i + n]) for i in range(0, len(far), n)])
    rest, echo = (np.sqrt((x[7 * rate_hz :].astype(float) ** 2).mean()) for x in (out, near))
    assert 20 * np.log10(echo / max(rest, 0.5)) > 30
