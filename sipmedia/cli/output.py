"""What a command says: lines for people, or one JSON object a line for scripts."""

from __future__ import annotations

import dataclasses
import enum
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
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


class Output:
    """Tells events as they happen. With ``as_json`` stdout carries JSON lines and nothing else."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.console = Console(highlight=False, soft_wrap=True)
        self._errors = Console(stderr=True, highlight=False, soft_wrap=True)
        self._started = time.monotonic()
        self._status = ""

    def event(self, name: str, sentence: str = "", **fields: Any) -> None:
        """Something happened: ``sentence`` for people ("" for nothing), name and fields for scripts."""
        elapsed = time.monotonic() - self._started
        if sentence:
            self.status("")
        if self.as_json:
            line = {"event": name, "time": round(elapsed, 3), **fields}
            print(json.dumps(plain(line), ensure_ascii=False), flush=True)
        elif sentence:
            self.console.print(Text.assemble((f"{elapsed:8.3f}  ", "dim"), sentence))

    def status(self, line: str) -> None:
        """Show a line that the next one takes the place of ("": nothing); on a terminal only."""
        if self.as_json or not self.console.is_terminal or line == self._status == "":
            return
        self._status = line
        self.console.file.write(f"\r{line[: self.console.width - 1]}\x1b[K")
        self.console.file.flush()

    def error(self, message: str) -> None:
        """Something went wrong: to stderr, and as an event for scripts."""
        self.status("")
        if self.as_json:
            self.event("error", message=message)
        self._errors.print(Text.assemble(("error: ", "bold red"), message))

    def trouble(self, event: ErrorOccurred) -> None:
        """A handler for ``error`` events."""
        self.error(f"{event.doing}: {event.error}")

    def ladder(self, trace: CallTrace) -> None:
        """Draw the ladder for people; a script gets it with ``--trace``."""
        if self.as_json:
            return
        width = min(self.console.width, 110)
        self.console.print()
        for rung in rungs(trace, width):
            self.console.print(Text(rung.text.rstrip(), style=_LADDER_COLOURS[rung.style]))
        self.console.print()

    def summary(self, **fields: Any) -> None:
        """The last line for scripts."""
        if self.as_json:
            self.event("summary", **fields)


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
