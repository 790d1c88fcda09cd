"""Orders packets and gives each its time.

Time is counted in units of the RTP clock. The *cursor* is the timestamp that is to be played next; it
moves by what is played and so keeps pace with the media clock. A spurt begins with its first packet, which is
played at the first tick at or after arrival + `delay_ms`; all later ones follow it by their
timestamps:

    IDLE --- packet ---> FILLING --- arrival + delay reached ---> PLAYING --- dry for `max_delay_ms` ---> IDLE

So a gap, a restarted sequence, or timestamps that jumped cost nothing but themselves: the buffer runs dry, and
the next packet begins a spurt with the delay it had at first.

While playing, the delay follows the need:
- A packet that comes after its turn makes the cursor step back, by as many frames as it takes to play it
  still (`grown`), up to `max_delay_ms`. If something behind it was played already it is dropped (`late`),
  and the cursor waits for one frame. With `strict` the delay never changes and late packets are dropped.
- When over two seconds every packet had to wait a whole frame longer than `delay_ms` asks for, one frame is
  left out (`skipped`). The same two rules follow a sender whose clock is faster or slower than ours.
- Packets further ahead than `max_delay_ms` and a little begin a new spurt: a stalled network that delivers a
  second of audio at once shall not leave us a second behind.

Whatever arrives, there are never more than `CAPACITY` packets. The caller asks, in this order: `get(now)`, then
`advance(units)` for what it played, until it has a frame. What stands in for a missing frame is the caller's
business (`media.audio.concealment`).
"""

import enum

CAPACITY = 128
_AHEAD_SLACK_MS = 100
_WINDOW_S = 2.0


class Missing:
    """Nothing is there for the cursor; `units` is how far the next packet is off (None: nothing there at all)."""

    __slots__ = ("units",)

    def __init__(self, units: int | None) -> None:
        self.units = units


class _State(enum.Enum):
    IDLE = enum.auto()
    FILLING = enum.auto()
    PLAYING = enum.auto()


_IDLE, _FILLING, _PLAYING = _State.IDLE, _State.FILLING, _State.PLAYING
_DRY = Missing(None)

Entry = tuple[int, bytes, float]
"""Payload type, payload, time of arrival."""


class JitterBuffer:
    """The packets of one source between arrival and their turn."""

    def __init__(
        self, clock_rate_hz: int, frame_ms: int, *, delay_ms: float = 15.0, max_delay_ms: float = 200.0,
        strict: bool = False,
    ) -> None:  # fmt: skip
        self.late = 0
        """Packets that came after their turn and were dropped."""
        self.overflow = 0
        """Packets dropped because too much was buffered."""
        self.grown = 0
        """Frames by which the delay grew."""
        self.skipped = 0
        """Frames left out to shorten the delay."""
        self.concealed = 0
        """Frames that were missing in their turn (but for the end of a spurt)."""
        self.spurts = 0
        self._delay_ms = delay_ms
        self._max_delay_ms = max_delay_ms
        self._strict = strict
        self._packets: dict[int, Entry] = {}
        self._state = _IDLE
        self._cursor = 0
        self.reset(clock_rate_hz, frame_ms)

    def reset(self, clock_rate_hz: int, frame_ms: int) -> None:
        """Forget all packets; from now on the clock and the frames are these."""
        self._clock_rate_hz = clock_rate_hz
        self._frame = clock_rate_hz * frame_ms // 1000
        self._frame_ms = frame_ms
        self._limit = int((self._max_delay_ms + _AHEAD_SLACK_MS) * clock_rate_hz / 1000)
        self._dry_limit = int(self._max_delay_ms * clock_rate_hz / 1000)
        self._ample_s = (self._delay_ms + frame_ms + 2.0) / 1000
        self._target_ms = self._delay_ms
        self._packets.clear()
        self._state = _IDLE
        self._begin_window(0.0)
        self._insert = 0
        self._dry = 0
        self._newest = 0
        self._last_timestamp = 0

    @property
    def depth_ms(self) -> float:
        """From the cursor to the end of what is buffered."""
        if not self._packets:
            return 0.0
        return (self._newest - self._cursor) * 1000 / self._clock_rate_hz + self._frame_ms

    @property
    def target_ms(self) -> float:
        """The delay this spurt was begun with, and what it grew since."""
        return self._target_ms

    @property
    def playing(self) -> bool:
        """Whether a spurt is under way."""
        return self._state is _PLAYING

    def put(self, timestamp: int, payload_type: int, payload: bytes, arrival: float) -> None:
        """Take a packet; duplicates must have been sorted out by their sequence numbers."""
        # Timestamps are extended past 32 bits next to the last one, so they can be compared.
        steps = (timestamp - self._last_timestamp) & 0xFFFFFFFF
        extended = self._last_timestamp + (steps if steps < 0x80000000 else steps - 0x100000000)
        self._last_timestamp = extended
        ahead = extended - self._cursor
        if self._state is _IDLE or not -self._limit <= ahead <= self._limit:
            if self._state is not _IDLE and ahead < 0:
                self.late += 1  # far too late: either a stray, or the buffer is dry soon and begins anew
                self._last_timestamp = self._newest
                return
            self._begin(extended, arrival)
        elif ahead < 0 and not self._make_room(extended, -ahead):
            return
        elif len(self._packets) >= CAPACITY:
            self.overflow += 1
            return
        self._packets[extended] = (payload_type, payload, arrival)
        if extended > self._newest:
            self._newest = extended

    def get(self, now: float) -> Entry | Missing | None:
        """What is to be played at the cursor: a packet, the size of the hole, or None for nothing at all.

        `now` is the time of the tick. Follow a packet or a hole by `advance`.
        """
        state = self._state
        if state is not _PLAYING:
            if state is _IDLE or now < self._start:
                return None
            self._state = _PLAYING
            self._begin_window(now)
        if self._insert:
            self._insert -= 1
            self._cursor -= self._frame  # the caller conceals a frame and advances by it
            return _DRY
        entry = self._packets.pop(self._cursor, None)
        if entry is None:
            return self._missing()
        slack = now - entry[2]
        if slack < self._least_slack:
            self._least_slack = slack
        self._dry = 0
        return entry

    def advance(self, units: int) -> None:
        """So much was played, or stood in for what was missing."""
        self._cursor += units

    def surplus(self, now: float) -> bool:
        """Whether a frame is to be left out now (ask once a tick; it counts the frame)."""
        if now < self._window_end:
            return False
        ample = self._least_slack >= self._ample_s and self._state is _PLAYING
        self._begin_window(now)
        if not ample:
            return False
        self.skipped += 1
        self._target_ms = max(self._delay_ms, self._target_ms - self._frame_ms)
        return True

    def _begin(self, timestamp: int, arrival: float) -> None:
        self.overflow += len(self._packets)
        self._packets.clear()
        self.spurts += 1
        self._state = _FILLING
        self._cursor = self._newest = timestamp
        self._start = arrival + self._delay_ms / 1000
        self._target_ms = self._delay_ms
        self._dry = self._insert = 0

    def _begin_window(self, now: float) -> None:
        self._window_end = now + _WINDOW_S
        self._least_slack = _WINDOW_S if now else 0.0

    def _make_room(self, timestamp: int, behind: int) -> bool:
        """Whether a packet that is `behind` the cursor can be played still; steps back if so."""
        if self._state is _FILLING:  # the first packets came out of order
            self._cursor = timestamp
            return True
        frames = -(-behind // self._frame)
        growth_ms = frames * self._frame_ms
        fits = not self._strict and self._target_ms + growth_ms <= self._max_delay_ms
        if fits and self._dry >= behind:
            self._cursor -= frames * self._frame
            if timestamp != self._cursor:  # no multiple of a frame: play it as the next one
                self._cursor = timestamp
            self._dry = 0
            self.concealed += frames
            self.grown += frames
            self._target_ms += growth_ms
            self._begin_window(self._window_end)
            return True
        self.late += 1
        if not self._strict and self._target_ms + self._frame_ms <= self._max_delay_ms and not self._insert:
            self._insert = 1
            self.grown += 1
            self._target_ms += self._frame_ms
        return False

    def _missing(self) -> Missing:
        if not self._packets:
            self._dry += self._frame
            if self._dry > self._dry_limit:
                self._state = _IDLE
            return _DRY
        next_units = min(self._packets) - self._cursor
        if next_units < 0:  # payloads longer than their timestamps' steps: go on where the next one is
            self._cursor += next_units
            return Missing(0)
        self.concealed += 1
        self._dry += self._frame
        return Missing(next_units)
