"""Example 11: push to talk. The microphone is open only while the key is held; it is one line: `muted`.

Here a program holds the key; with a real keyboard or pedal set `headset.muted` from what reads it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np

from examples.kit import ExampleFailed, _, example, rule, say
from examples.kit.people import RATE_HZ, Person
from sipmedia import Account, Headset, IncomingCall, Softphone

HELD_S = 1.0
PAUSE_S = 0.8


@example(11, "📻", "Push to talk")
def push_to_talk() -> None:
    """Hold the key twice, and count for how long the other heard anything."""
    say("📻 Push to talk")
    rule(16)
    say()
    alice, bob = Person("Alice", 200), Person("Bob", 110)
    asyncio.run(radio(alice, bob))
    blocks = bob.recording()
    loud = np.abs(blocks[: len(blocks) // 480 * 480].reshape(-1, 480).astype(int)).max(axis=1) > 300
    heard_s = float(loud.sum()) * 480 / RATE_HZ
    say()
    say("🎵 Bob heard {heard:.1f} s; the key was held for {held:.1f} s", heard=heard_s, held=2 * HELD_S)
    if not HELD_S < heard_s < 2 * HELD_S + PAUSE_S:
        raise ExampleFailed(_("what was heard is not what was said"))
    say("✅ Only what was said with the key held was heard")


async def radio(alice: Person, bob: Person) -> None:
    """The call, in which only Alice speaks, and only now and then."""
    async with (
        Softphone(Account("sip:alice@127.0.0.1"), bind="127.0.0.1:0") as hers,
        Softphone(Account("sip:bob@127.0.0.1"), bind="127.0.0.1:0") as his,
        alice.headset() as her_headset,
        bob.headset() as his_headset,
    ):

        async def listen(event: IncomingCall) -> None:
            await event.call.answer()
            his_headset.attach(event.call)
            his_headset.muted = True

        his.on("incoming_call", listen)
        host, port = his.address
        call = await hers.call(f"sip:bob@{host}:{port}")
        her_headset.muted = True
        her_headset.attach(call)
        for number in (1, 2):
            await asyncio.sleep(PAUSE_S)
            async with key_held(her_headset):
                say("   🔴 The key is held, Alice speaks ({number})...", number=number)
                await asyncio.sleep(HELD_S)
            say("   ⚪ The key is let go")
        await asyncio.sleep(PAUSE_S)
        await call.hangup()


@asynccontextmanager
async def key_held(headset: Headset) -> AsyncIterator[None]:
    """While the key is held the microphone is open."""
    headset.muted = False
    try:
        yield
    finally:
        headset.muted = True
