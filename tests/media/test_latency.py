"""The latency ledger adds up, and says what the simulation knows to be true."""

import asyncio
import itertools

import numpy as np
import pytest

from media.codec import get
from media.config import PortRange
from media.driver import MediaDriver
from media.frame import AudioFrame
from media.latency import LatencyLedger, NetworkDelay, SenderTiming, received_audio
from media.plan import Address, StreamPlan
from media.ports import PortAllocator
from media.rtp.statistics import StreamStatistics
from media.runtime import Runtime, current_runtime
from sipmedia.simulation import Network, Simulation


def test_the_parts_make_the_sum() -> None:
    ledger = received_audio(codec="opus", packet_ms=60.0, buffer_ms=25.0, network_ms=40.0, pacing_ms=1.0)
    assert ledger == LatencyLedger(20.0, 46.5, 1.0, 40.0, 25.0, 0.0)
    assert ledger.mouth_to_ear_ms == pytest.approx(132.5)


def test_an_unknown_way_counts_nothing() -> None:
    ledger = received_audio(codec="PCMU", packet_ms=20.0, buffer_ms=20.0, network_ms=None)
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
    """Finds out when each level was heard first: 5 ms of one level are no invention of the concealment."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._level = 0
        self._length = 0
        self.heard: dict[int, float] = {}

    def push(self, frame: AudioFrame) -> None:
        now, rate = self._runtime.monotonic(), frame.sample_rate_hz
        bounds = [0, *(np.flatnonzero(np.diff(frame.samples)) + 1).tolist(), len(frame.samples)]
        for start, end in itertools.pairwise(bounds):
            level = int(frame.samples[start])
            self._length = end - start + (self._length if level == self._level else 0)
            self._level = level
            begun = now + (end - self._length) / rate
            if self._length >= rate // 200 and begun - self.heard.get(level, -10.0) > 10.0:
                self.heard.pop(level, None)  # levels come again after 20 s
                self.heard[level] = begun


def test_without_jitter_the_way_is_half_the_round_trip() -> None:
    network = NetworkDelay()
    assert network.one_way_ms(20.0) is None
    network.measured(80.0, 0.0, None)
    assert network.one_way_ms(20.0) == 40.0
    network.measured(80.0, 0.0, SenderTiming(-20.0, 20.0, 0.0))
    assert network.one_way_ms(20.0) == 40.0


@pytest.mark.parametrize(("packet_ms", "ahead_ms"), [(20.0, 0.0), (20.0, 13.0), (60.0, 40.0)])
def test_senders_that_count_from_their_last_packet(packet_ms: float, ahead_ms: float) -> None:
    network = NetworkDelay()
    for lag_ms in (0.0, 7.0, 4.0):
        network.measured(80.0 + lag_ms, 0.0, SenderTiming(lag_ms, ahead_ms, 0.0))
    network.measured(80.0, 0.0, SenderTiming(0.0, None, 0.0))
    assert network.one_way_ms(packet_ms) == pytest.approx(40.0)


def test_a_late_report_is_no_long_way() -> None:
    network = NetworkDelay()
    for lag_ms in (31.0, 44.0, 25.0):
        network.measured(80.0 + lag_ms, 0.0, SenderTiming(lag_ms - 20.0, 20.0, 12.0))
    assert network.one_way_ms(20.0) == pytest.approx(40.0)


def test_a_jitter_that_cannot_be_is_believed_in_part() -> None:
    network = NetworkDelay()
    for rtt_ms in (82.0, 88.0, 85.0):
        network.measured(rtt_ms, 1e6, None)
    assert network.one_way_ms(20.0) == pytest.approx((85.0 - 3 * 3.0) / 2)


def test_what_is_long_ago_is_forgotten() -> None:
    network = NetworkDelay()
    network.measured(10.0, 0.0, None)
    for _ in range(40):
        network.measured(100.0, 0.0, None)
    assert network.one_way_ms(20.0) == 50.0


@pytest.mark.parametrize("ptime_ms", [20, 60])
@pytest.mark.parametrize(
    ("delay", "jitter", "loss", "phase", "seconds"),
    [
        (0.005, 0.0, 0.0, 0.003, 30),
        (0.04, 0.0, 0.05, 0.012, 30),
        (0.04, 0.02, 0.0, 0.017, 60),
        (0.1, 0.03, 0.03, 0.0, 90),
        (0.04, 0.06, 0.0, 0.007, 150),
        (0.04, 0.06, 0.03, 0.013, 150),
    ],
)
@pytest.mark.parametrize("both", [False, True])
def test_the_ledger_is_within_5_ms_of_the_truth(
    both: bool, ptime_ms: int, delay: float, jitter: float, loss: float, phase: float, seconds: float
) -> None:
    network = Network(3)
    alice, bob = network.host("10.0.0.1"), network.host("10.0.0.2")
    link = network.link(alice, bob, delay=delay)
    (link if both else link.towards(bob)).set(jitter=jitter, loss=loss)
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
        await asyncio.sleep(seconds)  # the more jitter, the more reports are needed
        statistics = listening.statistics()
        for driver in drivers:
            driver.stop()
        return statistics, source, ear

    statistics, source, ear = Simulation(network).run(call())
    ledger = statistics.latency
    assert ledger is not None
    assert ledger.network_ms is not None
    last = list(ear.heard)[-130:-10]
    truth = 1000 * float(
        np.median([ear.heard[level] - source.spoken[level] for level in last if level in source.spoken])
    )
    assert ledger.mouth_to_ear_ms == pytest.approx(truth, abs=5.0)
    assert statistics.quality is not None
    assert statistics.quality.delay_ms == pytest.approx(truth, abs=60.0)
