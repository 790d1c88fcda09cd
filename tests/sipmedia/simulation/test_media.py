"""The runtime of the media engine in virtual time."""

import asyncio
import errno
import logging

import pytest

from media.errors import AddressInUse, BadAddress
from media.manager import MediaManager
from media.runtime import RealRuntime, current_runtime
from sipmedia.simulation import Network, Simulation, VirtualRuntime
from sipmedia.simulation.media import VirtualTicker

OUR, THEIR = ("10.0.0.1", 4000), ("10.0.0.2", 5000)


@pytest.fixture
def network() -> Network:
    network = Network(delay=0.03)
    network.host("10.0.0.1")
    network.host("10.0.0.2")
    return network


class Driver:
    """Steps every 20 ms, `count` times."""

    def __init__(self, network: Network, count: int) -> None:
        self.network = network
        self.steps: list[float] = []
        self.count = count
        self.ticker: VirtualTicker

    def step(self, now: float) -> float | None:
        self.steps.append(round(now - 1000, 6))
        self.count -= 1
        return now + 0.02 if self.count > 0 else None

    def advance(self, seconds: float) -> None:
        clock = self.network.clock
        end = clock.now + seconds
        while (due := clock.next_due()) is not None and due <= end:
            clock.advance(due)
            clock.run_due()
        clock.advance(end)


def test_the_ticker_steps_when_woken_and_at_deadlines(network: Network) -> None:
    driver = Driver(network, 3)
    ticker = VirtualRuntime(network).start_ticker(driver)
    driver.advance(1)
    assert driver.steps == []
    ticker.wake()
    ticker.wake()
    driver.advance(1)
    assert driver.steps == [1.0, 1.02, 1.04]
    ticker.wake()
    driver.advance(1)
    assert driver.steps[3:] == [2.0]
    ticker.stop()
    ticker.stop()
    ticker.wake()
    driver.advance(1)
    assert driver.steps[4:] == [3.0]


def test_stopping_from_within_a_step_still_gives_the_last_one(network: Network) -> None:
    driver = Driver(network, 100)
    ticker = VirtualRuntime(network).start_ticker(driver)
    first = driver.step

    def step(now: float) -> float | None:
        if not driver.steps:
            ticker.stop()
        return first(now)

    driver.step = step  # type: ignore[method-assign]
    ticker.wake()
    driver.advance(1)
    assert driver.steps == [0.0, 0.0]


def test_a_driver_that_fails_is_logged_and_goes_on(
    network: Network, caplog: pytest.LogCaptureFixture
) -> None:
    driver = Driver(network, 2)
    first = driver.step

    def step(now: float) -> float | None:
        first(now)
        raise LookupError("mishap")

    driver.step = step  # type: ignore[method-assign]
    ticker = VirtualRuntime(network).start_ticker(driver)
    ticker.wake()
    driver.advance(0.03)
    assert driver.steps == [0.0, 0.02]
    assert "mishap" in caplog.text


def test_sockets_hold_what_has_come_by_now(network: Network) -> None:
    runtime = VirtualRuntime(network)
    ours, theirs = runtime.bind_datagram(*OUR), runtime.bind_datagram(*THEIR)
    ticker = runtime.start_ticker(Driver(network, 0))
    ticker.watch(theirs, "tag")
    began = runtime.monotonic()
    assert ours.send(b"1", THEIR)
    assert ticker.ready() == []
    network.clock.advance(began + 0.02)
    assert ours.send(b"2", THEIR)
    network.clock.advance(began + 0.03)
    assert ticker.ready() == ["tag"]
    assert theirs.receive(runtime.monotonic()) == [(b"1", OUR, began + 0.03)]
    assert ticker.ready() == []
    ticker.unwatch(theirs)
    network.clock.advance(began + 1)
    assert ticker.ready() == []
    assert [data for data, _, _ in theirs.receive(runtime.monotonic())] == [b"2"]
    assert not ours.send(b"?", ("192.0.2.1", 9))
    assert ours.send_errors == 1


def test_what_is_under_way_to_a_closed_socket_goes_to_the_next_owner(network: Network) -> None:
    runtime = VirtualRuntime(network)
    ours, theirs = runtime.bind_datagram(*OUR), runtime.bind_datagram(*THEIR)
    ours.send(b"1", THEIR)
    theirs.close()
    theirs.close()
    again = runtime.bind_datagram(*THEIR)
    Driver(network, 0).advance(1)
    assert [data for data, _, _ in again.receive(runtime.monotonic())] == [b"1"]


def test_binding_raises_what_the_media_layer_knows(network: Network) -> None:
    runtime = VirtualRuntime(network)
    runtime.bind_datagram(*OUR)
    with pytest.raises(AddressInUse):
        runtime.bind_datagram(*OUR)
    with pytest.raises(BadAddress, match=r"network\.host"):
        runtime.bind_datagram("10.0.0.9", 4000)
    with pytest.raises(BadAddress):
        runtime.bind_datagram("alice", 4000)
    with pytest.raises(OSError, match="simulation") as caught:
        network.host_for("10.0.0.9")
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_file_work_is_done_at_once_and_in_order(network: Network, caplog: pytest.LogCaptureFixture) -> None:
    runtime = VirtualRuntime(network)
    done = []

    def first() -> None:
        runtime.run_file_work(lambda: done.append(2))
        done.append(1)

    runtime.run_file_work(first)
    assert done == [1, 2]
    with caplog.at_level(logging.ERROR):
        runtime.run_file_work(lambda: 1 // 0)
    assert "file work failed" in caplog.text


def test_the_running_loop_brings_the_runtime() -> None:
    assert isinstance(current_runtime(), RealRuntime)

    async def main() -> None:
        assert isinstance(current_runtime(), VirtualRuntime)
        assert isinstance(MediaManager().runtime, VirtualRuntime)

    Simulation().run(main())

    async def real() -> None:
        assert isinstance(current_runtime(), RealRuntime)

    asyncio.run(real())
