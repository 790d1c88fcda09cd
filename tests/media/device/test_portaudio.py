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

    latency: float | tuple[float, float] = 0.02

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.running = False

    def start(self) -> None:
        self.running = True

    def close(self, ignore_errors: bool = True) -> None:
        self.running = False
        self.settings["finished_callback"]()


class Duplex(Stream):
    """Stands for one of both directions."""

    latency = (0.02, 0.03)


def installed(monkeypatch: pytest.MonkeyPatch, **parts: Any) -> None:
    stand_in = SimpleNamespace(
        PortAudioError=Refused,
        RawInputStream=Stream,
        RawOutputStream=Stream,
        RawStream=Duplex,
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
    callback = stream._system._stream.settings["callback"]
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
    stream._system._stream.settings["finished_callback"]()
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
    assert not stream._system._stream.running
    assert backend.streams == 0


def duplex(backend: portaudio.PortAudioBackend, direction: Direction, **settings: Any) -> Any:
    stopped: list[str] = []
    opening = Opening(direction, lambda _: None, lambda: stopped.append("stopped"), duplex=True, **settings)
    stream = backend.open(CARD, opening)
    return stream, stopped


def test_one_stream_does_both_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    backend = portaudio.PortAudioBackend()
    output, _ = duplex(backend, Direction.OUTPUT)
    settings = output._system._stream.settings
    recorded, played = np.arange(480, dtype=np.int16), np.ones(480, np.int16)
    settings["callback"](recorded.tobytes(), played.data.cast("B"), 480, None, None)  # nobody listens yet
    assert played.any()
    heard = []
    output.on_block = lambda block: block.__setitem__(slice(None), memoryview(bytes(960)).cast("h"))
    input_, _ = duplex(backend, Direction.INPUT)
    assert backend.streams == 1
    assert (input_.latency_s, output.latency_s) == (0.02, 0.03)
    input_.on_block = lambda block: heard.append(list(block))
    lost = SimpleNamespace(
        input_overflow=True, input_underflow=False, output_overflow=False, output_underflow=False
    )
    settings["callback"](recorded.tobytes(), played.data.cast("B"), 480, None, lost)
    assert heard == [list(range(480))]
    assert not played.any()
    assert (input_.xruns, output.xruns) == (1, 0)


def test_each_direction_of_one_stream_is_closed_and_opened_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    backend = portaudio.PortAudioBackend()
    output, output_stopped = duplex(backend, Direction.OUTPUT)
    input_, _ = duplex(backend, Direction.INPUT)
    system = output._system._stream
    output.close()
    output.close()
    played = np.ones(480, np.int16)
    system.settings["callback"](bytes(960), played.data.cast("B"), 480, None, None)
    assert not played.any()  # silence, now that nobody plays
    again, again_stopped = duplex(backend, Direction.OUTPUT)
    assert again._system._stream is system
    second, _ = duplex(backend, Direction.INPUT)  # ours has its owner: another stream
    assert second._system._stream is not system
    second.close()
    alone, _ = opened(backend)  # and one for which nobody asked for both
    alone.close()
    system.settings["finished_callback"]()
    assert (output_stopped, again_stopped) == ([], ["stopped"])
    again.close()
    assert system.running
    after, _ = duplex(backend, Direction.OUTPUT)
    assert after._system._stream is not system  # that one is over
    input_.close()
    assert not system.running
    after.close()
    assert backend.streams == 0


def test_other_rates_and_single_directions_have_streams_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    backend = portaudio.PortAudioBackend()
    duplex(backend, Direction.OUTPUT, sample_rate_hz=48000)
    duplex(backend, Direction.INPUT, sample_rate_hz=16000)
    assert backend.streams == 2
    opened(backend)
    assert backend.streams == 3


def test_a_system_that_cannot_do_both_at_once_does_each(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise Refused("Illegal combination of I/O devices", -9993)

    installed(monkeypatch)
    monkeypatch.setattr(portaudio._sounddevice(), "RawStream", refuse)
    backend = portaudio.PortAudioBackend()
    output, _ = duplex(backend, Direction.OUTPUT)
    input_, _ = duplex(backend, Direction.INPUT)
    assert output._system is not input_._system
    assert backend.streams == 2
