"""How good a call sounds, estimated from what was measured: the E-model of ITU-T G.107 (06/2015).

The rating R begins at what a perfect call has and loses points for delay and for the codec under
packet loss. All other inputs (noise, levels, side tone, echo) stand at the defaults of G.107
table 3, for which R is 93.2; the terms they make are constants here.
"""

from dataclasses import dataclass
from math import log2, pow

DEFAULT_R = 93.2
"""R of the default connection without delay (section 7.1 with table 3)."""

_MINIMUM_PERCEIVABLE_DELAY_MS = 100.0  # mT; with it sT = 1, which vanishes from the formula


@dataclass(frozen=True, slots=True)
class Impairment:
    """What a codec costs: `equipment` (Ie) always, and more under loss the smaller `robustness` (Bpl)."""

    equipment: float
    robustness: float


# G.113 appendix I: G.711 without and with the concealment of its own Appendix I.
_WITHOUT_CONCEALMENT = Impairment(0.0, 4.3)
_G711 = Impairment(0.0, 25.1)
_IMPAIRMENTS = {
    "PCMU": _G711,
    "PCMA": _G711,
    "L16": _G711,  # no better on this scale, which ends at 3.4 kHz
    # Not in G.113 for narrow band. Our estimate: clean without loss, and a little more harmed by it than
    # G.711, because the decoder's state is wrong for a while afterwards.
    "G722": Impairment(0.0, 20.0),
    # Not in G.113 either. Without loss Opus is no worse than G.711 on this scale: Alahmadi, Pocta and
    # Melvin ("An Adaptive Bitrate Switching Algorithm for Speech Applications in Context of WebRTC", ACM
    # TOMM 17(4), 2021, article 133) give it 17 at 31 kbit/s on the scale of super-wideband speech, where
    # G.711 has over 50. They have a robustness of 10.4 under random loss without forward error correction,
    # which we ask for. With it our wideband PESQ at 5 and 10 % (`python -m benchmarks.quality --opus`, as a
    # loss of MOS) makes it 22 to 25.
    "OPUS": Impairment(0.0, 22.0),
}


def impairment_of(codec: str, *, concealment: bool = True) -> Impairment:
    """The impairment factors of a codec by its name; those of G.711 for one not in the tables."""
    if not concealment:
        return _WITHOUT_CONCEALMENT
    return _IMPAIRMENTS.get(codec.upper(), _IMPAIRMENTS["PCMU"])


def delay_impairment(one_way_delay_ms: float) -> float:
    """Idd, the cost of delay that is too long to talk over (section 7.4)."""
    if one_way_delay_ms <= _MINIMUM_PERCEIVABLE_DELAY_MS:
        return 0.0
    x = log2(one_way_delay_ms / _MINIMUM_PERCEIVABLE_DELAY_MS)
    return 25.0 * (pow(1 + pow(x, 6), 1 / 6) - 3 * pow(1 + pow(x / 3, 6), 1 / 6) + 2)


def loss_impairment(loss_percent: float, burst_ratio: float, impairment: Impairment) -> float:
    """Ie-eff, the cost of the codec and its losses (section 7.5).

    `burst_ratio` is the mean length of bursts of loss divided by what random loss would give; 1 when
    random, and never counted as less.
    """
    loss = min(100.0, max(0.0, loss_percent))
    equipment = impairment.equipment
    if loss == 0.0:
        return equipment
    return equipment + (95.0 - equipment) * loss / (loss / max(1.0, burst_ratio) + impairment.robustness)


def burst_ratio(loss_percent: float, mean_burst_packets: float) -> float:
    """BurstR: the mean burst length over that of random loss of the same rate (section 7.5)."""
    if loss_percent <= 0.0:
        return 1.0
    return max(1.0, mean_burst_packets * (1.0 - min(loss_percent, 100.0) / 100.0))


def rating(
    *,
    one_way_delay_ms: float,
    loss_percent: float = 0.0,
    burst_ratio: float = 1.0,
    codec: str = "PCMU",
    concealment: bool = True,
) -> float:
    """R of a call, 0 to 100.

    `one_way_delay_ms` is mouth to ear: capture, packet, network, jitter buffer and playout. The
    `loss_percent` is what the decoder missed: packets lost and packets too late.
    """
    impairment = impairment_of(codec, concealment=concealment)
    r = (
        DEFAULT_R
        - delay_impairment(one_way_delay_ms)
        - loss_impairment(loss_percent, burst_ratio, impairment)
    )
    return min(100.0, max(0.0, r))


@dataclass(frozen=True, slots=True)
class IntervalQuality:
    """How a stretch of a call sounded, a few seconds long."""

    mos: float
    """1 to 4.5."""
    rating: float
    """R, 0 to 100."""
    loss_percent: float
    """Lost packets and those that came too late."""
    burst_ratio: float
    """1 where losses are random, more where they come together."""
    delay_ms: float
    """Mouth to ear."""


class QualityMeter:
    """Rates one stretch after another, from counts that only grow."""

    __slots__ = ("_bursts", "_expected", "_missed", "last", "worst_mos")

    def __init__(self) -> None:
        self.last: IntervalQuality | None = None
        self.worst_mos: float | None = None
        self._expected = self._missed = self._bursts = 0

    def measure(
        self, *, received: int, missed: int, bursts: int, delay_ms: float, codec: str
    ) -> IntervalQuality | None:
        """What came since the last call: packets `received` in time, `missed` in so many `bursts`.

        None, and nothing is measured, while nothing was to be heard (a pause, hold).
        """
        expected = received + missed
        new, lost, gaps = expected - self._expected, missed - self._missed, bursts - self._bursts
        self._expected, self._missed, self._bursts = expected, missed, bursts
        if new <= 0:
            return None
        loss_percent = 100.0 * max(0, lost) / new
        burstiness = burst_ratio(loss_percent, lost / gaps if gaps > 0 else 1.0)
        r = rating(one_way_delay_ms=delay_ms, loss_percent=loss_percent, burst_ratio=burstiness, codec=codec)
        self.last = IntervalQuality(mos(r), r, loss_percent, burstiness, delay_ms)
        if self.worst_mos is None or self.last.mos < self.worst_mos:
            self.worst_mos = self.last.mos
        return self.last


def mos(r: float) -> float:
    """The mean opinion score (MOS-CQE), 1 to 4.5, of a rating (annex B, equation B-4)."""
    if r <= 0.0:
        return 1.0
    if r >= 100.0:
        return 4.5
    return max(1.0, 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6)
