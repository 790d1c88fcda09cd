"""Events by pyee, with two promises more: ``error`` always has a listener, and a handler that fails is known.

A handler may be a function or a coroutine function and gets one frozen dataclass. When it raises,
:meth:`Emitter.handler_failed` hears of it with the event it was given (an incoming call whose handler
raised is answered 500), the traceback is logged and ``error`` is emitted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from pyee.base import EventEmitter

from media.errors import MediaError
from sipmedia.errors import SipMediaError
from sipmedia.events import ErrorOccurred

_log = logging.getLogger("sipmedia")


Tasks = dict[asyncio.Task[None], None]
"""A set that keeps its order: what is cancelled together is cancelled in the order it began."""


class Emitter(EventEmitter):
    """What phones and calls are: ``on``, ``once``, ``remove_listener``, and handlers that may fail."""

    def __init__(self, owner: Emitter | None = None) -> None:
        """``owner``: who keeps our running handlers, and tells of our errors, too."""
        super().__init__()
        self._owner = owner
        self._running: Tasks = {} if owner is None else owner.tasks

    def has_listeners(self, name: str) -> bool:
        """Whether anybody would hear the event."""
        return bool(self._events.get(name))

    def emit(self, event: str, *args: Any, **kwargs: Any) -> bool:
        """Call the listeners; whether there were any. Most events of most calls have none."""
        if event == "new_listener":
            self.listener_added(args[0])
        return bool(self._events.get(event)) and super().emit(event, *args, **kwargs)

    def listener_added(self, name: str) -> None:
        """Somebody begins to listen; it is not there yet. For subclasses."""

    def handler_failed(self, event: object, error: Exception) -> None:
        """A handler raised on ``event``. Subclasses add what the far end must hear of it."""

    def report(self, error: Exception, doing: str) -> None:
        """Log an error that nobody awaits and emit ``error`` for it.

        What we and media raise on purpose needs no traceback: a stranger's bad offer is no fault of ours.
        """
        if isinstance(error, SipMediaError | MediaError):
            _log.info("%s: %s", doing, error)
        else:
            _log.error("%s: %s", doing, error, exc_info=error)
        self._tell_error(ErrorOccurred(error=error, doing=doing))

    def _tell_error(self, event: ErrorOccurred) -> None:
        self.emit("error", event)
        if self._owner is not None:
            self._owner._tell_error(event)

    def _emit_run(self, f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        event = args[0] if args else None
        try:
            result = f(*args, **kwargs)
        except Exception as error:  # the edge to the user's code
            self._failed(event, error)
            return
        if asyncio.iscoroutine(result):
            self._keep(asyncio.ensure_future(self._run_handler(event, result)))

    async def _run_handler(self, event: object, coroutine: Any) -> None:
        try:
            await coroutine
        except Exception as error:  # the edge to the user's code
            self._failed(event, error)

    def _failed(self, event: object, error: Exception) -> None:
        doing = f"a handler of {type(event).__name__} raised {type(error).__name__}"
        if isinstance(event, ErrorOccurred):  # an error handler that fails must not be called for it again
            _log.error("%s", doing, exc_info=error)
        else:
            self.report(error, doing)
        self.handler_failed(event, error)

    def _emit_handle_potential_error(self, event: str, error: Any) -> None:
        """No listener for ``error``: the log has it already, and nothing is raised into the protocol."""

    def spawn(self, coroutine: Coroutine[Any, Any, None], doing: str) -> None:
        """Run something of ours beside the handlers; what it raises is reported."""
        self._keep(asyncio.ensure_future(self._guarded(coroutine, doing)))

    async def _guarded(self, coroutine: Coroutine[Any, Any, None], doing: str) -> None:
        try:
            await coroutine
        except Exception as error:  # the edge of the task
            self.report(error, doing)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._running[task] = None
        task.add_done_callback(lambda _: self._running.pop(task, None))

    @property
    def tasks(self) -> Tasks:
        """The coroutine handlers still running."""
        return self._running

    async def close_handlers(self, spared: Sequence[asyncio.Task[Any]] = ()) -> None:
        """Cancel the coroutine handlers still running, but for ``spared``, and wait for them."""
        running = [task for task in self._running if task not in spared]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
