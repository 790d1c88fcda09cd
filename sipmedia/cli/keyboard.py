"""Reading keys as they are typed, while the loop goes on."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_restoring: list[Callable[[], None]] = []
"""What a process that breaks off has to do; the terminal is its own only once."""


def restore_terminal() -> None:
    """Leave the terminal as it was found, for a process that ends without further ado."""
    for restore in _restoring:
        restore()


@contextmanager
def keyboard(press: Callable[[str], None]) -> Iterator[None]:
    """Give each character of standard input to `press`, as it is typed, while this lasts."""
    with _one_by_one():
        loop, stream = asyncio.get_running_loop(), sys.stdin.fileno()

        def read() -> None:
            text = os.read(stream, 64).decode("utf-8", "replace")
            if not text:
                loop.remove_reader(stream)
            for key in text:
                press(key)

        try:
            loop.add_reader(stream, read)
        except (NotImplementedError, PermissionError):  # Windows, and files
            threading.Thread(target=_read_all, args=(loop, press), name="sipmedia-keys", daemon=True).start()
            yield
            return
        try:
            yield
        finally:
            loop.remove_reader(stream)


def _read_all(loop: asyncio.AbstractEventLoop, press: Callable[[str], None]) -> None:
    while key := sys.stdin.read(1):
        try:
            loop.call_soon_threadsafe(press, key)
        except RuntimeError:
            return  # the command is over


@contextmanager
def _one_by_one() -> Iterator[None]:
    """Have a terminal give characters as they are typed, without showing them."""
    if not sys.stdin.isatty() or sys.platform == "win32":
        yield
        return
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)

    def restore() -> None:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)

    _restoring.append(restore)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        _restoring.remove(restore)
        restore()
