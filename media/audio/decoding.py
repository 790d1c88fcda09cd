"""What one source's packets sound like, and what stands in where none came.

There is a codec for each payload type, and a decoder for each that was met. Gaps are filled by the decoder
where its codec can do that, else by a `Concealer`. In a pause that the sender announced, by comfort noise
(RFC 3389) or in the codec's own way, what it said of the pause is heard until it speaks again.
"""

from collections.abc import Callable, Mapping

import numpy as np

from media.audio.comfort_noise import ComfortNoise
from media.audio.concealment import Concealer
from media.audio.jitter_buffer import Entry, JitterBuffer
from media.codec.base import Codec, ConcealingDecoder, Decoder
from media.errors import CodecError
from media.frame import Samples


class Decoding:
    """Turns entries of a jitter buffer into sound, at the rate of the codec that is heard at present.

    What it decodes it tells the buffer as played.
    """

    __slots__ = (
        "_block_ms",
        "_buffer",
        "_concealer",
        "_decoder",
        "_decoders",
        "_noise",
        "_own",
        "_pause",
        "_playing_type",
        "announces",
        "block",
        "block_units",
        "clock_rate_hz",
        "codec",
        "codecs",
        "idle",
        "noise_type",
        "sample_rate_hz",
        "undecodable",
        "units",
    )

    def __init__(self, buffer: JitterBuffer) -> None:
        self._buffer = buffer
        self._decoders: dict[int, Decoder] = {}
        self._decoder: Decoder | None = None
        self._playing_type = -1
        self._block_ms = 0
        self._own: ConcealingDecoder | None = None  # the same, where it fills gaps by itself
        self._noise: ComfortNoise | None = None
        self._pause: ConcealingDecoder | ComfortNoise | None = None
        self.codecs: Mapping[int, Codec] = {}
        """By payload type."""
        self.noise_type: int | None = None
        """The payload type of comfort noise."""
        self.codec: Codec | None = None
        """What is heard at present."""
        self.announces: Callable[[bytes], bool] | None = None
        """Tells of that codec's payloads whether nothing follows by the sender's will."""
        self.sample_rate_hz = 0
        self.clock_rate_hz = 0
        self.block = 0
        """Samples in a block."""
        self.block_units = 0
        """The same in units of the RTP clock."""
        self.units = 0
        """Units of the RTP clock in the last packet."""
        self.undecodable = 0
        """Packets that no decoder could read."""
        self.idle = True
        """Nothing is played: what comes next has nothing to do with what was heard before."""

    def configure(self, codecs: Mapping[int, Codec], noise_type: int | None) -> None:
        """From now on these payload types; decoders of those that stay keep their state."""
        self.noise_type = noise_type
        for number, codec in self.codecs.items():
            if codecs.get(number) != codec:
                self._decoders.pop(number, None)
                self._decoder = None
        self.codecs = dict(codecs)

    def select(self, payload_type: int, block_ms: int) -> None:
        """Begin with this payload type, and with blocks of this length."""
        self._block_ms = block_ms
        self._decoder = None
        codec = self.codecs[payload_type]
        self._take(payload_type, codec)
        self._set_rate(codec)

    def fits(self, codec: Codec) -> bool:
        """Whether it has the rates of what is heard at present, so that one can take over from the other."""
        now = self.codec
        return now is not None and (codec.clock_rate_hz, codec.sample_rate_hz) == (
            now.clock_rate_hz,
            now.sample_rate_hz,
        )

    def restart(self) -> None:
        """Another source begins: forget the state of decoders."""
        self._decoders.clear()
        self._decoder = self._own = self._pause = None

    # Sound of packets.

    def decoded(self, entry: Entry, blend: bool = True) -> Samples | None:
        """The sound of a packet, which so is played; None if it cannot be decoded.

        After a gap its beginning is blended with what filled that, if `blend`.
        """
        payload_type, payload, _ = entry
        decoder = self._decoder
        if decoder is None or payload_type != self._playing_type:
            if payload_type == self.noise_type:
                return self._comfort(payload)
            decoder = self._decoder_for(payload_type)
            if decoder is None:
                return None
        try:
            samples = decoder.decode(payload)
        except CodecError:
            self.undecodable += 1
            return None
        size, rate, clock = len(samples), self.sample_rate_hz, self.clock_rate_hz
        self.units = units = size if rate == clock else size * clock // rate
        self._buffer.advance(units)
        if self.idle:
            self.idle = False
            self._concealer.reset()
        if self._own is None:
            self._pause = None
            return self._concealer.good(samples) if blend else samples
        self._pause = self._own if self.announces is not None and self.announces(payload) else None
        return samples

    def _decoder_for(self, payload_type: int) -> Decoder | None:
        """From now on packets are of this type; None if it was negotiated away while they were buffered."""
        decoder = self._decoders.get(payload_type)
        if decoder is None:
            codec = self.codecs.get(payload_type)
            if codec is None:
                return None
            decoder = self._decoders[payload_type] = codec.make_decoder()
        if payload_type != self._playing_type:  # another one with the same clock (PCMU, PCMA, G.722)
            codec = self.codecs[payload_type]
            if codec.sample_rate_hz != self.sample_rate_hz:
                self._set_rate(codec)
            self._take(payload_type, codec)
        self._decoder = decoder
        self._own = decoder if isinstance(decoder, ConcealingDecoder) else None
        return decoder

    def _comfort(self, payload: bytes) -> Samples:
        """The first block of a pause."""
        if self._noise is None:
            self._noise = ComfortNoise(self.sample_rate_hz)
        try:
            self._noise.update(payload)
        except CodecError:
            self.undecodable += 1
        self._pause = self._noise
        self._buffer.advance(self.block_units)
        self.idle = False
        return self._noise.conceal(self.block)

    # Sound without packets.

    @property
    def fills_by_packets(self) -> bool:
        """Whether a packet holds a copy of what was lost before it."""
        return self._own is not None

    def pause_sound(self, n: int) -> Samples | None:
        """`n` samples of the pause that the sender announced; None without one."""
        return None if self._pause is None else self._pause.conceal(n)

    def end_pause(self) -> None:
        """Nothing more shall be heard of an announced pause."""
        self._pause = None

    def concealed(self, units: int) -> Samples:
        """What stands in for so many units of the RTP clock."""
        return (self._pause or self._own or self._concealer).conceal(self._samples_of(units))

    def leads_to(self, entry: Entry) -> bool:
        """Whether the sound that is missing before this packet can be made to lead there."""
        return self._pause is None and entry[0] == self._playing_type

    def led_to(self, entry: Entry, units: int, now: float) -> Samples:
        """What stands in for the units before `entry`, which is next in the buffer.

        The sound of `entry` follows, where it had to be decoded to know where to lead.
        """
        own, n = self._own, self._samples_of(units)
        if own is not None:
            recovered = own.recover(entry[1], n)
            return own.conceal(n) if recovered is None else recovered
        got = self._buffer.get(now)
        after = self.decoded(got, blend=False) if isinstance(got, tuple) else None
        if after is None:
            return self._concealer.conceal(n)
        filled = self._concealer.between(n, after)
        return np.concatenate((filled, self._concealer.good(after)))

    def _samples_of(self, units: int) -> int:
        return max(1, units * self.sample_rate_hz // self.clock_rate_hz)

    # What is heard at present.

    def _take(self, payload_type: int, codec: Codec) -> None:
        self._playing_type = payload_type
        self.codec = codec
        self.announces = codec.announces_silence

    def _set_rate(self, codec: Codec) -> None:
        self.sample_rate_hz = codec.sample_rate_hz
        self.clock_rate_hz = codec.clock_rate_hz
        self.block = codec.samples_in(self._block_ms)
        self.block_units = codec.timestamp_units(self.block)
        self._concealer = Concealer(codec.sample_rate_hz)
        self._noise = self._pause = None
