"""media/dispatch.py: on which thread handlers run, and what survives a failing one."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from media.dispatch import DROPPABLE_LIMIT, Dispatcher, Emitter

TIMEOUT_S = 5.0


def in_thread(function: Callable[[], object]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join(TIMEOUT_S)
    assert not thread.is_alive()


def test_on_the_captured_loop() -> None:
    ran: list[tuple[int, int]] = []

    def note(number: int) -> None:
        ran.append((number, threading.get_ident()))

    async def main() -> None:
        dispatcher = Dispatcher(time.monotonic)
        dispatcher.start()
        assert dispatcher.loop is asyncio.get_running_loop()
        done = asyncio.Event()

        def post() -> None:
            for number in range(3):
                dispatcher.post(partial(note, number))
            dispatcher.post(done.set)

        in_thread(post)
        assert not ran
        await asyncio.wait_for(done.wait(), TIMEOUT_S)
        dispatcher.stop()

    asyncio.run(main())
    assert ran == [(number, threading.get_ident()) for number in range(3)]


def test_on_one_thread_without_a_loop() -> None:
    dispatcher = Dispatcher(time.monotonic)
    dispatcher.start()
    done = threading.Event()
    names: set[str] = set()
    for _ in range(3):
        dispatcher.post(lambda: names.add(threading.current_thread().name))
    dispatcher.post(done.set)
    assert done.wait(TIMEOUT_S)
    dispatcher.stop()
    dispatcher.stop()
    assert names == {"sipmedia-events"}


def test_stop_does_what_is_left() -> None:
    dispatcher = Dispatcher(time.monotonic)
    ran: list[int] = []
    dispatcher.post(lambda: ran.append(1))
    assert ran == []  # not started
    dispatcher.start()
    dispatcher.post(lambda: ran.append(2))
    dispatcher.stop()
    assert ran == [1, 2]


def test_stop_from_within() -> None:
    dispatcher = Dispatcher(time.monotonic)
    dispatcher.start()
    done = threading.Event()

    def work() -> None:
        dispatcher.post(done.set)
        dispatcher.stop()

    dispatcher.post(work)
    assert done.wait(TIMEOUT_S)


def test_stop_after_the_loop_is_gone() -> None:
    dispatcher = Dispatcher(time.monotonic)

    async def main() -> None:
        dispatcher.start()

    asyncio.run(main())
    ran: list[int] = []
    dispatcher.post(lambda: ran.append(1))
    dispatcher.stop()
    assert ran == [1]


def test_audio_is_dropped_but_state_is_not() -> None:
    dispatcher = Dispatcher(time.monotonic)
    ran: list[str] = []
    taken = [dispatcher.post_droppable(lambda: ran.append("frame")) for _ in range(DROPPABLE_LIMIT + 10)]
    dispatcher.post(lambda: ran.append("state"))
    assert taken.count(False) == dispatcher.dropped == 10
    dispatcher.start()
    dispatcher.stop()
    assert ran == ["frame"] * DROPPABLE_LIMIT + ["state"]
    assert dispatcher.post_droppable(lambda: None)


def test_work_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    dispatcher = Dispatcher(time.monotonic)
    dispatcher.start()
    ran: list[int] = []
    dispatcher.post(lambda: ran.append(1 // 0))
    dispatcher.post(lambda: ran.append(1))
    with caplog.at_level(logging.ERROR):
        dispatcher.stop()
    assert ran == [1]
    assert "ZeroDivisionError" in caplog.text


def test_a_handler_that_ends_the_program_does_not_end_the_events() -> None:
    """SystemExit goes its way, out of the loop; what the clean-up waits for still comes."""
    loop = asyncio.new_event_loop()
    dispatcher = Dispatcher(time.monotonic)
    done: list[int] = []

    async def begin() -> None:
        dispatcher.start()

    def leave() -> None:
        raise SystemExit(1)

    async def clean_up() -> None:
        dispatcher.post(partial(done.append, 2))
        await asyncio.sleep(0)

    loop.run_until_complete(begin())
    dispatcher.post(leave)
    dispatcher.post(partial(done.append, 1))
    with pytest.raises(SystemExit):
        loop.run_forever()
    loop.run_until_complete(clean_up())
    assert done == [1, 2]
    dispatcher.stop()
    loop.close()


@pytest.mark.parametrize("with_loop", [True, False])
def test_every(with_loop: bool) -> None:
    """Until it returns False; a second request while it runs changes nothing."""
    times: list[int] = []
    done = threading.Event()

    def tick() -> bool:
        times.append(len(times))
        if len(times) == 3:
            done.set()
        return len(times) < 3

    dispatcher = Dispatcher(time.monotonic)
    if with_loop:

        async def main() -> None:
            dispatcher.every(0.002, tick)
            dispatcher.start()
            dispatcher.every(0.002, tick)
            await asyncio.wait_for(asyncio.to_thread(done.wait, TIMEOUT_S), TIMEOUT_S)
            dispatcher.stop()

        asyncio.run(main())
    else:
        dispatcher.start()
        dispatcher.every(0.002, tick)
        dispatcher.every(0.002, tick)
        assert done.wait(TIMEOUT_S)
        dispatcher.stop()
    assert times == [0, 1, 2]


def test_async_handlers_run_on_the_loop() -> None:
    heard: list[str] = []

    async def main() -> None:
        dispatcher = Dispatcher(time.monotonic)
        dispatcher.start()
        emitter = Emitter(dispatcher)
        done = asyncio.Event()

        async def handler(event: str) -> None:
            heard.append(event)
            if len(heard) == 2:
                done.set()

        emitter.on("dtmf_received", handler)
        emitter.emit("dtmf_received", "1")
        in_thread(lambda: emitter.emit("dtmf_received", "2"))
        await asyncio.wait_for(done.wait(), TIMEOUT_S)
        dispatcher.stop()

    asyncio.run(main())
    assert heard == ["1", "2"]


def test_async_handler_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        dispatcher = Dispatcher(time.monotonic)
        dispatcher.start()
        emitter = Emitter(dispatcher)

        async def handler(event: str) -> None:
            raise KeyError(event)

        emitter.on("dtmf_received", handler)
        emitter.emit("dtmf_received", "1")
        for _ in range(3):
            await asyncio.sleep(0)
        dispatcher.stop()

    asyncio.run(main())
    assert "an async event handler failed" in caplog.text


def test_async_handler_without_a_loop(caplog: pytest.LogCaptureFixture) -> None:
    emitter = Emitter(Dispatcher(time.monotonic))

    async def handler(event: str) -> None:
        raise AssertionError(event)

    emitter.on("dtmf_received", handler)
    emitter.emit("dtmf_received", "1")
    assert "needs an event loop" in caplog.text


def test_handler_that_fails_stops_nobody(caplog: pytest.LogCaptureFixture) -> None:
    emitter = Emitter(Dispatcher(time.monotonic))
    heard: list[Any] = []

    def broken(event: Any) -> None:
        raise ValueError("mine")

    emitter.on("statistics", broken)
    emitter.on("statistics", heard.append)
    assert emitter.has_listeners("statistics")
    emitter.emit("statistics", 1)
    assert heard == [1]
    assert "ValueError: mine" in caplog.text
    emitter.remove_listener("statistics", broken)
    emitter.remove_listener("statistics", heard.append)
    assert not emitter.has_listeners("statistics")
