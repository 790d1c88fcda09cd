"""Links: two pipes between two nodes, each with its settings, its state and its own random streams.

Every impairment of every direction draws from a stream of its own, seeded by the network's seed and
the names of the nodes. So more jitter does not change which packets are lost, and another call on
another link changes nothing on this one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING, Any

from sipmedia.simulation.impairments import Datagram, Decide, LinkSettings

if TYPE_CHECKING:
    from sipmedia.simulation.host import Node

Address = tuple[str, int]
Carried = tuple[tuple[float, bytes], ...]

_DUPLICATE_DELAY_S = 0.0005
_IMPATIENCE_S = 0.2
"""The shortest retransmission timeout of a stream (RFC 6298 says 1 s; systems use 200 ms)."""
STREAM_TIMEOUT_S = 120.0
"""How long a stream tries to get a segment through."""


@dataclass(slots=True)
class PipeCounters:
    """What became of the datagrams that were given to one direction of a link."""

    sent: int = 0
    lost: int = 0
    """By `loss` and `drop_if`."""
    overflowed: int = 0
    """The queue was full."""
    cut: int = 0
    """The link was cut."""
    duplicated: int = 0
    reordered: int = 0
    corrupted: int = 0

    @property
    def delivered(self) -> int:
        """Datagrams that came out at the other end (or are still on their way), duplicates included."""
        return self.sent - self.lost - self.overflowed - self.cut + self.duplicated


class Pipe:
    """One direction of a link."""

    def __init__(self, name: str, seed: int, settings: LinkSettings) -> None:
        self.name = name
        self.counters = PipeCounters()
        self.dropped: Callable[[Datagram, str], None] | None = None
        """Told of each datagram that is not carried, and why."""
        self._seed = seed
        self._streams: dict[str, Random] = {}
        self._up = True
        self._busy_until = 0.0
        self._last_arrival = 0.0
        self._last_segment = 0.0
        self._decide: Decide | None = None
        self._loss: Any = None
        self._configure(settings)

    def __repr__(self) -> str:
        return f"<Pipe {self.name}{'' if self._up else ' (cut)'}>"

    @property
    def settings(self) -> LinkSettings:
        """As they are now."""
        return self._settings

    @property
    def up(self) -> bool:
        """Whether it carries anything."""
        return self._up

    def set(self, **changes: Any) -> None:
        """Change settings (see `LinkSettings`) from now on; what is under way is not touched."""
        self._configure(replace(self._settings, **changes))

    def cut(self) -> None:
        """Lose everything from now on."""
        self._up = False

    def heal(self) -> None:
        """Carry again."""
        self._up = True

    def carry(self, now: float, source: Address, destination: Address, data: bytes) -> Carried:
        """When, and as what, the datagram arrives: not at all, once, or twice."""
        counters = self.counters
        counters.sent += 1
        if self._plain and self._up:
            arrival = now + self._delay
            if arrival < self._last_arrival:
                arrival = self._last_arrival
            self._last_arrival = arrival
            return ((arrival, data),)
        if not self._up:
            counters.cut += 1
            return self._drop(now, source, destination, data, "the link is cut")
        settings = self._settings
        if settings.drop_if is not None and settings.drop_if(Datagram(now, source, destination, data)):
            counters.lost += 1
            return self._drop(now, source, destination, data, "drop_if")
        if self._decide is not None and self._decide():
            counters.lost += 1
            return self._drop(now, source, destination, data, "loss")
        start = now
        if settings.rate_bps is not None:
            size = len(data) + (48 if ":" in source[0] else 28)
            start = max(now, self._busy_until)
            if (start - now) * settings.rate_bps / 8 + size > settings.queue_bytes:
                counters.overflowed += 1
                return self._drop(now, source, destination, data, "the queue is full")
            self._busy_until = start = start + size * 8 / settings.rate_bps
        arrival = start + self._delay
        if self._jitter is not None:
            arrival += self._jitter()
        if settings.reorder and self._stream("reorder").random() < settings.reorder:
            counters.reordered += 1
            arrival += settings.reorder_delay
        elif not settings.reorders_by_jitter:
            arrival = self._last_arrival = max(arrival, self._last_arrival)
        if settings.corrupt and (stream := self._stream("corrupt")).random() < settings.corrupt and data:
            counters.corrupted += 1
            data = _with_a_bit_flipped(data, stream.randrange(len(data) * 8))
        if settings.duplicate and self._stream("duplicate").random() < settings.duplicate:
            counters.duplicated += 1
            return ((arrival, data), (arrival + _DUPLICATE_DELAY_S, data))
        return ((arrival, data),)

    def carry_segment(self, now: float, size: int) -> float | None:
        """When a segment of a stream arrives; None when it never gets through (`STREAM_TIMEOUT_S`).

        Loss is delay: each try that is lost costs a retransmission timeout, which doubles.
        """
        settings = self._settings
        start, timeout = now, max(_IMPATIENCE_S, 3 * self._delay)
        if not self._up:
            return None
        while self._decide is not None and self._decide():
            start += timeout
            timeout *= 2
            if start - now > STREAM_TIMEOUT_S:
                return None
        if settings.rate_bps is not None:
            self._busy_until = start = max(start, self._busy_until) + (size + 40) * 8 / settings.rate_bps
        arrival = start + self._delay + (self._jitter() if self._jitter is not None else 0.0)
        self._last_segment = max(arrival, self._last_segment)
        return self._last_segment

    def _configure(self, settings: LinkSettings) -> None:
        self._settings = settings
        self._delay = settings.delay
        self._jitter = self._jitter_of(settings)
        if settings.loss is not self._loss:  # the state of a loss model lives on while others change
            self._loss = settings.loss
            model = settings.loss_model()
            self._decide = None if model is None else model.start(self._stream("loss"))
        self._plain = (
            self._jitter is None
            and self._decide is None
            and settings.drop_if is None
            and settings.rate_bps is None
            and not (settings.reorder or settings.duplicate or settings.corrupt)
        )

    def _jitter_of(self, settings: LinkSettings) -> Callable[[], float] | None:
        amount, shape = settings.jitter, settings.jitter_shape
        stream = self._stream("jitter")
        if callable(shape):
            return lambda: max(0.0, shape(stream))
        if not amount:
            return None
        if shape == "uniform":
            draw = stream.random
            return lambda: amount * draw()
        if shape == "normal":
            return lambda: abs(stream.gauss(0.0, amount))
        return lambda: stream.expovariate(1 / amount)

    def _stream(self, purpose: str) -> Random:
        stream = self._streams.get(purpose)
        if stream is None:
            # A string is hashed with SHA-512, the same in every process.
            stream = self._streams[purpose] = Random(f"{self._seed}/{self.name}/{purpose}")
        return stream

    def _drop(self, now: float, source: Address, destination: Address, data: bytes, why: str) -> Carried:
        if self.dropped is not None:
            self.dropped(Datagram(now, source, destination, data), f"{why} on {self.name}")
        return ()


class Link:
    """Both directions between two nodes."""

    def __init__(self, a: Node, b: Node, seed: int, settings: LinkSettings) -> None:
        self.a, self.b = a, b
        self.forth = Pipe(f"{a.name} > {b.name}", seed, settings)
        self.back = self.forth if a is b else Pipe(f"{b.name} > {a.name}", seed, settings)

    def __repr__(self) -> str:
        return f"<Link {self.a.name} - {self.b.name}>"

    def towards(self, node: Node) -> Pipe:
        """The direction that ends at `node`."""
        if node is self.b:
            return self.forth
        if node is self.a:
            return self.back
        raise ValueError(f"{self!r} has no end at {node.name}")

    def set(self, **changes: Any) -> None:
        """Change settings of both directions (see `LinkSettings`) from now on."""
        self.forth.set(**changes)
        if self.back is not self.forth:
            self.back.set(**changes)

    def cut(self) -> None:
        """Lose everything, both ways, until `heal`."""
        self.forth.cut()
        self.back.cut()

    def heal(self) -> None:
        """Carry again, both ways."""
        self.forth.heal()
        self.back.heal()


def _with_a_bit_flipped(data: bytes, bit: int) -> bytes:
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)
