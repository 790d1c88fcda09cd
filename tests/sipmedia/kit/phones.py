"""Two phones on free ports of loopback, in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from media import ManagerConfig, PortRange
from sipmedia import Account, Call, IncomingCall, PhoneConfig, Softphone
from sipmedia.emitter import Emitter
from sipmedia.simulation import Simulation

PORTS = PortRange(20000, 24000)


def run(test: Coroutine[Any, Any, None], seconds: float = 600) -> None:
    """Run one test in virtual time, on the loopback of a simulated host; one that hangs fails at once."""
    Simulation(seed=1).run(test, seconds)


def run_for_real(test: Coroutine[Any, Any, None], seconds: float = 15) -> None:
    """Run one test on real sockets and the real clock, which are its subject; one that hangs fails."""
    asyncio.run(asyncio.wait_for(test, seconds))


def first(emitter: Emitter, name: str) -> asyncio.Future[Any]:
    """The next event of that name."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def on_event(event: object) -> None:
        if not future.done():
            future.set_result(event)

    emitter.on(name, on_event)
    return future


@dataclass(frozen=True, slots=True)
class Pair:
    """alice calls, bob is called."""

    alice: Softphone
    bob: Softphone

    @property
    def bobs_uri(self) -> str:
        """Whom alice calls."""
        return f"sip:bob@127.0.0.1:{self.bob.address[1]}"


@asynccontextmanager
async def pair(
    on_call: Callable[[IncomingCall], object] | None = None,
    *,
    alice: PhoneConfig | None = None,
    bob: PhoneConfig | None = None,
    bobs_ports: PortRange = PORTS,
    bobs_codecs: tuple[str, ...] = ("PCMU", "PCMA", "G722"),
) -> AsyncIterator[Pair]:
    """Both phones, open; ``on_call`` is bob's handler."""
    media = ManagerConfig(rtp_port_range=PORTS)
    bobs_media = ManagerConfig(rtp_port_range=bobs_ports, default_audio_codecs=bobs_codecs)
    async with (
        Softphone(Account("sip:alice@127.0.0.1"), bind="127.0.0.1:0", media=media, config=alice) as caller,
        Softphone(Account("sip:bob@127.0.0.1"), bind="127.0.0.1:0", media=bobs_media, config=bob) as callee,
    ):
        if on_call is not None:
            callee.on("incoming_call", on_call)
        yield Pair(caller, callee)


async def _answer(event: IncomingCall) -> None:
    await event.call.answer()


@asynccontextmanager
async def connected(
    *, late_offer: bool = False, bobs_codecs: tuple[str, ...] = ("PCMU", "PCMA", "G722")
) -> AsyncIterator[tuple[Call, Call]]:
    """A call that is up, as both sides hold it."""
    async with pair(_answer, bobs_codecs=bobs_codecs) as phones:
        incoming = first(phones.bob, "incoming_call")
        call = await phones.alice.call(phones.bobs_uri, late_offer=late_offer)
        answered: Call = (await incoming).call
        await answered.answered()
        yield call, answered
