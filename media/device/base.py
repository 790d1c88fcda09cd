"""Devices as the rest of the package sees them: what there is, how one is opened, what a stream does.

A `Backend` lists devices and opens streams. A stream calls its `on_block` on a thread of its own, as often
as the sound card asks, with a block of samples to take away or to fill in. That callback must only copy:
whatever waits in it is heard. `on_stopped` says that the stream ended by itself: the device or its
server is gone.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

RATES_HZ = (48000, 44100, 32000, 24000, 16000, 8000)
"""What is tried, in this order, where the caller does not say."""

BLOCK_S = 0.01
"""How much a callback is asked for: below that the calls cost more than the delay is worth."""

Block = memoryview
"""16-bit samples (format "h"; `array.data` of an array); good until the callback returns."""

OnBlock = Callable[[Block], None]
"""Takes a recorded block, or fills the one to be played. On the device's thread: copy, count, return."""


def fill_with_silence(block: Block) -> None:
    """What a loudspeaker gets when there is nothing for it."""
    block[:] = memoryview(bytes(block.nbytes)).cast("h")


class Direction(enum.Enum):
    """Which way the sound goes."""

    INPUT = "input"
    OUTPUT = "output"

    @property
    def words(self) -> str:
        """For people."""
        return "microphone" if self is Direction.INPUT else "loudspeaker"

    @property
    def other(self) -> Direction:
        """The other way."""
        return Direction.OUTPUT if self is Direction.INPUT else Direction.INPUT

    @property
    def plural(self) -> str:
        """For people, of several."""
        return f"{self.words}s"


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """One device of this machine. `index` is its number for as long as nothing is plugged in or out."""

    index: int
    name: str
    host_api: str
    input_channels: int
    output_channels: int
    default_rate_hz: int
    default_input: bool = False
    default_output: bool = False

    @property
    def full_name(self) -> str:
        """Name and host API, which together are rarely ambiguous."""
        return f"{self.name}, {self.host_api}"

    def does(self, direction: Direction) -> bool:
        """Whether it has channels of this direction."""
        return (self.input_channels if direction is Direction.INPUT else self.output_channels) > 0

    def is_default(self, direction: Direction) -> bool:
        """Whether it is what the system takes when nothing is said."""
        return self.default_input if direction is Direction.INPUT else self.default_output


@dataclass(frozen=True, slots=True)
class Opening:
    """How a device is to be opened. `sample_rate_hz`: None takes the best it runs at.

    `duplex`: its other direction is opened too, likewise; let one stream do both if the system can.
    """

    direction: Direction
    on_block: OnBlock
    on_stopped: Callable[[], None]
    sample_rate_hz: int | None = None
    block_s: float = BLOCK_S
    duplex: bool = False


class DeviceStream(Protocol):
    """An open device that runs until it is closed."""

    on_block: OnBlock
    """Called with each block; may be changed at any time."""

    @property
    def sample_rate_hz(self) -> int:
        """The rate of its blocks."""
        ...

    @property
    def latency_s(self) -> float:
        """What lies between the callback and the air, as far as the system knows."""
        ...

    @property
    def xruns(self) -> int:
        """How often the system lost or missed samples because its buffers ran over or dry."""
        ...

    def close(self) -> None:
        """Stop; `on_block` and `on_stopped` are not called any more. May be called twice, and may wait."""
        ...


class Backend(Protocol):
    """A way to devices. Methods may wait; call them from a thread that may."""

    @property
    def name(self) -> str:
        """What it is called in messages."""
        ...

    def devices(self) -> list[DeviceInfo]:
        """All there are. Raises `PortAudioMissing`."""
        ...

    def open(self, device: DeviceInfo, opening: Opening) -> DeviceStream:
        """Open a device and start it. Raises `DeviceBusy`, `RateRefused`, `DeviceFailed`."""
        ...

    @property
    def streams(self) -> int:
        """How many open streams a `refresh` would end."""
        ...

    def peek(self) -> list[DeviceInfo]:
        """What `devices` would be after `refresh`, without disturbing a stream."""
        ...

    def refresh(self) -> None:
        """Look again for devices. Streams that are open may end (`on_stopped`)."""
        ...
