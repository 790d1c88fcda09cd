"""What one party of a conference said and the mix has not yet taken."""

from collections import deque

import numpy as np

from media.frame import Samples

BLOCKS_PER_S = 100
"""A conference is mixed in blocks of 10 ms: the shortest tick of the engine."""

_DEPTH_WINDOW_BLOCKS = 100  # a second without running dry: what waits is needless delay
_FULL_BLOCKS = 20


class Feed:
    """What somebody said and the mix has not yet taken. Within one engine that is nothing after a tick.

    Where parties tick out of step (packets of 10 ms among those of 20, or two engines) it runs dry once,
    and from then on holds what is needed. What it holds without need for a second is let go.
    """

    __slots__ = ("_block", "_least", "_offset", "_parts", "_takes", "held")

    def __init__(self, sample_rate_hz: int) -> None:
        self._block = sample_rate_hz // BLOCKS_PER_S
        self._parts: deque[Samples] = deque()
        self._offset = 0
        self.held = 0
        self._least = 0
        self._takes = 0

    def put(self, samples: Samples) -> int:
        """Add samples; returns how many old ones had to go."""
        self._parts.append(samples)
        self.held += len(samples)
        excess = self.held - max(_FULL_BLOCKS * self._block, len(samples))
        return self._skip(excess) if excess > 0 else 0

    def take(self) -> Samples | None:
        """The next block, None if it is not there."""
        block = self._block
        if self.held < block:
            self._least = self._takes = 0
            return None
        parts, offset = self._parts, self._offset
        end = offset + block
        first = parts[0]
        if end < len(first):
            self._offset = end
            taken = first[offset:end]
        elif end == len(first):
            parts.popleft()
            self._offset = 0
            taken = first[offset:]
        else:
            taken = self._gather(block)
        self.held -= block
        return taken

    def trim(self) -> int:
        """After each block: let go of what was never needed for a second; returns how many samples."""
        if not self._takes or self.held < self._least:
            self._least = self.held
        self._takes += 1
        if self._takes < _DEPTH_WINDOW_BLOCKS:
            return 0
        self._takes = 0
        excess = self._least // self._block * self._block
        return self._skip(excess) if excess else 0

    def _gather(self, n: int) -> Samples:
        pieces = []
        while n:
            first = self._parts[0]
            piece = first[self._offset : self._offset + n]
            n -= len(piece)
            self._offset += len(piece)
            if self._offset == len(first):
                self._parts.popleft()
                self._offset = 0
            pieces.append(piece)
        return np.concatenate(pieces)

    def _skip(self, n: int) -> int:
        self._gather(n)
        self.held -= n
        return n
