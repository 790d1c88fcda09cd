"""Example 10: a doorbell. One button at the door calls the house; the house opens with a key.

The door's phone answers calls by itself, so that one can ask from inside who is there. With real devices
use `Headset()` in place of the virtual ones, and whatever reads your button in place of `press`.
"""

import asyncio

import numpy as np

from examples.kit import ExampleFailed, _, example, rule, say
from examples.kit.people import Person, Samples
from media.device.virtual import VirtualCard
from sipmedia import Account, Call, Dtmf, Headset, IncomingCall, Softphone

RING_S = 1.2
TALK_S = 1.0
OPENS = "#"


@example(10, "🚪", "A doorbell")
def doorbell() -> None:
    """Press the button, ring, answer, open; then ask from inside."""
    say("🚪 A doorbell")
    rule(14)
    say()
    visitor, resident, bell = Person("Alice", 200), Person("Bob", 110), Bell()
    opened = asyncio.run(visit(visitor, resident, bell))
    say()
    if not bell.rang:
        raise ExampleFailed(_("the bell did not ring"))
    if not opened:
        raise ExampleFailed(_("the door did not open"))
    say("✅ The bell rang, both talked, the door opened")


class Bell:
    """The loudspeaker that rings."""

    def __init__(self) -> None:
        self.rang = False

    def play(self, samples: Samples, _rate_hz: int) -> None:
        """Remember whether there was any sound."""
        self.rang = self.rang or bool(np.abs(samples.astype(int)).max() > 1000)


class Door:
    """The phone at the door: one button, and it answers by itself."""

    def __init__(self, phone: Softphone, headset: Headset, house: str) -> None:
        self.opened = False
        self._phone = phone
        self._headset = headset
        self._house = house
        phone.on("incoming_call", self._answer)

    async def press(self) -> Call:
        """The button: call the house and talk."""
        call = await self._phone.call(self._house)
        self._talk(call)
        return call

    async def _answer(self, event: IncomingCall) -> None:
        await event.call.answer()
        say("   🚪 The door answers by itself")
        self._talk(event.call)

    def _talk(self, call: Call) -> None:
        call.on("dtmf", self._on_key)
        self._headset.attach(call)

    def _on_key(self, event: Dtmf) -> None:
        if event.digit == OPENS and not self.opened:
            self.opened = True
            say("   🔓 The door opens")


async def visit(visitor: Person, resident: Person, bell: Bell) -> bool:
    """A visitor comes; whether the door was opened."""
    async with (
        Softphone(Account("sip:house@127.0.0.1"), bind="127.0.0.1:0") as house,
        Softphone(Account("sip:door@127.0.0.1"), bind="127.0.0.1:0") as outside,
        resident.headset(VirtualCard("bell", loudspeaker=bell.play), ring="bell") as inside,
        visitor.headset() as door_headset,
    ):

        async def ring(event: IncomingCall) -> None:
            say("   🔔 It rings inside...")
            await inside.ring()
            await asyncio.sleep(RING_S)
            await event.call.answer()
            inside.attach(event.call)  # ends the ringing
            say("   🗣️ Bob answers: who is there?")
            await asyncio.sleep(TALK_S)
            await event.call.send_dtmf(OPENS)
            await event.call.hangup()

        house.on("incoming_call", ring)
        host, port = house.address
        door = Door(outside, door_headset, f"sip:house@{host}:{port}")
        say("👆 Alice presses the button at the door")
        call = await door.press()
        await call.ended()
        say("📞 Later Bob asks from inside whether anybody is still there")
        host, port = outside.address
        question = await house.call(f"sip:door@{host}:{port}")
        inside.attach(question)
        await asyncio.sleep(TALK_S / 2)
        await question.hangup()
        return door.opened
