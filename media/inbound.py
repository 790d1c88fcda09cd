"""The receiving half of a stream: from datagrams to the frames that sinks get. Pure."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from media.audio.graph import AudioSink
from media.audio.jitter_buffer import JitterBuffer
from media.audio.playout import Playout
from media.dtmf.telephone_event import DtmfDigit, TelephoneEventReceiver
from media.errors import BadPacket
from media.frame import AudioFrame
from media.plan import Address, StreamPlan
from media.rtp.packet import HEADER, HEADER_SIZE, PLAIN, RtpPacket
from media.rtp.receiver import Receiver
from media.rtp.source import Source, Verdict, plausible

Fail = Callable[[str, Exception], object]

_unpack = HEADER.unpack_from


class Listener(Protocol):
    """What happened on the way in (the stream)."""

    def source_locked(self, address: Address, first: bool) -> None:
        """Packets are now accepted from `address`; `first` if there was no source before."""
        ...

    def digit(self, digit: DtmfDigit) -> None:
        """A telephone-event ended."""
        ...

    def failed(self, what: str, error: Exception) -> None:
        """A sink raised and was removed."""
        ...


class Forwarder(Protocol):
    """Takes packets as they are (`media.forwarding`)."""

    def receive(self, packet: RtpPacket, now: float) -> None:
        """One packet that was accepted and is no duplicate."""
        ...


class Counts(NamedTuple):
    """What came of what should have come."""

    received: int
    """Without those that came twice."""
    lost: int
    duplicates: int
    reordered: int
    bursts: int


class Inbound:
    """Checks whom packets come from, counts them, and plays them while somebody listens."""

    __slots__ = (
        "_block_ms",
        "_clocks",
        "_event_clock",
        "_event_open",
        "_event_type",
        "_events",
        "_heard_type",
        "_listener",
        "_noise_type",
        "_receives",
        "_sinks",
        "bytes",
        "digits",
        "elapsed_ms",
        "foreign",
        "forwarder",
        "garbage",
        "last_arrival",
        "past_bursts",
        "past_duplicates",
        "past_lost",
        "past_received",
        "past_reordered",
        "playout",
        "receiver",
        "source",
    )

    def __init__(self, listener: Listener, buffer: JitterBuffer) -> None:
        self.source = Source()
        self.receiver: Receiver | None = None
        self.elapsed_ms = 0
        """Since the stream began, heard or not, as in `Outbound`: what the timestamps of frames count."""
        self.foreign = 0
        self.garbage = 0
        self.bytes = 0
        self.digits = 0
        self.last_arrival = 0.0
        self.past_received = self.past_lost = self.past_duplicates = self.past_reordered = 0
        self.past_bursts = 0
        """Counts of the sources before the present one."""
        self.forwarder: Forwarder | None = None
        """Who sends on, undecoded, what is received."""
        self._listener = listener
        self._block_ms = 20
        self._sinks: tuple[AudioSink, ...] = ()
        self._receives = False
        self._clocks: dict[int, int] = {}
        self._event_type: int | None = None
        self._event_clock = 8000
        self._events = TelephoneEventReceiver(self._event_clock)
        self._event_open = False
        self._heard_type = -1
        self._noise_type: int | None = None
        self.playout = Playout({}, 20, buffer)

    def configure(self, plan: StreamPlan | None, block_ms: int) -> None:
        """Go by this plan; nothing is received without one."""
        codecs = {} if plan is None else plan.receive_codecs
        self._clocks = {number: codec.clock_rate_hz for number, codec in codecs.items()}
        sent = None if plan is None else plan.send_codec
        clock = next(iter(self._clocks.values()), 8000) if sent is None else sent.clock_rate_hz
        self._heard_type = -1
        self._event_type = None if plan is None else plan.telephone_event_receive
        if self._event_type is not None:
            self._clocks.setdefault(self._event_type, clock)
        event_clock = clock if plan is None else plan.telephone_event_clock_hz or clock
        if event_clock != self._event_clock:  # otherwise a digit under way goes on across the swap
            self._event_clock = event_clock
            self._events = TelephoneEventReceiver(event_clock)
        self._receives = plan is not None and plan.direction.receives
        self._block_ms = block_ms
        noise_type = self._noise_type = None if plan is None else plan.comfort_noise_receive
        if noise_type is not None:
            self._clocks.setdefault(noise_type, clock)
        self.playout.configure(codecs, block_ms, noise_type)
        if not self._receives:
            self.playout.end_pause()
        self.source.name(None if plan is None else plan.remote_rtp)

    def add_sink(self, sink: AudioSink) -> None:
        """Give `sink` all that is played from now on."""
        if not self._sinks:  # nothing was decoded while nobody listened
            self.playout.restart()
        self._sinks = (*self._sinks, sink)

    def remove_sink(self, sink: AudioSink) -> None:
        """Give it nothing more."""
        self._sinks = tuple(other for other in self._sinks if other is not sink)

    def counts(self) -> Counts:
        """Packets of the present source and of those before it."""
        now = self.receiver
        if now is None:
            return Counts(
                self.past_received - self.past_duplicates,
                self.past_lost,
                self.past_duplicates,
                self.past_reordered,
                self.past_bursts,
            )
        duplicates = self.past_duplicates + now.duplicates
        return Counts(
            self.past_received + now.received - duplicates,
            self.past_lost + now.lost,
            duplicates,
            self.past_reordered + now.reordered,
            self.past_bursts + now.bursts,
        )

    def release(self, listener: Listener) -> None:
        """The stream is over: let go of all that may hold it in a circle; `listener` is in its place."""
        self._listener = listener
        self._sinks = ()
        self.forwarder = None

    def set_forwarder(self, forwarder: Forwarder | None) -> None:
        """Have packets sent on from now on; sinks get what is in them all the same."""
        self.forwarder = forwarder

    @property
    def paused(self) -> bool:
        """Whether the last the peer sent was comfort noise: it is silent by its own will."""
        return self._heard_type == self._noise_type

    def receive(self, data: bytes, address: Address, arrival: float) -> None:
        """Take one datagram that is no RTCP; whatever it is, it does no harm."""
        if len(data) >= HEADER_SIZE and data[0] == PLAIN:  # nearly every one; no object is made for it
            _, second, sequence_number, timestamp, ssrc = _unpack(data)
            payload_type, payload = second & 0x7F, data[HEADER_SIZE:]
        else:
            try:
                packet = RtpPacket.parse(data)
            except BadPacket:
                self.garbage += 1
                return
            payload_type, payload = packet.payload_type, packet.payload
            sequence_number, timestamp, ssrc = packet.sequence_number, packet.timestamp, packet.ssrc
        if payload_type not in self._clocks:
            self.garbage += 1
            return
        source = self.source
        if (ssrc != source.ssrc or address != source.address) and not self._admit(data, address, arrival):
            return
        receiver = self.receiver
        assert receiver is not None
        is_event = payload_type == self._event_type
        if payload_type != self._heard_type and not is_event:
            self._heard_type = payload_type
            receiver.follow_clock(self._clocks[payload_type])
        if receiver.receive(sequence_number, timestamp, arrival, not is_event) < 0:
            return
        self.last_arrival = arrival
        self.bytes += len(payload)
        if self.forwarder is not None and self._receives:
            self.forwarder.receive(RtpPacket.parse(data), arrival)
        if is_event:
            self.playout.end_pause()
            self._receive_event(RtpPacket.parse(data), arrival)
        elif payload and self._sinks and self._receives:
            self.playout.put(timestamp, payload_type, payload, arrival)

    def play(self, now: float) -> None:
        """One tick: hand the next block to the sinks."""
        playout = self.playout
        elapsed_ms = self.elapsed_ms
        self.elapsed_ms = elapsed_ms + self._block_ms
        if self._event_open:
            self._report(self._events.expire(now))
            self._event_open = self._events.open
        if not self._sinks:
            return
        samples = playout.pull(now)
        if samples is None:
            samples = playout.pause_sound()
            if samples is None:
                return
        rate = playout.sample_rate_hz
        frame = AudioFrame(samples, rate, elapsed_ms * rate // 1000)
        for sink in self._sinks:
            try:
                sink.push(frame)
            except Exception as error:  # a user's object: it must not stop the call
                self.remove_sink(sink)
                self._listener.failed("a sink of received audio", error)

    def skip(self, blocks: int) -> None:
        """So many ticks were left out."""
        self.elapsed_ms += blocks * self._block_ms

    def _admit(self, data: bytes, address: Address, arrival: float) -> bool:
        """Decide on a packet that is not of the locked source; locks on to it if it may be."""
        packet = RtpPacket.parse(data)
        receiver, source = self.receiver, self.source
        silent_s, continues = 0.0, False
        if receiver is not None:
            silent_s = arrival - self.last_arrival
            continues = plausible(
                (packet.sequence_number - receiver.last_sequence_number) & 0xFFFF,
                (packet.timestamp - receiver.last_timestamp) & 0xFFFFFFFF,
                silent_s,
                receiver.clock_rate_hz,
            )
        verdict = source.judge(
            address, packet.ssrc, packet.sequence_number, silent_s=silent_s, continues=continues
        )
        if verdict is Verdict.ACCEPTED:
            return True
        if verdict is Verdict.NEW_SOURCE:
            self._begin_source(packet)
        elif verdict is not Verdict.MOVED:
            self.foreign += 1
            return False
        self._listener.source_locked(address, receiver is None)
        return True

    def _begin_source(self, packet: RtpPacket) -> None:
        old = self.receiver
        if old is not None:
            self.past_received += old.received
            self.past_lost += old.lost
            self.past_duplicates += old.duplicates
            self.past_reordered += old.reordered
            self.past_bursts += old.bursts
        self.receiver = Receiver(packet.ssrc, self._clocks[packet.payload_type])
        self.playout.restart()

    def _receive_event(self, packet: RtpPacket, arrival: float) -> None:
        try:
            digits = self._events.receive(packet.payload, packet.timestamp, packet.marker, arrival)
        except BadPacket:
            self.garbage += 1
            return
        self.playout.end_spurt(packet.timestamp)
        self._report(digits)
        self._event_open = self._events.open

    def _report(self, digits: tuple[DtmfDigit, ...]) -> None:
        for digit in digits:
            self.digits += 1
            self._listener.digit(digit)
