"""Timer values (RFC 3261 appendix A) and the queue of deadlines of one core.

The queue is a heap with lazy cancellation: a cancelled timer stays in the heap, emptied, until its time
comes or until cancelled ones outnumber the rest, when the heap is rebuilt. So starting and stopping a
timer cost O(log n) and O(1), whatever the number of calls.

Timers that only let something be forgotten (D, I, J, K, L, M) are rounded up to a common grid: hundreds of
calls a second then wake the loop four times a second, not hundreds of times.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass

CLEANUP_GRID = 0.25
"""Seconds between the moments at which forgetting timers fire."""

_COMPACT_AT = 512


@dataclass(frozen=True, slots=True)
class Timers:
    """The base values in seconds; every other timer follows from them (RFC 3261 table 4)."""

    T1: float = 0.5
    """Estimate of the round trip."""
    T2: float = 4.0
    """Longest retransmission interval for non-INVITE requests and INVITE responses."""
    T4: float = 5.0
    """Longest time a message stays in the network."""

    @property
    def patience(self) -> float:
        """64*T1: timers B, F, H, J, L, M, and how long a 2xx is resent."""
        return 64 * self.T1


class Timer:
    """One pending deadline. `cancel()` may be called at any time, also after it fired."""

    __slots__ = ("_callback", "_queue")

    def __init__(self, queue: TimerQueue, callback: Callable[[], None]) -> None:
        self._queue = queue
        self._callback: Callable[[], None] | None = callback

    @property
    def pending(self) -> bool:
        """True until it fires or is cancelled."""
        return self._callback is not None

    def cancel(self) -> None:
        """Never fire. The callback is let go at once, so that nothing it refers to is kept alive."""
        if self._callback is not None:
            self._callback = None
            self._queue.note_cancelled()

    def fire(self) -> None:
        """Run the callback, once. Called by the queue."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class TimerQueue:
    """Deadlines in order. `now` is the core's time, in seconds of whatever clock the driver uses."""

    __slots__ = ("_cancelled", "_heap", "_sequence", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Timer]] = []
        self._sequence = 0
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def start(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` `delay` seconds from now."""
        return self._push(self.now + delay, callback)

    def start_cleanup(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` at the first grid time at least `delay` seconds from now."""
        return self._push(math.ceil((self.now + delay) / CLEANUP_GRID) * CLEANUP_GRID, callback)

    def next_deadline(self) -> float | None:
        """When `run` must next be called, or None when nothing is pending."""
        heap = self._heap
        while heap:
            if heap[0][2].pending:
                return heap[0][0]
            heapq.heappop(heap)
            self._cancelled -= 1
        return None

    def run(self) -> None:
        """Fire what is due at `now`, in order of deadline, also what a callback starts meanwhile."""
        heap = self._heap
        while heap and heap[0][0] <= self.now:
            timer = heapq.heappop(heap)[2]
            if timer.pending:
                timer.fire()
            else:
                self._cancelled -= 1

    def note_cancelled(self) -> None:
        """A timer of this queue was cancelled; rebuild the heap when most of it is dead."""
        self._cancelled += 1
        if self._cancelled > _COMPACT_AT and self._cancelled * 2 > len(self._heap):
            # In place: `run` holds a reference to the list while callbacks cancel timers.
            self._heap[:] = [entry for entry in self._heap if entry[2].pending]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def _push(self, when: float, callback: Callable[[], None]) -> Timer:
        timer = Timer(self, callback)
        self._sequence += 1
        heapq.heappush(self._heap, (when, self._sequence, timer))
        return timer
