"""Running a coroutine in a simulation: the clock, the limit, the end, and what went wrong."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Coroutine
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

from sipmedia.simulation.capture import Capture
from sipmedia.simulation.errors import RealSocketUsed, SimulationError
from sipmedia.simulation.guard import no_real_sockets
from sipmedia.simulation.loop import VirtualLoop
from sipmedia.simulation.network import Network

T = TypeVar("T")
DEFAULT_LIMIT_S = 3600.0
_CLEANUP_LIMIT_S = 60.0
_CLEANUP_ROUNDS = 100
"""Cancelled tasks may start others, but not for ever."""


class Simulation:
    """One world: a network, its virtual loop, its seed.

        network = Network(seed=7)
        ...
        value = Simulation(network).run(main())

    A single `run` closes everything behind it, as `asyncio.run` does. Within `with Simulation(...) as sim:`
    there may be several runs in the same world; tasks live on between them.

    The same program with the same seed does the same, packet for packet. The functions of the `random`
    module are seeded too while it runs. `real_sockets=True` lets code inside use the system's sockets
    (a log server, say); what comes back through them is in no time and no seed.
    """

    def __init__(
        self, network: Network | None = None, *, seed: int | None = None, real_sockets: bool = False
    ) -> None:
        if network is not None and seed is not None and network.seed != seed:
            raise ValueError(f"the network has seed {network.seed}, not {seed}: give the seed to the Network")
        self.network = network or Network(1 if seed is None else seed)
        self.loop = VirtualLoop(self.network)
        self.real_seconds = 0.0
        """How long the runs took in reality."""
        self._real_sockets = real_sockets
        self._program_random: Any = random.Random(f"{self.seed}/random").getstate()
        self._kept = False
        self._closed = False
        self.capture.comment = f"sipmedia simulation, seed {self.seed}"

    def __enter__(self) -> Self:
        self._kept = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def seed(self) -> int:
        """What decides everything."""
        return self.network.seed

    @property
    def elapsed(self) -> float:
        """Virtual seconds since the beginning."""
        return self.network.clock.elapsed

    @property
    def capture(self) -> Capture:
        """What went over the network."""
        return self.network.capture

    @property
    def speed(self) -> float:
        """How much faster than life it ran so far."""
        return self.elapsed / self.real_seconds if self.real_seconds else 0.0

    def open_sockets(self) -> list[str]:
        """What is still bound, in words."""
        return self.network.open_sockets() + [repr(stream) for stream in self.loop.streams]

    def pending_tasks(self) -> list[str]:
        """The names of tasks that are not done."""
        return [task.get_name() for task in self.loop.tasks()]

    def run(self, main: Coroutine[Any, Any, T], limit: float = DEFAULT_LIMIT_S) -> T:
        """Run `main` to its end and return what it returns, or raise what it raises.

        `limit` is in virtual seconds from now. Raises `Deadlock`, `TimeLimitReached`, `TimeStandsStill`, and
        `RealSocketUsed` even if the code inside caught it. What it raises carries notes: the seed, the
        virtual time, and datagrams to addresses that nobody has.
        """
        if self._closed:
            main.close()
            raise SimulationError("this simulation is over: make another one, or run within `with`")
        try:
            value = self._run(main, limit)
        except BaseException as error:
            self._annotate(error)
            self._close_after(error)
            raise
        if not self._kept:
            self.close()
        return value

    def close(self) -> None:
        """Cancel what still runs and close the loop; the network and its record stay. May be called twice."""
        if self._closed:
            return
        self._closed = True
        try:
            for _ in range(_CLEANUP_ROUNDS):
                tasks = self.loop.tasks()
                if not tasks:
                    break
                for task in tasks:
                    task.cancel()
                self._run(_all_done(tasks), _CLEANUP_LIMIT_S)
                for task in tasks:
                    self._report_failure(task)
            self._run(self.loop.shutdown_asyncgens(), _CLEANUP_LIMIT_S)
        finally:
            for task in self.loop.tasks():  # named by the error already; asyncio need not complain of them
                stuck: Any = task
                stuck._log_destroy_pending = False
            self.loop.close()
            self.network.clock.clear()

    def _run(self, main: Coroutine[Any, Any, T], limit: float) -> T:
        self.loop.limit = self.loop.time() + limit
        began = time.perf_counter()
        outer_state = random.getstate()
        random.setstate(self._program_random)
        try:
            with ExitStack() as stack:
                if not self._real_sockets:
                    stack.enter_context(no_real_sockets(self._real_socket))
                task: asyncio.Task[T] = self.loop.create_task(main, name="main")
                return self.loop.run_until_complete(task)
        finally:
            self._program_random = random.getstate()
            random.setstate(outer_state)
            self.real_seconds += time.perf_counter() - began

    def _real_socket(self, error: RealSocketUsed) -> None:
        self.loop.fail(error)

    def _annotate(self, error: BaseException) -> None:
        error.add_note(f"in a simulation of seed {self.seed}, after {self.elapsed:.3f} virtual seconds")
        for stray, count in self.network.strays.items():
            error.add_note(f"{count} time{'s' * (count > 1)}: {stray}")

    def _close_after(self, error: BaseException) -> None:
        """Close, but do not let what goes wrong then hide what went wrong before."""
        if not self._kept:
            try:
                self.close()
            except SimulationError as second:
                error.add_note(f"and while closing: {second}")

    def _report_failure(self, task: asyncio.Task[Any]) -> None:
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            self.loop.call_exception_handler(
                {"message": "a task failed while the simulation closed", "exception": error, "task": task}
            )


async def _all_done(tasks: list[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)
