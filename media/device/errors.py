"""What can go wrong with microphones and loudspeakers.

    MediaError
    └── DeviceError
        ├── PortAudioMissing        no PortAudio library; says what to install
        ├── NoDevice                no microphone, or no loudspeaker, on this machine
        ├── DeviceNotFound          none of that name or number; lists those there are
        ├── AmbiguousDevice         several have that name; lists them
        ├── DeviceBusy              another program holds it
        ├── RateRefused             it cannot run at the sample rate that was asked for
        ├── DeviceFailed            it could not be opened for another reason
        └── ProcessingUnavailable   echo cancellation and the like without their library

Importing this package never raises any of them; choosing or opening a device does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from media.errors import MediaError

if TYPE_CHECKING:
    from media.device.base import DeviceInfo, Direction


class DeviceError(MediaError):
    """Base of what can go wrong with audio devices."""


class PortAudioMissing(DeviceError):
    """The PortAudio library, or the package that talks to it, is not installed."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"no PortAudio library, so no microphone and no loudspeaker ({reason}). "
            "Install it: apt-get install libportaudio2 (Debian, Ubuntu), dnf install portaudio (Fedora), "
            "brew install portaudio (macOS); on Windows, and if the package itself is missing: "
            "pip install --force-reinstall sounddevice."
        )


class NoDevice(DeviceError):
    """There is no device of this direction at all."""

    def __init__(self, direction: Direction) -> None:
        self.direction = direction
        super().__init__(
            f"this machine has no {direction.words}. Plug one in, start the sound server (PulseAudio or "
            "PipeWire), or use `null` or `file:NAME.wav` instead."
        )


class DeviceNotFound(DeviceError):
    """No device has the name or number that was asked for; `devices` are those there are."""

    def __init__(self, wish: str, direction: Direction, devices: Sequence[DeviceInfo]) -> None:
        self.wish = wish
        self.direction = direction
        self.devices = tuple(devices)
        names = ", ".join(f"{device.index} {device.name!r}" for device in devices)
        super().__init__(f"no {direction.words} {wish!r}. There are: {names or 'none'}.")


class AmbiguousDevice(DeviceError):
    """Several devices fit; `devices` are they."""

    def __init__(self, wish: str, direction: Direction, devices: Sequence[DeviceInfo]) -> None:
        self.wish = wish
        self.direction = direction
        self.devices = tuple(devices)
        names = ", ".join(f"{device.index} {device.full_name!r}" for device in devices)
        super().__init__(
            f"{wish!r} may be any of these {direction.plural}: {names}. "
            "Say more of the name, its number, or put the host API after it: 'NAME, ALSA'."
        )


class DeviceBusy(DeviceError):
    """Another program holds the device."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(
            f"{name!r} is busy or was unplugged ({reason}). End the program that uses it, choose the sound "
            "server's device (`pulse`, `default`) in place of the hardware, or another device."
        )


class RateRefused(DeviceError):
    """The device cannot run at this sample rate."""

    def __init__(self, name: str, sample_rate_hz: int) -> None:
        self.name = name
        self.sample_rate_hz = sample_rate_hz
        super().__init__(
            f"{name!r} does not run at {sample_rate_hz} Hz. Leave the rate to us (sample_rate_hz=None), "
            "or choose 48000 or 44100."
        )


class DeviceFailed(DeviceError):
    """The device could not be opened."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(
            f"{name!r} could not be opened: {reason}. See `sipmedia devices` for what there is, and "
            "`sipmedia devices --test` for what works."
        )


class ProcessingUnavailable(DeviceError):
    """Something that the extra `aec` brings was asked for, and is not installed."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} needs pywebrtc-audio: pip install '.[aec]' in the checkout")
