"""Ending a command from outside: Ctrl-C, and the system's SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Stop:
    """Ctrl-C, or the system's wish that we end: :attr:`asked` is done then."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.asked: asyncio.Future[None] = self._loop.create_future()

    def ask(self, *_: int | FrameType | None) -> None:
        """A signal came (any thread's context)."""
        self._loop.call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        if not self.asked.done():
            self.asked.set_result(None)


@contextmanager
def stop_by_signal() -> Iterator[Stop]:
    """While it lasts SIGINT and SIGTERM ask to stop instead of breaking off."""
    stop = Stop()
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def first_of(*futures: asyncio.Future[Any], timeout: float | None = None) -> None:
    """Wait until one of them is done, at most ``timeout`` seconds; none is cancelled."""
    await asyncio.wait(futures, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
