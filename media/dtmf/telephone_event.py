"""DTMF digits as RTP events (RFC 4733), both directions, without I/O or a clock.

    0                   1                   2                   3
    |     event     |E|R|  volume   |           duration            |

All packets of an event carry the RTP timestamp of its beginning and the duration so far; the last has
the E bit and is sent three times. So one event survives the loss of any of its packets as long as one
comes through, and a receiver tells events apart by their timestamps alone.
"""

from collections import deque
from dataclasses import dataclass
from struct import Struct
from typing import NamedTuple

from media.errors import BadDigits, BadPacket

DIGITS = "0123456789*#ABCD!"
"""The keys in the order of their event codes 0 to 16 (RFC 4733 section 3.2); `!` is flash, 16."""

MIN_DURATION_MS = 40
MAX_DURATION_MS = 60_000
MAX_SEGMENT = 0xFFFF
END_PACKETS = 3

_PAYLOAD = Struct("!BBH")
_E_BIT = 0x80
_VOLUME = 0x3F
_MODULUS = 1 << 32


class EventPacket(NamedTuple):
    """What one RTP packet of an event carries."""

    payload: bytes
    timestamp: int
    marker: bool


@dataclass(frozen=True, slots=True)
class DtmfDigit:
    """A key that was pressed at the other end: one of `DIGITS`."""

    digit: str
    duration_ms: int
    volume_dbm0: int


def check_digits(digits: str) -> str:
    """`digits` in upper case; `BadDigits` names the first that is no key."""
    upper = digits.upper()
    for digit in digits:
        if digit.upper() not in DIGITS:
            raise BadDigits(
                f"{digit!r} in {digits!r} is no DTMF key; the keys are 0-9 * # A-D and ! for flash"
            )
    if not upper:
        raise BadDigits("no digits to send")
    return upper


class TelephoneEventSender:
    """Turns digits into packets, one for each packet slot that the stream offers to `poll`.

    Each digit takes its duration, rounded up to whole slots, and then a pause of `gap_ms`; two of the
    three end packets travel in the pause.
    """

    def __init__(self, clock_rate_hz: int = 8000, *, volume_dbm0: int = -10, gap_ms: int = 60) -> None:
        self.digits_sent = 0
        self._clock_rate_hz = clock_rate_hz
        self._volume = min(63, max(0, -volume_dbm0))
        self._gap = gap_ms * clock_rate_hz // 1000
        self._queue: deque[tuple[int, int]] = deque()  # event code, duration in clock units
        self._event = -1  # -1: between digits
        self._wanted = 0
        self._segment_start = 0  # RTP timestamp
        self._elapsed = 0  # in this segment
        self._before = 0  # in the segments before it
        self._ends_left = 0
        self._pause = 0

    @property
    def busy(self) -> bool:
        """Whether digits, their end packets or the pause after them are still to come."""
        return self._event >= 0 or self._pause > 0 or bool(self._queue)

    def send(self, digits: str, duration_ms: int = 100) -> None:
        """Queue digits (any of `DIGITS`, small letters too); `BadDigits` leaves the queue as it was."""
        if not MIN_DURATION_MS <= duration_ms <= MAX_DURATION_MS:
            raise BadDigits(
                f"a digit lasts {MIN_DURATION_MS} to {MAX_DURATION_MS} ms, not {duration_ms}; 100 is usual"
            )
        units = duration_ms * self._clock_rate_hz // 1000
        self._queue.extend((DIGITS.index(digit), units) for digit in check_digits(digits))

    def clear(self) -> None:
        """Forget digits that have not begun. The one being sent ends at the next slot."""
        self._queue.clear()
        self._wanted = 0

    def poll(self, timestamp: int, units: int) -> EventPacket | None:
        """The packet for the slot that begins at `timestamp` and lasts `units` of the RTP clock.

        None while pausing, or with nothing to do.
        """
        if self._event < 0:
            if self._pause > 0:
                self._pause -= units
                return None
            if not self._queue:
                return None
            self._event, self._wanted = self._queue.popleft()
            self._segment_start = timestamp % _MODULUS
            self._elapsed = self._before = 0
            self._ends_left = END_PACKETS
        marker = not self._elapsed and not self._before
        if self._ends_left < END_PACKETS:
            return self._end_packet(units, marker)
        if self._elapsed >= MAX_SEGMENT:  # section 2.5.1.3: the event goes on in a new segment
            self._segment_start = (self._segment_start + MAX_SEGMENT) % _MODULUS
            self._elapsed -= MAX_SEGMENT
            self._before += MAX_SEGMENT
        self._elapsed += units
        if self._before + self._elapsed >= self._wanted and self._elapsed <= MAX_SEGMENT:
            return self._end_packet(units, marker)
        return self._packet(0, marker)

    def _end_packet(self, units: int, marker: bool) -> EventPacket:
        packet = self._packet(_E_BIT, marker and self._ends_left == END_PACKETS)
        self._ends_left -= 1
        if not self._ends_left:
            self.digits_sent += 1
            self._event = -1
            self._pause = max(0, self._gap - (END_PACKETS - 1) * units)
        return packet

    def _packet(self, flags: int, marker: bool) -> EventPacket:
        duration = min(self._elapsed, MAX_SEGMENT)
        return EventPacket(
            _PAYLOAD.pack(self._event, flags | self._volume, duration), self._segment_start, marker
        )


class _OpenEvent:
    """An event whose end has not been seen."""

    __slots__ = ("before", "code", "duration", "last_seen", "start", "volume")

    def __init__(self, code: int, start: int) -> None:
        self.code = code
        self.start = start  # RTP timestamp of the present segment
        self.before = 0  # clock units in the segments before it
        self.duration = 0
        self.volume = 0
        self.last_seen = 0.0


class TelephoneEventReceiver:
    """Turns the packets of one stream into digits, each exactly once.

    An event is over when its end packet arrives, a later event begins, or nothing was heard of it for
    `timeout_s` (all three end packets lost). What still arrives of it afterwards is ignored.
    """

    def __init__(self, clock_rate_hz: int = 8000, *, timeout_s: float = 0.25) -> None:
        self.timeout_s = timeout_s
        self._clock_rate_hz = clock_rate_hz
        self._open: dict[int, _OpenEvent] = {}  # by timestamp of the present segment
        self._over: deque[int] = deque(maxlen=32)  # timestamps of reported events and past segments

    @property
    def open(self) -> bool:
        """Whether an event awaits its end, so that `expire` must be called."""
        return bool(self._open)

    def receive(
        self, payload: bytes | memoryview, timestamp: int, marker: bool, now: float
    ) -> tuple[DtmfDigit, ...]:
        """Take one packet; returns the digits that it completes (its own, or earlier ones).

        `now` is any clock in seconds, the same for `expire`. Raises `BadPacket` below four bytes; events
        other than DTMF and flash are ignored.
        """
        if len(payload) < _PAYLOAD.size:
            raise BadPacket(
                f"telephone-event payload of {len(payload)} bytes; it has 4 (RFC 4733 section 2.3)"
            )
        code, flags, duration = _PAYLOAD.unpack_from(payload)
        if code >= len(DIGITS) or timestamp in self._over:
            return ()
        event = self._open.get(timestamp)
        done: tuple[DtmfDigit, ...] = ()
        if event is None:
            event = self._continued(code, timestamp, marker)
        if event is None:
            done = self._finish([e for e in self._open.values() if _is_after(timestamp, e.start)])
            event = self._open[timestamp] = _OpenEvent(code, timestamp)
        event.duration = max(event.duration, duration)
        event.volume = flags & _VOLUME
        event.last_seen = now
        return done + self._finish([event]) if flags & _E_BIT else done

    def expire(self, now: float) -> tuple[DtmfDigit, ...]:
        """The digits whose end was never seen and that have been silent for the timeout."""
        return self._finish([e for e in self._open.values() if now - e.last_seen >= self.timeout_s])

    def _continued(self, code: int, timestamp: int, marker: bool) -> _OpenEvent | None:
        """The open event of which this timestamp is the next segment (section 2.5.1.3), if any."""
        event = self._open.get((timestamp - MAX_SEGMENT) % _MODULUS)
        if event is None or event.code != code or marker:
            return None
        del self._open[event.start]
        self._over.append(event.start)
        event.before += MAX_SEGMENT
        event.start, event.duration = timestamp, 0
        self._open[timestamp] = event
        return event

    def _finish(self, events: list[_OpenEvent]) -> tuple[DtmfDigit, ...]:
        for event in events:
            del self._open[event.start]
            self._over.append(event.start)
        return tuple(
            DtmfDigit(
                DIGITS[event.code],
                round((event.before + event.duration) * 1000 / self._clock_rate_hz),
                -event.volume,
            )
            for event in events
        )


def _is_after(timestamp: int, other: int) -> bool:
    return 0 < (timestamp - other) % _MODULUS < _MODULUS // 2
