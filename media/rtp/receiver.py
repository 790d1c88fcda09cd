"""What is known about one remote source: loss, jitter, duplicates (RFC 3550 A.1, A.3, A.8)."""

from media.rtp.bursts import Bursts
from media.rtp.sequence import MAX_DROPOUT, SequenceTracker

_WINDOW = (1 << 56) - 1


class Receiver:
    """Counts the packets of one SSRC. Times are in seconds, jitter in timestamp units inside."""

    __slots__ = (
        "_expected_prior",
        "_jitter",
        "_last_arrival",
        "_last_timestamp",
        "_received_prior",
        "_seen",
        "bursts",
        "clock_rate_hz",
        "duplicates",
        "last_sequence_number",
        "losses",
        "received",
        "reordered",
        "sequence",
        "ssrc",
    )

    def __init__(self, ssrc: int, clock_rate_hz: int) -> None:
        self.ssrc = ssrc
        self.clock_rate_hz = clock_rate_hz
        self.sequence = SequenceTracker()
        self.received = 0
        self.duplicates = 0
        self.reordered = 0
        self.losses = Bursts()
        self.bursts = 0
        """How often packets were missing that were before this one, however many: runs of loss."""
        self.last_sequence_number = 0
        self._seen = 0
        self._jitter = 0.0
        self._last_arrival = -1.0
        self._last_timestamp = 0
        self._expected_prior = 0
        self._received_prior = 0

    def follow_clock(self, clock_rate_hz: int) -> None:
        """From now on timestamps are of this clock; the jitter stays what it is in seconds."""
        if clock_rate_hz != self.clock_rate_hz:
            self._jitter *= clock_rate_hz / self.clock_rate_hz
            self.clock_rate_hz = clock_rate_hz
            self._last_arrival = -1.0

    def receive(self, sequence_number: int, timestamp: int, arrival: float, timed: bool = True) -> int:
        """Count a packet; its extended sequence number, or -1 for a duplicate or a stray.

        `timed` is False for packets whose timestamp is not their sampling time (telephone-events).
        """
        tracker = self.sequence
        extended = tracker.highest + 1
        if extended & 0xFFFF == sequence_number and self._seen == _WINDOW:  # the next one, as nearly always
            tracker.highest = extended
            self.received += 1
            self.last_sequence_number = sequence_number
        else:
            extended = self._place(sequence_number)
            if extended < 0:
                return -1
        if timed:
            if self._last_arrival >= 0.0:
                steps = (timestamp - self._last_timestamp) & 0xFFFFFFFF
                if steps > 0x7FFFFFFF:
                    steps -= 0x100000000
                transit = abs((arrival - self._last_arrival) * self.clock_rate_hz - steps)
                if transit < self.clock_rate_hz:  # a talkspurt whose timestamps jumped says nothing of jitter
                    self._jitter += (transit - self._jitter) / 16
            self._last_arrival = arrival
            self._last_timestamp = timestamp
        return extended

    def _place(self, sequence_number: int) -> int:
        """Count a packet that need not be the next one; its extended number, or -1."""
        tracker = self.sequence
        highest = tracker.highest
        extended = tracker.update(sequence_number)
        if extended < 0:
            return -1
        self.received += 1
        delta = extended - highest
        if delta > 0:
            # Which of the 56 numbers up to the highest have come: a bit each, the highest is bit 0.
            self._seen = (self._seen << delta | 1) & _WINDOW if delta < 56 else 1
            self.last_sequence_number = sequence_number
            if delta != 1 and highest >= 0:
                self.bursts += 1
                if delta < MAX_DROPOUT:
                    self.losses.missing(highest + 1, delta - 1)
            return extended
        bit = 1 << -delta
        if self._seen & bit:
            self.duplicates += 1
            return -1
        self._seen |= bit & _WINDOW
        self.reordered += 1
        return extended

    @property
    def last_timestamp(self) -> int:
        """Of the packet that came last."""
        return self._last_timestamp

    @property
    def jitter(self) -> int:
        """Interarrival jitter in timestamp units, as reports carry it."""
        return int(self._jitter)

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter in ms."""
        return self._jitter * 1000 / self.clock_rate_hz

    @property
    def lost(self) -> int:
        """Packets that never came; duplicates do not make up for them."""
        return max(0, self.sequence.expected - (self.received - self.duplicates))

    @property
    def cumulative_lost(self) -> int:
        """As in report blocks: expected less received, duplicates and all, as a signed 24-bit number."""
        return max(-0x800000, min(0x7FFFFF, self.sequence.expected - self.received))

    @property
    def extended_highest(self) -> int:
        """Highest sequence number with its count of cycles, modulo 2^32."""
        return (self.sequence.highest - 0x10000) & 0xFFFFFFFF

    def fraction_lost_since_last(self) -> int:
        """Loss since the previous call in 1/256, 0 when nothing was lost or nothing expected (A.3)."""
        expected, received = self.sequence.expected, self.received
        expected_interval = expected - self._expected_prior
        lost_interval = expected_interval - (received - self._received_prior)
        self._expected_prior, self._received_prior = expected, received
        if expected_interval <= 0 or lost_interval <= 0:
            return 0
        return min(255, (lost_interval << 8) // expected_interval)
