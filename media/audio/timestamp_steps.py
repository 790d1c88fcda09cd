"""Senders whose timestamps do not count what their packets hold, and how they are played all the same.

Some step by half or twice as much as a payload has samples: wide band counted at its sampling rate where RTP
says 8000 Hz (G.722), or the other way round. Taken at their word, half of what they send would come too late,
or every packet would be followed by a hole. What they mean is told by the rate at which packets come.
"""

_ENOUGH = 10
"""So many steps of the same kind are no accident."""
_ABOUT = 0.3
"""By how much the time between packets may differ from what is in them."""
_WRAP, _HALF = 1 << 32, 1 << 31


class TimestampSteps:
    """Follows the steps of one source's timestamps; to be asked where a step is not a payload long."""

    __slots__ = ("_count", "_last", "_mapped", "_seen", "_since", "factor")

    def __init__(self) -> None:
        self.factor = 1.0
        """What a step must be multiplied by to be a payload long."""
        self._last = 0
        self._mapped = 0.0
        self._seen = 1.0
        self._count = 0
        self._since = 0.0

    def follow(self, timestamp: int, due: int, units: int, unit_s: float, arrival: float) -> bool:
        """Take a timestamp where `due` was awaited, with payloads of `units`; whether the factor changed.

        If it did nothing of before has to do with what `mapped` gives from here on. While the factor is 1
        what comes when it is due need not be shown.
        """
        last = due - units if self.factor == 1.0 else self._last
        step = (timestamp - last + _HALF) % _WRAP - _HALF
        self._mapped, self._last = float(self.mapped(timestamp)), timestamp
        seen = units / step if step > 0 else 0.0
        if seen not in (0.5, 1.0, 2.0):  # something is lost or out of order
            return False
        if seen == self.factor:
            self._count = 0
            return False
        if seen != self._seen or not self._count:
            self._seen, self._count, self._since = seen, 0, arrival
        self._count += 1
        if self._count <= _ENOUGH:
            return False
        lasted, held = arrival - self._since, (self._count - 1) * units * unit_s
        self._count = 0
        if abs(lasted - held) > _ABOUT * held:  # packets are lost, or few came in a long time
            return False
        self.factor, self._mapped = seen, float(timestamp)
        return True

    def mapped(self, timestamp: int) -> int:
        """A timestamp near the last one followed, as it should have been."""
        if self.factor == 1.0:
            return timestamp
        step = (timestamp - self._last + _HALF) % _WRAP - _HALF
        return int(self._mapped + step * self.factor) % _WRAP
