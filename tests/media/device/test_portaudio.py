"""The PortAudio backend without PortAudio: what its errors become, and that nothing is imported unasked."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from media.device import portaudio
from media.device.base import DeviceInfo, Direction, Opening
from media.device.errors import DeviceBusy, DeviceError, DeviceFailed, PortAudioMissing, RateRefused

CARD = DeviceInfo(3, "card", "ALSA", 1, 1, 44100)


class Refused(Exception):
    """Stands for sounddevice.PortAudioError."""


class Stream:
    """Stands for a stream of sounddevice."""

    latency = 0.02

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.running = False

    def start(self) -> None:
        self.running = True

    def close(self, ignore_errors: bool = True) -> None:
        self.running = False
        self.settings["finished_callback"]()


def installed(monkeypatch: pytest.MonkeyPatch, **parts: Any) -> None:
    stand_in = SimpleNamespace(
        PortAudioError=Refused,
        RawInputStream=Stream,
        RawOutputStream=Stream,
        query_devices=lambda _index: {"default_low_output_latency": 0.001},
        **parts,
    )
    monkeypatch.setattr(portaudio, "_sounddevice", lambda: stand_in)


def opened(backend: portaudio.PortAudioBackend, *, stopped: list[str] | None = None, **settings: Any) -> Any:
    heard: list[Any] = []
    tell = (stopped if stopped is not None else []).append
    opening = Opening(Direction.INPUT, heard.append, lambda: tell("stopped"), **settings)
    stream = backend.open(CARD, opening)
    return stream, heard


def test_importing_imports_nothing_of_it() -> None:
    code = "import sys, media.device.portaudio, sipmedia.headset; sys.exit('sounddevice' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(PortAudioMissing, match="apt-get install libportaudio2"):
        portaudio.PortAudioBackend().devices()


@pytest.mark.parametrize(
    ("error", "becomes", "words"),
    [
        (Refused("Error opening RawInputStream: Device unavailable", -9985), DeviceBusy, "is busy"),
        (
            Refused(
                "Error opening RawInputStream: Unanticipated host error", -9999, (8, 1, "Connection refused")
            ),
            DeviceFailed,
            "Unanticipated host error: Connection refused",
        ),
        (Refused("Invalid sample rate", -9997), RateRefused, "does not run at 16000 Hz"),
    ],
)
def test_refusals(
    error: Exception, becomes: type[DeviceError], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise error

    installed(monkeypatch)
    monkeypatch.setattr(portaudio._sounddevice(), "RawInputStream", refuse)
    with pytest.raises(becomes, match=words):
        opened(portaudio.PortAudioBackend(), sample_rate_hz=16000)


def test_the_next_rate_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def picky(**settings: Any) -> Stream:
        tried.append(settings["samplerate"])
        if settings["samplerate"] > 32000:
            raise Refused("Invalid sample rate", -9997)
        return Stream(**settings)

    installed(monkeypatch)
    monkeypatch.setattr(portaudio._sounddevice(), "RawInputStream", picky)
    stream, _ = opened(portaudio.PortAudioBackend())
    assert tried == [48000, 44100, 32000]
    assert stream.sample_rate_hz == 32000


def test_blocks_are_handed_on_and_losses_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    stream, heard = opened(portaudio.PortAudioBackend())
    callback = stream._stream.settings["callback"]
    callback(np.arange(480, dtype=np.int16).tobytes(), 480, None, None)
    callback(bytes(960), 480, None, "input overflow")
    assert [len(block) for block in heard] == [480, 480]
    assert heard[0][479] == 479
    assert stream.xruns == 1


def test_a_stream_that_ends_by_itself_is_told_one_that_is_closed_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed(monkeypatch)
    backend, stopped = portaudio.PortAudioBackend(), ["first"]
    stream, _ = opened(backend, stopped=stopped)
    assert backend.streams == 1
    stream._stream.settings["finished_callback"]()
    assert stopped == ["first", "stopped"]
    stream.close()
    stream.close()
    assert stopped == ["first", "stopped"]
    assert backend.streams == 0


def test_a_refresh_ends_all_streams_and_tells_their_owners(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    installed(
        monkeypatch,
        _terminate=lambda: calls.append("terminate"),
        _initialize=lambda: calls.append("initialize"),
    )
    backend, stopped = portaudio.PortAudioBackend(), ["first"]
    stream, _ = opened(backend, stopped=stopped)
    backend.refresh()
    assert calls == ["terminate", "initialize"]
    assert stopped == ["first", "stopped"]
    assert not stream._stream.running
    assert backend.streams == 0
