"""Whom to believe: symmetric RTP with a learned and then locked source (RFC 4961, RFC 3550 A.1).

    nothing locked --- packet from the signalled address -------------------------> locked
         |------------ two packets in sequence from anywhere ---------------------> locked
    locked ----------- new SSRC from the locked address, two in sequence ----------> locked, new SSRC
         |------------ signalling names another address, and it sends ------------> locked there
         |------------ another address continues SSRC, sequence and timestamp of
         |             a source that fell silent (NAT rebinding), two in sequence -> locked there
         `------------ anything else ---------------------------------------------> refused, counted

What an intruder off the path can forge is the SSRC; where sequence and timestamp stand it must guess, with a
chance below one in a million a try. A source is never forgotten for being silent.
"""

import enum

from media.plan import Address

_SILENT_S = 0.06
"""A source is not moved while it sends: three packets' time of silence first."""
_CANDIDATES = 16
_MAX_DROPOUT = 3000
"""Packets that may be missing, as in RFC 3550 A.1."""
_PACKET_S = (0.01, 0.02, 0.03, 0.04, 0.06)
"""Packet times of a source that went on sending through a long outage."""


class Verdict(enum.Enum):
    """What to do with a packet that is not simply the next one of the locked source."""

    ACCEPTED = enum.auto()
    NEW_SOURCE = enum.auto()
    """Accepted; its numbers have nothing to do with those before."""
    MOVED = enum.auto()
    """Accepted; the same source at another address."""
    PROBATION = enum.auto()
    """Refused for now; the next in sequence would be accepted."""
    FOREIGN = enum.auto()


class Source:
    """Address and SSRC of the peer: None until learned."""

    __slots__ = ("_candidates", "_named_afresh", "address", "signalled", "ssrc")

    def __init__(self, signalled: Address | None = None) -> None:
        self.address: Address | None = None
        self.ssrc: int | None = None
        self.signalled = signalled
        self._named_afresh = True
        self._candidates: dict[tuple[Address, int], int] = {}

    def name(self, signalled: Address | None) -> None:
        """Signalling names this address (again)."""
        if signalled != self.signalled:
            self.signalled = signalled
            self._named_afresh = True

    def judge(
        self, address: Address, ssrc: int, sequence_number: int, *, silent_s: float, continues: bool
    ) -> Verdict:
        """Decide on a packet of negotiated payload type.

        `silent_s` is how long the locked source has sent nothing, `continues` whether the packet's
        sequence number and timestamp follow the locked source's last ones plausibly (`plausible`).
        """
        if address == self.address and ssrc == self.ssrc:
            return Verdict.ACCEPTED
        if address == self.signalled and self._named_afresh:
            return self._lock(address, ssrc)
        same_ssrc = ssrc == self.ssrc
        if (
            self.address is None
            or address in (self.address, self.signalled)
            or (same_ssrc and continues and silent_s >= _SILENT_S)
        ):
            key = (address, ssrc)
            if self._candidates.get(key) == sequence_number:
                return self._lock(address, ssrc)
            if len(self._candidates) >= _CANDIDATES:
                self._candidates.clear()
            self._candidates[key] = (sequence_number + 1) & 0xFFFF
            return Verdict.PROBATION
        return Verdict.FOREIGN

    def _lock(self, address: Address, ssrc: int) -> Verdict:
        moved = ssrc == self.ssrc
        self.address, self.ssrc = address, ssrc
        if address == self.signalled:
            self._named_afresh = False
        self._candidates.clear()
        return Verdict.MOVED if moved else Verdict.NEW_SOURCE


def plausible(sequence_steps: int, timestamp_steps: int, elapsed_s: float, clock_rate_hz: int) -> bool:
    """Whether a packet can be the continuation of a source last heard `elapsed_s` ago.

    `sequence_steps` and `timestamp_steps` are differences modulo 2^16 and 2^32. The timestamp either ran on
    through the silence, or stood still (two seconds of slack). More packets may be missing than after a
    silence if they were sent all the time: then both numbers must have run at the pace of some packet time.
    """
    ran_on = (timestamp_steps - int(elapsed_s * clock_rate_hz)) & 0xFFFFFFFF
    near = min(ran_on, 0x100000000 - ran_on) <= clock_rate_hz
    if 1 <= sequence_steps <= min(_MAX_DROPOUT, 50 + 100 * elapsed_s):
        return near or timestamp_steps <= 2 * clock_rate_hz
    if sequence_steps <= _MAX_DROPOUT or not near:
        return False
    packet_s = timestamp_steps / clock_rate_hz / sequence_steps
    return any(abs(packet_s - usual) < 0.03 * usual for usual in _PACKET_S)
