"""Real devices, through PortAudio: the one module that imports sounddevice, and only when a device is wanted.

PortAudio looks for devices once, when it is initialised; to see what was plugged in since, it has to be
ended and begun anew, which ends every open stream of the process. `refresh` does that and tells their
owners, who open theirs again. `devices_seen_elsewhere` looks from another process, which disturbs nobody.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import subprocess
import sys
import threading
from functools import lru_cache
from typing import Any

from media.device.base import RATES_HZ, DeviceInfo, Direction, Opening
from media.device.errors import DeviceBusy, DeviceError, DeviceFailed, PortAudioMissing, RateRefused
from media.device.system_stream import PortAudioStream, SystemStream

_INVALID_SAMPLE_RATE = -9997
_DEVICE_UNAVAILABLE = -9985
_OPENING = re.compile(r"^Error opening |Raw(Input|Output)?Stream: ")
_PROBE_PATIENCE_S = 10.0
_ALSA_HANDLER = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
)


def _sounddevice() -> Any:
    """The module sounddevice; `PortAudioMissing` when it, or the library behind it, is not there."""
    try:
        import sounddevice
    except ImportError as error:
        raise PortAudioMissing(f"the package sounddevice cannot be imported: {error}") from error
    except OSError as error:  # the package is there, the library is not
        raise PortAudioMissing(str(error)) from error
    _quiet_alsa()
    return sounddevice


@lru_cache(maxsize=1)
def _quiet_alsa() -> object:
    """Keep ALSA's library from writing into the person's terminal: what matters we are told by error codes.

    Gives what must live as long as the process does.
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        alsa = ctypes.CDLL("libasound.so.2")
        handler = _ALSA_HANDLER(lambda _file, _line, _function, _code, _text: None)
        alsa.snd_lib_error_set_handler(handler)
    except (OSError, AttributeError):  # no ALSA, or another one
        return None
    return handler


class PortAudioBackend:
    """The devices of this machine. PortAudio is one for the process: use `portaudio()`."""

    name = "PortAudio"

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._streams: list[SystemStream] = []

    def devices(self) -> list[DeviceInfo]:
        """See `media.device.base.Backend`."""
        sounddevice = _sounddevice()
        with self._lock:
            try:
                listed, apis = sounddevice.query_devices(), sounddevice.query_hostapis()
                default_in, default_out = _default(sounddevice, "input"), _default(sounddevice, "output")
            except sounddevice.PortAudioError as error:
                raise DeviceFailed("PortAudio", _words(error)) from error
        return [
            DeviceInfo(
                index,
                str(found["name"]),
                str(apis[found["hostapi"]]["name"]),
                int(found["max_input_channels"]),
                int(found["max_output_channels"]),
                int(found["default_samplerate"]),
                index == default_in,
                index == default_out,
            )
            for index, found in enumerate(listed)
        ]

    def open(self, device: DeviceInfo, opening: Opening) -> PortAudioStream:
        """See `media.device.base.Backend`."""
        sounddevice = _sounddevice()
        asked_hz = opening.sample_rate_hz
        with self._lock:
            for stream in self._streams:
                if stream.has_room_for(device, opening):
                    return stream.part(opening)
            rates = (asked_hz,) if asked_hz else (*RATES_HZ, device.default_rate_hz)
            for rate_hz in rates:
                try:
                    stream = self._opened(sounddevice, device, opening, rate_hz)
                except sounddevice.PortAudioError as error:
                    if _code(error) != _INVALID_SAMPLE_RATE:
                        raise _failure(device, error) from error
                    continue
                self._streams.append(stream)
                return stream.part(opening)
        raise RateRefused(device.name, rates[0])

    def _opened(self, sounddevice: Any, device: DeviceInfo, opening: Opening, rate_hz: int) -> SystemStream:
        forget = self._streams.remove
        alone = all(stream.device != device for stream in self._streams)
        if opening.duplex and alone and all(map(device.does, Direction)):
            try:
                return SystemStream(
                    sounddevice, device, opening, rate_hz, tuple(Direction), self._lock, forget
                )
            except sounddevice.PortAudioError:
                pass  # not every system does both at once: what is wrong with one is told below
        return SystemStream(sounddevice, device, opening, rate_hz, (opening.direction,), self._lock, forget)

    def peek(self) -> list[DeviceInfo]:
        """What a new process sees: see the head of this module."""
        return devices_seen_elsewhere()

    def refresh(self) -> None:
        """End and begin PortAudio; streams that are open end, and their owners hear of it."""
        sounddevice = _sounddevice()
        with self._lock:
            ended = [part for stream in list(self._streams) for part in stream.close()]
            try:
                sounddevice._terminate()
                sounddevice._initialize()
            except sounddevice.PortAudioError as error:
                raise DeviceFailed("PortAudio", _words(error)) from error
        for part in ended:
            part.on_stopped()

    @property
    def streams(self) -> int:
        """How many are open, in the whole process."""
        return len(self._streams)


_backend = PortAudioBackend()


def portaudio() -> PortAudioBackend:
    """The backend of this process."""
    return _backend


def devices_seen_elsewhere() -> list[DeviceInfo]:
    """The devices that a new process sees now; an empty list when it sees none or fails.

    Takes a few tenths of a second, and leaves streams of this process alone.
    """
    try:
        seen = subprocess.run(
            [sys.executable, "-m", "media.device.portaudio"],
            capture_output=True,
            timeout=_PROBE_PATIENCE_S,
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        return [DeviceInfo(**found) for found in json.loads(seen.stdout.splitlines()[-1])]
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return []


def _default(sounddevice: Any, kind: str) -> int:
    try:
        return int(sounddevice.query_devices(kind=kind)["index"])
    except sounddevice.PortAudioError:  # there is none
        return -1


def _code(error: Any) -> int:
    return int(error.args[1]) if len(error.args) > 1 and isinstance(error.args[1], int) else 0


def _words(error: Any) -> str:
    """What PortAudio says, with what the host API said."""
    text = str(error.args[0]) if error.args else str(error)
    host = error.args[2] if len(error.args) > 2 else None
    if isinstance(host, tuple) and len(host) == 3 and host[2]:
        text += f": {host[2]}"
    return _OPENING.sub("", text)


def _failure(device: DeviceInfo, error: Any) -> DeviceError:
    if _code(error) == _DEVICE_UNAVAILABLE or "busy" in str(error).lower():
        return DeviceBusy(device.name, _words(error))
    return DeviceFailed(device.name, _words(error))


def main() -> None:
    """Print the devices as JSON, for `devices_seen_elsewhere`."""
    from dataclasses import asdict

    try:
        found = portaudio().devices()
    except DeviceError:
        found = []
    sys.stdout.write("\n" + json.dumps([asdict(device) for device in found]) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
