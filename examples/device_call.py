"""Example 9: a call through two headsets: levels, mute, and what became of the sound.

The headsets are virtual, so that it runs anywhere. With real ones the program is the same: `Headset()` takes
the system's microphone and loudspeaker, `Headset("Jabra", "Jabra")` those of that name. See docs/devices.md.
"""

import asyncio

from examples.kit import ExampleFailed, _, example, rule, say
from examples.kit.people import Person
from sipmedia import Account, Call, IncomingCall, Softphone
from sipmedia.device_events import Levels

TALK_S = 2.0


@example(9, "🎧", "A call through two headsets")
def device_call() -> None:
    """Call, talk, mute, and compare what was said with what was heard."""
    say("🎧 A call through two headsets")
    rule(30)
    say()
    alice, bob = Person("Alice", 200), Person("Bob", 110)
    asyncio.run(call(alice, bob))
    say()
    for listener, speaker in ((alice, bob), (bob, alice)):
        score = listener.likeness(speaker)
        say(
            "🎵 {listener} heard {speaker}: likeness {score:.2f}",
            listener=_(listener.name),
            speaker=_(speaker.name),
            score=score,
        )
        if score < 0.7:
            raise ExampleFailed(_("what was heard is not what was said"))
    say("✅ Each heard the other in the headset")


async def call(alice: Person, bob: Person) -> None:
    """The call: two phones, two headsets."""
    async with (
        Softphone(Account("sip:alice@127.0.0.1"), bind="127.0.0.1:0") as hers,
        Softphone(Account("sip:bob@127.0.0.1"), bind="127.0.0.1:0") as his,
        alice.headset() as her_headset,
        bob.headset() as his_headset,
    ):
        talking: asyncio.Future[Call] = asyncio.get_running_loop().create_future()

        async def answer(event: IncomingCall) -> None:
            await event.call.answer()
            his_headset.attach(event.call)
            talking.set_result(event.call)

        his.on("incoming_call", answer)
        say("📞 Alice calls Bob...")
        host, port = his.address
        call = await hers.call(f"sip:bob@{host}:{port}")
        her_headset.attach(call)
        await talking
        say("🗣️ Both talk (codec {codec})...", codec=call.codec)
        her_headset.once("levels", show_levels)
        await asyncio.sleep(TALK_S)
        say("🔇 Alice mutes her microphone for a moment...")
        her_headset.muted = True
        await asyncio.sleep(0.3)
        her_headset.muted = False
        await asyncio.sleep(TALK_S)
        for way, line in her_headset.statistics().items():
            if line is not None:
                say(
                    "   📊 {way}: {blocks} blocks, {gaps} gaps, {delay:.0f} ms waiting",
                    way={"input": _("microphone"), "output": _("loudspeaker")}[way],
                    blocks=line.blocks,
                    gaps=line.underruns,
                    delay=line.delay_ms,
                )
        say("👋 Alice hangs up...")
        await call.hangup()


def show_levels(event: Levels) -> None:
    """How loud it is, in decibels below full scale."""
    say(
        "   🎚️ Alice's microphone: {near:.0f} dB, her loudspeaker: {far:.0f} dB",
        near=event.microphone.rms_dbfs,
        far=event.loudspeaker.rms_dbfs,
    )
