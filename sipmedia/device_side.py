"""One direction of a headset: opens its device, notices that it is gone, opens it again.

Everything here runs on the asyncio loop, but what may wait (opening, closing, looking for devices): that is
done on one thread, one thing after the other, because PortAudio takes no two at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, TypeVar

from media import MediaError
from media.device.backends import backend_for
from media.device.base import (
    BLOCK_S,
    Backend,
    Block,
    DeviceInfo,
    DeviceStream,
    Direction,
    Opening,
    fill_with_silence,
)
from media.device.capture import CaptureLine
from media.device.choosing import Wish, choose
from media.device.errors import AmbiguousDevice, DeviceFailed, DeviceNotFound, NoDevice
from media.device.line import LineStatistics
from media.device.playback import PlaybackLine
from media.runtime import current_runtime
from sipmedia.device_events import Because, DeviceLost, DeviceOpened, DirectionName

T = TypeVar("T")
Line = CaptureLine | PlaybackLine
WhenLost = Literal["wait", "default"]
"""What to do about a device that is gone: wait until it is back, or take the default as well."""

STALLED_S = 2.0
"""A device that has not called for so long is gone, whatever the system says."""
_OPENS_IN_S = 10.0
_FIRST_RETRY_S = 0.5
_LAST_RETRY_S = 5.0

_worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sipmedia-devices")


async def on_device_thread(work: Callable[[], T]) -> T:
    """Do what may wait; inside a simulation at once."""
    return await asyncio.get_running_loop().run_in_executor(_worker, work)


@dataclass(frozen=True, slots=True)
class OpenDevice:
    """A device that runs, and the line that it feeds or is fed by."""

    backend: Backend
    info: DeviceInfo
    stream: DeviceStream
    line: Line


class DeviceSide:
    """Keeps one direction open. `set_line` gives the line to the media thread, None while there is none.

    `other_wish` says what the other direction is to be, where one stream shall do both if that is one device.
    """

    def __init__(
        self,
        name: DirectionName,
        wish: Wish,
        *,
        backend: Backend | None,
        sample_rate_hz: int | None,
        when_lost: WhenLost,
        with_reference: bool,
        other_wish: Callable[[], Wish] | None = None,
        set_line: Callable[[Line | None, float], None],
        tell: Callable[[DeviceOpened | DeviceLost], None],
    ) -> None:
        self.wish = wish
        self.open_device: OpenDevice | None = None
        self._name: DirectionName = name
        self._direction = Direction.INPUT if name == "input" else Direction.OUTPUT
        self._usual = backend
        self._sample_rate_hz = sample_rate_hz
        self._when_lost = when_lost
        self._with_reference = with_reference
        self._other_wish = other_wish
        self._set_line = set_line
        self._tell = tell
        self._closed = False
        self._recovery: asyncio.Task[None] | None = None
        self._clock = current_runtime().monotonic

    async def open(self, wish: Wish, because: Because = "opened") -> None:
        """Open what is meant by `wish`, and only then close what was open; raises as `Backend.open`."""
        opened = await self._open(wish)
        self.wish = wish
        await self._stop_recovery()
        await self._take(opened, because)

    async def close(self) -> None:
        """Stop; may be called twice."""
        self._closed = True
        await self._stop_recovery()
        await self._put_away()

    def check(self) -> None:
        """Notice a device that has stopped without saying so."""
        opened = self.open_device
        if opened is not None and self._clock() - opened.line.last_block_at > STALLED_S:
            self._lost(opened.line, f"no sound moved for {STALLED_S:.0f} s")

    def statistics(self) -> LineStatistics | None:
        """What became of its sound since it was opened; None while it is not."""
        opened = self.open_device
        return None if opened is None else opened.line.statistics(opened.stream.xruns)

    # --- opening ---

    async def _open(self, wish: Wish) -> OpenDevice:
        # Here, not on the device thread: a file's backend takes its clock from the running loop.
        backend, asked = backend_for(wish, self._direction, self._usual)
        return await self._open_in(backend, asked)

    async def _open_in(self, backend: Backend, asked: Wish) -> OpenDevice:
        loop = asyncio.get_running_loop()
        slot = _Slot()
        before = fill_with_silence if self._direction is Direction.OUTPUT else _lose

        def stopped() -> None:
            try:
                loop.call_soon_threadsafe(self._lost, slot.line, "it stopped")
            except RuntimeError:
                pass  # the loop is closed: nobody is there to hear

        def work() -> OpenDevice:
            devices = backend.devices()
            info = choose(devices, asked, self._direction)
            duplex = self._does_both(devices, info)
            opening = Opening(self._direction, before, stopped, self._sample_rate_hz, duplex=duplex)
            stream = backend.open(info, opening)
            slot.line = self._make_line(stream.sample_rate_hz)
            stream.on_block = slot.line.write if isinstance(slot.line, CaptureLine) else slot.line.fill
            return OpenDevice(backend, info, stream, slot.line)

        opening = asyncio.ensure_future(on_device_thread(work))
        try:
            done, _ = await asyncio.wait([opening], timeout=_OPENS_IN_S)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_again)
            raise
        if not done:  # whoever holds it up may let go in the end
            opening.add_done_callback(_close_again)
            reason = f"it did not answer within {_OPENS_IN_S:.0f} s; is the sound server stuck?"
            raise DeviceFailed(str(asked or "default"), reason)
        return opening.result()

    def _does_both(self, devices: list[DeviceInfo], info: DeviceInfo) -> bool:
        other_wish = self._other_wish
        return other_wish is not None and _meant(devices, other_wish(), self._direction.other) == info

    def _make_line(self, rate_hz: int) -> Line:
        if self._direction is Direction.INPUT:
            return CaptureLine(rate_hz, BLOCK_S, self._clock)
        reference = CaptureLine(rate_hz, BLOCK_S, self._clock) if self._with_reference else None
        return PlaybackLine(rate_hz, BLOCK_S, self._clock, reference)

    async def _take(self, opened: OpenDevice, because: Because) -> None:
        if self._closed:
            await on_device_thread(opened.stream.close)
            return
        before, self.open_device = self.open_device, opened
        self._set_line(opened.line, opened.stream.latency_s)
        if before is not None:
            await on_device_thread(before.stream.close)
        stream = opened.stream
        self._tell(DeviceOpened(self._name, opened.info, stream.sample_rate_hz, stream.latency_s, because))

    async def _put_away(self) -> None:
        opened, self.open_device = self.open_device, None
        self._set_line(None, 0.0)
        if opened is not None:
            await on_device_thread(opened.stream.close)

    # --- losing and finding again ---

    def _lost(self, line: Line | None, reason: str) -> None:
        opened = self.open_device
        if opened is None or opened.line is not line or self._closed:
            return
        self._set_line(None, 0.0)
        self.open_device = None
        self._tell(DeviceLost(self._name, opened.info, reason))
        self._recovery = asyncio.ensure_future(self._recover(opened))

    async def _recover(self, lost: OpenDevice) -> None:
        await on_device_thread(lost.stream.close)
        wait_s, looks_again = 0.0, False
        while not self._closed:
            await asyncio.sleep(wait_s)
            wait_s = min(max(_FIRST_RETRY_S, wait_s * 1.5), _LAST_RETRY_S)
            try:
                opened, because = await self._find_again(lost, looks_again)
            except MediaError:
                looks_again = True
                continue
            self._recovery = None
            await self._take(opened, because)
            return

    async def _find_again(self, lost: OpenDevice, looks_again: bool) -> tuple[OpenDevice, Because]:
        backend = lost.backend
        wishes: list[tuple[Wish, Because]] = [(lost.info.full_name, "returned")]
        if self.wish in (None, "", "default"):
            wishes = [(None, "returned")]
        elif self._when_lost == "default":
            wishes.append((None, "replaced"))
        if looks_again:
            await on_device_thread(lambda: self._look(backend, [wish for wish, _ in wishes]))
        failure: MediaError | None = None
        for wish, because in wishes:
            try:
                return await self._open_in(backend, wish), because
            except MediaError as error:
                failure = failure or error
        assert failure is not None
        raise failure

    def _look(self, backend: Backend, wishes: list[Wish]) -> None:
        """Have new devices seen; other streams of the process are only disturbed when it is worth it."""
        if backend.streams:
            there = backend.peek()
            if not any(_meant(there, wish, self._direction) for wish in wishes):
                raise DeviceNotFound(str(wishes[0]), self._direction, there)
        backend.refresh()

    async def _stop_recovery(self) -> None:
        task, self._recovery = self._recovery, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _close_again(opening: asyncio.Future[OpenDevice]) -> None:
    """It was opened after all, and nobody wants it any more."""
    if not opening.cancelled() and opening.exception() is None:
        _worker.submit(opening.result().stream.close)


class _Slot:
    """Where a stream that ends finds its line, which is made when the stream's rate is known."""

    def __init__(self) -> None:
        self.line: Line | None = None


def _lose(_block: Block) -> None:
    """What is recorded before there is a line."""


def _meant(devices: list[DeviceInfo], wish: Wish, direction: Direction) -> DeviceInfo | None:
    """The device that is meant; None when it is not there."""
    try:
        return choose(devices, wish, direction)
    except (NoDevice, DeviceNotFound, AmbiguousDevice):
        return None
