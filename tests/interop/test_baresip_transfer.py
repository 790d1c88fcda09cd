"""Transfers with baresip, no proxy between: it is transferred, and it transfers us; with sound afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipmedia import Account, Call, IncomingCall, Softphone
from sipmedia.packages import Presence
from tests.interop.harness import sound
from tests.interop.harness.baresip import Baresip
from tests.interop.harness.parties import Party

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("baresip")]

CAROLS, THEIRS = sound.tune(31, 12.0), sound.tune(32, 20.0)


class Carol:
    """A phone of ours that answers, plays and records."""

    def __init__(self, party: Party, folder: Path) -> None:
        self.phone = Softphone(Account(party.uri("carol").replace(f":{party.sip_port}", "")), bind=party.bind)
        self.heard = folder / "carol.wav"
        self.calls: list[Call] = []
        self.answered = asyncio.Event()
        self.phone.on("incoming_call", self._answer)

    async def _answer(self, event: IncomingCall) -> None:
        await event.call.answer()
        event.call.record(self.heard)
        event.call.play(CAROLS, sample_rate_hz=sound.RATE_HZ)
        self.calls.append(event.call)
        self.answered.set()


def phone(party: Party, user: str) -> Softphone:
    return Softphone(Account(f"sip:{user}@{party.host}"), bind=party.bind)


def test_we_transfer_baresip(addresses: Iterator[Party], folder: Path) -> None:
    us, peer, third = next(addresses), next(addresses), next(addresses)

    async def main() -> None:
        carol = Carol(third, folder)
        async with phone(us, "alice") as alice, carol.phone:
            call = await alice.call(peer.uri("bob"))
            progress: list[int] = []
            call.on("transfer_progress", lambda event: progress.append(event.status))
            await asyncio.sleep(1)
            outcome = await asyncio.wait_for(call.transfer(third.uri("carol")), 10)
            assert outcome.status == 200, (outcome, progress)
            assert alice.calls == []
            await asyncio.sleep(3)
            await carol.calls[0].hangup()

    with Baresip(peer, folder / "baresip", THEIRS) as baresip:
        baresip.wait_ready()
        asyncio.run(asyncio.wait_for(main(), 25))
        baresip.stop()
        sound.assert_heard(baresip.heard(), CAROLS, at_least_s=2)
    sound.assert_heard(sound.read_wav(folder / "carol.wav"), THEIRS, at_least_s=2)


def test_baresip_transfers_us(addresses: Iterator[Party], folder: Path) -> None:
    us, peer, third = next(addresses), next(addresses), next(addresses)
    ours = sound.tune(33, 12.0)

    async def main(baresip: Baresip) -> None:
        carol = Carol(third, folder)
        async with phone(us, "alice") as alice, carol.phone:
            call = await alice.call(peer.uri("bob"))
            call.play(ours, sample_rate_hz=sound.RATE_HZ)
            await asyncio.sleep(1)
            transferred: asyncio.Future[Call] = asyncio.get_running_loop().create_future()
            call.on("transferred", lambda event: transferred.set_result(event.successor))
            await asyncio.to_thread(baresip.command, "transfer", third.uri("carol"))
            successor = await asyncio.wait_for(transferred, 10)
            record = successor.record(folder / "alice.wav")
            ended = await asyncio.wait_for(call.ended(), 5)
            assert ended.by in ("remote", "local")
            await asyncio.sleep(3)
            await record.stop()
            await successor.hangup()

    with Baresip(peer, folder / "baresip", THEIRS) as baresip:
        baresip.wait_ready()
        asyncio.run(asyncio.wait_for(main(baresip), 25))
    sound.assert_heard(sound.read_wav(folder / "alice.wav"), CAROLS, at_least_s=2)
    sound.assert_heard(sound.read_wav(folder / "carol.wav"), ours, at_least_s=2)  # what we play goes on


def test_attended_between_baresip_and_ours(addresses: Iterator[Party], folder: Path) -> None:
    """Two baresips, both in a call with us, are connected with each other."""
    us, peer, third = next(addresses), next(addresses), next(addresses)
    other = sound.tune(34, 20.0)

    async def main() -> None:
        async with phone(us, "alice") as alice:
            first = await alice.call(peer.uri("bob"))
            await first.hold()
            second = await alice.call(third.uri("bob"))
            await asyncio.sleep(1)
            outcome = await asyncio.wait_for(first.transfer_to(second), 10)
            assert outcome.status == 200
            assert alice.calls == []
            await asyncio.sleep(3)

    with (
        Baresip(peer, folder / "bob", THEIRS) as bob,
        Baresip(third, folder / "dave", other, settings=["sip_trans_def udp"]) as dave,
    ):
        bob.wait_ready()
        dave.wait_ready()
        asyncio.run(asyncio.wait_for(main(), 25))
        bob.stop()
        dave.stop()
        sound.assert_heard(bob.heard(), other, at_least_s=2)
        sound.assert_heard(dave.heard(), THEIRS, at_least_s=2)


def test_messages_options_and_presence(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)

    async def main() -> None:
        async with phone(us, "alice") as alice:
            await alice.message(peer.uri("bob"), "hello from here")  # delivered, or this raises
            seen = await alice.options(peer.uri("bob"))
            assert {"INVITE", "MESSAGE", "REFER"} <= seen.methods
            subscription = alice.subscribe(peer.uri("bob"), "presence", expires=60)
            state = await asyncio.wait_for(subscription.established(), 10)
            assert isinstance(state.content, Presence), state
            await subscription.unsubscribe()
            assert (await asyncio.wait_for(subscription.ended(), 5)).by == "local"

    with Baresip(peer, folder / "baresip", THEIRS, settings=["module_app presence.so"]) as baresip:
        baresip.wait_ready()
        asyncio.run(asyncio.wait_for(main(), 25))
