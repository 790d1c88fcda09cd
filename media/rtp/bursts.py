"""Losses sorted into bursts and gaps (RFC 3611 section 4.7.2).

A burst begins and ends with a lost packet and has fewer than `GMIN` packets received in a row inside; all
else is gap, single losses included.
"""

GMIN = 16


class Bursts:
    """Sorts losses into bursts and gaps, told of runs of them in their order."""

    __slots__ = ("_begin", "_end", "_lost", "burst_lost", "burst_packets", "bursts", "lost")

    def __init__(self) -> None:
        self.bursts = 0
        self.burst_packets = 0
        self.burst_lost = 0
        self.lost = 0
        self._begin = self._end = -GMIN - 1
        self._lost = 0

    def missing(self, first: int, count: int) -> None:
        """`count` packets from the extended sequence number `first` on did not come."""
        self.lost += count
        if first - self._end > GMIN:
            self._close()
            self._begin, self._lost = first, 0
        self._end = first + count
        self._lost += count

    def _close(self) -> None:
        if self._lost > 1:
            self.bursts += 1
            self.burst_packets += self._end - self._begin
            self.burst_lost += self._lost
        self._lost = 0

    def figures(self, expected: int, packet_ms: float) -> tuple[float, float, int, int]:
        """Burst density, gap density, mean burst and mean gap in ms, of so many packets expected so far."""
        running = self._end - self._begin if self._lost > 1 else 0
        bursts = self.bursts + (running > 0)
        packets = self.burst_packets + running
        lost = self.burst_lost + (self._lost if running else 0)
        gap_packets = max(0, expected - packets)
        return (
            lost / packets if packets else 0.0,
            (self.lost - lost) / gap_packets if gap_packets else 0.0,
            round(packets * packet_ms / bursts) if bursts else 0,
            round(gap_packets * packet_ms / (bursts + 1)),
        )
