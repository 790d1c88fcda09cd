"""Catches real sockets that code inside a simulation opens.

An audit hook sees every socket of the interpreter; it acts only on threads that run a simulation at that
moment. Audit hooks cannot be taken out again, so there is one, put in by the first simulation.
"""

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from sipmedia.simulation.errors import RealSocketUsed
from sipmedia.simulation.host import is_address

_Report = Callable[[RealSocketUsed], object]
_watching: dict[int, _Report] = {}
_installed = False

_EVENTS = {
    "socket.__new__": "opened a real socket",
    "socket.bind": "bound a real socket",
    "socket.connect": "connected a real socket",
    "socket.sendto": "sent on a real socket",
    "socket.getaddrinfo": "asked the operating system for the name",
    "socket.gethostbyname": "asked the operating system for the name",
}
_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname")
_PASSED_OVER = ("socket", "asyncio", "selectors")


@contextmanager
def no_real_sockets(report: _Report) -> Iterator[None]:
    """Within the block, real internet sockets of this thread are an error: reported, then raised."""
    _install()
    thread = threading.get_ident()
    before = _watching.get(thread)
    _watching[thread] = report
    try:
        yield
    finally:
        if before is None:
            del _watching[thread]
        else:
            _watching[thread] = before


def _install() -> None:
    global _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_hook)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _watching or event not in _EVENTS:
        return
    report = _watching.get(threading.get_ident())
    if report is None or not _concerns(event, args):
        return
    subject = f" {args[0]!r}" if event in _LOOKUPS else _peer(args)
    error = RealSocketUsed(
        f"{_culprit()} {_EVENTS[event]}{subject} inside a simulation, where only virtual time passes; use "
        "asyncio's create_datagram_endpoint, create_connection, create_server or getaddrinfo, which the "
        "simulation provides, or Simulation(real_sockets=True) if it is meant"
    )
    report(error)
    raise error


def _concerns(event: str, args: tuple[Any, ...]) -> bool:
    if event == "socket.__new__":
        return args[1] in (socket.AF_INET, socket.AF_INET6)
    if event in _LOOKUPS:
        host = args[0]
        return bool(host) and not is_address(host.decode() if isinstance(host, bytes) else str(host))
    return args[0].family in (socket.AF_INET, socket.AF_INET6)


def _peer(args: tuple[Any, ...]) -> str:
    return f" ({args[1][0]}:{args[1][1]})" if len(args) == 2 and isinstance(args[1], tuple) else ""


def _culprit() -> str:
    """Where in the user's code it happened."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in _PASSED_OVER:
        frame = frame.f_back
    if frame is None:
        return "something"
    return f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})"
