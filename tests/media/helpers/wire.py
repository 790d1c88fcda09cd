"""Two engines joined by a function that may lose, delay or change datagrams; and sounds to tell apart."""

import random
from collections.abc import Callable, Iterable

import numpy as np

from media.audio.jitter_buffer import JitterBuffer
from media.codec import g711
from media.codec.base import Codec
from media.engine import Engine
from media.events import StreamEvent
from media.frame import AudioFrame, Samples
from media.plan import Address, MediaDirection, StreamPlan
from media.stream import Stream

A: Address = ("192.0.2.1", 4000)
B: Address = ("192.0.2.2", 5000)
TICK = 0.02


class Collector:
    """A sink that keeps all it gets."""

    def __init__(self) -> None:
        self.frames: list[AudioFrame] = []

    def push(self, frame: AudioFrame) -> None:
        self.frames.append(frame)

    @property
    def samples(self) -> Samples:
        return np.concatenate([np.zeros(0, np.int16)] + [frame.samples for frame in self.frames])


class Noise:
    """A source of noise that mu-law carries exactly; None where `pauses` has the index of the pull."""

    def __init__(self, seed: int = 1, rate: int = 8000, pauses: Iterable[int] = ()) -> None:
        self._codes = np.random.default_rng(seed)
        self._rate = rate
        self._pauses = set(pauses)
        self.pulls = 0
        self.sent: list[Samples] = []

    def pull(self, n: int) -> AudioFrame | None:
        self.pulls += 1
        if self.pulls - 1 in self._pauses:
            return None
        samples = g711.MU_LAW_DECODE[self._codes.integers(0, 255, n)]
        self.sent.append(samples)
        return AudioFrame(samples, self._rate, 0)

    @property
    def samples(self) -> Samples:
        return np.concatenate([np.zeros(0, np.int16), *self.sent])


def plan(
    remote: Address | None,
    codec: Codec = g711.PCMU,
    payload_type: int = 0,
    *,
    ptime_ms: int = 20,
    direction: MediaDirection = MediaDirection.SENDRECV,
    events: bool = True,
    mux: bool = False,
) -> StreamPlan:
    """A plan with one codec, PCMU unless said otherwise."""
    return StreamPlan(
        codec,
        payload_type,
        {payload_type: codec},
        101 if events else None,
        101 if events else None,
        direction=direction,
        ptime_ms=ptime_ms,
        remote_rtp=remote,
        cname="test@192.0.2.1",
        rtcp_mux=mux,
    )


class Party:
    """One engine with one stream, whose datagrams wait in `out` as (is RTCP, data, destination)."""

    def __init__(
        self,
        address: Address,
        stream_plan: StreamPlan | None,
        seed: int = 1,
        buffer: JitterBuffer | None = None,
    ) -> None:
        self.address = address
        self.engine = Engine()
        self.out: list[tuple[bool, bytes, Address]] = []
        self.heard = Collector()
        self.stream = Stream(
            "stream",
            random=random.Random(seed),
            now=0.0,
            wall_offset=1e9,
            send_rtp=lambda data, to: self.out.append((False, data, to)),
            send_rtcp=lambda data, to: self.out.append((True, data, to)),
            emit=self.engine.emit,
            buffer=buffer,
        )
        self.stream.inbound.add_sink(self.heard)
        self.engine.add_stream(self.stream, stream_plan)

    def events(self, kind: type[StreamEvent]) -> list[StreamEvent]:
        return [event for event in self.engine.events if isinstance(event, kind)]

    def receive(self, data: bytes, source: Address, now: float, *, rtcp: bool = False) -> None:
        self.engine.receive(self.stream, [(data, source, now)], rtcp=rtcp)


Network = Callable[[int, bytes], Iterable[tuple[float, bytes]]]
"""What becomes of the n-th RTP packet of a side: when (seconds of delay) and what arrives."""


def perfect(_: int, data: bytes) -> Iterable[tuple[float, bytes]]:
    """4 ms on the way, nothing lost."""
    return [(0.004, data)]


class Pair:
    """Two parties, and their clock."""

    def __init__(self, a: Party, b: Party, a_to_b: Network = perfect, b_to_a: Network = perfect) -> None:
        self.a, self.b = a, b
        self.now = 100.0
        self._networks = {id(a): a_to_b, id(b): b_to_a}
        self._counts = {id(a): 0, id(b): 0}
        self._travelling: list[tuple[float, int, Party, bool, bytes, Address]] = []
        self._order = 0

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK)):
            self.step()

    def step(self) -> None:
        """Deliver what is due, tick both, and put what they send on its way."""
        due = sorted(item[:2] for item in self._travelling if item[0] <= self.now)
        by_key = {item[:2]: item for item in self._travelling}
        for key in due:
            arrival, _, party, rtcp, data, source = by_key[key]
            party.receive(data, source, arrival, rtcp=rtcp)
        self._travelling = [item for item in self._travelling if item[0] > self.now]
        for sender, receiver in ((self.a, self.b), (self.b, self.a)):
            ticks = 2 if sender.engine.period_blocks == 1 else 1
            for index in range(ticks):
                sender.engine.tick(self.now + index * 0.01)
            for rtcp, data, _ in sender.out:
                self._send(sender, receiver, rtcp, data)
            sender.out.clear()
        self.now += TICK

    def _send(self, sender: Party, receiver: Party, rtcp: bool, data: bytes) -> None:
        if rtcp:
            arrivals: Iterable[tuple[float, bytes]] = [(0.004, data)]
        else:
            arrivals = self._networks[id(sender)](self._counts[id(sender)], data)
            self._counts[id(sender)] += 1
        source = (sender.address[0], sender.address[1] + rtcp)
        for delay, arrived in arrivals:
            self._order += 1
            self._travelling.append((self.now + delay, self._order, receiver, rtcp, arrived, source))


def talk(
    a_to_b: Network = perfect, *, codec: Codec = g711.PCMU, payload_type: int = 0, ptime_ms: int = 20
) -> Pair:
    """A sends noise to B, B sends nothing."""
    a = Party(A, plan(B, codec, payload_type, ptime_ms=ptime_ms), 1)
    b = Party(B, plan(A, codec, payload_type), 2)
    a.stream.outbound.set_source(Noise(rate=codec.sample_rate_hz))
    return Pair(a, b, a_to_b)


def place_of(part: Samples, whole: Samples) -> int:
    """Where `part` begins in `whole`, exactly; -1 if it does not occur."""
    found = whole.tobytes().find(part.tobytes())
    return found // 2 if found >= 0 else -1
