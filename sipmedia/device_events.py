"""What a headset tells the application: one frozen dataclass an event.

headset.on("device_opened", handler)      DeviceOpened       headset.on("levels", handler)     Levels
headset.on("device_lost", handler)        DeviceLost         headset.on("clipping", handler)   Clipping
headset.on("microphone_silent", handler)  MicrophoneSilent   headset.on("error", handler)      ErrorOccurred
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from media.device.base import DeviceInfo
from media.device.metering import Level

DirectionName = Literal["input", "output", "ring"]
Because = Literal["opened", "changed", "returned", "replaced"]
"""Why a device was opened: asked for, changed to, back again, or in place of one that is lost."""


@dataclass(frozen=True, slots=True)
class DeviceOpened:
    """A device runs. `latency_s` is what lies between it and us, as the system says."""

    direction: DirectionName
    device: DeviceInfo
    sample_rate_hz: int
    latency_s: float
    because: Because

    def __str__(self) -> str:
        what = "microphone" if self.direction == "input" else "loudspeaker"
        words = {"opened": "", "changed": " from now on", "returned": " is back", "replaced": " stands in"}
        return f"{what}: {self.device.full_name}, {self.sample_rate_hz} Hz{words[self.because]}"


@dataclass(frozen=True, slots=True)
class DeviceLost:
    """A device, or the server behind it, is gone; the call goes on with silence in its place."""

    direction: DirectionName
    device: DeviceInfo
    reason: str

    def __str__(self) -> str:
        if self.direction == "input":
            what, meanwhile = "microphone", "the far end hears silence"
        else:
            what, meanwhile = "loudspeaker", "nothing is heard here"
        return f"{what} lost: {self.device.name} ({self.reason}); {meanwhile} until it is back"


@dataclass(frozen=True, slots=True)
class Levels:
    """How loud both directions were since the last such event, ten a second while somebody listens."""

    microphone: Level
    loudspeaker: Level


@dataclass(frozen=True, slots=True)
class MicrophoneSilent:
    """The microphone gives digital silence: it is muted, in the system or by its switch, or the wrong one."""

    seconds: float

    def __str__(self) -> str:
        return (
            f"your microphone is silent: nothing at all for {self.seconds:.0f} s; "
            "is it muted, or the wrong one (sipmedia devices --test)?"
        )


@dataclass(frozen=True, slots=True)
class Clipping:
    """The microphone is too loud: samples were at full scale, once a second at most."""

    samples: int

    def __str__(self) -> str:
        return "your microphone is too loud and distorts: turn it down, or speak farther from it"
