"""Sequence numbers counted on past 65535 (RFC 3550 appendix A.1)."""

MAX_DROPOUT = 3000
MAX_MISORDER = 100
MIN_SEQUENTIAL = 2
_MODULUS = 1 << 16


class SequenceTracker:
    """Extends the 16-bit sequence numbers of one source and tells a restart from a stray packet.

    With `probation` the source is only believed after that many packets in sequence (`MIN_SEQUENTIAL` in
    the RFC); 0 for one that was validated otherwise. `highest` and `base` are extended numbers; on a
    restart they go on above what was there, so extended numbers never repeat.
    """

    __slots__ = ("_bad", "_probation", "_spans", "base", "highest", "restarts")

    def __init__(self, probation: int = 0) -> None:
        self._probation = probation
        self._bad = -1
        self._spans = 0
        self.base = -1
        self.highest = -1
        self.restarts = 0

    def update(self, sequence_number: int) -> int:
        """The extended number of a packet, or -1 if it is not to be used (yet)."""
        highest = self.highest
        if highest < 0:
            self.base = self.highest = _MODULUS + sequence_number  # room below for what comes out of order
            if self._probation:
                self._probation -= 1
            return -1 if self._probation else self.highest
        delta = (sequence_number - highest) & 0xFFFF
        if self._probation:
            return self._validate(sequence_number, delta)
        if delta < MAX_DROPOUT:
            self.highest = highest + delta
            return self.highest
        if delta <= _MODULUS - MAX_MISORDER:
            return self._jump(sequence_number, delta)
        return highest + delta - _MODULUS

    @property
    def expected(self) -> int:
        """Packets sent so far as far as we can know, over all restarts (RFC 3550 A.3)."""
        if self.highest < 0:
            return 0
        return self._spans + self.highest - self.base + 1

    def _validate(self, sequence_number: int, delta: int) -> int:
        if delta == 1:
            self._probation -= 1
            self.highest += 1
        else:
            self._probation = MIN_SEQUENTIAL - 1
            self.highest = _MODULUS + sequence_number
        self.base = self.highest
        return -1 if self._probation else self.highest

    def _jump(self, sequence_number: int, delta: int) -> int:
        """A very large jump: a restart if the next packet follows this one, otherwise a stray."""
        if sequence_number != self._bad:
            self._bad = (sequence_number + 1) & 0xFFFF
            return -1
        self._bad = -1
        self.restarts += 1
        self._spans += self.highest - self.base + 1
        self.highest += delta
        self.base = self.highest
        return self.highest
