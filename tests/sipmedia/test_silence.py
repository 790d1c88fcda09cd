"""A far end that is gone, in calls: told, hung up with a reason, and not mistaken for a hold."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sipmedia import (
    Account,
    Call,
    Ended,
    IncomingCall,
    MediaLost,
    MediaRegained,
    PhoneConfig,
    Softphone,
    render_text,
)
from sipmedia.simulation import Network, Simulation
from sipmedia.simulation.link import Link

Then = Callable[[Call, Call, Link], Awaitable[None]]


def talk(config: PhoneConfig, then: Then) -> None:
    """Alice, who has this configuration, calls Bob; then `then(her call, his, the link)`."""
    network = Network(4)
    alice_at, bob_at = network.host("10.0.0.1"), network.host("10.0.0.2")
    link = network.link(alice_at, bob_at, delay=0.02)

    async def main() -> None:
        patient = PhoneConfig(media_timeout=None)
        async with (
            Softphone(Account("sip:alice@10.0.0.1"), bind="10.0.0.1:5060", config=config) as alice,
            Softphone(Account("sip:bob@10.0.0.2"), bind="10.0.0.2:5060", config=patient) as bob,
        ):
            calls: list[Call] = []

            async def answer(event: IncomingCall) -> None:
                calls.append(event.call)
                await event.call.answer()

            bob.on("incoming_call", answer)
            call = await alice.call("sip:bob@10.0.0.2")
            await then(call, calls[0], link)

    Simulation(network).run(main())


def lives(call: Call) -> list[tuple[str, float]]:
    """A list that what `call` tells of silence is put into, with the duration of the call then, to 10 s."""
    told: list[tuple[str, float]] = []

    def lost(event: MediaLost) -> None:
        told.append((f"lost after {event.silent_s:.0f} s", round(call.duration, -1)))

    def regained(event: MediaRegained) -> None:
        told.append((f"back after {event.silent_s:.0f} s", round(call.duration, -1)))

    call.on("media_lost", lost)
    call.on("media_regained", regained)
    return told


def test_a_peer_that_was_killed_is_hung_up_on() -> None:
    async def then(call: Call, _: Call, link: Link) -> None:
        told = lives(call)
        await asyncio.sleep(10)
        link.cut()
        ended: Ended = await call.ended()
        assert told == [("lost after 30 s", 40)]
        assert (ended.by, ended.reason) == ("timeout", "nothing heard for 30 s")
        assert ended.duration == pytest.approx(40, abs=1)
        assert "nothing heard any more" in render_text(call.trace)

    talk(PhoneConfig(hangup_on_media_timeout=True), then)


def test_the_peer_learns_why() -> None:
    """Only the way here is broken: Bob hears Alice well, until she hangs up."""

    async def then(call: Call, other: Call, link: Link) -> None:
        await asyncio.sleep(1)
        link.towards(link.a).set(drop_if=lambda datagram: datagram.data[:1] in (b"\x80", b"\x81"))
        ended = await other.ended()
        assert (ended.by, ended.reason) == ("remote", "nothing heard for 5 s")
        assert (await call.ended()).by == "timeout"

    talk(PhoneConfig(media_timeout=5.0, hangup_on_media_timeout=True), then)


def test_it_is_only_told_unless_configured() -> None:
    async def then(call: Call, _: Call, link: Link) -> None:
        told = lives(call)
        await asyncio.sleep(10)
        link.cut()
        await asyncio.sleep(60)
        link.heal()
        await asyncio.sleep(5)
        assert told == [("lost after 30 s", 40), ("back after 60 s", 70)]
        await call.hangup()

    talk(PhoneConfig(), then)


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_a_hold_is_no_loss(who: str) -> None:
    async def then(call: Call, other: Call, link: Link) -> None:
        told = lives(call)
        await asyncio.sleep(5)
        holding = call if who == "alice" else other
        await holding.hold()
        link.cut()
        await asyncio.sleep(300)
        assert told == []
        link.heal()
        await holding.resume()
        await asyncio.sleep(60)
        assert told == []
        await call.hangup()

    talk(PhoneConfig(hangup_on_media_timeout=True), then)


def test_never() -> None:
    async def then(call: Call, _: Call, link: Link) -> None:
        told = lives(call)
        await asyncio.sleep(5)
        link.cut()
        await asyncio.sleep(600)
        assert told == []
        link.heal()
        await call.hangup()

    talk(PhoneConfig(media_timeout=None, hangup_on_media_timeout=True), then)


def test_less_than_a_second_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 s"):
        PhoneConfig(media_timeout=0.5)
