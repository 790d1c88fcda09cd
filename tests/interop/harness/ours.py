"""Our own side of the call: the command as a process, or a Softphone in this one."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from sipmedia import Account, Call, Softphone
from sipmedia.events import Ended, IncomingCall

from .parties import Party
from .process import PeerProcess, PeerTimeout
from .sound import Samples, read_wav

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[3]


class Command(PeerProcess):
    """`sipmedia ... --json` in its own process: `events()` are the lines it printed."""

    def __init__(self, folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "sipmedia", *arguments, "--json"]
        # It runs in a folder of its own, and from the source also where the package is not installed.
        super().__init__("sipmedia", command, folder, {"PYTHONPATH": str(ROOT), **(environment or {})})

    def events(self) -> list[dict[str, Any]]:
        """The JSON lines printed so far."""
        lines = self.output().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def assert_talked(self, timeout_s: float = 20) -> None:
        """Wait for the end; fail with what was printed unless the exit code says that it talked."""
        code = self.wait(timeout_s)
        assert code == 0, f"sipmedia ended with {code}\n{self.output()[-3000:]}"


def answering(folder: Path, party: Party, *arguments: str) -> Command:
    """`sipmedia answer` on `party`'s address, ready for calls."""
    command = Command(folder, "answer", "--bind", party.bind, *arguments)
    try:
        command.wait_for("listening")
    except PeerTimeout:
        command.stop()
        raise
    return command


def heard(recording: Path) -> Samples:
    """What we heard, from a recording of ours: its only channel, or the first of two."""
    return read_wav(recording)


class Phone:
    """A Softphone that treats each call by `handler` and remembers what came of it."""

    def __init__(self, softphone: Softphone, handler: Callable[[Call], Awaitable[None]] | None) -> None:
        self.softphone = softphone
        self.calls: list[Call] = []
        self.ended: list[Ended] = []
        self._handler = handler
        softphone.on("incoming_call", self._incoming)

    async def _incoming(self, event: IncomingCall) -> None:
        self.calls.append(event.call)
        event.call.on("ended", self.ended.append)
        if self._handler is not None:
            await self._handler(event.call)


async def answer(call: Call) -> None:
    """The handler of a phone that answers at once."""
    await call.answer()


@asynccontextmanager
async def phone(
    party: Party,
    handler: Callable[[Call], Awaitable[None]] | None = answer,
    *,
    account: Account | None = None,
    **settings: Any,
) -> AsyncIterator[Phone]:
    """A Softphone in this process, bound to `party`'s address; by itself it is "bob"."""
    account = account or Account(party.uri("bob"))
    async with Softphone(account, bind=party.bind, **settings) as softphone:
        yield Phone(softphone, handler)


def run(main: Coroutine[Any, Any, T], timeout_s: float = 60) -> T:
    """Run a test's coroutine; a test that hangs fails by itself, with its resources closed."""
    return asyncio.run(asyncio.wait_for(main, timeout_s))


__all__: Sequence[str] = ("Command", "Phone", "answer", "answering", "heard", "phone", "run")
