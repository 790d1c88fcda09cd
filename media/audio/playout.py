"""From packets to frames: when each is heard, in blocks of one length.

Packets may be of any length, of several payload types, and of another length than negotiated; what
comes out are blocks of one length, one at each tick while there is something to play. Where the jitter
buffer asks for more or less delay, the sound is stretched or compressed (`media.audio.time_stretch`).

What a packet sounds like, and what stands in for one that did not come, is told by `media.audio.decoding`.
A gap is filled best when the packet after it is there already, and for that the buffer is asked for a
packet's length more while packets are lost.
"""

from collections.abc import Mapping

import numpy as np

from media.audio.decoding import Decoding
from media.audio.jitter_buffer import DRY, JitterBuffer
from media.audio.time_stretch import is_quiet, lengthened, shortened, wanted_likeness
from media.audio.timestamp_steps import TimestampSteps
from media.codec.base import Codec
from media.frame import Samples

_STRETCH_OF_MS = 30
"""How much sound is looked at for a place to cut."""
_GUARD_S = 10.0
"""How long after losses the next packet is waited for, as it helps to make up for one."""
_LONGEST_GAP_MS = 120
"""Nobody's voice is known for longer: what fills longer gaps fades out, and goes on with what comes."""
_PAUSE_S = 0.06
"""Between two cuts into sound that can be heard."""
_NEVER_DUE = 1 << 33
_NOTHING: Samples = np.zeros(0, np.int16)


class Playout:
    """Plays one source at the rate of the codec that it uses at present."""

    __slots__ = (
        "_block_ms",
        "_decoding",
        "_due",
        "_gaps",
        "_guarded_until",
        "_payload_type",
        "_played",
        "_rest",
        "_steps",
        "_wished_at",
        "buffer",
        "packet_ms",
    )

    def __init__(self, codecs: Mapping[int, Codec], block_ms: int, buffer: JitterBuffer) -> None:
        self.buffer = buffer
        self._decoding = Decoding(buffer)
        self._gaps = 0  # of the buffer's, known here
        self._due = 0  # the timestamp after that of the last one that came
        self._steps = TimestampSteps()
        self._guarded_until = 0.0
        self._payload_type = -1  # of the last one that came
        self._block_ms = 0
        self.packet_ms = float(block_ms)
        """How much sound the peer puts into a packet, as far as it is not a block."""
        self._rest: Samples | None = None
        self._played = _NOTHING  # the last block
        self._wished_at: float | None = None
        self.configure(codecs, block_ms)

    @property
    def codec(self) -> Codec | None:
        """What is heard at present."""
        return self._decoding.codec

    @property
    def sample_rate_hz(self) -> int:
        """Of the blocks that `pull` gives; 0 before there is a codec."""
        return self._decoding.sample_rate_hz

    @property
    def block(self) -> int:
        """Samples in what `pull` gives."""
        return self._decoding.block

    @property
    def undecodable(self) -> int:
        """Packets that no decoder could read."""
        return self._decoding.undecodable

    def configure(self, codecs: Mapping[int, Codec], block_ms: int, noise_type: int | None = None) -> None:
        """From now on these payload types and blocks; decoders of those that stay keep their state."""
        decoding = self._decoding
        decoding.configure(codecs, noise_type)
        if self._payload_type not in codecs and codecs:
            self._payload_type = next(iter(codecs))
        codec = codecs.get(self._payload_type)
        same_blocks = self._block_ms == block_ms
        self._block_ms = block_ms
        # A refreshed session or a hold must not cost what is buffered; another clock or block does.
        if codec is not None and not (same_blocks and decoding.fits(codec)):
            self._begin()

    def put(self, timestamp: int, payload_type: int, payload: bytes, arrival: float) -> None:
        """Take a packet of one of the codecs, or of comfort noise."""
        decoding = self._decoding
        if payload_type == decoding.noise_type:
            timestamp = self._steps.mapped(timestamp)
            self.buffer.put(timestamp, payload_type, payload, arrival)
            self.buffer.end_spurt(timestamp + 1)
            return
        if payload_type != self._payload_type:
            self._payload_type = payload_type
            assert decoding.codec is not None
            if decoding.codecs[payload_type].clock_rate_hz != decoding.codec.clock_rate_hz:
                self._begin()  # timestamps begin anew with another clock
        if timestamp != self._due:
            timestamp = self._stepped(timestamp, arrival)
        self._due += decoding.units
        self.buffer.put(timestamp, payload_type, payload, arrival)
        if decoding.announces is not None and decoding.announces(payload):
            self.buffer.end_spurt(timestamp + 1)

    def _stepped(self, timestamp: int, arrival: float) -> int:
        """Not the timestamp after the last one: losses, a pause, or a sender that counts them wrongly."""
        steps, decoding = self._steps, self._decoding
        if steps.follow(timestamp, self._due, decoding.units, 1 / decoding.clock_rate_hz, arrival):
            self._guarded_until = self.buffer.floor_ms = 0.0  # what seemed lost was not
            self.buffer.reset(decoding.clock_rate_hz, self._block_ms)
        self._due = timestamp if steps.factor == 1.0 else _NEVER_DUE
        return steps.mapped(timestamp)

    def end_spurt(self, timestamp: int) -> None:
        """No sound comes from this timestamp on, by the sender's will: nothing shall stand in for it."""
        self.buffer.end_spurt(self._steps.mapped(timestamp))

    def restart(self) -> None:
        """Another source begins: forget what is buffered, and the state of decoders."""
        self._decoding.restart()
        self._rest = None
        self._steps = TimestampSteps()
        if self._decoding.codec is not None:
            self.buffer.reset(self._decoding.clock_rate_hz, self._block_ms)

    def _begin(self) -> None:
        """Begin with the payload type that came last, and an empty buffer."""
        self._decoding.select(self._payload_type, self._block_ms)
        self._rest, self._played = None, _NOTHING
        self.buffer.reset(self._decoding.clock_rate_hz, self._block_ms)

    def pause_sound(self) -> Samples | None:
        """What is heard at a tick for which `pull` had nothing, because the sender announced a pause."""
        return self._decoding.pause_sound(self._decoding.block)

    def end_pause(self) -> None:
        """Nothing more shall be heard of an announced pause."""
        self._decoding.end_pause()

    def pull(self, now: float) -> Samples | None:
        """The block of this tick, or None while there is nothing to play."""
        buffer, decoding = self.buffer, self._decoding
        if now >= buffer.check_at:
            self._adjust(now)
        if self._rest is None:  # the usual case: one packet is one block
            got = buffer.get(now)
            if got is None:
                decoding.idle = True
                self._played = _NOTHING
                return None
            if not isinstance(got, int):
                begins = decoding.idle
                samples = decoding.decoded(got)
                if samples is not None:
                    size = len(samples)
                    if size == decoding.block:
                        self._played = samples
                        return samples
                    self._rest = samples
                    units = size * decoding.clock_rate_hz // decoding.sample_rate_hz
                    self.packet_ms = size * 1000 / decoding.sample_rate_hz
                    if buffer.packets_have(units, now) and begins:
                        return None
            else:
                self._rest = self._filled(got, decoding.block_units, now)
        block = self._next_block(now)
        self._played = _NOTHING if block is None else block
        return block

    def _adjust(self, now: float) -> None:
        """Make the delay what the buffer wishes, by a piece of a pitch period or a few."""
        buffer, rest, decoding = self.buffer, self._rest, self._decoding
        rate = decoding.sample_rate_hz
        per_ms = rate / 1000
        if buffer.gaps != self._gaps:
            self._gaps, self._guarded_until = buffer.gaps, now + _GUARD_S
        # The packet after a gap must be there when the gap begins, for its copy of what was lost to be used.
        packet_ms = decoding.units * 1000 / decoding.clock_rate_hz if decoding.fills_by_packets else 0.0
        buffer.floor_ms = max(self._block_ms, packet_ms) if now < self._guarded_until else 0.0
        wish_ms = buffer.adjustment(now, 0.0 if rest is None else len(rest) / per_ms)
        if not wish_ms:
            self._wished_at = None
            return
        self._wished_at = now if self._wished_at is None else self._wished_at
        sound = self._gathered(now, int(_STRETCH_OF_MS * per_ms))
        if sound is None:
            return
        quiet = is_quiet(sound)
        alike = wanted_likeness(wish_ms, now - self._wished_at, buffer.check_at <= now, quiet)
        if alike is None:
            return
        if wish_ms < 0:
            changed = shortened(sound, rate, -wish_ms, alike)
        else:
            changed = lengthened(sound, _NOTHING if quiet else self._played, rate, wish_ms, alike)
        if changed is not None:
            self._rest, self._wished_at = changed, None
            buffer.stretched((len(changed) - len(sound)) / per_ms, 0.0 if quiet else _PAUSE_S, now)

    def _gathered(self, now: float, samples: int) -> Samples | None:
        """What is held, and more of what is buffered up to `samples`; None if there is not enough to cut."""
        parts = [] if self._rest is None else [self._rest]
        have = sum(map(len, parts))
        rate = self._decoding.sample_rate_hz
        while have < samples and self.buffer.ready:
            got = self.buffer.get(now)
            part = self._decoding.decoded(got) if isinstance(got, tuple) else None
            if self._decoding.sample_rate_hz != rate:  # the codec changes here: what is held has the old rate
                self._rest, self._played = part, _NOTHING
                return None
            if part is not None:
                parts.append(part)
                have += len(part)
        if not parts:
            return None
        self._rest = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return self._rest if have >= samples // 2 else None

    def _next_block(self, now: float) -> Samples | None:
        """A block out of packets of other lengths, and holes."""
        decoding = self._decoding
        parts: list[Samples] = []
        have = 0
        if self._rest is not None:
            parts.append(self._rest)
            have = len(self._rest)
            self._rest = None
        while have < decoding.block:
            got = self.buffer.get(now)
            if got is None:
                if not parts:
                    decoding.idle = True
                    return None
                rest = decoding.block - have  # the end of the spurt
                part = decoding.pause_sound(rest)
                if part is None:
                    part = np.zeros(rest, np.int16)
            elif not isinstance(got, int):
                rate = decoding.sample_rate_hz
                part = decoding.decoded(got)
                if decoding.sample_rate_hz != rate:  # what is left of the other rate is a fraction of a block
                    parts.clear()
                    have = 0
            else:
                missing = (decoding.block - have) * decoding.clock_rate_hz // decoding.sample_rate_hz
                part = self._filled(got, max(1, missing), now)
            if part is not None:
                parts.append(part)
                have += len(part)
        joined = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if have > decoding.block:
            self._rest = joined[decoding.block :]
            return joined[: decoding.block]
        return joined

    def _filled(self, hole: int, most: int, now: float) -> Samples:
        """What stands in for `most` units of a hole at most, or for all of it where its end is known."""
        buffer, decoding = self.buffer, self._decoding
        if hole >= DRY:
            buffer.advance(most)
            return decoding.concealed(most)
        following = buffer.following
        short = hole * 1000 <= _LONGEST_GAP_MS * decoding.clock_rate_hz
        if short and following is not None and decoding.leads_to(following):
            self._guarded_until = now + _GUARD_S
            buffer.conceal(hole)
            return decoding.led_to(following, hole, now)
        units = min(hole, most)
        buffer.conceal(units)
        return decoding.concealed(units)
