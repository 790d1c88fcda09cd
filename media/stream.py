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
from media.control import Control, Send, unheard
from media.dtmf.telephone_event import DtmfDigit
from media.events import (
    DtmfReceived,
    FirstMedia,
    SourceLocked,
    StreamEvent,
    StreamFailed,
    StreamHeard,
    StreamSilent,
)
from media.inbound import Inbound
from media.outbound import Outbound
from media.plan import Address, MediaDirection, StreamPlan
from media.rtcp.report import Reporter
from media.rtp.packet import is_rtcp
from media.rtp.statistics import StreamStatistics
from media.silence import Life, SilenceWatch
from media.stun.message import is_stun

StunListener = Callable[[bytes, Address], None]
_REPORTED_FAILURES = 10
"""What fails at every tick shall not flood its owner; the rest is only counted."""


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
        "_emit",
        "_opened_at",
        "_stun",
        "block_ms",
        "buffer",
        "closed",
        "control",
        "failures",
        "handle",
        "inbound",
        "outbound",
        "plan",
        "play",
        "receive_rtp",
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
        self.control = Control(
            handle,
            self.inbound,
            self.outbound,
            Reporter(self.outbound.sender, random, now, wall_offset),
            random=random,
            send_rtp=send_rtp,
            send_rtcp=send_rtcp,
            emit=emit,
        )
        self.silence = SilenceWatch()
        """Notices when the peer is gone, if it is told how long to wait."""
        self.failures = 0
        self.closed = False
        self._emit = emit
        self._opened_at = now
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
        self.control.configure(plan, self.block_ms)
        self._choose_receiver()
        named = None if plan is None else plan.remote_rtp
        if before is None or named != before.remote_rtp:
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
        if now >= self.control.due:
            self.control.report(now)

    def skip(self, blocks: int) -> None:
        """So many ticks were left out because we were late."""
        self.inbound.skip(blocks)
        self.outbound.skip(blocks)

    def look(self, now: float) -> None:
        """See whether the peer is still there; twice a second or so."""
        inbound, plan, silence = self.inbound, self.plan, self.silence
        expected = plan is not None and plan.direction is MediaDirection.SENDRECV
        last_packet = max(inbound.last_arrival, self.control.last_arrival)
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
        self.control.say_goodbye(now)

    def release(self) -> None:
        """Nobody ticks it any more, and its last figures were taken.

        What its parts hold of each other goes, so that a call that is over is freed there and then: a
        phone of many calls would else have the collector of cycles stop it for all they leave behind.
        """
        self.inbound.release(_GONE)
        self.outbound.release(_GONE)
        self.control.release()
        self.handle = self._stun = None
        self._emit = unheard
        self.receive_rtp = self.inbound.receive

    # --- from the wire ---

    def receive_rtcp(self, data: bytes, source: Address, arrival: float) -> None:
        """A datagram on the RTCP socket."""
        if self._stun is not None and is_stun(data):
            self._stun(data, source)
        else:
            self.control.receive(data, source, arrival)

    # --- from the halves ---

    def source_locked(self, address: Address, first: bool) -> None:
        """The inbound half settled on a source: media goes there from now on."""
        self.outbound.destination = address
        self.control.source_locked(address)
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
        inbound, outbound, control, buffer = self.inbound, self.outbound, self.control, self.buffer
        receiver, sender, source, reporter = (
            inbound.receiver,
            outbound.sender,
            inbound.source,
            control.reporter,
        )
        counts = inbound.counts()
        expected = counts.received + counts.lost
        return StreamStatistics(
            packets_sent=sender.packets,
            bytes_sent=sender.bytes,
            packets_received=counts.received,
            bytes_received=inbound.bytes,
            packets_lost=counts.lost,
            packets_late=buffer.late,
            loss_bursts=counts.bursts,
            packets_duplicate=counts.duplicates,
            packets_reordered=counts.reordered,
            discarded_foreign=inbound.foreign + control.foreign,
            discarded_garbage=inbound.garbage + inbound.playout.undecodable + control.garbage,
            discarded_overflow=buffer.overflow,
            fraction_lost=counts.lost / expected if expected else 0.0,
            jitter_ms=0.0 if receiver is None else receiver.jitter_ms,
            rtt_ms=None if reporter.rtt_s is None else reporter.rtt_s * 1000,
            remote_report=control.remote_report,
            remote_metrics=control.remote_metrics,
            ssrc=sender.ssrc,
            remote_ssrc=source.ssrc,
            source=source.address,
            dtmf_sent=outbound.digits_sent,
            dtmf_received=inbound.digits,
            send_errors=send_errors,
            frames_concealed=buffer.concealed,
            latency=control.latency(),
            quality=control.quality.last,
            worst_mos=control.quality.worst_mos,
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

    # --- inside ---

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
