"""The latency ledger adds up, and says what the simulation knows to be true."""

import asyncio

import numpy as np
import pytest

from media.codec import get
from media.config import PortRange
from media.driver import MediaDriver
from media.frame import AudioFrame
from media.latency import LatencyLedger, received_audio
from media.plan import Address, StreamPlan
from media.ports import PortAllocator
from media.rtp.statistics import StreamStatistics
from media.runtime import Runtime, current_runtime
from sipmedia.simulation import Network, Simulation


def test_the_parts_make_the_sum() -> None:
    ledger = received_audio(codec="opus", packet_ms=60.0, buffer_ms=25.0, rtt_ms=80.0, pacing_ms=1.0)
    assert ledger == LatencyLedger(20.0, 46.5, 1.0, 40.0, 25.0, 0.0)
    assert ledger.mouth_to_ear_ms == pytest.approx(132.5)


def test_an_unknown_way_counts_nothing() -> None:
    ledger = received_audio(codec="PCMU", packet_ms=20.0, buffer_ms=20.0, rtt_ms=None)
    assert ledger.network_ms is None
    assert ledger.mouth_to_ear_ms == 40.0


class LiveSource:
    """A microphone whose sound is its own time: every 10 ms of it have a level of their own."""

    def __init__(self, runtime: Runtime, rate: int) -> None:
        self._runtime = runtime
        self._rate = rate
        self._count = 0
        self.spoken: dict[int, float] = {}
        """When each level was spoken."""

    def pull(self, n: int) -> AudioFrame:
        now = self._runtime.monotonic()
        parts = []
        for start in range(0, n, self._rate // 100):
            self._count += 1
            level = 40 + self._count % 2000 * 16
            self.spoken[level] = now - (n - start) / self._rate
            parts.append(np.full(self._rate // 100, level, np.int16))
        return AudioFrame(np.concatenate(parts), self._rate, 0)


class Ear:
    """Finds out when each level was heard."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.heard: dict[int, float] = {}

    def push(self, frame: AudioFrame) -> None:
        now = self._runtime.monotonic()
        steps = np.flatnonzero(np.diff(frame.samples, prepend=frame.samples[0] - 1))
        for at in steps.tolist():
            level = int(frame.samples[at])
            self.heard.pop(level, None)  # levels come again after 20 s
            self.heard[level] = now + at / frame.sample_rate_hz


@pytest.mark.parametrize("ptime_ms", [20, 60])
@pytest.mark.parametrize(
    ("delay", "jitter", "phase"),
    [(0.005, 0.0, 0.003), (0.04, 0.0, 0.012), (0.04, 0.02, 0.017), (0.1, 0.03, 0.0)],
)
def test_the_ledger_is_within_5_ms_of_the_truth(
    ptime_ms: int, delay: float, jitter: float, phase: float
) -> None:
    network = Network(3)
    alice, bob = network.host("10.0.0.1"), network.host("10.0.0.2")
    network.link(alice, bob, delay=delay).towards(bob).set(jitter=jitter)
    codec = get("L16")

    async def call() -> tuple[StreamStatistics, LiveSource, Ear]:
        drivers, ports = [], []
        for host in ("10.0.0.1", "10.0.0.2"):
            drivers.append(MediaDriver(current_runtime(), lambda event: None))
            ports.append(PortAllocator(current_runtime(), PortRange(10000, 10010)).allocate(host))
            drivers[-1].start()
            await asyncio.sleep(phase)
        source, ear = LiveSource(current_runtime(), codec.sample_rate_hz), Ear(current_runtime())

        def plan(remote: Address) -> StreamPlan:
            return StreamPlan(codec, 96, {96: codec}, remote_rtp=remote, cname="x", ptime_ms=ptime_ms)

        drivers[0].open_stream(ports[0], plan(ports[1].address), source=source)
        listening = drivers[1].open_stream(
            ports[1],
            plan(ports[0].address),
            source=LiveSource(current_runtime(), codec.sample_rate_hz),
            sinks=[ear],
        )
        await asyncio.sleep(90)  # long enough for some reports that met little jitter
        statistics = listening.statistics()
        for driver in drivers:
            driver.stop()
        return statistics, source, ear

    statistics, source, ear = Simulation(network).run(call())
    ledger = statistics.latency
    assert ledger is not None
    assert ledger.network_ms is not None
    last = list(ear.heard)[-40:-10]
    truth = 1000 * float(
        np.median([ear.heard[level] - source.spoken[level] for level in last if level in source.spoken])
    )
    assert ledger.mouth_to_ear_ms == pytest.approx(truth, abs=5.0)
    assert statistics.quality is not None
    assert statistics.quality.delay_ms == pytest.approx(truth, abs=60.0)
