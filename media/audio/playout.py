"""From packets to frames: jitter buffer, decoders, and what stands in for missing sound.

Packets may be of any length, of several payload types, and of another length than negotiated; what
comes out are blocks of one length, one at each tick while there is something to play. Where the jitter
buffer asks for more or less delay, the sound is stretched or compressed (`media.audio.time_stretch`).

A codec that fills gaps by itself does so: by forward error correction where the packet after a gap is
there already, and for that the buffer is asked for a packet's length more while packets are lost. In a
pause that the sender announced (comfort noise, or the codec's own), `pause_sound` stands for what it
does not send.
"""

from collections.abc import Callable, Mapping

import numpy as np

from media.audio.comfort_noise import ComfortNoise
from media.audio.concealment import Concealer
from media.audio.jitter_buffer import DRY, Entry, JitterBuffer
from media.audio.time_stretch import is_quiet, lengthened, shortened, wanted_likeness
from media.audio.timestamp_steps import TimestampSteps
from media.codec.base import Codec, ConcealingDecoder, Decoder
from media.errors import CodecError
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
        "_announces",
        "_block_ms",
        "_block_units",
        "_clock_rate_hz",
        "_codecs",
        "_concealer",
        "_decoder",
        "_decoders",
        "_due",
        "_gaps",
        "_guarded_until",
        "_idle",
        "_noise",
        "_noise_type",
        "_own",
        "_pause",
        "_payload_type",
        "_played",
        "_playing_type",
        "_rest",
        "_steps",
        "_units",
        "_wished_at",
        "block",
        "buffer",
        "codec",
        "packet_ms",
        "sample_rate_hz",
        "undecodable",
    )

    def __init__(self, codecs: Mapping[int, Codec], block_ms: int, buffer: JitterBuffer) -> None:
        self.buffer = buffer
        self.sample_rate_hz = 0
        self.block = 0
        """Samples in what `pull` gives."""
        self.undecodable = 0
        self.codec: Codec | None = None
        self._codecs: dict[int, Codec] = {}
        self._decoders: dict[int, Decoder] = {}
        self._decoder: Decoder | None = None
        self._own: ConcealingDecoder | None = None  # the same, where it fills gaps by itself
        self._announces: Callable[[bytes], bool] | None = None
        self._noise: ComfortNoise | None = None
        self._noise_type: int | None = None
        self._pause: ConcealingDecoder | ComfortNoise | None = None
        self._gaps = 0  # of the buffer's, known here
        self._units = 0  # of the RTP clock in the last packet
        self._due = 0  # the timestamp after that of the last one that came
        self._steps = TimestampSteps()
        self._guarded_until = 0.0
        self._payload_type = -1
        self._block_ms = 0
        self.packet_ms = float(block_ms)
        """How much sound the peer puts into a packet, as far as it is not a block."""
        self._rest: Samples | None = None
        self._played = _NOTHING  # the last block
        self._idle = True
        self._wished_at: float | None = None
        self.configure(codecs, block_ms)

    def configure(self, codecs: Mapping[int, Codec], block_ms: int, noise_type: int | None = None) -> None:
        """From now on these payload types and blocks; decoders of those that stay keep their state."""
        self._noise_type = noise_type
        for number, codec in self._codecs.items():
            if codecs.get(number) != codec:
                self._decoders.pop(number, None)
                self._decoder = None
        self._codecs = dict(codecs)
        codec_now = self._codecs.get(self._payload_type)
        if codec_now is None and codecs:
            self._payload_type, codec_now = next(iter(codecs.items()))
        same_blocks = self._block_ms == block_ms
        self._block_ms = block_ms
        # A refreshed session or a hold must not cost what is buffered; another clock or block does.
        if codec_now is not None and not (same_blocks and self._fits(codec_now)):
            self._select(codec_now)

    def put(self, timestamp: int, payload_type: int, payload: bytes, arrival: float) -> None:
        """Take a packet of one of the codecs, or of comfort noise."""
        if payload_type == self._noise_type:
            timestamp = self._steps.mapped(timestamp)
            self.buffer.put(timestamp, payload_type, payload, arrival)
            self.buffer.end_spurt(timestamp + 1)
            return
        if payload_type != self._payload_type:
            self._payload_type = payload_type
            codec = self._codecs[payload_type]
            assert self.codec is not None
            if codec.clock_rate_hz != self.codec.clock_rate_hz:  # timestamps begin anew with another clock
                self._select(codec)
        if timestamp != self._due:
            timestamp = self._stepped(timestamp, arrival)
        self._due += self._units
        self.buffer.put(timestamp, payload_type, payload, arrival)
        if self._announces is not None and self._announces(payload):
            self.buffer.end_spurt(timestamp + 1)

    def _stepped(self, timestamp: int, arrival: float) -> int:
        """Not the timestamp after the last one: losses, a pause, or a sender that counts them wrongly."""
        steps = self._steps
        if steps.follow(timestamp, self._due, self._units, 1 / self._clock_rate_hz, arrival):
            self._guarded_until = self.buffer.floor_ms = 0.0  # what seemed lost was not
            self.buffer.reset(self._clock_rate_hz, self._block_ms)
        self._due = timestamp if steps.factor == 1.0 else _NEVER_DUE
        return steps.mapped(timestamp)

    def end_spurt(self, timestamp: int) -> None:
        """No sound comes from this timestamp on, by the sender's will: nothing shall stand in for it."""
        self.buffer.end_spurt(self._steps.mapped(timestamp))

    def restart(self) -> None:
        """Another source begins: forget what is buffered, and the state of decoders."""
        self._decoders.clear()
        self._decoder = self._own = self._pause = None
        self._rest = None
        self._steps = TimestampSteps()
        if self.codec is not None:
            self.buffer.reset(self.codec.clock_rate_hz, self._block_ms)

    def pause_sound(self) -> Samples | None:
        """What is heard at a tick for which `pull` had nothing, because the sender announced a pause."""
        return None if self._pause is None else self._pause.conceal(self.block)

    def end_pause(self) -> None:
        """Nothing more shall be heard of an announced pause."""
        self._pause = None

    def pull(self, now: float) -> Samples | None:
        """The block of this tick, or None while there is nothing to play."""
        buffer = self.buffer
        if now >= buffer.check_at:
            self._adjust(now)
        if self._rest is None:  # the usual case: one packet is one block
            got = buffer.get(now)
            if got is None:
                self._idle = True
                self._played = _NOTHING
                return None
            if not isinstance(got, int):
                begins = self._idle
                samples = self._decoded(got)
                if samples is not None:
                    size = len(samples)
                    if size == self.block:
                        self._played = samples
                        return samples
                    self._rest = samples
                    units = size * self._clock_rate_hz // self.sample_rate_hz
                    self.packet_ms = size * 1000 / self.sample_rate_hz
                    if buffer.packets_have(units, now) and begins:
                        return None
            else:
                self._rest = self._concealed(got, self._block_units, now)
        block = self._next_block(now)
        self._played = _NOTHING if block is None else block
        return block

    def _adjust(self, now: float) -> None:
        """Make the delay what the buffer wishes, by a piece of a pitch period or a few."""
        buffer, rest = self.buffer, self._rest
        per_ms = self.sample_rate_hz / 1000
        if buffer.gaps != self._gaps:
            self._gaps, self._guarded_until = buffer.gaps, now + _GUARD_S
        # The packet after a gap must be there when the gap begins, for its copy of what was lost to be used.
        packet_ms = self._units * 1000 / self._clock_rate_hz if self._own is not None else 0.0
        buffer.floor_ms = max(self._block_ms, packet_ms) if now < self._guarded_until else 0.0
        wish_ms = buffer.adjustment(now, 0.0 if rest is None else len(rest) / per_ms)
        if not wish_ms:
            self._wished_at = None
            return
        self._wished_at = now if self._wished_at is None else self._wished_at
        sound = self._gathered(now, int(_STRETCH_OF_MS * per_ms))
        if sound is None:
            return
        rate, quiet = self.sample_rate_hz, is_quiet(sound)
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
        rate = self.sample_rate_hz
        while have < samples and self.buffer.ready:
            got = self.buffer.get(now)
            part = self._decoded(got) if isinstance(got, tuple) else None
            if self.sample_rate_hz != rate:  # the codec changes here: what is held has the old rate
                self._rest = part
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
        parts: list[Samples] = []
        have = 0
        if self._rest is not None:
            parts.append(self._rest)
            have = len(self._rest)
            self._rest = None
        while have < self.block:
            got = self.buffer.get(now)
            if got is None:
                if not parts:
                    self._idle = True
                    return None
                rest = self.block - have  # the end of the spurt
                part: Samples | None = np.zeros(rest, np.int16)
                if self._pause is not None:
                    part = self._pause.conceal(rest)
            elif not isinstance(got, int):
                rate = self.sample_rate_hz
                part = self._decoded(got)
                if self.sample_rate_hz != rate:  # what is left of the other rate is a fraction of a block
                    parts.clear()
                    have = 0
            else:
                missing = (self.block - have) * self._clock_rate_hz // self.sample_rate_hz
                part = self._concealed(got, max(1, missing), now)
            if part is not None:
                parts.append(part)
                have += len(part)
        joined = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if have > self.block:
            self._rest = joined[self.block :]
            return joined[: self.block]
        return joined

    def _decoded(self, entry: Entry, blend: bool = True) -> Samples | None:
        """The sound of a packet, which so is played; None if it cannot be decoded.

        After a gap its beginning is blended with what filled that, if `blend`.
        """
        payload_type, payload, _ = entry
        decoder = self._decoder
        if decoder is None or payload_type != self._playing_type:
            if payload_type == self._noise_type:
                return self._comfort(payload)
            decoder = self._decoder_for(payload_type)
            if decoder is None:
                return None
        try:
            samples = decoder.decode(payload)
        except CodecError:
            self.undecodable += 1
            return None
        size, rate, clock = len(samples), self.sample_rate_hz, self._clock_rate_hz
        self._units = units = size if rate == clock else size * clock // rate
        self.buffer.advance(units)
        if self._idle:
            self._idle = False
            self._concealer.reset()
        if self._own is None:
            self._pause = None
            return self._concealer.good(samples) if blend else samples
        self._pause = self._own if self._announces is not None and self._announces(payload) else None
        return samples

    def _decoder_for(self, payload_type: int) -> Decoder | None:
        """From now on packets are of this type; None if it was negotiated away while they were buffered."""
        decoder = self._decoders.get(payload_type)
        if decoder is None:
            codec = self._codecs.get(payload_type)
            if codec is None:
                return None
            decoder = self._decoders[payload_type] = codec.make_decoder()
        if payload_type != self._playing_type:
            self._switch(payload_type)
        self._decoder = decoder
        self._own = decoder if isinstance(decoder, ConcealingDecoder) else None
        return decoder

    def _concealed(self, hole: int, most: int, now: float) -> Samples:
        """What stands in for `most` units of a hole at most, or for all of it where its end is known."""
        buffer, own = self.buffer, self._own
        rate, clock = self.sample_rate_hz, self._clock_rate_hz
        if hole < DRY:
            following = buffer.following
            known = following is not None and following[0] == self._playing_type
            if self._pause is None and known and hole * 1000 <= _LONGEST_GAP_MS * clock:
                assert following is not None
                self._guarded_until = now + _GUARD_S
                n = max(1, hole * rate // clock)
                buffer.conceal(hole)
                if own is None:
                    return self._bridged(n, now)
                recovered = own.recover(following[1], n)
                return own.conceal(n) if recovered is None else recovered
        units = min(hole, most)
        if hole < DRY:
            buffer.conceal(units)
        else:
            buffer.advance(units)
        return (self._pause or own or self._concealer).conceal(max(1, units * rate // clock))

    def _bridged(self, n: int, now: float) -> Samples:
        """`n` samples in place of lost ones and the packet behind them, which tells where they must lead."""
        got = self.buffer.get(now)
        after = self._decoded(got, blend=False) if isinstance(got, tuple) else None
        if after is None:
            return self._concealer.conceal(n)
        filled = self._concealer.between(n, after)
        return np.concatenate((filled, self._concealer.good(after)))

    def _comfort(self, payload: bytes) -> Samples | None:
        """The first block of a pause."""
        if self._noise is None:
            self._noise = ComfortNoise(self.sample_rate_hz)
        try:
            self._noise.update(payload)
        except CodecError:
            self.undecodable += 1
        self._pause = self._noise
        self.buffer.advance(self._block_units)
        self._idle = False
        return self._noise.conceal(self.block)

    def _switch(self, payload_type: int) -> None:
        """The packets played now are of another codec with the same clock (PCMU, PCMA, G.722)."""
        self._playing_type = payload_type
        codec = self._codecs[payload_type]
        if codec.sample_rate_hz != self.sample_rate_hz:
            self._set_rate(codec)
        self._take(codec)

    def _take(self, codec: Codec) -> None:
        self.codec = codec
        self._announces = codec.announces_silence

    def _fits(self, codec: Codec) -> bool:
        now = self.codec
        return now is not None and (codec.clock_rate_hz, codec.sample_rate_hz) == (
            now.clock_rate_hz,
            now.sample_rate_hz,
        )

    def _select(self, codec: Codec) -> None:
        """Begin with this codec and an empty buffer."""
        self._take(codec)
        self._playing_type = self._payload_type
        self._decoder = None
        self._set_rate(codec)
        self.buffer.reset(codec.clock_rate_hz, self._block_ms)

    def _set_rate(self, codec: Codec) -> None:
        self.sample_rate_hz = codec.sample_rate_hz
        self._clock_rate_hz = codec.clock_rate_hz
        self.block = codec.samples_in(self._block_ms)
        self._block_units = codec.timestamp_units(self.block)
        self._concealer = Concealer(codec.sample_rate_hz)
        self._noise = self._pause = None
        self._rest = None
        self._played = _NOTHING
