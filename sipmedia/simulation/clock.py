"""Virtual time, and what the simulation itself has to do at some moment of it."""

import heapq
from collections.abc import Callable
from typing import Any

START = 1000.0
"""Where monotonic time begins. Not at 0: no real clock that programs meet stands there."""

STARTED_AT = 1767225600
"""Wall time when a simulation begins: 2026-01-01 00:00 UTC."""


class Clock:
    """A time that only `advance` moves, and an agenda in order of time (first come first served)."""

    def __init__(self) -> None:
        self.now = START
        self._agenda: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._number = 0

    @property
    def elapsed(self) -> float:
        """Seconds since the simulation began."""
        return self.now - START

    @property
    def wall(self) -> float:
        """Seconds since 1970."""
        return self.now - START + STARTED_AT

    def next_number(self) -> int:
        """A number above all before: what breaks ties between things of the same time."""
        self._number += 1
        return self._number

    def at(self, when: float, function: Callable[..., object], *args: Any) -> None:
        """Call `function` at this time (now, if that is past)."""
        self._number += 1
        heapq.heappush(self._agenda, (when, self._number, function, args))

    def next_due(self) -> float | None:
        """When the first entry is due; None without any."""
        return self._agenda[0][0] if self._agenda else None

    def advance(self, when: float) -> None:
        """Set the time; it never goes back."""
        if when > self.now:
            self.now = when

    def run_due(self) -> None:
        """Do what is due by now. What that brings about, even at once, is left to the next call."""
        agenda, now, last = self._agenda, self.now, self._number
        while agenda and agenda[0][0] <= now and agenda[0][1] <= last:
            _, _, function, args = heapq.heappop(agenda)
            function(*args)

    def entries(self) -> list[tuple[float, Callable[..., object]]]:
        """What is on the agenda, soonest first."""
        return [
            (when, function) for when, _, function, _ in sorted(self._agenda, key=lambda entry: entry[:2])
        ]

    def clear(self) -> None:
        """Forget the agenda."""
        self._agenda.clear()
