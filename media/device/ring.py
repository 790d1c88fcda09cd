"""A ring buffer between the device's thread and the media thread, without a lock.

One thread writes, another reads. Each owns one of the two positions, which only grow; storing an integer is
atomic, so neither can see the other half way. What does not fit is left out and counted: waiting
is what neither of the two may do.
"""

from media.device.base import Block


class RingBuffer:
    """Holds up to `capacity` samples."""

    __slots__ = ("_buffer", "_capacity", "_read", "_written", "overrun")

    def __init__(self, capacity: int) -> None:
        # No array: a memoryview copies at a third of the cost, which a thread that wakes for it alone feels.
        self._buffer = memoryview(bytearray(2 * capacity)).cast("h")
        self._capacity = capacity
        self._written = 0
        self._read = 0
        self.overrun = 0
        """Samples that did not fit."""

    @property
    def written(self) -> int:
        """Samples written since the beginning."""
        return self._written

    @property
    def consumed(self) -> int:
        """Samples read or skipped since the beginning."""
        return self._read

    def __len__(self) -> int:
        return self._written - self._read

    def write(self, samples: Block) -> int:
        """Copy in what fits; returns how many samples that were. For the writing thread."""
        written = self._written
        n = min(len(samples), self._capacity - (written - self._read))
        start = written % self._capacity
        first = min(n, self._capacity - start)
        self._buffer[start : start + first] = samples[:first]
        if first < n:
            self._buffer[: n - first] = samples[first:n]
        self._written = written + n
        self.overrun += len(samples) - n
        return n

    def read_into(self, out: Block) -> int:
        """Fill `out` with the oldest samples; returns how many there were. For the reading thread."""
        read = self._read
        n = min(len(out), self._written - read)
        start = read % self._capacity
        first = min(n, self._capacity - start)
        out[:first] = self._buffer[start : start + first]
        if first < n:
            out[first:n] = self._buffer[: n - first]
        self._read = read + n
        return n

    def skip(self, n: int) -> int:
        """Drop the oldest `n` samples, or as many as there are; returns how many. For the reading thread."""
        n = min(n, len(self))
        self._read += n
        return n
