"""What we send on one stream: SSRC, sequence numbers, timestamps (RFC 3550 sections 5.1 and 4.1 of 3551)."""

from random import Random

from media.rtp.packet import HEADER

_pack = HEADER.pack


class Sender:
    """Numbers the packets of one stream.

    The timestamp is time, not packets sent: `advance` moves it for every block of the clock, sent or not, so
    a gap stands in the timestamps as long as it was. The first packet after a gap carries the marker
    (RFC 3551 section 4.1).
    """

    __slots__ = (
        "_talking",
        "bytes",
        "bytes_before",
        "packets",
        "packets_before",
        "sequence_number",
        "ssrc",
        "timestamp",
    )

    def __init__(self, random: Random) -> None:
        self.ssrc = random.getrandbits(32)
        self.sequence_number = random.getrandbits(15)  # below 2^15: no early wrap (RFC 3711 3.3.1)
        self.timestamp = random.getrandbits(32)
        self.packets = 0
        self.bytes = 0
        self.packets_before = self.bytes_before = 0
        """Those of them that went out under an earlier SSRC."""
        self._talking = False

    def change_ssrc(self, random: Random) -> None:
        """Another has ours (RFC 3550 section 8.2): go on under a new one."""
        self.ssrc = random.getrandbits(32)
        self.packets_before, self.bytes_before = self.packets, self.bytes

    def advance(self, units: int) -> None:
        """Let `units` of the RTP clock pass."""
        self.timestamp = (self.timestamp + units) & 0xFFFFFFFF

    def pause(self) -> None:
        """Nothing is sent in this slot: the next packet begins a talkspurt."""
        self._talking = False

    def packet(self, payload_type: int, payload: bytes, behind: int = 0) -> bytes:
        """The next packet, for the media that began `behind` units before the present timestamp."""
        if not self._talking:
            self._talking = True
            payload_type |= 0x80
        # Packing 12 bytes and joining them to the payload is quicker than filling a buffer in place,
        # whose slice must be made all the same (0.15 against 0.22 us).
        number = self.sequence_number
        self.sequence_number = (number + 1) & 0xFFFF
        self.packets += 1
        self.bytes += len(payload)
        return _pack(0x80, payload_type, number, (self.timestamp - behind) & 0xFFFFFFFF, self.ssrc) + payload

    def event_packet(self, payload_type: int, payload: bytes, timestamp: int, marker: bool) -> bytes:
        """The next packet with a timestamp of its own (all packets of a telephone-event share one)."""
        self._talking = not marker  # `packet` sets the marker where no spurt is under way
        packet = self.packet(payload_type, payload, self.timestamp - timestamp)
        self._talking = False
        return packet

    def forwarded_packet(
        self, payload_type: int, payload: bytes, lead: int, timestamp: int, marker: bool
    ) -> bytes:
        """A packet of somebody else's numbering: `lead` numbers after the next one (negative: a late one).

        Our own clock goes on from its timestamp if that is ahead.
        """
        number = (self.sequence_number + lead) & 0xFFFF
        if lead >= 0:
            self.sequence_number = (number + 1) & 0xFFFF
        if 0 < (timestamp - self.timestamp) & 0xFFFFFFFF < 1 << 31:
            self.timestamp = timestamp
        self.packets += 1
        self.bytes += len(payload)
        return _pack(0x80, payload_type | marker << 7, number, timestamp, self.ssrc) + payload

    @property
    def talking(self) -> bool:
        """Whether the last slot had a packet of our own audio."""
        return self._talking
