"""Ending a command from outside: Ctrl-C, the system's SIGTERM, or nobody who reads what it tells."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from sipmedia.cli.exits import Exit
from sipmedia.cli.keyboard import restore_terminal
from sipmedia.cli.output import Output

_ONE_WISH_S = 0.3
"""Signals that follow each other faster are one: `timeout` sends its own twice."""


class Stop:
    """Ctrl-C, or the system's wish that we end: :attr:`asked` is done then.

    Asked by a signal once more, the process ends at once, whatever it waits for.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.asked: asyncio.Future[None] = self._loop.create_future()
        self._signalled_at: float | None = None

    def ask(self) -> None:
        """Have the command end in order (any thread's context)."""
        self._loop.call_soon_threadsafe(self._resolve)

    def on_signal(self, *_: int | FrameType | None) -> None:
        """A signal came."""
        now = time.monotonic()
        if self._signalled_at is not None and now - self._signalled_at > _ONE_WISH_S:
            restore_terminal()
            os._exit(Exit.INTERRUPTED)
        if self._signalled_at is None:
            self._signalled_at = now
        self.ask()

    def _resolve(self) -> None:
        if not self.asked.done():
            self.asked.set_result(None)


@contextmanager
def stop_by_signal(out: Output) -> Iterator[Stop]:
    """While it lasts SIGINT and SIGTERM ask to stop instead of breaking off, and so does a lost output."""
    stop = Stop()
    out.when_lost(stop.ask)
    before = {number: signal.signal(number, stop.on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def first_of(*futures: asyncio.Future[Any], timeout: float | None = None) -> None:
    """Wait until one of them is done, at most ``timeout`` seconds; none is cancelled."""
    await asyncio.wait(futures, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
