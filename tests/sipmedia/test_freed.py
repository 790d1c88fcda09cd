"""A call that is over is freed there and then: it leaves no circles for the collector of cycles.

That one stops a phone of many calls for milliseconds each time, and takes a fifth of what a call costs.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest

from sipmedia import Account, Call, CallEnded, IncomingCall, Softphone
from sipmedia.simulation import Network, Simulation

Life = Callable[[Call, Call], Awaitable[None]]


async def hangs_up(caller: Call, callee: Call) -> None:
    await asyncio.sleep(0.5)
    await caller.hangup()


async def is_hung_up_on(caller: Call, callee: Call) -> None:
    callee.echo()
    await asyncio.sleep(0.5)
    await callee.hangup("enough")


async def is_held(caller: Call, callee: Call) -> None:
    await caller.hold()
    await caller.resume()
    await callee.send_dtmf("1")
    await caller.hangup()


def left_by(life: Life) -> list[str]:
    """The types of ours that a call of this life leaves in circles, on either side."""
    network = Network(3)
    network.link(network.host("10.0.0.1"), network.host("10.0.0.2"), delay=0.01)

    async def call(alice: Softphone, calls: list[Call]) -> None:
        """In a function of its own, whose names go with it."""
        outgoing = await alice.call("sip:bob@10.0.0.2")
        await life(outgoing, calls.pop())
        await outgoing.ended()

    async def main() -> list[str]:
        async with (
            Softphone(Account("sip:alice@10.0.0.1"), bind="10.0.0.1:5060") as alice,
            Softphone(Account("sip:bob@10.0.0.2"), bind="10.0.0.2:5060") as bob,
        ):
            calls: list[Call] = []

            async def answer(event: IncomingCall) -> None:
                calls.append(event.call)
                await event.call.answer()

            bob.on("incoming_call", answer)
            await call(alice, calls)
            await asyncio.sleep(40)  # its transactions are over, and the names of the first call settled
            gc.collect()
            gc.disable()
            try:
                await call(alice, calls)
                await asyncio.sleep(40)
                gc.set_debug(gc.DEBUG_SAVEALL)
                gc.collect()
                names = [f"{type(item).__module__}.{type(item).__qualname__}" for item in gc.garbage]
            finally:
                gc.set_debug(0)
                gc.garbage.clear()
                gc.enable()
            ours = ("dialog.", "media.", "sipmedia.")
            return sorted({n for n in names if n.startswith(ours) and ".simulation." not in n})

    return Simulation(network).run(main())


@pytest.mark.parametrize("life", [hangs_up, is_hung_up_on, is_held])
def test_a_call_that_is_over_leaves_no_circles(life: Life) -> None:
    assert left_by(life) == []


def test_what_is_asked_of_a_call_that_is_over_says_so() -> None:
    """Its parts have let it go; whoever holds it, or was in the middle of something, hears why."""
    network = Network(3)
    network.link(network.host("10.0.0.1"), network.host("10.0.0.2"), delay=0.01)

    async def main() -> None:
        async with (
            Softphone(Account("sip:alice@10.0.0.1"), bind="10.0.0.1:5060") as alice,
            Softphone(Account("sip:bob@10.0.0.2"), bind="10.0.0.2:5060") as bob,
        ):
            bob.on("incoming_call", lambda event: event.call.answer())
            call = await alice.call("sip:bob@10.0.0.2")
            pressing = asyncio.ensure_future(call.send_dtmf("123456", method="info"))
            await asyncio.sleep(0.3)
            changes = [asyncio.ensure_future(call.hold()), asyncio.ensure_future(call.use_codecs("PCMA"))]
            await asyncio.sleep(0)
            await call.hangup()
            for doing in (pressing, *changes):
                with pytest.raises(CallEnded):
                    await doing
            asked: list[Callable[[], Awaitable[object]]] = [
                call.hold,
                call.drain,
                lambda: call.send_dtmf("1"),
                lambda: call.use_codecs("PCMA"),
                lambda: call.info("text/plain", b"late"),
                lambda: call.message("late"),
                lambda: call.transfer("sip:carol@10.0.0.2"),
            ]
            for verb in asked:
                with pytest.raises(CallEnded):
                    await verb()
            await call.hangup()
            call.stop_playing()
            assert (await call.ended()).by == "local"
            assert call.statistics() is not None
            assert call.duration > 0

    Simulation(network).run(main())
