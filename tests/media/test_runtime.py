"""The real runtime: its thread, its file thread, its clocks."""

import logging
import threading
import time
from functools import partial

import pytest

from media.runtime import RealRuntime, ThreadTicker, current_runtime


class Driver:
    """Notes when it was stepped, and answers with the deadlines it was given."""

    def __init__(self, *intervals: float | None) -> None:
        self.steps: list[float] = []
        self.stepped = threading.Event()
        self._intervals = list(intervals)

    def step(self, now: float) -> float | None:
        self.steps.append(now)
        self.stepped.set()
        interval = self._intervals.pop(0) if self._intervals else None
        return None if interval is None else now + interval


def test_it_sleeps_until_it_is_woken_and_ends_with_one_more_step() -> None:
    driver = Driver()
    ticker = ThreadTicker(driver)
    assert driver.steps == []
    ticker.wake()
    assert driver.stepped.wait(5)
    ticker.wake()
    ticker.wake()
    steps = len(driver.steps)
    ticker.stop()
    assert len(driver.steps) > steps or steps >= 2
    assert not any(thread.name == "sipmedia-media" for thread in threading.enumerate())


def test_it_keeps_the_deadlines_it_is_told() -> None:
    driver = Driver(0.02, 0.02, 0.02, None)
    ticker = ThreadTicker(driver)
    ticker.wake()
    deadline = time.monotonic() + 5
    while len(driver.steps) < 4 and time.monotonic() < deadline:
        time.sleep(0.005)
    ticker.stop()
    assert driver.steps[3] - driver.steps[0] >= 0.06


class Failing(Driver):
    def step(self, now: float) -> float | None:
        super().step(now)
        raise ValueError("step failed")


def test_a_step_that_fails_does_not_end_the_thread(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)  # it is logged at every step
    driver = Failing()
    ticker = ThreadTicker(driver)
    ticker.wake()
    deadline = time.monotonic() + 5
    while len(driver.steps) < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert len(driver.steps) >= 2
    ticker.stop()


def test_file_work_is_done_in_order_on_another_thread() -> None:
    runtime = RealRuntime()
    done: list[tuple[int, str]] = []
    finished = threading.Event()

    def note(number: int) -> None:
        done.append((number, threading.current_thread().name))

    for number in range(3):
        runtime.run_file_work(partial(note, number))
    runtime.run_file_work(finished.set)
    assert finished.wait(5)
    assert [number for number, _ in done] == [0, 1, 2]
    assert all(name.startswith("sipmedia-files") for _, name in done)


def test_a_seed_makes_chance_repeatable() -> None:
    assert RealRuntime(seed=4).random.random() == RealRuntime(seed=4).random.random()
    assert RealRuntime().random.getrandbits(64) != RealRuntime().random.getrandbits(64)


def test_clocks() -> None:
    runtime = RealRuntime()
    assert runtime.monotonic() <= runtime.monotonic()
    assert runtime.wall() == pytest.approx(time.time(), abs=5)
    assert isinstance(current_runtime(), RealRuntime)
