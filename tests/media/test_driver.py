"""The driver: in virtual time with a ticker of our own, and a few times with the real thread."""

import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from media import datagram
from media.audio.graph import Echo
from media.audio.jitter_buffer import JitterBuffer
from media.config import PortRange
from media.datagram import BATCH
from media.driver import MAX_CATCH_UP, MediaDriver, StreamHandle
from media.errors import BadDigits, InvalidState
from media.events import FirstMedia, StreamClosed, StreamEvent
from media.plan import Address
from media.ports import PortAllocator, RtpSockets
from media.rtp.packet import RtpPacket
from media.runtime import RealRuntime, Steppable
from tests.media.helpers.wire import Collector, Noise, plan


class World:
    """A runtime in virtual time: a network without delay, and a ticker that `run` steps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.random = random.Random(1)
        self.sockets: dict[Address, VirtualSocket] = {}
        self.tickers: list[VirtualTicker] = []

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + 1e9

    def bind_datagram(self, host: str, port: int) -> "VirtualSocket":
        return VirtualSocket(self, (host, port))

    def start_ticker(self, driver: Steppable) -> "VirtualTicker":
        ticker = VirtualTicker(driver)
        self.tickers.append(ticker)
        return ticker

    def run_file_work(self, function: Callable[[], object]) -> None:
        function()

    def run(self, seconds: float, *, late: float = 0.0) -> None:
        """Step whoever is due, each `late` seconds late."""
        end = self.now + seconds
        while True:
            deadlines = [t.deadline for t in self.tickers if t.deadline is not None and not t.stopped]
            if not deadlines or min(deadlines) + late > end:
                break
            self.now = max(self.now, min(deadlines) + late)
            for ticker in self.tickers:
                if ticker.deadline is not None and ticker.deadline <= self.now:
                    ticker.deadline = ticker.driver.step(self.now)
        self.now = end


class VirtualSocket:
    def __init__(self, world: World, address: Address) -> None:
        self.address = address
        self.send_errors = 0
        self.closed = False
        self.queue: list[tuple[bytes, Address, float]] = []
        self._world = world
        world.sockets[address] = self

    def send(self, data: bytes, destination: Address) -> bool:
        peer = self._world.sockets.get(destination)
        if peer is not None:
            peer.queue.append((data, self.address, self._world.now))
        return True

    def receive(self, now: float) -> list[tuple[bytes, Address, float]]:
        received, self.queue = self.queue[:BATCH], self.queue[BATCH:]
        return received

    def close(self) -> None:
        self.closed = True
        self._world.sockets.pop(self.address, None)


class VirtualTicker:
    def __init__(self, driver: Steppable) -> None:
        self.driver = driver
        self.deadline: float | None = None
        self.stopped = False
        self._watched: dict[VirtualSocket, object] = {}

    def watch(self, socket: Any, tag: object) -> None:
        self._watched[socket] = tag

    def unwatch(self, socket: Any) -> None:
        del self._watched[socket]

    def ready(self) -> list[Any]:
        return [tag for socket, tag in self._watched.items() if socket.queue]

    def wake(self) -> None:
        self.deadline = 0.0

    def stop(self) -> None:
        self.driver.step(1e6)
        self.stopped = True


class Phone:
    """A driver with its events."""

    def __init__(self, world: World, low: int) -> None:
        self.events: list[StreamEvent] = []
        self.driver = MediaDriver(world, self.events.append)
        self.ports = PortAllocator(world, PortRange(low, low + 99))
        self.driver.start()

    def open(self, **more: Any) -> tuple[StreamHandle, RtpSockets]:
        sockets = self.ports.allocate("127.0.0.1")
        return self.driver.open_stream(sockets, None, **more), sockets


def test_a_call_in_virtual_time_and_its_end() -> None:
    world = World()
    a, b = Phone(world, 10000), Phone(world, 20000)
    heard, echo = Collector(), Echo()
    ours, our_sockets = a.open(source=Noise(), sinks=[heard])
    theirs, their_sockets = b.open(source=echo, sinks=[echo])
    ours.update(plan(their_sockets.address))
    theirs.update(plan(our_sockets.address))
    world.run(5)
    assert ours.statistics().packets_sent == pytest.approx(250, abs=2)
    assert len(heard.frames) == pytest.approx(248, abs=3)
    assert [type(event) for event in a.events].count(FirstMedia) == 1
    ours.close()
    ours.close()
    theirs.close()
    world.run(1)
    closed = [event for event in a.events if isinstance(event, StreamClosed)]
    assert len(closed) == 1
    assert closed[0].statistics == ours.statistics()
    assert our_sockets.rtp.address not in world.sockets
    assert a.ports.in_use == 0
    assert world.tickers[0].deadline is None  # nothing to do, nothing to wake for
    a.driver.stop()
    a.driver.stop()
    b.driver.stop()


def test_a_stream_may_have_a_jitter_buffer_of_its_own() -> None:
    world = World()
    a, b = Phone(world, 10000), Phone(world, 20000)
    heard = Collector()
    buffer = JitterBuffer(8000, 20, delay_ms=100, strict=True)
    ours, our_sockets = a.open(sinks=[heard], jitter_buffer=buffer)
    theirs, their_sockets = b.open(source=Noise())
    ours.update(plan(their_sockets.address))
    theirs.update(plan(our_sockets.address))
    world.run(1)
    assert len(heard.frames) == pytest.approx(44, abs=2)
    assert ours.statistics().buffer_target_ms == 100


def test_a_flood_from_elsewhere_is_read_past_and_the_call_is_heard() -> None:
    world = World()
    a, b = Phone(world, 10000), Phone(world, 20000)
    heard = Collector()
    ours, our_sockets = a.open(sinks=[heard])
    theirs, their_sockets = b.open(source=Noise())
    ours.update(plan(their_sockets.address))
    theirs.update(plan(our_sockets.address))
    world.run(0.5)
    rtp = world.sockets[our_sockets.address]
    for _ in range(50):
        rtp.queue += [(bytes([0x80]) + bytes(11), ("203.0.113.5", 5), world.now)] * 400
        world.run(0.02)
    assert ours.statistics().discarded_foreign == 20000
    assert (ours.statistics().packets_lost, ours.statistics().frames_concealed) == (0, 0)
    assert len(heard.frames) == pytest.approx(73, abs=2)


def test_two_minutes_are_a_matter_of_a_second_and_nothing_drifts() -> None:
    world = World()
    a, b = Phone(world, 10000), Phone(world, 20000)
    echo = Echo()
    heard = Collector()
    ours, our_sockets = a.open(source=Noise(), sinks=[heard])
    theirs, their_sockets = b.open(source=echo, sinks=[echo])
    ours.update(plan(their_sockets.address))
    theirs.update(plan(our_sockets.address))
    world.run(120)
    statistics = ours.statistics()
    assert statistics.packets_received == pytest.approx(6000, abs=5)
    assert (statistics.packets_lost, statistics.frames_concealed, statistics.buffer_grown) == (0, 0, 0)
    assert statistics.rtcp_packets_sent == pytest.approx(24, abs=8)
    assert statistics.rtt_ms is not None
    assert 6000 - len(heard.frames) <= 5


@pytest.mark.parametrize(
    ("delay", "made_up", "left_out"), [(0.015, 1, 0), (0.045, 3, 0), (0.2, 1, 180), (1.5, 1, 1480)]
)
def test_a_late_thread_makes_up_a_little_and_leaves_out_the_rest(
    delay: float, made_up: int, left_out: int
) -> None:
    world = World()
    phone = Phone(world, 10000)
    peer = VirtualSocket(world, ("127.0.0.1", 9))
    handle, _ = phone.open(source=Noise())
    handle.update(plan(peer.address))
    world.run(1)
    peer.queue.clear()
    ticker = world.tickers[0]
    assert ticker.deadline is not None
    deadline = ticker.deadline
    world.now = deadline + delay
    ticker.deadline = phone.driver.step(world.now)
    packets = [RtpPacket.parse(data) for data, _, _ in peer.queue]
    assert 1 <= len(packets) <= MAX_CATCH_UP + 1
    statistics = phone.driver.statistics()
    assert statistics.late_ticks == 1
    assert statistics.worst_late_ms == pytest.approx(delay * 1000)
    assert statistics.skipped_ms == pytest.approx(left_out, abs=20)
    assert ticker.deadline is not None
    assert ticker.deadline > world.now
    assert (ticker.deadline - deadline) / 0.02 == pytest.approx(round((ticker.deadline - deadline) / 0.02))
    world.run(0.1)
    later = RtpPacket.parse(peer.queue[-1][0])
    elapsed = (later.timestamp - packets[0].timestamp) % 2**32
    assert elapsed == pytest.approx(0.1 * 8000 + (delay * 8000 if delay < 0.06 else 0), abs=480)
    assert len(packets) >= min(made_up, MAX_CATCH_UP)


def test_commands_of_one_stream_that_fail_do_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    phone = Phone(world, 10000)
    done: list[int] = []

    def fail() -> None:
        raise ValueError

    phone.driver.do(fail)
    phone.driver.do(lambda: done.append(1))
    world.run(0.1)
    assert done == [1]
    assert len(caplog.records) == 1


def test_a_failing_event_handler_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    world = World()

    def handler(event: StreamEvent) -> None:
        raise ValueError

    driver = MediaDriver(world, handler)
    driver.start()
    handle = driver.open_stream(PortAllocator(world, PortRange(10000, 10003)).allocate("127.0.0.1"), None)
    handle.close()
    world.run(0.1)
    assert len(caplog.records) == 1


def test_misuse_is_told_to_the_caller() -> None:
    world = World()
    driver = MediaDriver(world, lambda event: None)
    sockets = PortAllocator(world, PortRange(10000, 10003)).allocate("127.0.0.1")
    with pytest.raises(InvalidState, match="start"):
        driver.open_stream(sockets, None)
    driver.start()
    handle = driver.open_stream(sockets, None)
    with pytest.raises(InvalidState, match="not negotiated"):
        handle.send_dtmf("1")
    handle.update(plan(("127.0.0.1", 9)))
    with pytest.raises(BadDigits):
        handle.send_dtmf("x")
    with pytest.raises(BadDigits, match="40"):
        handle.send_dtmf("1", 5)
    handle.send_dtmf("1#")


def test_stop_closes_what_is_open() -> None:
    world = World()
    phone = Phone(world, 10000)
    handle, _ = phone.open()
    world.run(0.1)
    phone.driver.stop()
    assert [event.stream for event in phone.events if isinstance(event, StreamClosed)] == [handle]
    assert phone.ports.in_use == 0


# --- with real sockets and the media thread ---


def wait_for(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


@pytest.mark.parametrize("keeps_gil", [True, False])
def test_two_drivers_talk_over_loopback(keeps_gil: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datagram, "KEEPS_GIL", keeps_gil and datagram.KEEPS_GIL)
    runtime = RealRuntime(seed=1)
    events: list[StreamEvent] = []
    names: set[str] = set()

    def on_event(event: StreamEvent) -> None:
        events.append(event)
        names.add(threading.current_thread().name)

    driver = MediaDriver(runtime, on_event)
    driver.start()
    driver.start()
    ports = PortAllocator(runtime, PortRange(23000, 23999))
    heard, echo = Collector(), Echo()
    one, other = ports.allocate("127.0.0.1"), ports.allocate("127.0.0.1")
    ours = driver.open_stream(one, plan(other.address), source=Noise(), sinks=[heard])
    theirs = driver.open_stream(other, plan(one.address), source=echo, sinks=[echo])
    assert wait_for(lambda: len(heard.frames) >= 10)
    ours.send_dtmf("5")
    assert wait_for(lambda: theirs.statistics().dtmf_received == 1)
    assert ours.statistics().source == other.address
    ours.close()
    assert wait_for(lambda: any(isinstance(event, StreamClosed) for event in events))
    driver.stop()
    driver.stop()
    assert sum(isinstance(event, StreamClosed) for event in events) == 2
    assert names == {"sipmedia-media"}
    assert ports.in_use == 0
    assert not any(thread.name == "sipmedia-media" for thread in threading.enumerate())


def test_stop_may_be_called_from_a_handler() -> None:
    runtime = RealRuntime(seed=1)
    stopped = threading.Event()

    def on_event(event: StreamEvent) -> None:
        driver.stop()
        stopped.set()

    driver = MediaDriver(runtime, on_event)
    driver.start()
    handle = driver.open_stream(PortAllocator(runtime, PortRange(24000, 24099)).allocate("127.0.0.1"), None)
    handle.close()
    assert stopped.wait(5)
    assert wait_for(lambda: not any(thread.name == "sipmedia-media" for thread in threading.enumerate()))
