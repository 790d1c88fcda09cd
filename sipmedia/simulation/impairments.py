"""What a link does to packets, as settings: plain data, without state and without chance.

The state and the random streams belong to each direction of each link (`sipmedia.simulation.link`), so
settings may be shared and changed while a call runs.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, Protocol

Decide = Callable[[], bool]
JitterShape = Literal["uniform", "normal", "exponential"] | Callable[[Random], float]


@dataclass(frozen=True, slots=True)
class Datagram:
    """One UDP datagram on its way: `source` and `destination` as on the wire of this link."""

    time: float
    source: tuple[str, int]
    destination: tuple[str, int]
    data: bytes


class LossModel(Protocol):
    """Which packets are lost."""

    def start(self, random: Random) -> Decide:
        """A fresh run of the model: called once a packet, True loses it."""
        ...


@dataclass(frozen=True, slots=True)
class RandomLoss:
    """Each packet with the same probability, whatever became of the one before."""

    probability: float

    def start(self, random: Random) -> Decide:
        """See `LossModel`."""
        draw, probability = random.random, _probability("loss", self.probability)
        return lambda: draw() < probability


@dataclass(frozen=True, slots=True)
class GilbertElliott:
    """Bursts: two states, good and bad, each with a loss of its own.

    `to_bad` and `to_good` are the probabilities, a packet, of changing the state: the mean burst is
    1 / `to_good` packets long, and to_bad / (to_bad + to_good) of the packets meet the bad state.
    """

    to_bad: float
    to_good: float
    loss_in_good: float = 0.0
    loss_in_bad: float = 1.0

    @classmethod
    def of(cls, loss: float, burst: float) -> "GilbertElliott":
        """The model that loses this share of all packets in bursts of so many packets on average."""
        if not (0 <= loss < 1 and burst >= 1):
            raise ValueError(f"loss {loss} must be in 0..1 (1 excluded) and burst {burst} at least 1 packet")
        to_good = 1 / burst
        to_bad = to_good * loss / (1 - loss)
        if to_bad > 1:
            raise ValueError(f"{loss:.0%} loss cannot come in bursts of only {burst} packets; ask for longer")
        return cls(to_bad, to_good)

    def start(self, random: Random) -> Decide:
        """See `LossModel`."""
        draw = random.random
        leave = (_probability("to_bad", self.to_bad), _probability("to_good", self.to_good))
        loss = (
            _probability("loss_in_good", self.loss_in_good),
            _probability("loss_in_bad", self.loss_in_bad),
        )
        state = 0

        def decide() -> bool:
            nonlocal state
            if draw() < leave[state]:
                state = 1 - state
            return draw() < loss[state]

        return decide


@dataclass(frozen=True, slots=True)
class LossPattern:
    """Packet by packet: in a string "x" is lost and "." arrives; or a sequence of booleans (True: lost).

    After its end all packets arrive, or with `repeat` it begins anew.
    """

    pattern: str | Sequence[bool]
    repeat: bool = False

    def start(self, random: Random) -> Decide:
        """See `LossModel`."""
        lost = _read_pattern(self.pattern)
        position, length, repeat = 0, len(lost), self.repeat

        def decide() -> bool:
            nonlocal position
            if position >= length:
                if not repeat or not length:
                    return False
                position = 0
            position += 1
            return lost[position - 1]

        return decide


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """One direction of a link. Times in seconds, probabilities from 0 to 1.

    A packet meets, in this order: `drop_if` and `loss`, the queue (`rate_bps`, `queue_bytes`), `delay` and
    `jitter`, `reorder`, `duplicate`, `corrupt`.
    """

    delay: float = 0.001
    """What every packet takes at least."""
    jitter: float = 0.0
    """Added to that: "uniform" from 0 to `jitter`, "exponential" with this mean, "normal" the absolute value
    of a normal distribution with this standard deviation."""
    jitter_shape: JitterShape = "uniform"
    """Or a function of a `random.Random` that gives the seconds to add."""
    reorders_by_jitter: bool = False
    """Whether a packet may overtake another by less jitter. A router's queue never lets it."""
    loss: LossModel | float | str | Sequence[bool] = 0.0
    """A probability, a `LossPattern` in short, or a `LossModel`."""
    drop_if: Callable[[Datagram], bool] | None = None
    """Loses what it says True to ("the first ACK"), beside `loss`."""
    reorder: float = 0.0
    """Probability that a packet is held back by `reorder_delay` while later ones pass it."""
    reorder_delay: float = 0.03
    duplicate: float = 0.0
    """Probability that a packet comes twice."""
    corrupt: float = 0.0
    """Probability that one bit is flipped, past the UDP checksum."""
    rate_bps: float | None = None
    """What the link carries, IP and UDP headers counted; None: any rate."""
    queue_bytes: int = 64_000
    """How much waits for the link at most; what comes on top is dropped (tail drop)."""

    def __post_init__(self) -> None:
        for name in ("delay", "jitter", "reorder_delay"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)!r}: it must be 0 or more seconds")
        for name in ("reorder", "duplicate", "corrupt"):
            _probability(name, getattr(self, name))
        if self.rate_bps is not None and self.rate_bps <= 0:
            raise ValueError(f"rate_bps is {self.rate_bps}: None is no limit; to carry nothing, cut the link")
        if self.jitter_shape not in ("uniform", "normal", "exponential") and not callable(self.jitter_shape):
            raise ValueError(
                f"jitter_shape {self.jitter_shape!r} is not known: uniform, normal, exponential, a function"
            )
        self.loss_model()

    def loss_model(self) -> LossModel | None:
        """The model that `loss` stands for; None when nothing is lost."""
        loss = self.loss
        if isinstance(loss, (int, float)):
            return RandomLoss(_probability("loss", loss)) if loss else None
        if isinstance(loss, (str, Sequence)):
            _read_pattern(loss)
            return LossPattern(loss)
        return loss


def _probability(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value!r}: a probability is from 0 to 1 (0.02 is 2 %)")
    return value


def _read_pattern(pattern: str | Iterable[bool]) -> list[bool]:
    if not isinstance(pattern, str):
        return [bool(lost) for lost in pattern]
    unknown = set(pattern) - set(".x ")
    if unknown:
        raise ValueError(f"a loss pattern has {min(unknown)!r} in it: write '.' (arrives) and 'x' (lost)")
    return [mark == "x" for mark in pattern if mark != " "]
