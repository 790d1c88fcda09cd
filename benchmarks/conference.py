"""What a conference costs: `python -m benchmarks.conference [parties]`.

One engine with a stream for each party, in process: packets of all parties in, played out, mixed, encoded,
packets out; all speak at once, which is the most work. Sockets are left out (`benchmarks.run` measures them
with the echo calls).
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from media.audio.graph import AudioSource, Echo
from media.audio.mixer import Mixer
from media.codec import registry
from media.codec.base import Codec
from media.engine import Engine
from media.plan import StreamPlan
from media.rtp.packet import RtpPacket
from media.stream import Stream

TICK_S = 0.02
WARM_UP, TICKS, ROUNDS = 50, 150, 3
LIMIT_PERCENT = 25.0
"""Issue 4: a conference of 32 parties takes less of a core."""


@dataclass(frozen=True)
class Cost:
    """Per cent of a core at 50 ticks a second: all of the streams' work, and what is due to mixing."""

    name: str
    total: float
    mixing: float


class _Room:
    """The engine and its streams, and a packet for each of them at each tick."""

    def __init__(self, codecs: list[Codec], source: Callable[[Stream, Codec], AudioSource]) -> None:
        self.sent = 0
        self._engine = Engine()
        self._parties: list[tuple[Stream, tuple[str, int], Codec, bytes]] = []
        for number, codec in enumerate(codecs):
            peer = ("192.0.2.1", 10000 + 2 * number)
            stream = Stream(
                number,
                random=random.Random(number),
                now=0.0,
                wall_offset=0.0,
                send_rtp=self._count,
                send_rtcp=self._count,
                emit=lambda event: None,
            )
            stream.outbound.set_source(source(stream, codec))
            self._engine.add_stream(stream, StreamPlan(codec, 96, {96: codec}, remote_rtp=peer))
            noise = np.random.default_rng(number).normal(0, 3000, codec.samples_in(20)).astype(np.int16)
            self._parties.append((stream, peer, codec, codec.make_encoder().encode(noise)))

    def _count(self, data: bytes, to: tuple[str, int]) -> None:
        self.sent += 1

    def percent(self) -> float:
        """Of a core, the best of a few rounds."""
        best, number = float("inf"), 0
        for round_ in range(ROUNDS + 1):
            spent = 0.0
            for _ in range(TICKS if round_ else WARM_UP):
                now = number * TICK_S
                packets = [
                    (
                        stream,
                        peer,
                        bytes(
                            RtpPacket(
                                96, number, number * codec.timestamp_units(codec.samples_in(20)), 1, payload
                            )
                        ),
                    )
                    for stream, peer, codec, payload in self._parties
                ]
                began = time.process_time()
                for stream, peer, data in packets:
                    self._engine.receive(stream, [(data, peer, now)])
                self._engine.tick(now)
                spent += time.process_time() - began
                number += 1
            if round_:
                best = min(best, spent / TICKS / TICK_S * 100)
        return best


def measure(names: list[str]) -> Cost:
    """A conference of parties with these codecs, beside as many echo calls."""
    codecs = [registry.get(name) for name in names]

    def echo(stream: Stream, codec: Codec) -> AudioSource:
        source = Echo()
        stream.inbound.add_sink(source)
        return source

    mixer = Mixer()

    def mixed(stream: Stream, codec: Codec) -> AudioSource:
        party = mixer.add(codec.sample_rate_hz)
        stream.inbound.add_sink(party)
        return party

    alone = _Room(codecs, echo).percent()
    room = _Room(codecs, mixed)
    total = room.percent()
    assert room.sent >= len(names) * TICKS * ROUNDS
    kinds = " and ".join(dict.fromkeys(names))
    return Cost(f"{len(names)} parties, {kinds}", total, total - alone)


def main() -> None:
    """Print the costs; exit 1 when a conference of 32 takes too much."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 32
    costs = [measure(["PCMU"] * count), measure(["PCMU", "G722"] * (count // 2))]
    for cost in costs:
        print(f"{cost.name}: {cost.total:.1f} % of a core, {cost.mixing:.1f} % for mixing")
    if count <= 32 and costs[0].total >= LIMIT_PERCENT:
        sys.exit(1)


if __name__ == "__main__":
    main()
