"""What one test runs in: a simulated world, or real time on loopback; its phones; and what it leaves."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sipmedia.call import Call
from sipmedia.simulation.link import Link
from sipmedia.simulation.network import Network
from sipmedia.simulation.run import Simulation
from sipmedia.testing import evidence
from sipmedia.testing.party import NAMES, Party, Phones
from sipmedia.testing.witness import World, world_of

T = TypeVar("T")

VIRTUAL_LIMIT_S = 3600.0
REAL_LIMIT_S = 30.0


@dataclass(frozen=True, slots=True)
class SimCall:
    """A call that is up between alice and bob: `caller, callee = sim_call` are its two ends."""

    alice: Party
    bob: Party
    caller: Call
    callee: Call
    link: Link | None
    """Between the two; `sim_call.link.set(loss=0.05)`. None in real time."""

    def __iter__(self) -> Iterator[Call]:
        return iter((self.caller, self.callee))


class Lab:
    """One test's world.

    In virtual time (the default) it has a `simulation` and a `network`; with `real_time` it runs on an
    asyncio loop of its own, and phones are on 127.0.0.1. `limit` is in seconds of the world's own time.
    """

    def __init__(
        self,
        *,
        seed: int,
        limit: float | None = None,
        phones: int | Sequence[str] = 2,
        real_time: bool = False,
    ) -> None:
        self.seed = seed
        self.simulation: Simulation | None = None
        self._runner: asyncio.Runner | None = None
        if real_time:
            self._runner = asyncio.Runner()
            self._limit = REAL_LIMIT_S if limit is None else limit
        else:
            self.simulation = Simulation(seed=seed)
            self.simulation.__enter__()
            self._limit = VIRTUAL_LIMIT_S if limit is None else limit
        self._names: Sequence[str | None]
        if isinstance(phones, int):
            self._names = [NAMES[n] if n < len(NAMES) else None for n in range(phones)]
        else:
            self._names = phones
        self._phones: Phones | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """Where the test runs."""
        if self.simulation is not None:
            return self.simulation.loop
        assert self._runner is not None
        return self._runner.get_loop()

    @property
    def network(self) -> Network:
        """The simulated network. :raises LookupError: in real time there is none."""
        if self.simulation is None:
            raise LookupError("with real_time there is no simulated network: packets go over 127.0.0.1")
        return self.simulation.network

    @property
    def world(self) -> World:
        """All phones that are watched."""
        return world_of(self.loop)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in this world."""
        if self.simulation is not None:
            return self.simulation.run(main, self._limit)
        assert self._runner is not None
        return self._runner.run(asyncio.wait_for(main, self._limit))

    def phones(self) -> Phones:
        """The test's phones, listening."""
        if self._phones is None:
            self._phones = Phones(self.network if self.simulation is not None else None)
            self.run(self._open(self._phones))
        return self._phones

    def call(self) -> SimCall:
        """A call that is up between the first two phones."""
        alice, bob = self.phones()[:2]
        caller = self.run(alice.call(bob))
        callee = bob.last_call
        self.run(callee.answered())
        link = self.network.link(alice.host, bob.host) if self.simulation is not None else None
        return SimCall(alice, bob, caller, callee, link)

    def save(self, folder: Path) -> list[Path]:
        """Save what happened so far."""
        return evidence.save(self.world, self.simulation, folder)

    def ladders(self) -> str:
        """What happened so far, as text."""
        return evidence.ladders(self.world)

    def close(self) -> None:
        """Close the phones, and cancel what still runs."""
        try:
            if self._phones is not None:
                self.run(self._phones.aclose())
        finally:
            if self.simulation is not None:
                self.simulation.close()
                self.simulation.capture.close()
            if self._runner is not None:
                self._runner.close()

    async def _open(self, phones: Phones) -> None:
        for name in self._names:
            await phones.add(name)


def folder_name(nodeid: str) -> str:
    """A folder's name for a test: its node id without what file systems dislike."""
    return re.sub(r"[^\w.\[\]-]+", "-", nodeid.replace("::", "-")).strip("-")[-120:]
