"""RTCP of one stream: our reports on the peer, the peer's on us, round trip (RFC 3550 section 6.4)."""

from random import Random

from media.rtcp.interval import Interval
from media.rtcp.packet import (
    CNAME,
    Goodbye,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderInfo,
    SenderReport,
    SourceDescription,
    compound,
)
from media.rtp.receiver import Receiver
from media.rtp.sender import Sender

_NTP_EPOCH = 2_208_988_800
"""Seconds from 1900 to 1970."""


class Reporter:
    """Makes and reads reports. `wall_offset` is wall less monotonic time, for NTP timestamps."""

    __slots__ = (
        "_gone",
        "_last_sr",
        "_last_sr_at",
        "_sender",
        "_sent_before",
        "_sent_before_that",
        "_wall_offset",
        "interval",
        "packets_received",
        "packets_sent",
        "remote_block",
        "remote_block_at",
        "rtt_s",
    )

    def __init__(self, sender: Sender, random: Random, now: float, wall_offset: float) -> None:
        self.interval = Interval(random, now)
        self.rtt_s: float | None = None
        self.remote_block: ReportBlock | None = None
        self.remote_block_at = 0.0
        self.packets_sent = 0
        self.packets_received = 0
        self._sender = sender
        self._wall_offset = wall_offset
        self._last_sr = 0
        self._last_sr_at = 0.0
        self._sent_before = 0
        self._sent_before_that = 0
        self._gone: tuple[int, int] | None = None  # the source that said BYE, and its packets by then

    def report(self, now: float, receiver: Receiver | None, cname: str, timestamp: int) -> bytes:
        """SR or RR with SDES CNAME; `timestamp` is what an RTP packet of now would carry."""
        self.packets_sent += 1
        sender = self._sender
        if receiver is not None and self._gone == (receiver.ssrc, receiver.received):
            receiver = None
        blocks = () if receiver is None else (self._block(now, receiver),)
        # A sender is who sent since the second previous report (section 6.4).
        recently = sender.packets > self._sent_before_that
        self._sent_before_that, self._sent_before = self._sent_before, sender.packets
        report: RtcpPacket
        if recently:
            info = SenderInfo(
                self._ntp(now),
                timestamp,
                (sender.packets - sender.packets_before) & 0xFFFFFFFF,
                (sender.bytes - sender.bytes_before) & 0xFFFFFFFF,
            )
            report = SenderReport(sender.ssrc, info, blocks)
        else:
            report = ReceiverReport(sender.ssrc, blocks)
        self.interval.participants(
            members=1 if receiver is None else 2, senders=recently + (receiver is not None), we_sent=recently
        )
        data = compound((report, self._description(cname)))
        self.interval.observe(len(data))
        return data

    def goodbye(self, now: float, receiver: Receiver | None, cname: str, timestamp: int) -> bytes:
        """The last report under this SSRC, with BYE.

        Sent at once: holding it back (section 6.3.7) is for sessions of more than fifty.
        """
        return self.report(now, receiver, cname, timestamp) + bytes(Goodbye((self._sender.ssrc,)))

    def remote_left(self, receiver: Receiver, now: float) -> None:
        """The peer said BYE: it is reported on no more, unless it goes on sending."""
        self._gone = (receiver.ssrc, receiver.received)
        self.interval.left(now, 1)

    def receive(self, packets: list[RtcpPacket], size: int, now: float) -> ReportBlock | None:
        """Take the peer's compound packet; returns its report on us, if there is one."""
        self.packets_received += 1
        self.interval.observe(size)
        found = None
        for packet in packets:
            if isinstance(packet, SenderReport):
                self._last_sr = packet.info.ntp >> 16 & 0xFFFFFFFF
                self._last_sr_at = now
            if isinstance(packet, SenderReport | ReceiverReport):
                for block in packet.blocks:
                    if block.ssrc == self._sender.ssrc:
                        found = block
        if found is not None:
            self.remote_block, self.remote_block_at = found, now
            if found.last_sr:
                elapsed = ((self._ntp(now) >> 16) - found.last_sr - found.delay_since_last_sr) & 0xFFFFFFFF
                if elapsed < 0x80000000:  # a peer that rounds its delay up would make it negative
                    self.rtt_s = elapsed / 65536
        return found

    def _block(self, now: float, receiver: Receiver) -> ReportBlock:
        delay = int((now - self._last_sr_at) * 65536) & 0xFFFFFFFF if self._last_sr else 0
        return ReportBlock(
            receiver.ssrc,
            receiver.fraction_lost_since_last(),
            receiver.cumulative_lost,
            receiver.extended_highest,
            receiver.jitter,
            self._last_sr,
            delay,
        )

    def _description(self, cname: str) -> SourceDescription:
        return SourceDescription(((self._sender.ssrc, ((CNAME, cname.encode()[:255]),)),))

    def _ntp(self, now: float) -> int:
        return int((now + self._wall_offset + _NTP_EPOCH) * 4294967296)
