"""Packets of one stream sent on as another's, without decoding them. Pure.

What arrives is sent on as it comes. Gaps in sequence numbers and timestamps stay, so the far end sees the
losses of the near one and conceals them itself, and its jitter buffer is the only one on the way. The
SSRC is that of the stream sent on, and the numbers follow what it has sent by itself; while it sends
something by itself (a key, an announcement), what comes in is left out.
"""

from collections.abc import Callable

import numpy as np

from media.frame import AudioFrame
from media.rtp.packet import RtpPacket
from media.stream import Stream

_LONGEST_GAP = 1000
"""Packets: what is further on has nothing to do with the packets before."""

_EMPTY_PULLS = 10


class Forwarder:
    """Sends on what `source` receives as what `target` sends; both streams belong to one engine.

    A packet of a codec that the target does not send is left out and counted in `misfits`; `on_misfit` is
    called at the first. A telephone-event is sent on where the target's peer takes them.
    """

    def __init__(self, source: Stream, target: Stream, on_misfit: Callable[[], None] | None = None) -> None:
        self.misfits = 0
        self.forwarded = 0
        self.arrived = 0
        """Packets that fit, also those left out because the target says something by itself."""
        self._source = source
        self._target = target.outbound
        self._on_misfit = on_misfit
        self._ssrc: int | None = None
        self._last = 0  # sequence number received
        self._offset = 0  # from timestamps received to those sent

    @property
    def sample_rate_hz(self) -> int:
        """The rate of what the target sends by itself."""
        return self._target.sample_rate_hz

    def receive(self, packet: RtpPacket, now: float) -> None:
        """Send on one packet that the source accepted."""
        plan, target = self._source.plan, self._target
        if plan is None:
            return
        codec = plan.receive_codecs.get(packet.payload_type)
        if not target.fits(codec):
            self._ssrc = None
            if codec is not None:
                self.misfits += 1
                if self._on_misfit is not None and self.misfits == 1:
                    self._on_misfit()
            return
        self.arrived += 1
        delta = (packet.sequence_number - self._last + 0x8000 & 0xFFFF) - 0x8000
        if packet.ssrc != self._ssrc or abs(delta) > _LONGEST_GAP:
            self._ssrc = packet.ssrc
            self._offset = target.sender.timestamp - packet.timestamp
            self._last = (packet.sequence_number - 1) & 0xFFFF
            delta = 1
        timestamp = (packet.timestamp + self._offset) & 0xFFFFFFFF
        if not target.forward(codec, packet.payload, packet.marker, delta - 1, timestamp, now):
            self._ssrc = None  # begin anew after what it says by itself
            return
        if delta > 0:
            self._last = packet.sequence_number
        self.forwarded += 1


class Filler:
    """The source of a stream that packets are sent on to: silence while none come.

    So that a peer who waits to hear us before it speaks (behind a NAT) is not waited for in turn.
    """

    def __init__(self, forwarder: Forwarder) -> None:
        self._forwarder = forwarder
        self._seen = 0
        self._empty_pulls = 0

    def pull(self, n: int) -> AudioFrame | None:
        """Silence, or nothing while packets come."""
        arrived = self._forwarder.arrived
        if arrived != self._seen:
            self._seen = arrived
            self._empty_pulls = 0
            return None
        self._empty_pulls += 1
        if self._empty_pulls <= _EMPTY_PULLS:
            return None
        return AudioFrame(np.zeros(n, np.int16), self._forwarder.sample_rate_hz)
