"""One audio stream: its two halves, its RTCP, and its plan. Pure.

Datagrams and the time go in; datagrams go out through the two functions handed in, events through
`emit`. Every 10 or 20 ms (`block_ms`) comes one `play` and then one `send`; all streams play before any
sends, so that what a bridge or an echo took from one it gives to another in the same tick.

What users brought along (sources, sinks, taps) may raise: it is then taken off the stream and
reported, and the stream goes on.
"""

from collections.abc import Callable
from random import Random

from media.audio.jitter_buffer import JitterBuffer
from media.dtmf.telephone_event import DtmfDigit
from media.errors import BadPacket
from media.events import (
    DtmfReceived,
    FirstMedia,
    RtcpBye,
    RtcpReport,
    SourceLocked,
    StreamEvent,
    StreamFailed,
    StreamHeard,
    StreamSilent,
)
from media.inbound import Inbound
from media.latency import LatencyLedger, NetworkDelay, SenderTiming, received_audio
from media.outbound import Outbound
from media.plan import Address, MediaDirection, StreamPlan
from media.quality import QualityMeter
from media.rtcp.packet import Goodbye, OtherPacket, RtcpPacket, SenderReport, parse_compound
from media.rtcp.report import Reporter
from media.rtcp.xr import VoipMetrics, extended_report, voip_metrics_in
from media.rtp.packet import is_rtcp
from media.rtp.statistics import RemoteReport, StreamStatistics
from media.silence import Life, SilenceWatch
from media.stun.message import is_stun
from media.voip_metrics import measured

Send = Callable[[bytes, Address], object]
StunListener = Callable[[bytes, Address], None]
_REPORTED_FAILURES = 10
"""What fails at every tick shall not flood its owner; the rest is only counted."""


def _unheard(event: StreamEvent) -> None:
    """Its owner was told that it is closed, and hears no more of it."""


class _Gone:
    """In the place of a stream that is over, for its two halves."""

    __slots__ = ()

    def source_locked(self, address: Address, first: bool) -> None:
        """Nobody asks any more."""

    def digit(self, digit: DtmfDigit) -> None:
        """Nobody waits for it."""

    def failed(self, what: str, error: Exception) -> None:
        """It harms nobody."""


_GONE = _Gone()


class Stream:
    """The engine's side of one m-line. `handle` is what its events name as their stream."""

    __slots__ = (
        "_collided",
        "_echoed_from",
        "_emit",
        "_last_rtcp",
        "_network",
        "_opened_at",
        "_random",
        "_remote_metrics",
        "_rtcp_address",
        "_rtcp_due",
        "_rtcp_foreign",
        "_rtcp_garbage",
        "_send_rtcp",
        "_send_rtp",
        "_stun",
        "block_ms",
        "buffer",
        "closed",
        "failures",
        "handle",
        "inbound",
        "outbound",
        "plan",
        "play",
        "quality",
        "receive_rtp",
        "reporter",
        "silence",
    )

    def __init__(
        self,
        handle: object,
        *,
        random: Random,
        now: float,
        wall_offset: float,
        send_rtp: Send,
        send_rtcp: Send,
        emit: Callable[[StreamEvent], object],
        buffer: JitterBuffer | None = None,
    ) -> None:
        self.handle = handle
        self.block_ms = 20
        self.plan: StreamPlan | None = None
        self.buffer = JitterBuffer(8000, 20) if buffer is None else buffer
        self.inbound = Inbound(self, self.buffer)
        self.outbound = Outbound(self, random, send_rtp)
        self.reporter = Reporter(self.outbound.sender, random, now, wall_offset)
        self.quality = QualityMeter()
        self._remote_metrics: VoipMetrics | None = None
        self._network = NetworkDelay()
        self._last_rtcp = 0.0
        self.silence = SilenceWatch()
        """Notices when the peer is gone, if it is told how long to wait."""
        self.failures = 0
        self.closed = False
        self._send_rtp = send_rtp
        self._send_rtcp = send_rtcp
        self._emit = emit
        self._opened_at = now
        self._rtcp_due = self.reporter.interval.deadline
        self._rtcp_address: Address | None = None
        self._rtcp_foreign = 0
        self._rtcp_garbage = 0
        self._random = random
        self._collided = False
        self._echoed_from: set[Address] = set()
        self.play = self.inbound.play
        self._stun: StunListener | None = None
        self.receive_rtp: Callable[[bytes, Address, float], None] = self.inbound.receive
        """Takes a datagram of the RTP socket: data, source, time of arrival."""

    # --- what is asked of it ---

    def update(self, plan: StreamPlan | None) -> None:
        """Go by `plan` from now on (None: neither send nor receive)."""
        before = self.plan
        self.plan = plan
        if plan is not None:
            self.block_ms = 20 if plan.ptime_ms % 20 == 0 else 10
        self.inbound.configure(plan, self.block_ms)
        self.outbound.configure(plan, self.block_ms)
        self._choose_receiver()
        named = None if plan is None else plan.remote_rtp
        if before is None or named != before.remote_rtp:
            self._rtcp_address = None
            # Symmetric RTP: go by what was learned, unless signalling names another place.
            self.outbound.destination = named or self.inbound.source.address
        elif self.outbound.destination is None:
            self.outbound.destination = self.inbound.source.address

    def set_stun_listener(self, listener: StunListener | None) -> None:
        """Give what is STUN on either socket (RFC 7983) to `listener`, and not to RTP; None: it is noise."""
        self._stun = listener
        self._choose_receiver()

    def send(self, now: float) -> None:
        """One tick's sending, RTCP included."""
        self.outbound.send(now)
        if now >= self._rtcp_due:
            self._report(now)

    def skip(self, blocks: int) -> None:
        """So many ticks were left out because we were late."""
        self.inbound.skip(blocks)
        self.outbound.skip(blocks)

    def look(self, now: float) -> None:
        """See whether the peer is still there; twice a second or so."""
        inbound, plan, silence = self.inbound, self.plan, self.silence
        expected = plan is not None and plan.direction is MediaDirection.SENDRECV
        last_packet = max(inbound.last_arrival, self._last_rtcp)
        news = silence.look(now, last_packet, expected=expected, paused=inbound.paused)
        if news is Life.LOST:
            self._emit(StreamSilent(self.handle, silence.silent_s))
        elif news is Life.REGAINED:
            self._emit(StreamHeard(self.handle, silence.silent_s))

    def close(self, now: float) -> None:
        """Say goodbye, if anything was ever sent (RFC 3550 section 6.3.7)."""
        if self.closed:
            return
        self.closed = True
        self._say_goodbye(now)

    def release(self) -> None:
        """Nobody ticks it any more, and its last figures were taken.

        What its parts hold of each other goes, so that a call that is over is freed there and then: a
        phone of many calls would else have the collector of cycles stop it for all they leave behind.
        """
        self.inbound.release(_GONE)
        self.outbound.release(_GONE)
        self.handle = self._stun = None
        self._emit = _unheard
        self.receive_rtp = self.inbound.receive

    # --- from the wire ---

    def receive_rtcp(self, data: bytes, source: Address, arrival: float) -> None:
        """A datagram on the RTCP socket."""
        if self._stun is not None and is_stun(data):
            self._stun(data, source)
            return
        if not self._expects_rtcp_from(source):
            self._rtcp_foreign += 1
            return
        try:
            reduced_size = self.plan is not None and self.plan.rtcp_reduced_size
            packets = parse_compound(data, reduced_size=reduced_size)
        except BadPacket:
            self._rtcp_garbage += 1
            return
        self._rtcp_address = source
        self._last_rtcp = arrival
        block = self.reporter.receive(packets, len(data), arrival)
        if block is not None:
            self.outbound.packets_lost(block.fraction_lost / 256)
            jitter_ms = block.jitter * 1000 / self._clock_rate_hz()
            rtt = self.reporter.rtt_s
            if rtt is not None:
                self._network.measured(rtt * 1000, jitter_ms, self._timing(packets, arrival))
            self._emit(
                RtcpReport(
                    self.handle,
                    block.fraction_lost / 256,
                    block.cumulative_lost,
                    jitter_ms,
                    None if rtt is None else rtt * 1000,
                )
            )
        remote, receiver = self.inbound.source.ssrc, self.inbound.receiver
        for packet in packets:
            if isinstance(packet, OtherPacket):
                self._receive_metrics(packet)
            if isinstance(packet, Goodbye) and (remote is None or remote in packet.sources):
                if receiver is not None:
                    self.reporter.remote_left(receiver, arrival)
                    self._rtcp_due = self.reporter.interval.deadline
                self._emit(RtcpBye(self.handle, packet.reason))

    def _timing(self, packets: list[RtcpPacket], arrival: float) -> SenderTiming | None:
        """What a report of the source that is heard tells of the way here."""
        receiver = self.inbound.receiver
        for packet in packets:
            if receiver is not None and isinstance(packet, SenderReport) and packet.ssrc == receiver.ssrc:
                lag_ms = self.buffer.lag_ms(packet.info.rtp, arrival)
                if lag_ms is not None:
                    ahead = (packet.info.rtp - receiver.last_timestamp + 0x80000000 & 0xFFFFFFFF) - 0x80000000
                    ahead_ms = ahead * 1000 / receiver.clock_rate_hz
                    came_after = self.inbound.last_arrival < arrival  # RTP's socket is read first
                    return SenderTiming(lag_ms, ahead_ms if came_after else None, receiver.jitter_ms)
        return None

    def _receive_metrics(self, packet: OtherPacket) -> None:
        try:
            for metrics in voip_metrics_in(packet):
                if metrics.ssrc == self.outbound.sender.ssrc:
                    self._remote_metrics = metrics
        except BadPacket:
            self._rtcp_garbage += 1

    # --- from the halves ---

    def source_locked(self, address: Address, first: bool) -> None:
        """The inbound half settled on a source: media goes there from now on."""
        self.outbound.destination = address
        if self.inbound.source.ssrc == self.outbound.sender.ssrc:
            self._meet_own_ssrc(address)
        if first:
            self._emit(FirstMedia(self.handle, address))
        self._emit(SourceLocked(self.handle, address))

    def digit(self, digit: DtmfDigit) -> None:
        """The peer pressed a key."""
        self._emit(DtmfReceived(self.handle, digit.digit, digit.duration_ms))

    def failed(self, what: str, error: Exception) -> None:
        """Something of the user's, or of ours, raised."""
        self.failures += 1
        if self.failures <= _REPORTED_FAILURES:
            self._emit(StreamFailed(self.handle, what, error))

    # --- what became of it ---

    def statistics(self, send_errors: int = 0) -> StreamStatistics:
        """A snapshot; from another thread its numbers may be a packet apart from each other."""
        inbound, outbound, reporter, buffer = self.inbound, self.outbound, self.reporter, self.buffer
        receiver, sender, source = inbound.receiver, outbound.sender, inbound.source
        lost, received, duplicates = inbound.past_lost, inbound.past_received, inbound.past_duplicates
        reordered, fraction, jitter_ms = inbound.past_reordered, 0.0, 0.0
        bursts = inbound.past_bursts
        if receiver is not None:
            lost += receiver.lost
            received += receiver.received
            duplicates += receiver.duplicates
            reordered += receiver.reordered
            bursts += receiver.bursts
            jitter_ms = receiver.jitter_ms
        if received + lost:
            fraction = lost / (received - duplicates + lost)
        remote = reporter.remote_block
        return StreamStatistics(
            packets_sent=sender.packets,
            bytes_sent=sender.bytes,
            packets_received=received - duplicates,
            bytes_received=inbound.bytes,
            packets_lost=lost,
            packets_late=buffer.late,
            loss_bursts=bursts,
            packets_duplicate=duplicates,
            packets_reordered=reordered,
            discarded_foreign=inbound.foreign + self._rtcp_foreign,
            discarded_garbage=inbound.garbage + inbound.playout.undecodable + self._rtcp_garbage,
            discarded_overflow=buffer.overflow,
            fraction_lost=fraction,
            jitter_ms=jitter_ms,
            rtt_ms=None if reporter.rtt_s is None else reporter.rtt_s * 1000,
            remote_report=None
            if remote is None
            else RemoteReport(
                remote.fraction_lost / 256,
                remote.cumulative_lost,
                remote.jitter * 1000 / self._clock_rate_hz(),
                reporter.remote_block_at,
            ),
            remote_metrics=self._remote_metrics,
            ssrc=sender.ssrc,
            remote_ssrc=source.ssrc,
            source=source.address,
            dtmf_sent=outbound.digits_sent,
            dtmf_received=inbound.digits,
            send_errors=send_errors,
            frames_concealed=buffer.concealed,
            latency=self.latency(),
            quality=self.quality.last,
            worst_mos=self.quality.worst_mos,
            buffer_depth_ms=buffer.depth_ms,
            buffer_target_ms=buffer.target_ms,
            buffer_grown=buffer.grown,
            buffer_delay_ms=buffer.current_delay_ms,
            buffer_lengthened=buffer.lengthened,
            buffer_shortened=buffer.shortened,
            buffer_stretched_ms=buffer.stretched_ms,
            source_errors=self.failures,
            rtcp_packets_sent=reporter.packets_sent,
            rtcp_packets_received=reporter.packets_received,
            opened_at=self._opened_at,
            last_activity=max(self._opened_at, inbound.last_arrival, outbound.last_sent),
        )

    def latency(self) -> LatencyLedger | None:
        """Where the delay of what is heard here comes from; None before anything was."""
        playout = self.inbound.playout
        if self.inbound.receiver is None or playout.codec is None:
            return None
        return received_audio(
            codec=playout.codec.name,
            packet_ms=playout.packet_ms,
            buffer_ms=self.buffer.current_delay_ms,
            network_ms=self._network.one_way_ms(playout.packet_ms),
            block_ms=self.block_ms,
        )

    # --- RTCP ---

    def _meet_own_ssrc(self, address: Address) -> None:
        """Packets under our SSRC (RFC 3550 section 8.2): a collision, or our own come back.

        The first time we take another SSRC. If the same address then sends under that, too, it is a loop;
        such echoes are made on purpose to test phones, so they are heard, and nothing is changed again.
        """
        if address not in self._echoed_from:
            self._echoed_from.add(address)
            self._collided = True
            self._rtcp_due = 0.0  # with the next tick, which knows the time

    def _leave_ssrc(self, now: float) -> None:
        self._collided = False
        self._say_goodbye(now)
        self.outbound.sender.change_ssrc(self._random)

    def _choose_receiver(self) -> None:
        """Who takes the datagrams of the RTP socket; nobody looks at each for what was not agreed upon."""
        muxed = self.plan is not None and self.plan.rtcp_mux
        if self._stun is not None:
            self.receive_rtp = self._receive_anything
        else:
            self.receive_rtp = self._receive_muxed if muxed else self.inbound.receive

    def _receive_anything(self, data: bytes, source: Address, arrival: float) -> None:
        if self._stun is not None and is_stun(data):
            self._stun(data, source)
        elif self.plan is not None and self.plan.rtcp_mux:
            self._receive_muxed(data, source, arrival)
        else:
            self.inbound.receive(data, source, arrival)

    def _receive_muxed(self, data: bytes, source: Address, arrival: float) -> None:
        (self.receive_rtcp if is_rtcp(data) else self.inbound.receive)(data, source, arrival)

    def _metrics(self) -> bytes:
        """How we hear the peer, for it; nothing before we do."""
        receiver, ledger = self.inbound.receiver, self.latency()
        if receiver is None or ledger is None:
            return b""
        metrics = measured(
            receiver,
            self.buffer,
            ledger,
            self.quality.last,
            packet_ms=self.inbound.playout.packet_ms,
            rtt_s=self.reporter.rtt_s,
        )
        return bytes(extended_report(self.outbound.sender.ssrc, metrics))

    def _say_goodbye(self, now: float) -> None:
        destination = self._rtcp_destination()
        spoke = self.outbound.sender.packets or self.reporter.packets_sent
        if destination is not None and spoke and self.plan is not None:
            data = self.reporter.goodbye(
                now, self.inbound.receiver, self.plan.cname, self.outbound.sender.timestamp
            )
            self._rtcp_sender()(data, destination)

    def _report(self, now: float) -> None:
        if self._collided:
            self._leave_ssrc(now)
        destination = self._rtcp_destination()
        if self.reporter.interval.due(now) and destination is not None and self.plan is not None:
            data = self.reporter.report(
                now, self.inbound.receiver, self.plan.cname, self.outbound.sender.timestamp
            )
            if self.plan.rtcp_xr:
                data += self._metrics()
            self._rtcp_sender()(data, destination)
        self._rtcp_due = self.reporter.interval.deadline
        self._rate_interval()

    def _rate_interval(self) -> None:
        ledger, codec = self.latency(), self.inbound.playout.codec
        if ledger is None or codec is None:
            return
        counted = self.statistics()
        self.quality.measure(
            received=counted.packets_received - counted.packets_late,
            missed=counted.packets_lost + counted.packets_late,
            bursts=counted.loss_bursts + counted.packets_late,
            delay_ms=ledger.mouth_to_ear_ms,
            codec=codec.name,
        )

    def _rtcp_sender(self) -> Send:
        return self._send_rtp if self.plan is not None and self.plan.rtcp_mux else self._send_rtcp

    def _rtcp_destination(self) -> Address | None:
        """Where the peer's RTCP came from, else what signalling says, else the port after its RTP."""
        plan, rtp = self.plan, self.outbound.destination
        if plan is None or rtp is None:
            return None
        if plan.rtcp_mux:
            return rtp
        if self._rtcp_address is not None:
            return self._rtcp_address
        if plan.remote_rtcp is not None:
            return plan.remote_rtcp
        return rtp[0], rtp[1] + 1

    def _expects_rtcp_from(self, source: Address) -> bool:
        """From the signalled or learned RTCP address, or at least from the host that RTP comes from."""
        plan, rtp = self.plan, self.outbound.destination
        if plan is None:
            return False
        if plan.rtcp_mux:
            return source in (rtp, plan.remote_rtp)
        return source in (plan.remote_rtcp, self._rtcp_address) or (rtp is not None and source[0] == rtp[0])

    def _clock_rate_hz(self) -> int:
        codec = None if self.plan is None else self.plan.send_codec
        return 8000 if codec is None else codec.clock_rate_hz
