"""Orders packets and gives each its time.

Time is counted in units of the RTP clock. The *cursor* is the timestamp that is to be played next; it
moves by what is played and so keeps pace with the media clock. A spurt begins with its first packet,
which is played at the first tick at or after arrival + target; all later ones follow it by their
timestamps:

    IDLE --- packet ---> FILLING --- arrival + target ---> PLAYING --- dry for `max_delay_ms` ---> IDLE

So a gap, a restarted sequence, or timestamps that jumped cost nothing but themselves: the buffer runs
dry, and the next packet begins a spurt. The target is `delay_ms`, or what the network asks for where that is
more (`media.audio.delay_target`), so a pause is where the delay changes at once.

While playing, the delay follows the target:
- `adjustment` tells how much sound should be added, because packets are soon to come after their turn, or
  left out, because they wait for nothing. Playout does so by stretching the sound. The same follows
  a sender whose clock is slower or faster.
- A packet that comes after its turn, while nothing behind it was played, is played still: the cursor
  goes back to it (`grown`), up to `max_delay_ms`. If something behind it was played it is dropped (`late`);
  the target remembers it.
- With `strict` the delay never changes and late packets are dropped. Without `hold` nothing waits:
  what came is played at the next tick, and of more than fits into it the newest.
- Where packets are lost, `floor_ms` keeps the delay at a frame or so: what comes after a gap is then known
  when the gap is to be filled (`following`).
- A packet further ahead than `max_delay_ms` and a little begins a new spurt: a stalled network that
  delivers a second of audio at once shall not leave us a second behind.

The delay is never far beyond the target plus a block: a packet waits for the tick after it, up to a block.

Whatever arrives, there are never more than `CAPACITY` packets. The caller asks `get(now)` and then says
with `advance(units)` what it played, until it has a frame. What stands in for missing sound is the
caller's business (`media.audio.playout`).
"""

import enum
from math import gcd, isfinite

from media.audio.delay_target import DelayTarget

CAPACITY = 128
DRY = 1 << 30
"""The size of the hole when nothing at all is buffered."""
_AHEAD_SLACK_MS = 100
_MARGIN_MS = 8.0
"""What the target has beyond what the lags ask for."""
_LEAST_MARGIN_MS = 3.0
"""With less than this before packets would come too late, the delay is made longer."""
_UNHURRIED_S = 0.04
"""How often to look for a pause, while the delay is nearly what it should be."""
_SETTLED_S = 0.5
"""After it was made longer it is not made shorter for so long."""
_SURPLUS_MS = 3.0
"""With more than this beyond the target and a block, it is made shorter."""
_URGENT_SURPLUS_MS = 12.0
"""With more than this, at once."""


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
        "_arrivals",
        "_cursor",
        "_delay_ms",
        "_dry",
        "_dry_limit",
        "_end",
        "_extra_ms",
        "_frame",
        "_frame_ms",
        "_grown_at",
        "_hold",
        "_last_played",
        "_last_timestamp",
        "_limit",
        "_max_delay_ms",
        "_newest",
        "_packets",
        "_start",
        "_state",
        "_strict",
        "_unit_s",
        "_units_per_ms",
        "check_at",
        "concealed",
        "current_delay_ms",
        "floor_ms",
        "gaps",
        "grown",
        "late",
        "lengthened",
        "overflow",
        "shortened",
        "spurts",
        "stretched_ms",
        "target_ms",
    )

    def __init__(
        self,
        clock_rate_hz: int,
        frame_ms: int,
        *,
        delay_ms: float = 12.0,
        max_delay_ms: float = 200.0,
        strict: bool = False,
        hold: bool = True,
    ) -> None:
        self.late = 0
        """Packets that came after their turn and were dropped."""
        self.overflow = 0
        """Packets dropped because too much was buffered."""
        self.grown = 0
        """How often a packet was played after its turn, so that the delay grew."""
        self.lengthened = 0
        """How often sound was stretched."""
        self.shortened = 0
        """How often sound was compressed."""
        self.stretched_ms = 0.0
        """How much sound was added by stretching, less what was left out by compressing."""
        self.concealed = 0
        """Frames that were missing in their turn (silence at the end of a spurt does not count)."""
        self.gaps = 0
        """How often the buffer was empty because of a packet that did not come at all."""
        self.spurts = 0
        """How often playing began anew."""
        self._delay_ms = delay_ms
        self._max_delay_ms = max_delay_ms
        self._strict = strict or not hold
        self._hold = hold
        if not hold:
            self._delay_ms = delay_ms = 0.0
        self._packets: dict[int, Entry] = {}
        self._arrivals = DelayTarget(max_delay_ms, delay_ms - _MARGIN_MS)
        self.floor_ms = 0.0
        """The least time that packets shall be there before their turn, so that a lost one's successor is."""
        self.check_at = 0.0
        """When to ask for an `adjustment` again."""
        self.target_ms = delay_ms
        """The delay this network asks for."""
        self.current_delay_ms = 0.0
        """How long the promptest packet waits until it is played, as of the last look at it."""
        self.reset(clock_rate_hz, frame_ms)

    def reset(self, clock_rate_hz: int, frame_ms: int) -> None:
        """Forget all packets; from now on the clock and the frames are these."""
        self._units_per_ms = clock_rate_hz / 1000
        self._frame = clock_rate_hz * frame_ms // 1000
        self._frame_ms = frame_ms
        self._limit = int((self._max_delay_ms + _AHEAD_SLACK_MS) * self._units_per_ms)
        self._dry_limit = int(self._max_delay_ms / frame_ms)
        self._unit_s = 1 / clock_rate_hz
        self._extra_ms = 0.0
        self._arrivals.reset()
        self.target_ms = self._delay_ms
        self._packets.clear()
        self._state = _IDLE
        self._cursor = self._newest = self._last_timestamp = self._last_played = 0
        self._start = self.check_at = self._grown_at = 0.0
        self._dry = 0
        self._end: int | None = None

    @property
    def adaptive(self) -> bool:
        """Whether the delay follows the network."""
        return not self._strict

    @property
    def max_delay_ms(self) -> float:
        """What the delay is never longer than, but for a tick."""
        return self._max_delay_ms

    @property
    def depth_ms(self) -> float:
        """From the cursor to the end of what is buffered."""
        if not self._packets:
            return 0.0
        return (self._newest - self._cursor) / self._units_per_ms + self._frame_ms

    def put(self, timestamp: int, payload_type: int, payload: bytes, arrival: float) -> None:
        """Take a packet; duplicates must have been sorted out by their sequence numbers."""
        # Extended past 32 bits by its distance from the last one, so that timestamps can be compared.
        steps = (timestamp - self._last_timestamp) & 0xFFFFFFFF
        extended = self._last_timestamp + (steps if steps < 0x80000000 else steps - 0x100000000)
        self._last_timestamp = extended
        transit = arrival - extended * self._unit_s
        ahead = extended - self._cursor
        if self._state is _IDLE or ahead > self._limit:
            self._begin(extended, arrival, transit)
            ahead = 0
        self._arrivals.observe(transit)
        if ahead < 0 and not self._take_late(extended, -ahead, arrival, transit):
            return
        if len(self._packets) >= CAPACITY:
            self.overflow += 1
            return
        if self._end is not None and extended >= self._end:
            self._end = None
        if self._dry:  # what was missing was the middle of a spurt, not its end
            self.concealed += self._dry
            self._dry = 0
            if ahead >= 0:
                self.gaps += 1
        self._packets[extended] = (payload_type, payload, arrival)
        if extended > self._newest:
            self._newest = extended
        if not self._hold:
            self._keep_newest()

    def lag_ms(self, timestamp: int, arrival: float) -> float | None:
        """By how much a packet with this timestamp would be slower than the promptest; None before any came.

        It may be negative: for what shares the source's clock, but is no packet of it.
        """
        steps = (timestamp - self._last_timestamp) & 0xFFFFFFFF
        extended = self._last_timestamp + (steps if steps < 0x80000000 else steps - 0x100000000)
        lag_s = arrival - extended * self._unit_s - self._arrivals.base
        return lag_s * 1000 if isfinite(lag_s) else None

    def get(self, now: float) -> Entry | int | None:
        """What is at the cursor: a packet, the size of the hole there, or None: nothing is to be played.

        `now` is the time of the tick. Follow a packet or a hole by `advance`.
        """
        state = self._state
        if state is not _PLAYING:
            if state is _IDLE or now < self._start:
                return None
            self._state = _PLAYING
        cursor = self._cursor
        entry = self._packets.pop(cursor, None)
        if entry is None:
            return self._hole()
        self._last_played = cursor
        return entry

    def end_spurt(self, timestamp: int) -> None:
        """The sender plays no sound from here on (a telephone-event stands in its place, RFC 4733 s2.1)."""
        steps = (timestamp - self._last_timestamp) & 0xFFFFFFFF
        end = self._last_timestamp + (steps if steps < 0x80000000 else steps - 0x100000000)
        if end > self._newest:  # else the sound has gone on already: a straggler
            self._end = end

    def conceal(self, units: int) -> None:
        """So much of a hole between packets was stood in for."""
        self._cursor += units
        self.concealed += -(-units // self._frame)

    def advance(self, units: int) -> None:
        """So much was played, or stood in for what was missing."""
        self._cursor += units

    def packets_have(self, units: int, now: float) -> bool:
        """The packets have this length, not a frame's; whether the first one should wait for another tick.

        A frame may end with the first sample of a packet, which then must be there sooner than others.
        """
        self._extra_ms = self._frame_ms - gcd(units, self._frame) / self._units_per_ms
        begun_ms = (now - self._arrivals.base - (self._cursor - units) * self._unit_s) * 1000
        return begun_ms < self.target_ms + self._extra_ms

    @property
    def following(self) -> Entry | None:
        """The packet at the end of the hole that `get` told of."""
        return self._packets[min(self._packets)] if self._packets else None

    @property
    def ready(self) -> bool:
        """Whether `get` would give a packet, once playing."""
        return self._cursor in self._packets

    def adjustment(self, now: float, held_ms: float) -> float:
        """How many ms of sound to add (less than 0: to leave out) at this tick; ask from `check_at` on.

        `held_ms` is the sound that was got but not yet played. Say with `stretched` what was done about it.
        It is urgent when `check_at` is now, else only to be done where nobody hears it.
        """
        arrivals = self._arrivals
        if now >= arrivals.evaluate_at:
            arrivals.evaluate(now)
            self._set_target(now)
        self.check_at = arrivals.evaluate_at
        if self._state is not _PLAYING:
            return 0.0
        frame_ms = self._frame_ms
        ahead_ms = (now - arrivals.base - self._cursor * self._unit_s) * 1000
        self.current_delay_ms = delay_ms = ahead_ms + held_ms
        if self._strict:
            return 0.0
        # The next packet is got when less than a frame is held; by that much it must be there sooner.
        odd_ms = held_ms % frame_ms
        spare_ms = delay_ms - (self._extra_ms or odd_ms)
        surplus_ms = delay_ms - self._extra_ms - self.target_ms
        if surplus_ms > frame_ms + _SURPLUS_MS:
            if now < self._grown_at + _SETTLED_S:
                return 0.0
            self.check_at = now if surplus_ms > frame_ms + _URGENT_SURPLUS_MS else now + _UNHURRIED_S
            if self._extra_ms:
                return _LEAST_MARGIN_MS - surplus_ms
            # A little more than a whole frame, and the next one would be wanted a tick sooner.
            return -odd_ms - (spare_ms - self.target_ms) // frame_ms * frame_ms
        if odd_ms and not self._extra_ms and spare_ms >= self.target_ms:
            return -odd_ms  # left over from stretching: it is delay that protects from nothing
        most_ms = self._max_delay_ms - frame_ms - _LEAST_MARGIN_MS
        if spare_ms < min(max(arrivals.needed_ms, self.floor_ms), most_ms) + _LEAST_MARGIN_MS:
            urgent = spare_ms < min(arrivals.needed_ms, most_ms) - _LEAST_MARGIN_MS
            self.check_at = now if urgent else now + _UNHURRIED_S
            # Only a whole frame more makes the next packet be got a tick later.
            return max(frame_ms - odd_ms, self.target_ms - spare_ms)
        return 0.0

    def _set_target(self, now: float) -> None:
        needed_ms = max(self._arrivals.needed_ms, self.floor_ms)
        if not self._strict and (needed_ms or self.target_ms != self._delay_ms):
            wanted_ms = max(self._delay_ms, needed_ms + _MARGIN_MS, self._arrivals.peak_ms(now))
            self.target_ms = min(wanted_ms, self._max_delay_ms)

    def stretched(self, added_ms: float, pause_s: float, now: float) -> None:
        """So much was added, or left out when less than 0; nothing more for `pause_s`."""
        if added_ms > 0:
            self.lengthened += 1
            self._grown_at = now
        else:
            self.shortened += 1
        self.stretched_ms += added_ms
        self.check_at = now + pause_s

    def _begin(self, timestamp: int, arrival: float, transit: float) -> None:
        self.overflow += len(self._packets)
        self._packets.clear()
        self.spurts += 1
        self._state = _FILLING
        self._cursor = self._newest = timestamp
        self._last_played = timestamp - 1
        lag = self._arrivals.begin_spurt(transit)
        self._set_target(arrival)  # what was late because timestamps jumped says nothing any more
        self._start = arrival + max(0.0, self.target_ms / 1000 - (0.0 if self._strict else lag))
        self._dry = 0

    def _keep_newest(self) -> None:
        oldest = self._newest - self._frame
        for timestamp in [timestamp for timestamp in self._packets if timestamp <= oldest]:
            del self._packets[timestamp]
            self.overflow += 1
        self._cursor = min(self._packets)

    def _take_late(self, timestamp: int, behind: int, arrival: float, transit: float) -> bool:
        """Whether a packet whose turn is `behind` us is played still; the cursor goes back for it."""
        if self._state is _FILLING and behind <= self._limit:  # the first packets came out of order
            self._cursor = timestamp
            self._last_played = timestamp - 1
            return True
        if timestamp > self._last_played and not self._hold:
            return True
        if timestamp > self._last_played and not self._strict and behind <= self._limit:
            lag_ms = (transit - self._arrivals.base) * 1000
            if lag_ms <= self._max_delay_ms:
                self.grown += 1
                self._grown_at = arrival
                self._cursor = timestamp
                self.check_at = 0.0
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
            return first - self._cursor
        # Payloads longer than the steps of their timestamps: go on where the next one is.
        self._cursor = self._last_played = first
        return self._packets.pop(first)
