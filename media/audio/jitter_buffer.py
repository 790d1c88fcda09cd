"""Orders packets and gives each its time.

Time is counted in units of the RTP clock. The *cursor* is the timestamp that is to be played next; it
moves by what is played and so keeps pace with the media clock. A spurt begins with its first packet,
which is played at the first tick at or after arrival + `delay_ms`; all later ones follow it by their
timestamps:

    IDLE --- packet ---> FILLING --- arrival + delay ---> PLAYING --- dry for `max_delay_ms` ---> IDLE

So a gap, a restarted sequence, or timestamps that jumped cost nothing but themselves: the buffer runs
dry, and the next packet begins a spurt with the delay it had at first.

While playing, the delay follows the need:
- A packet that comes after its turn, while nothing behind it was played, is played still: the cursor
  goes back to it, and the delay has `grown`. If something behind it was played it is dropped (`late`), and
  the cursor goes back one frame. This goes on up to `max_delay_ms`. With `strict` the delay never changes
  and late packets are dropped.
- When over two seconds every packet had to wait a whole frame longer than `delay_ms` asks for, one
  frame is left out (`skipped`), and after a burst of delay another one soon. The same two rules
  follow a sender whose clock is slower or faster.
- A packet further ahead than `max_delay_ms` and a little begins a new spurt: a stalled network that
  delivers a second of audio at once shall not leave us a second behind.

Whatever arrives, there are never more than `CAPACITY` packets. The caller asks `get(now)` and then says
with `advance(units)` what it played, until it has a frame. What stands in for missing sound is the
caller's business (`media.audio.playout`).
"""

import enum

CAPACITY = 128
DRY = 1 << 30
"""The size of the hole when nothing at all is buffered."""
_AHEAD_SLACK_MS = 100
_WINDOW_S = 2.0
_SHORT_WINDOW_S = 0.4


class _State(enum.Enum):
    IDLE = enum.auto()
    FILLING = enum.auto()
    PLAYING = enum.auto()


_IDLE, _FILLING, _PLAYING = _State.IDLE, _State.FILLING, _State.PLAYING

Entry = tuple[int, bytes, float]
"""Payload type, payload, time of arrival."""


class JitterBuffer:
    """The packets of one source between arrival and their turn."""

    __slots__ = (
        "_ample_s",
        "_cursor",
        "_delay_ms",
        "_dry",
        "_dry_limit",
        "_end",
        "_frame",
        "_frame_ms",
        "_last_played",
        "_last_timestamp",
        "_least_slack",
        "_limit",
        "_max_delay_ms",
        "_most_slack",
        "_newest",
        "_packets",
        "_start",
        "_state",
        "_strict",
        "_target_ms",
        "_units_per_ms",
        "concealed",
        "grown",
        "late",
        "overflow",
        "skipped",
        "spurts",
        "window_end",
    )

    def __init__(
        self,
        clock_rate_hz: int,
        frame_ms: int,
        *,
        delay_ms: float = 15.0,
        max_delay_ms: float = 200.0,
        strict: bool = False,
    ) -> None:
        self.late = 0
        """Packets that came after their turn and were dropped."""
        self.overflow = 0
        """Packets dropped because too much was buffered."""
        self.grown = 0
        """How often the delay grew."""
        self.skipped = 0
        """Frames left out to shorten the delay."""
        self.concealed = 0
        """Frames that were missing in their turn (silence at the end of a spurt does not count)."""
        self.spurts = 0
        """How often playing began anew."""
        self._delay_ms = delay_ms
        self._max_delay_ms = max_delay_ms
        self._strict = strict
        self._packets: dict[int, Entry] = {}
        self.window_end = 0.0
        """When to ask for `surplus` again."""
        self.reset(clock_rate_hz, frame_ms)

    def reset(self, clock_rate_hz: int, frame_ms: int) -> None:
        """Forget all packets; from now on the clock and the frames are these."""
        self._units_per_ms = clock_rate_hz / 1000
        self._frame = clock_rate_hz * frame_ms // 1000
        self._frame_ms = frame_ms
        self._limit = int((self._max_delay_ms + _AHEAD_SLACK_MS) * self._units_per_ms)
        self._dry_limit = int(self._max_delay_ms / frame_ms)
        self._ample_s = (self._delay_ms + frame_ms + 2.0) / 1000
        self._target_ms = self._delay_ms
        self._packets.clear()
        self._state = _IDLE
        self._cursor = self._newest = self._last_timestamp = self._last_played = 0
        self._start = self.window_end = self._least_slack = self._most_slack = 0.0
        self._dry = 0
        self._end: int | None = None

    @property
    def depth_ms(self) -> float:
        """From the cursor to the end of what is buffered."""
        if not self._packets:
            return 0.0
        return (self._newest - self._cursor) / self._units_per_ms + self._frame_ms

    @property
    def target_ms(self) -> float:
        """The delay this spurt was begun with, and by how much it grew since, as far as packets do wait."""
        return self._target_ms

    def put(self, timestamp: int, payload_type: int, payload: bytes, arrival: float) -> None:
        """Take a packet; duplicates must have been sorted out by their sequence numbers."""
        # Extended past 32 bits by its distance from the last one, so that timestamps can be compared.
        steps = (timestamp - self._last_timestamp) & 0xFFFFFFFF
        extended = self._last_timestamp + (steps if steps < 0x80000000 else steps - 0x100000000)
        self._last_timestamp = extended
        ahead = extended - self._cursor
        if self._state is _IDLE or ahead > self._limit:
            self._begin(extended, arrival)
        elif ahead < 0 and not self._take_late(extended, -ahead):
            return
        elif len(self._packets) >= CAPACITY:
            self.overflow += 1
            return
        if self._end is not None and extended >= self._end:
            self._end = None
        if self._dry:  # what was missing was the middle of a spurt, not its end
            self.concealed += self._dry
            self._dry = 0
        self._packets[extended] = (payload_type, payload, arrival)
        if extended > self._newest:
            self._newest = extended

    def get(self, now: float) -> Entry | int | None:
        """What is at the cursor: a packet, the size of the hole there, or None: nothing is to be played.

        `now` is the time of the tick. Follow a packet or a hole by `advance`.
        """
        state = self._state
        if state is not _PLAYING:
            if state is _IDLE or now < self._start:
                return None
            self._state = _PLAYING
            self._begin_window(now)
        cursor = self._cursor
        entry = self._packets.pop(cursor, None)
        if entry is None:
            return self._hole()
        self._last_played = cursor
        slack = now - entry[2]
        if slack < self._least_slack:
            self._least_slack = slack
        if slack > self._most_slack:
            self._most_slack = slack
        return entry

    def end_spurt(self, timestamp: int) -> None:
        """The sender plays no sound from here on (a telephone-event stands in its place, RFC 4733 s2.1)."""
        steps = (timestamp - self._last_timestamp) & 0xFFFFFFFF
        end = self._last_timestamp + (steps if steps < 0x80000000 else steps - 0x100000000)
        if end > self._newest:  # else the sound has gone on already: a straggler
            self._end = end

    def advance(self, units: int) -> None:
        """So much was played, or stood in for what was missing."""
        self._cursor += units

    def surplus(self, now: float) -> bool:
        """Whether to leave out a frame now: ask at the first tick from `window_end`; a yes is counted."""
        playing = self._state is _PLAYING
        ample = playing and self._least_slack >= self._ample_s
        if ample:
            self.skipped += 1
        if playing:  # where a slow clock made it grow, packets do not wait longer than before
            waited_ms = self._most_slack * 1000 - (self._frame_ms if ample else 0)
            self._target_ms = max(self._delay_ms, min(self._target_ms, waited_ms))
        far_off = ample and self._least_slack >= self._ample_s + self._frame_ms / 1000
        self._begin_window(now)
        if far_off:  # after a burst of delay; with more of it to take back, look again sooner
            self.window_end = now + _SHORT_WINDOW_S
        return ample

    def _begin(self, timestamp: int, arrival: float) -> None:
        self.overflow += len(self._packets)
        self._packets.clear()
        self.spurts += 1
        self._state = _FILLING
        self._cursor = self._newest = timestamp
        self._last_played = timestamp - 1
        self._start = arrival + self._delay_ms / 1000
        self._target_ms = self._delay_ms
        self._dry = 0

    def _begin_window(self, now: float) -> None:
        self.window_end = now + _WINDOW_S
        self._least_slack, self._most_slack = _WINDOW_S, 0.0

    def _take_late(self, timestamp: int, behind: int) -> bool:
        """Whether a packet whose turn is `behind` us is played still; the cursor goes back for it."""
        if self._state is _FILLING and behind <= self._limit:  # the first packets came out of order
            self._cursor = timestamp
            self._last_played = timestamp - 1
            return True
        in_order = timestamp > self._last_played
        back = behind if in_order else self._frame
        growth_ms = back / self._units_per_ms
        if not self._strict and behind <= self._limit and self._target_ms + growth_ms <= self._max_delay_ms:
            self.grown += 1
            self._cursor -= back
            self._target_ms += growth_ms
            self._least_slack = 0.0  # this window says nothing of a surplus
            if in_order:
                return True
        self.late += 1
        return False

    def _hole(self) -> Entry | int | None:
        if not self._packets:
            if self._end is not None and self._cursor >= self._end:  # the sender is not heard, but not lost
                self._state = _IDLE
                self._end = None
                return None
            self._dry += 1
            if self._dry > self._dry_limit:
                self._state = _IDLE
                self._dry = 0
            return DRY
        first = min(self._packets)
        if first > self._cursor:
            self.concealed += 1
            return first - self._cursor
        # Payloads longer than the steps of their timestamps: go on where the next one is.
        self._cursor = self._last_played = first
        return self._packets.pop(first)
