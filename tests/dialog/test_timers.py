"""The queue of deadlines."""

from __future__ import annotations

from dialog.timers import CLEANUP_GRID, Timer, TimerQueue


def test_timers_fire_in_order_and_once() -> None:
    queue, fired = TimerQueue(), list[str]()
    queue.start(2.0, lambda: fired.append("b"))
    queue.start(1.0, lambda: fired.append("a"))
    queue.start(2.0, lambda: fired.append("c"))
    assert queue.next_deadline() == 1.0
    queue.now = 0.99
    queue.run()
    assert fired == []
    queue.now = 2.0
    queue.run()
    queue.run()
    assert fired == ["a", "b", "c"]
    assert queue.next_deadline() is None


def test_a_cancelled_timer_never_fires_and_is_no_deadline() -> None:
    queue, fired = TimerQueue(), list[str]()
    timer = queue.start(1.0, lambda: fired.append("x"))
    timer.cancel()
    timer.cancel()
    assert not timer.pending
    assert queue.next_deadline() is None
    assert len(queue) == 0
    queue.now = 5.0
    queue.run()
    assert fired == []


def test_what_a_callback_starts_and_cancels_counts_at_once() -> None:
    queue, fired = TimerQueue(), list[str]()
    second = queue.start(2.0, lambda: fired.append("second"))

    def first() -> None:
        second.cancel()
        queue.start(0.0, lambda: fired.append("now"))

    queue.start(1.0, first)
    queue.now = 3.0
    queue.run()
    assert fired == ["now"]


def test_a_queue_full_of_cancelled_timers_shrinks() -> None:
    queue, fired = TimerQueue(), list[int]()
    keep = queue.start(5.0, lambda: fired.append(1))
    timers: list[Timer] = []
    for _ in range(20_000):
        timers.append(queue.start(32.0, lambda: None))
        timers.pop().cancel()
    assert len(queue._heap) < 2000
    assert keep.pending
    queue.now = 5.0
    queue.run()
    assert fired == [1]


def test_the_heap_may_be_rebuilt_while_it_runs() -> None:
    queue, fired = TimerQueue(), list[str]()
    doomed = [queue.start(10.0, lambda: fired.append("doomed")) for _ in range(3000)]

    def cancel_all() -> None:
        for timer in doomed:
            timer.cancel()

    queue.start(1.0, cancel_all)
    queue.start(20.0, lambda: fired.append("last"))
    queue.now = 30.0
    queue.run()
    assert fired == ["last"]
    assert len(queue) == 0


def test_forgetting_timers_share_a_grid_and_are_never_early() -> None:
    queue = TimerQueue()
    queue.now = 100.01
    queue.start_cleanup(32.0, lambda: None)
    deadline = queue.next_deadline()
    assert deadline is not None
    assert 132.01 <= deadline <= 132.01 + CLEANUP_GRID
    assert deadline % CLEANUP_GRID == 0
