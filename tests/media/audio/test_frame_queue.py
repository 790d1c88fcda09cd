"""The frame queue: one second for a reader on a loop or a thread, the oldest dropped and counted."""

import asyncio
import threading

import numpy as np

from media.audio.frame_queue import FrameQueue
from media.frame import AudioFrame

RATE = 8000


def frame(index: int) -> AudioFrame:
    return AudioFrame(np.full(160, index, np.int16), RATE, index * 160)


def test_the_oldest_is_dropped_and_counted() -> None:
    queue = FrameQueue(RATE)
    for index in range(60):
        queue.push(frame(index))
    assert len(queue) == 50
    assert queue.dropped == 10
    first = queue.get_nowait()
    assert first is not None
    assert first.timestamp == 10 * 160
    queue.close()
    assert len(list(queue)) == 49
    assert queue.get_nowait() is None


def test_closing() -> None:
    closed: list[bool] = []
    queue = FrameQueue(RATE, on_close=lambda: closed.append(True))
    with queue:
        queue.push(frame(0))
    queue.close()
    queue.push(frame(1))
    assert closed == [True]
    assert [f.timestamp for f in queue] == [0]


def test_reading_on_a_loop_what_a_thread_pushes() -> None:
    async def read() -> list[int]:
        queue = FrameQueue(RATE)

        def media_thread() -> None:
            for index in range(40):
                queue.push(frame(index))
            queue.close()

        thread = threading.Thread(target=media_thread)
        loop = asyncio.get_running_loop()
        loop.call_soon(thread.start)  # when the reader already waits
        timestamps = [received.timestamp async for received in queue]
        thread.join()
        return timestamps

    assert asyncio.run(read()) == [index * 160 for index in range(40)]


def test_a_wait_that_is_given_up_loses_nothing() -> None:
    async def read() -> int:
        queue = FrameQueue(RATE)
        waiting = asyncio.ensure_future(anext(aiter(queue)))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        waiting = asyncio.ensure_future(anext(aiter(queue)))
        await asyncio.sleep(0)
        queue.push(frame(3))
        return (await waiting).timestamp

    assert asyncio.run(read()) == 480


def test_reading_on_a_thread() -> None:
    queue = FrameQueue(RATE)
    timestamps: list[int] = []
    reader = threading.Thread(target=lambda: timestamps.extend(f.timestamp for f in queue))
    reader.start()
    for index in range(40):
        queue.push(frame(index))
    queue.close()
    reader.join(5)
    assert timestamps == [index * 160 for index in range(40)]


def test_a_loop_that_closed_while_waiting_harms_nobody() -> None:
    queue = FrameQueue(RATE)
    loop = asyncio.new_event_loop()

    async def wait() -> None:
        await anext(aiter(queue))

    task = loop.create_task(wait())
    loop.run_until_complete(asyncio.sleep(0))
    future = queue._future
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    queue._future = loop.create_future()
    assert future is not None
    loop.close()
    queue.push(frame(0))
    queue.push(frame(1))
    assert len(queue) == 1
