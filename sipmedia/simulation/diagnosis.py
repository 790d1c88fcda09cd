"""Who waits, and where: the words of the errors that end a run."""

import asyncio
import sysconfig
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

_STANDARD_LIBRARY = sysconfig.get_path("stdlib")
_MOST = 20


def tasks_in_words(tasks: Iterable[asyncio.Task[Any]]) -> str:
    """One line a task: its name, and the calls from its coroutine down to what it waits for."""
    pending = [task for task in tasks if not task.done()]
    lines = [f"  task {task.get_name()!r}: {_where(task)}" for task in pending[:_MOST]]
    if len(pending) > _MOST:
        lines.append(f"  and {len(pending) - _MOST} tasks more")
    return "\n".join(lines) or "  no task is pending"


def calls_in_words(calls: Iterable[tuple[float, Callable[..., object]]]) -> str:
    """One line a function that is due, with how often it stands there."""
    first: dict[str, float] = {}
    counts: dict[str, int] = {}
    for when, function in calls:
        name = function_in_words(function)
        first.setdefault(name, when)
        counts[name] = counts.get(name, 0) + 1
    lines = [
        f"  {name}, due at {first[name]:.3f} s" + (f" and {count - 1} times more" if count > 1 else "")
        for name, count in list(counts.items())[:_MOST]
    ]
    return "\n".join(lines) or "  no timer is set"


def function_in_words(function: Callable[..., object]) -> str:
    """A name for a callback that tells whose it is."""
    while isinstance(function, partial):
        function = function.func
    owner = getattr(function, "__self__", None)
    if isinstance(owner, asyncio.Task):
        return f"task {owner.get_name()!r} ({_where(owner)})"
    name = getattr(function, "__qualname__", repr(function))
    code = getattr(function, "__code__", None)
    place = f" ({_short(code.co_filename)}:{code.co_firstlineno})" if code is not None else ""
    about = "" if owner is None or "object at" in repr(owner) else f" of {owner!r}"
    return f"{name}{about}{place}"


def _where(task: asyncio.Task[Any]) -> str:
    places = []
    awaited: Any = task.get_coro()
    last = ""
    while awaited is not None:
        frame: FrameType | None = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is not None:
            last = f"{awaited.__qualname__} ({_short(frame.f_code.co_filename)}:{frame.f_lineno})"
            if not frame.f_code.co_filename.startswith(_STANDARD_LIBRARY):
                places.append(last)
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    if last and (not places or places[-1] != last):
        places.append(last)
    return " > ".join(places) or repr(task.get_coro())


def _short(filename: str) -> str:
    """The end of a path: enough to find the file."""
    return "/".join(Path(filename).parts[-2:])
