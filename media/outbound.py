"""The sending half of a stream: from what sources give to datagrams. Pure."""

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Protocol

import numpy as np

from media.audio.graph import AudioSink, AudioSource
from media.audio.pauses import Pauses
from media.codec.base import Codec, Decoder, Encoder, LossAwareEncoder
from media.dtmf.telephone_event import TelephoneEventSender
from media.errors import BadAudio, CodecError
from media.frame import AudioFrame, Samples
from media.plan import Address, StreamPlan
from media.rtp.sender import Sender

_RAW_LIMIT = 1500
"""Raw payloads that wait for their slot: 30 s of 20 ms."""

_WRONG_RATE_PULLS = 5


class Listener(Protocol):
    """What happened on the way out (the stream)."""

    def failed(self, what: str, error: Exception) -> None:
        """A source or tap raised."""
        ...


class Outbound:
    """Pulls a block each tick, encodes it, and sends it when it makes a packet.

    A packet slot is taken, in this order, by a telephone-event, a raw payload, or the source. What is
    not asked for (on hold, or while digits are sent) stays where it is.
    """

    __slots__ = (
        "_block",
        "_block_ms",
        "_clock",
        "_codec",
        "_digits_before",
        "_encoder",
        "_event_clock",
        "_event_type",
        "_event_units",
        "_events",
        "_forward_decoder",
        "_have",
        "_listener",
        "_noise_type",
        "_packet_samples",
        "_parts",
        "_pauses",
        "_payload_type",
        "_rate",
        "_raw",
        "_send",
        "_sends",
        "_source",
        "_special",
        "_taps",
        "_units",
        "_wrong_rate",
        "destination",
        "elapsed_ms",
        "last_sent",
        "raw_dropped",
        "sender",
    )

    def __init__(self, listener: Listener, random: Random, send: Callable[[bytes, Address], object]) -> None:
        self.sender = Sender(random)
        self.destination: Address | None = None
        self.last_sent = 0.0
        self.raw_dropped = 0
        self.elapsed_ms = 0
        """Since the stream began, sent or not, as in `Inbound`: what the timestamps for taps count."""
        self._block_ms = 20
        self._listener = listener
        self._send = send
        self._source: AudioSource | None = None
        self._taps: tuple[AudioSink, ...] = ()
        self._raw: deque[bytes] = deque()
        self._special = False  # raw payloads or telephone-events wait for their slots
        self._events: TelephoneEventSender | None = None
        self._event_clock = 0
        self._event_units = 160
        self._event_type: int | None = None
        self._digits_before = 0
        self._codec: Codec | None = None
        self._encoder: Encoder | None = None
        self._forward_decoder: Decoder | None = None  # for taps
        self._noise_type: int | None = None
        self._pauses: Pauses | None = None
        self._payload_type = 0
        self._sends = False
        self._rate = 8000
        self._block = self._units = self._packet_samples = 160
        self._clock = 8000
        self._parts: list[Samples] = []
        self._have = 0
        self._wrong_rate = 0

    def release(self, listener: Listener) -> None:
        """The stream is over: let go of all that may hold it in a circle; `listener` is in its place."""
        self._listener = listener
        self._source = None
        self._taps = ()

    def configure(self, plan: StreamPlan | None, block_ms: int) -> None:
        """Go by this plan; numbers and timestamps go on, an encoder that stays keeps its state."""
        codec = None if plan is None else plan.send_codec
        if codec != self._codec or self._encoder is None:
            self._encoder = None if codec is None else codec.make_encoder()
            self._forward_decoder = None
            self._parts.clear()
            self._have = 0
            self._pauses = None
        self._noise_type = None if plan is None else plan.comfort_noise_send
        if self._noise_type is None or codec is None:
            self._pauses = None
        elif self._pauses is None:
            self._pauses = Pauses(codec.sample_rate_hz)
        self._codec = codec
        self._wrong_rate = 0
        if codec is not None:
            self._rate, self._clock = codec.sample_rate_hz, codec.clock_rate_hz
        self._block_ms = block_ms
        self._block = self._rate * block_ms // 1000
        self._units = self._clock * block_ms // 1000
        self._event_type = None
        self._sends = False
        event_clock = self._clock
        if plan is not None:
            event_clock = plan.telephone_event_clock_hz or self._clock
            self._packet_samples = self._rate * plan.ptime_ms // 1000
            self._payload_type = plan.send_payload_type
            self._sends = plan.direction.sends
            self._event_type = plan.telephone_event_send
        if self._event_type is not None and self._event_clock != event_clock:
            if self._events is not None:
                self._digits_before += self._events.digits_sent
            self._events = TelephoneEventSender(event_clock)
            self._event_clock = event_clock
        self._event_units = event_clock * block_ms // 1000

    @property
    def digits_sent(self) -> int:
        """DTMF digits sent to their end."""
        return self._digits_before + (0 if self._events is None else self._events.digits_sent)

    def set_source(self, source: AudioSource | None) -> None:
        """Where what we send comes from."""
        self._source = source
        self._wrong_rate = 0

    def add_tap(self, sink: AudioSink) -> None:
        """Give `sink` all that is sent from now on."""
        self._taps = (*self._taps, sink)

    def remove_tap(self, sink: AudioSink) -> None:
        """Give it nothing more."""
        self._taps = tuple(other for other in self._taps if other is not sink)

    def send_digits(self, digits: str, duration_ms: int) -> None:
        """Queue telephone-events."""
        if self._events is not None:
            self._events.send(digits, duration_ms)
            self._special = True

    def packets_lost(self, fraction: float) -> None:
        """The peer reports that it lost so much of what we sent."""
        if isinstance(self._encoder, LossAwareEncoder):
            self._encoder.set_packet_loss(fraction)

    def send_raw(self, payload: bytes) -> None:
        """Queue a payload for a slot of its own; the oldest is dropped when 30 s are waiting."""
        if len(self._raw) >= _RAW_LIMIT:
            self._raw.popleft()
            self.raw_dropped += 1
        self._raw.append(payload)
        self._special = True

    def send(self, now: float) -> None:
        """One tick: send what is due, and let the media clock go on."""
        sender = self.sender
        destination = self.destination
        if not self._sends or destination is None:
            sender.pause()
        elif self._special:
            self._send_special(destination, now)
        elif self._source is not None and (encoder := self._encoder) is not None:
            try:
                frame = self._source.pull(self._block)
                if frame is not None and frame.sample_rate_hz != self._rate:
                    self._complain(frame)
                    frame = None
                if frame is None:
                    if self._have:
                        self._collect(None, encoder, destination)
                    else:
                        sender.pause()
                else:
                    samples = frame.samples
                    if self._pauses is not None and (noise := self._pauses.told(samples)) is not None:
                        self._send_noise(noise, destination)
                    elif len(samples) == self._packet_samples == self._block:
                        payload = encoder.encode(samples)
                        if payload:
                            self._send(sender.packet(self._payload_type, payload), destination)
                        else:
                            sender.pause()
                    else:
                        self._collect(samples, encoder, destination)
                    self.last_sent = now
                    if self._taps:
                        self._tap(samples)
            except Exception as error:  # a user's object: it must not stop the call
                self._source = None
                self._listener.failed("the source of sent audio", error)
        else:
            sender.pause()
        sender.timestamp = (sender.timestamp + self._units) & 0xFFFFFFFF  # `advance`, without the call
        self.elapsed_ms += self._block_ms

    @property
    def sample_rate_hz(self) -> int:
        """The rate of what sources shall give."""
        return self._rate

    def fits(self, codec: Codec | None) -> bool:
        """Whether payloads of `codec` (None: telephone-events) are what this stream sends."""
        ours = self._codec
        if codec is None or ours is None:
            return codec is None and self._event_type is not None
        return (codec.name, codec.clock_rate_hz, codec.channels) == (
            ours.name,
            ours.clock_rate_hz,
            ours.channels,
        )

    def forward(
        self, codec: Codec | None, payload: bytes, marker: bool, lead: int, timestamp: int, now: float
    ) -> bool:
        """Send a packet of another stream, whose payload `fits`; False while we send something of our own.

        Numbers as in `Sender.forwarded_packet`. Taps get what is in it.
        """
        sender, destination = self.sender, self.destination
        if not self._sends or destination is None or self._special or sender.talking:
            return False
        payload_type = self._payload_type if codec is not None else self._event_type
        assert payload_type is not None
        self._send(sender.forwarded_packet(payload_type, payload, lead, timestamp, marker), destination)
        self.last_sent = now
        if self._taps and codec is not None:
            if self._forward_decoder is None:
                self._forward_decoder = codec.make_decoder()
            try:
                samples = self._forward_decoder.decode(payload)
            except CodecError:
                return True  # what it is worth its receiver may decide
            behind = (sender.timestamp - timestamp & 0xFFFFFFFF) * self._rate // self._clock
            self._tap(samples, behind)
        return True

    def skip(self, blocks: int) -> None:
        """So many ticks were left out."""
        self.sender.advance(blocks * self._units)
        self.elapsed_ms += blocks * self._block_ms

    def _send_special(self, destination: Address, now: float) -> None:
        self._parts.clear()
        self._have = 0
        self.last_sent = now
        sender, events = self.sender, self._events
        if events is not None and events.busy and self._event_type is not None:
            event = events.poll(sender.timestamp, self._event_units)
            if event is not None:
                self._send(
                    sender.event_packet(self._event_type, event.payload, event.timestamp, event.marker),
                    destination,
                )
        elif self._raw:
            self._send(sender.packet(self._payload_type, self._raw.popleft()), destination)
        elif events is not None:  # telephone-events were negotiated away
            events.clear()
            events.poll(sender.timestamp, self._event_units)
        self._special = bool(self._raw) or (events is not None and events.busy)

    def _send_noise(self, payload: bytes, destination: Address) -> None:
        """A pause: what was collected of a packet is dropped, for it is no speech; mostly nothing is sent."""
        self._parts.clear()
        self._have = 0
        if payload and self._noise_type is not None:
            self._send(self.sender.packet(self._noise_type, payload), destination)
        self.sender.pause()

    def _collect(self, samples: Samples | None, encoder: Encoder, destination: Address) -> None:
        """Packets of another length than a block; None ends the spurt, filled up with silence."""
        size, before = self._packet_samples, self._have
        if samples is None:
            samples = np.zeros(size - before, np.int16)
        elif len(samples) != self._block:  # a source that gave less, or more, than it was asked for
            samples = np.concatenate((samples, np.zeros(self._block, np.int16)))[: self._block]
        self._parts.append(samples)
        have = before + len(samples)
        if have >= size:
            joined = np.concatenate(self._parts)
            start = 0
            while have - start >= size:
                payload = encoder.encode(joined[start : start + size])
                if payload:
                    behind = (before - start) * self._clock // self._rate
                    self._send(self.sender.packet(self._payload_type, payload, behind), destination)
                else:
                    self.sender.pause()
                start += size
            self._parts = [joined[start:]] if start < have else []
            have -= start
        self._have = have

    def _tap(self, samples: Samples, behind: int = 0) -> None:
        """Frames with the stream's time, not the source's: sources change, and begin when they like."""
        frame = AudioFrame(samples, self._rate, self.elapsed_ms * self._rate // 1000 - behind)
        for tap in self._taps:
            try:
                tap.push(frame)
            except Exception as error:  # a user's object: it must not stop the call
                self.remove_tap(tap)
                self._listener.failed("a tap of sent audio", error)

    def _complain(self, frame: AudioFrame) -> None:
        """Audio of another rate would be heard at the wrong speed: drop it, and say so once.

        Not at once: a new codec's source may be here a tick before the plan that it is for.
        """
        self._wrong_rate += 1
        if self._wrong_rate == _WRONG_RATE_PULLS:
            error = BadAudio(
                f"the source gives {frame.sample_rate_hz} Hz, but the codec takes {self._rate} Hz; "
                "resample, or use a source of that rate"
            )
            self._listener.failed("the source of sent audio", error)
