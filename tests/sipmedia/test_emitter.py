"""sipmedia/emitter.py: handlers of both kinds, and those that fail."""

import asyncio

import pytest

from sipmedia import ErrorOccurred
from sipmedia.emitter import Emitter
from tests.sipmedia.kit import run


class Watched(Emitter):
    def __init__(self) -> None:
        super().__init__()
        self.failures: list[tuple[object, Exception]] = []

    def handler_failed(self, event: object, error: Exception) -> None:
        self.failures.append((event, error))


def test_without_listeners_nothing_is_raised() -> None:
    emitter = Watched()
    assert not emitter.has_listeners("error")
    emitter.report(RuntimeError("x"), "testing")
    emitter.emit("anything", 1)


def test_functions_and_coroutines_fail_alike(caplog: pytest.LogCaptureFixture) -> None:
    async def later(event: object) -> None:
        raise ValueError("later")

    def now(event: object) -> None:
        raise ValueError("now")

    async def test() -> None:
        emitter = Watched()
        errors: list[ErrorOccurred] = []
        emitter.on("error", errors.append)
        emitter.on("event", now)
        emitter.once("event", later)
        emitter.emit("event", "payload")
        while len(errors) < 2:
            await asyncio.sleep(0)
        assert [str(error.error) for error in errors] == ["now", "later"]
        assert [event for event, _ in emitter.failures] == ["payload", "payload"]

    run(test())
    assert "later" in caplog.text


def test_a_failing_error_handler_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: ErrorOccurred) -> None:
        raise KeyError("again")

    emitter = Watched()
    emitter.on("error", fail)
    emitter.report(RuntimeError("first"), "testing")
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


def test_closing_cancels_what_runs() -> None:
    async def test() -> None:
        emitter = Watched()
        began, ended = asyncio.Event(), asyncio.Event()

        async def forever(event: object) -> None:
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        emitter.on("event", forever)
        emitter.emit("event", 1)
        await began.wait()
        await emitter.close_handlers()
        assert ended.is_set()
        assert not emitter.tasks
        assert not emitter.failures

    run(test())
