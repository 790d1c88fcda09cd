"""What is written into a call: marks, and what `clear` knows of the way to the far end's ear."""

import asyncio

import numpy as np
import pytest

from media import Cleared
from sipmedia import Account, Call, IncomingCall, MarkReached, Softphone
from sipmedia.simulation import Network, Simulation


async def answer(event: IncomingCall) -> None:
    await event.call.answer()


def test_marks_and_clear() -> None:
    async def main() -> tuple[list[tuple[str, bool, float]], Cleared]:
        loop = asyncio.get_running_loop()
        async with (
            Softphone(Account("sip:a@10.0.0.1"), bind="10.0.0.1:5060") as alice,
            Softphone(Account("sip:b@10.0.0.2"), bind="10.0.0.2:5060") as bob,
        ):
            bob.on("incoming_call", answer)
            call: Call = await alice.call("sip:b@10.0.0.2")
            await asyncio.sleep(15)  # RTCP has measured the round trip
            told: list[tuple[str, bool, float]] = []
            began = loop.time()

            def on_mark(event: MarkReached) -> None:
                told.append((event.name, event.sent, loop.time() - began))

            call.on("mark", on_mark)
            for name in ("one", "two", "three"):
                call.write(np.ones(8000, np.int16))
                call.mark(name)
            await asyncio.sleep(2.5)
            cleared = call.clear()
            await asyncio.sleep(0.1)
            await call.hangup()
            return told, cleared

    network = Network(seed=1, delay=0.2)
    network.host("10.0.0.1")
    network.host("10.0.0.2")
    told, cleared = Simulation(network).run(main(), limit=100)
    assert [(name, sent) for name, sent, _ in told] == [("one", True), ("two", True), ("three", False)]
    assert [time for _, _, time in told[:2]] == pytest.approx([1.0, 2.0], abs=0.03)
    assert cleared.sent + cleared.dropped == 24000
    assert cleared.sent == pytest.approx(20000, abs=160)
    # half of the 0.4 s there and back, and 60 ms at the far end
    assert cleared.sent - cleared.heard_estimate == pytest.approx(0.26 * 8000, abs=40)
