"""How events reach handlers: on which thread, in which order, and what a failing handler breaks (nothing).

What a call of the user causes is emitted there and then, on the thread that called. What comes from the
wire is posted by the media thread, which never waits: to the event loop that was running at `start()`,
or where there was none to one thread of ours. State events are never dropped; received audio is, beyond
`DROPPABLE_LIMIT` waiting frames, as a handler that is too slow for it never catches up.
"""

import asyncio
import inspect
import logging
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from pyee.base import EventEmitter

from media.events import SessionError, SessionEvent

DROPPABLE_LIMIT = 500

_log = logging.getLogger(__name__)

Work = Callable[[], None]


class Dispatcher:
    """Runs posted work in order on the captured loop, or on one thread.

    `monotonic` gives the time for `every`. May be started again after `stop`.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.dropped = 0
        """Droppable work that was not done because too much of it waited."""
        self._monotonic = monotonic
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._wakeup = threading.Condition()  # guards all below
        self._work: deque[tuple[Work, bool]] = deque()
        self._droppable = 0
        self._scheduled = False
        self._running = False
        self._period = 0.0
        self._due: float | None = None
        self._periodic: Callable[[], bool] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that handlers of wire events run on."""
        return self._loop

    def start(self) -> None:
        """Capture the running loop, if this thread has one."""
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        with self._wakeup:
            self._running = True
            self._wake_locked()
            arm = self._loop is not None and self._due is not None
        if arm:
            self._arm_loop_timer()

    def post(self, work: Work) -> None:
        """Have `work` done; from any thread."""
        with self._wakeup:
            self._work.append((work, False))
            self._wake_locked()

    def post_droppable(self, work: Work) -> bool:
        """Have `work` done unless too much such work waits already."""
        with self._wakeup:
            if self._droppable >= DROPPABLE_LIMIT:
                self.dropped += 1
                return False
            self._droppable += 1
            self._work.append((work, True))
            self._wake_locked()
        return True

    def every(self, period_s: float, function: Callable[[], bool]) -> None:
        """Call `function` each `period_s` seconds where events run, until it returns False.

        One such function at a time; asking again for the one that runs changes nothing.
        """
        with self._wakeup:
            if self._periodic is not None:
                return
            self._periodic, self._period = function, period_s
            self._due = self._monotonic() + period_s
            loop = self._loop
            running = self._running
            self._wake_locked()
        if loop is not None and running:
            self._call_soon(loop, self._arm_loop_timer)

    def run_coroutine(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run what an `async def` handler returned, on the captured loop."""
        loop = self._loop
        if loop is None or loop.is_closed():
            coroutine.close()
            _log.error(
                "an async event handler needs an event loop: call manager.start() inside one, "
                "or use a plain function"
            )
            return
        if _running_loop() is loop:
            self._spawn(coroutine)
        else:
            self._call_soon(loop, lambda: self._spawn(coroutine))

    def stop(self) -> None:
        """Do what is left, then end. Work posted afterwards waits for the next `start`."""
        with self._wakeup:
            self._running = False
            self._periodic = self._due = None
            self._wakeup.notify_all()
            thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        loop = self._loop
        if loop is None or loop.is_closed() or _running_loop() is loop or not loop.is_running():
            self._drain()

    def _wake_locked(self) -> None:
        """Make sure somebody comes for the work; the caller holds the lock."""
        if not self._running:
            return
        if self._loop is not None:
            if not self._scheduled and self._work:
                self._scheduled = self._call_soon(self._loop, self._drain)
        elif self._thread is None:
            if self._work or self._due is not None:
                self._thread = threading.Thread(target=self._run, name="sipmedia-events", daemon=True)
                self._thread.start()
        else:
            self._wakeup.notify()

    @staticmethod
    def _call_soon(loop: asyncio.AbstractEventLoop, function: Work) -> bool:
        try:
            loop.call_soon_threadsafe(function)
        except RuntimeError:  # the loop was closed before the manager was stopped: stop() does the rest
            return False
        return True

    def _drain(self) -> None:
        """Do all work there is."""
        while True:
            with self._wakeup:
                if not self._work:
                    self._scheduled = False
                    return
                work, droppable = self._work.popleft()
                self._droppable -= droppable
            try:
                guarded(work)
            except BaseException:  # SystemExit and KeyboardInterrupt go their way; what is left is still done
                with self._wakeup:
                    self._scheduled = False
                    self._wake_locked()
                raise

    def _run(self) -> None:
        """The event thread."""
        me = threading.current_thread()
        while True:
            self._drain()
            with self._wakeup:
                if self._work:
                    continue
                if self._thread is not me:
                    return
                wait = None if self._due is None else self._due - self._monotonic()
                if wait is None or wait > 0:
                    self._wakeup.wait(wait)
                    continue
            self._tick()

    def _tick(self) -> None:
        """Call the periodic function and note when it is due next."""
        function = self._periodic
        wanted = function is not None and guarded(function) is not False
        with self._wakeup:
            if wanted and self._due is not None:
                self._due = max(self._due + self._period, self._monotonic())
            else:
                self._periodic = self._due = None

    def _arm_loop_timer(self) -> None:
        due = self._due
        if due is not None and self._loop is not None:
            self._loop.call_later(max(0.0, due - self._monotonic()), self._loop_timer)

    def _loop_timer(self) -> None:
        if self._due is not None:
            self._tick()
            self._arm_loop_timer()

    def _spawn(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        assert self._loop is not None
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("an async event handler failed", exc_info=error)


class Emitter(EventEmitter):
    """pyee's emitter, where a handler that fails stops neither the others nor the caller.

    Its exception is logged, and reported as `session_error` if that has listeners.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        super().__init__()
        self._dispatcher = dispatcher

    def has_listeners(self, event: str) -> bool:
        """Whether anybody listens for `event`."""
        return bool(self._events.get(event))

    def _emit_run(self, f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        try:
            result = f(*args, **kwargs)
        except Exception as error:  # the edge between us and user handlers
            _log.exception("an event handler failed")
            event = args[0] if args else None
            if isinstance(event, SessionEvent) and not isinstance(event, SessionError):
                self.emit("session_error", SessionError(event.session, error))
            return
        if inspect.iscoroutine(result):
            self._dispatcher.run_coroutine(result)


def guarded(function: Callable[..., Any], *arguments: object) -> Any:
    """Call posted work, or an observer; what it lets through ends here, in the log."""
    try:
        return function(*arguments)
    except Exception:  # the edge of the thread, or of the loop's callback
        _log.exception("an event could not be delivered")
        return None


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
