"""The RTCP of a stream: reports both ways, what they tell of the path, and whose packets count. Pure.

Where the peer's reports come from and ours go to is settled here, as well as what becomes of packets that
carry our own SSRC (RFC 3550 section 8.2).
"""

from collections.abc import Callable
from random import Random

from media.errors import BadPacket
from media.events import RtcpBye, RtcpReport, StreamEvent
from media.inbound import Inbound
from media.latency import LatencyLedger, NetworkDelay, SenderTiming, received_audio
from media.outbound import Outbound
from media.plan import Address, StreamPlan
from media.quality import QualityMeter
from media.rtcp.packet import Goodbye, OtherPacket, RtcpPacket, SenderReport, parse_compound
from media.rtcp.report import Reporter
from media.rtcp.xr import VoipMetrics, extended_report, voip_metrics_in
from media.rtp.statistics import RemoteReport
from media.voip_metrics import measured

Send = Callable[[bytes, Address], object]


class Control:
    """What a stream says and hears beside its media. `handle` is what its events name as their stream."""

    __slots__ = (
        "_address",
        "_block_ms",
        "_buffer",
        "_collided",
        "_echoed_from",
        "_emit",
        "_handle",
        "_inbound",
        "_network",
        "_outbound",
        "_plan",
        "_random",
        "_send_rtcp",
        "_send_rtp",
        "due",
        "foreign",
        "garbage",
        "last_arrival",
        "quality",
        "remote_metrics",
        "reporter",
    )

    def __init__(
        self,
        handle: object,
        inbound: Inbound,
        outbound: Outbound,
        reporter: Reporter,
        *,
        random: Random,
        send_rtp: Send,
        send_rtcp: Send,
        emit: Callable[[StreamEvent], object],
    ) -> None:
        self.reporter = reporter
        self.quality = QualityMeter()
        self.remote_metrics: VoipMetrics | None = None
        """How the peer hears us, if it says so."""
        self.due = reporter.interval.deadline
        """When `report` has something to do."""
        self.last_arrival = 0.0
        self.foreign = 0
        self.garbage = 0
        self._handle = handle
        self._inbound = inbound
        self._outbound = outbound
        self._buffer = inbound.playout.buffer
        self._random = random
        self._send_rtp = send_rtp
        self._send_rtcp = send_rtcp
        self._emit = emit
        self._plan: StreamPlan | None = None
        self._block_ms = 20
        self._network = NetworkDelay()
        self._address: Address | None = None
        self._collided = False
        self._echoed_from: set[Address] = set()

    def configure(self, plan: StreamPlan | None, block_ms: int) -> None:
        """Go by this plan; where the peer's reports came from is forgotten when its media moves."""
        before = self._plan
        if before is None or plan is None or plan.remote_rtp != before.remote_rtp:
            self._address = None
        self._plan = plan
        self._block_ms = block_ms

    def release(self) -> None:
        """The stream is over: let it go."""
        self._handle = None
        self._emit = unheard

    # --- what comes ---

    def receive(self, data: bytes, source: Address, arrival: float) -> None:
        """A compound packet; whatever it is, it does no harm."""
        if not self._expects(source):
            self.foreign += 1
            return
        try:
            reduced_size = self._plan is not None and self._plan.rtcp_reduced_size
            packets = parse_compound(data, reduced_size=reduced_size)
        except BadPacket:
            self.garbage += 1
            return
        self._address = source
        self.last_arrival = arrival
        block = self.reporter.receive(packets, len(data), arrival)
        if block is not None:
            self._outbound.packets_lost(block.fraction_lost / 256)
            jitter_ms = block.jitter * 1000 / self._clock_rate_hz()
            rtt = self.reporter.rtt_s
            if rtt is not None:
                self._network.measured(rtt * 1000, jitter_ms, self._timing(packets, arrival))
            self._emit(
                RtcpReport(
                    self._handle,
                    block.fraction_lost / 256,
                    block.cumulative_lost,
                    jitter_ms,
                    None if rtt is None else rtt * 1000,
                )
            )
        remote, receiver = self._inbound.source.ssrc, self._inbound.receiver
        for packet in packets:
            if isinstance(packet, OtherPacket):
                self._receive_metrics(packet)
            if isinstance(packet, Goodbye) and (remote is None or remote in packet.sources):
                if receiver is not None:
                    self.reporter.remote_left(receiver, arrival)
                    self.due = self.reporter.interval.deadline
                self._emit(RtcpBye(self._handle, packet.reason))

    def source_locked(self, address: Address) -> None:
        """The inbound half settled on a source. If it sends under our SSRC (RFC 3550 section 8.2) that is a
        collision, or our own packets come back.

        The first time we take another SSRC. If the same address then sends under that, too, it is a loop;
        such echoes are made on purpose to test phones, so they are heard, and nothing is changed again.
        """
        ours = self._inbound.source.ssrc == self._outbound.sender.ssrc
        if ours and address not in self._echoed_from:
            self._echoed_from.add(address)
            self._collided = True
            self.due = 0.0  # with the next tick, which knows the time

    # --- what goes ---

    def report(self, now: float) -> None:
        """Send what is due at `now`."""
        if self._collided:
            self._collided = False
            self.say_goodbye(now)
            self._outbound.sender.change_ssrc(self._random)
        destination, plan = self._destination(), self._plan
        if self.reporter.interval.due(now) and destination is not None and plan is not None:
            data = self.reporter.report(
                now, self._inbound.receiver, plan.cname, self._outbound.sender.timestamp
            )
            if plan.rtcp_xr:
                data += self._metrics()
            self._sender(plan)(data, destination)
        self.due = self.reporter.interval.deadline
        self._rate_interval()

    def say_goodbye(self, now: float) -> None:
        """Leave, if anything was ever sent (RFC 3550 section 6.3.7)."""
        destination, plan, sender = self._destination(), self._plan, self._outbound.sender
        if destination is not None and plan is not None and (sender.packets or self.reporter.packets_sent):
            data = self.reporter.goodbye(now, self._inbound.receiver, plan.cname, sender.timestamp)
            self._sender(plan)(data, destination)

    # --- what it tells of the path ---

    @property
    def remote_report(self) -> RemoteReport | None:
        """What the peer said last of what it receives."""
        block = self.reporter.remote_block
        if block is None:
            return None
        return RemoteReport(
            block.fraction_lost / 256,
            block.cumulative_lost,
            block.jitter * 1000 / self._clock_rate_hz(),
            self.reporter.remote_block_at,
        )

    def latency(self) -> LatencyLedger | None:
        """Where the delay of what is heard here comes from; None before anything was."""
        playout = self._inbound.playout
        if self._inbound.receiver is None or playout.codec is None:
            return None
        return received_audio(
            codec=playout.codec.name,
            packet_ms=playout.packet_ms,
            buffer_ms=self._buffer.current_delay_ms,
            network_ms=self._network.one_way_ms(playout.packet_ms),
            block_ms=self._block_ms,
        )

    # --- inside ---

    def _timing(self, packets: list[RtcpPacket], arrival: float) -> SenderTiming | None:
        """What a report of the source that is heard tells of the way here."""
        receiver = self._inbound.receiver
        for packet in packets:
            if receiver is not None and isinstance(packet, SenderReport) and packet.ssrc == receiver.ssrc:
                lag_ms = self._buffer.lag_ms(packet.info.rtp, arrival)
                if lag_ms is not None:
                    ahead = (packet.info.rtp - receiver.last_timestamp + 0x80000000 & 0xFFFFFFFF) - 0x80000000
                    ahead_ms = ahead * 1000 / receiver.clock_rate_hz
                    came_after = self._inbound.last_arrival < arrival  # RTP's socket is read first
                    return SenderTiming(lag_ms, ahead_ms if came_after else None, receiver.jitter_ms)
        return None

    def _receive_metrics(self, packet: OtherPacket) -> None:
        try:
            for metrics in voip_metrics_in(packet):
                if metrics.ssrc == self._outbound.sender.ssrc:
                    self.remote_metrics = metrics
        except BadPacket:
            self.garbage += 1

    def _metrics(self) -> bytes:
        """How we hear the peer, for it; nothing before we do."""
        receiver, ledger = self._inbound.receiver, self.latency()
        if receiver is None or ledger is None:
            return b""
        metrics = measured(
            receiver,
            self._buffer,
            ledger,
            self.quality.last,
            packet_ms=self._inbound.playout.packet_ms,
            rtt_s=self.reporter.rtt_s,
        )
        return bytes(extended_report(self._outbound.sender.ssrc, metrics))

    def _rate_interval(self) -> None:
        ledger, codec = self.latency(), self._inbound.playout.codec
        if ledger is None or codec is None:
            return
        counts, late = self._inbound.counts(), self._buffer.late
        self.quality.measure(
            received=counts.received - late,
            missed=counts.lost + late,
            bursts=counts.bursts + late,
            delay_ms=ledger.mouth_to_ear_ms,
            codec=codec.name,
        )

    def _sender(self, plan: StreamPlan) -> Send:
        return self._send_rtp if plan.rtcp_mux else self._send_rtcp

    def _destination(self) -> Address | None:
        """Where the peer's RTCP came from, else what signalling says, else the port after its RTP."""
        plan, rtp = self._plan, self._outbound.destination
        if plan is None or rtp is None:
            return None
        if plan.rtcp_mux:
            return rtp
        return self._address or plan.remote_rtcp or (rtp[0], rtp[1] + 1)

    def _expects(self, source: Address) -> bool:
        """From the signalled or learned RTCP address, or at least from the host that RTP comes from."""
        plan, rtp = self._plan, self._outbound.destination
        if plan is None:
            return False
        if plan.rtcp_mux:
            return source in (rtp, plan.remote_rtp)
        return source in (plan.remote_rtcp, self._address) or (rtp is not None and source[0] == rtp[0])

    def _clock_rate_hz(self) -> int:
        codec = None if self._plan is None else self._plan.send_codec
        return 8000 if codec is None else codec.clock_rate_hz


def unheard(event: StreamEvent) -> None:
    """Its owner was told that the stream is closed, and hears no more of it."""
