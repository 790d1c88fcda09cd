"""Streams of PortAudio: one of the system does one direction of a device, or both at once.

Both at once are one thread that wakes once a block, and what is played and what is recorded keep their
distance for ever. Their owners need not know: each has its part, opened and closed by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from media.device.base import DeviceInfo, Direction, Opening, fill_with_silence

_OUTPUT_BLOCKS = 3
"""What the system holds of what is to be played: with two, its lowest, a busy machine runs dry."""


class PortAudioStream:
    """One direction of one device, mono, 16 bits."""

    def __init__(self, system: SystemStream, opening: Opening, latency_s: float) -> None:
        self.sample_rate_hz = system.sample_rate_hz
        self.latency_s = latency_s
        self.xruns = 0
        self.on_block = opening.on_block
        self.on_stopped = opening.on_stopped
        self.direction = opening.direction
        self._system = system

    def close(self) -> None:
        """See `media.device.base.DeviceStream`."""
        self._system.leave(self)


class SystemStream:
    """One that runs, and the parts of it that have an owner; it ends with the last of them.

    `lock` is held while PortAudio is told to open or close: it is not made for two at once. `forget` is
    called when it is closed. Raises `PortAudioError` of `sounddevice`.
    """

    def __init__(
        self,
        sounddevice: Any,
        device: DeviceInfo,
        opening: Opening,
        rate_hz: int,
        directions: Sequence[Direction],
        lock: threading.RLock,
        forget: Callable[[SystemStream], None],
    ) -> None:
        self.sample_rate_hz = rate_hz
        self.device = device
        self._directions = directions
        self._lock = lock
        self._forget = forget
        self._parts: dict[Direction, PortAudioStream] = {}
        self._closed = False
        self._over = False
        lowest_s = float(sounddevice.query_devices(device.index)["default_low_output_latency"])
        output_s = max(_OUTPUT_BLOCKS * opening.block_s, lowest_s)
        make: Any
        latency: Any
        callback: Callable[..., None]
        if len(directions) > 1:
            make, latency, callback = sounddevice.RawStream, ("low", output_s), self._both
        elif Direction.INPUT in directions:
            make, latency, callback = sounddevice.RawInputStream, "low", self._input
        else:
            make, latency, callback = sounddevice.RawOutputStream, output_s, self._output
        self._stream = make(
            samplerate=rate_hz,
            blocksize=round(opening.block_s * rate_hz),
            device=device.index,
            channels=1,
            dtype="int16",
            latency=latency,
            callback=callback,
            finished_callback=self._finished,
        )
        try:
            self._stream.start()
            latency = self._stream.latency
            self._latencies = latency if isinstance(latency, tuple) else (latency,)
        except sounddevice.PortAudioError:
            self._closed = True
            self._stream.close(ignore_errors=True)
            raise

    def has_room_for(self, device: DeviceInfo, opening: Opening) -> bool:
        """Whether it does what is to be opened, and nobody has that part of it."""
        return (
            opening.duplex
            and not self._over
            and device == self.device
            and opening.direction in self._directions
            and opening.direction not in self._parts
            and opening.sample_rate_hz in (None, self.sample_rate_hz)
        )

    def part(self, opening: Opening) -> PortAudioStream:
        """Give a part of it to an owner."""
        latency_s = float(self._latencies[self._directions.index(opening.direction)])
        part = self._parts[opening.direction] = PortAudioStream(self, opening, latency_s)
        return part

    def leave(self, part: PortAudioStream) -> None:
        """Its owner wants it no more."""
        with self._lock:
            if self._parts.get(part.direction) is part:
                del self._parts[part.direction]
                if not self._parts:
                    self.close()

    def close(self) -> list[PortAudioStream]:
        """Stop, and say who had a part in it."""
        parts = list(self._parts.values())
        self._parts = {}
        if not self._closed:
            self._closed = True
            with self._lock:
                self._stream.close(ignore_errors=True)
                self._forget(self)
        return parts

    # --- PortAudio's thread: copy, count, return ---

    def _both(self, recorded: Any, played: Any, _frames: int, _times: Any, status: Any) -> None:
        self._move(Direction.INPUT, recorded, status and (status.input_overflow or status.input_underflow))
        self._move(Direction.OUTPUT, played, status and (status.output_overflow or status.output_underflow))

    def _input(self, buffer: Any, _frames: int, _times: Any, status: Any) -> None:
        self._move(Direction.INPUT, buffer, status)

    def _output(self, buffer: Any, _frames: int, _times: Any, status: Any) -> None:
        self._move(Direction.OUTPUT, buffer, status)

    def _move(self, direction: Direction, buffer: Any, lost: Any) -> None:
        block = memoryview(buffer).cast("h")
        part = self._parts.get(direction)
        if part is not None:
            if lost:
                part.xruns += 1
            part.on_block(block)
        elif direction is Direction.OUTPUT:
            fill_with_silence(block)

    def _finished(self) -> None:
        """The stream has stopped; when that was not our doing its device is gone."""
        self._over = True
        if not self._closed:
            for part in list(self._parts.values()):
                part.on_stopped()
