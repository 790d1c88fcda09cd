"""What a command says: lines for people, or one JSON object a line for scripts."""

from __future__ import annotations

import dataclasses
import enum
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from rich.console import Console, RenderableType
from rich.text import Text

from sipmedia.events import ErrorOccurred
from sipmedia.trace import CallTrace, rungs

_LADDER_COLOURS = {
    "head": "bold",
    "message": "",
    "again": "dim",
    "media": "green",
    "band": "green",
    "note": "yellow",
}


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to `Output`: rich ends the process, from within the handler of whatever was told."""
        raise


class Output:
    """Tells events as they happen. With ``as_json`` stdout carries JSON lines and nothing else.

    When stdout cannot be written any more (``| head`` has read enough, the disk is full) nothing more is
    told, and the command is asked to end in order. No method raises for it.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.lost = False
        """Whether what was told could not be written."""
        self._console = _Console(highlight=False, soft_wrap=True)
        self._errors = _Console(stderr=True, highlight=False, soft_wrap=True)
        self._on_lost: list[Callable[[], None]] = []
        self._started = time.monotonic()
        self._status = ""

    def event(self, name: str, sentence: str = "", **fields: Any) -> None:
        """Something happened: ``sentence`` for people ("" for nothing), name and fields for scripts."""
        elapsed = time.monotonic() - self._started
        if sentence:
            self.status("")
        if self.as_json:
            line = {"event": name, "time": round(elapsed, 3), **fields}
            text = json.dumps(plain(line), ensure_ascii=False)
            self._write(lambda: print(text, flush=True))
        elif sentence:
            self.show(Text.assemble((f"{elapsed:8.3f}  ", "dim"), sentence))

    def show(self, *what: RenderableType, markup: bool = True) -> None:
        """Something for people: texts, tables, or an empty line."""
        self._write(lambda: self._console.print(*what, markup=markup))

    def when_lost(self, ask: Callable[[], None]) -> None:
        """Have ``ask`` called once stdout cannot be written any more, which may be so already."""
        self._on_lost.append(ask)
        if self.lost:
            ask()

    def status(self, line: str) -> None:
        """Show a line that the next one takes the place of ("": nothing); on a terminal only."""
        if self.as_json or not self._console.is_terminal or line == self._status == "":
            return
        self._status = line
        self._write(lambda: self._put(f"\r{line[: self._console.width - 1]}\x1b[K"))

    def error(self, message: str) -> None:
        """Something went wrong: to stderr, and as an event for scripts."""
        self.status("")
        if self.as_json:
            self.event("error", message=message)
        self._complain(message)

    def trouble(self, event: ErrorOccurred) -> None:
        """A handler for ``error`` events."""
        self.error(f"{event.doing}: {event.error}")

    def ladder(self, trace: CallTrace) -> None:
        """Draw the ladder for people; a script gets it with ``--trace``."""
        if self.as_json:
            return
        width = min(self._console.width, 110)
        self.show()
        for rung in rungs(trace, width):
            self.show(Text(rung.text.rstrip(), style=_LADDER_COLOURS[rung.style]))
        self.show()

    def summary(self, **fields: Any) -> None:
        """The last line for scripts."""
        if self.as_json:
            self.event("summary", **fields)

    def _put(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()

    def _write(self, write: Callable[[], None]) -> None:
        if self.lost:
            return
        try:
            write()
        except OSError as error:
            self.lost = True
            discard(sys.stdout)
            if not isinstance(error, BrokenPipeError):  # whoever reads no more need not be told so
                self._complain(f"what happens cannot be written any more: {error.strerror}")
            for ask in self._on_lost:
                ask()

    def _complain(self, message: str) -> None:
        try:
            self._errors.print(Text.assemble(("error: ", "bold red"), message))
        except OSError:
            discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Have what the stream still holds go nowhere: else the interpreter fails over it when it exits."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):
        return  # it is no file, but a test's
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def plain(value: object) -> Any:
    """A value as JSON can carry it: dataclasses as objects, enums by name in small letters."""
    if isinstance(value, enum.Enum):
        return value.name.lower() if not isinstance(value, enum.IntEnum) else int(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return round(value, 4)
    return value if isinstance(value, str | int | bool | None) else str(value)


def use_utf8() -> None:
    """Ladders need it, whatever the terminal or pipe was opened with."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
