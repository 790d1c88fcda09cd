"""A person with a headset among calls, conferences and bridges: who is heard where, and after what."""

import asyncio

import pytest

from media.audio.echo_cancellation import VoiceSettings
from media.device.virtual import VirtualBackend
from sipmedia import Call, Conference, Headset, Softphone, bridge
from tests.sipmedia.kit.meeting import Ear, Person, simulate


def headset_of(person: Person) -> Headset:
    return Headset(backend=VirtualBackend([person.card]), voice=VoiceSettings(echo_cancellation=False))


@pytest.mark.parametrize("codecs", [["PCMU"] * 2, ["G722", "PCMA"]])
def test_a_person_with_a_headset_takes_part(codecs: list[str]) -> None:
    async def test(hub: Softphone, calls: list[Call], ears: list[Ear]) -> None:
        person = Person(1100.0)
        async with Headset(
            backend=VirtualBackend([person.card]), voice=VoiceSettings(echo_cancellation=False)
        ) as headset:
            headset.attach(calls[0])
            await asyncio.sleep(2)
            assert ears[0].hears(1100.0)
            conference = Conference()
            party = conference.add(headset)
            assert (headset.call, conference.headsets, conference[headset]) == (None, (headset,), party)
            assert conference.add(headset) is party
            for call in calls:
                conference.add(call)
            await asyncio.sleep(3)
            before = headset.statistics()
            await asyncio.sleep(2)
            assert ears[0].hears(700.0, 1100.0)
            assert ears[1].hears(500.0, 1100.0)
            assert person.hears(500.0, 700.0)
            after = headset.statistics()
            for way in ("input", "output"):
                first, last = before[way], after[way]
                assert first is not None
                assert last is not None
                assert (last.underruns, last.skipped_ms) == (first.underruns, first.skipped_ms)
                assert last.delay_ms < 45
            assert party.dropped == 0
            conference.remove(calls[0])
            headset.muted = True
            await asyncio.sleep(3)
            assert ears[1].hears()
            assert person.hears(700.0)
            headset.muted = False
            headset.attach(calls[1])  # and out of the conference
            assert (headset.call, conference.headsets) == (calls[1], ())
            conference.remove(calls[1])
            headset.attach(calls[0])
            await asyncio.sleep(3)
            assert ears[0].hears(1100.0)
            assert person.hears(500.0)
            conference.add(headset)
            conference.close()
            assert (conference.headsets, conference.calls) == ((), ())
            conference.remove(headset)  # harmless
            conference.add(headset)
        assert conference.headsets == ()  # it was closed

    simulate(test, codecs)


def test_a_call_that_leaves_a_conference_has_its_headset_again() -> None:
    async def test(hub: Softphone, calls: list[Call], ears: list[Ear]) -> None:
        person = Person(1100.0)
        async with headset_of(person) as headset:
            headset.attach(calls[0])
            conference = Conference()
            for call in calls:
                conference.add(call)
            await asyncio.sleep(2)
            assert ears[0].hears(700.0)
            conference.remove(calls[0])
            await asyncio.sleep(2)
            assert ears[0].hears(1100.0)
            assert ears[1].hears()
            assert person.hears(500.0)
            conference.add(calls[0])
            await asyncio.sleep(2)
            headset.detach()  # while the call is in the conference: that is not what it leaves
            await asyncio.sleep(2)
            assert ears[0].hears(700.0)
            conference.remove(calls[0])
            await asyncio.sleep(2)
            assert ears[0].hears()

    simulate(test, ["PCMU"] * 2)


def test_a_call_becomes_a_conference_that_the_headset_joins() -> None:
    async def test(hub: Softphone, calls: list[Call], ears: list[Ear]) -> None:
        person = Person(1100.0)
        async with headset_of(person) as headset:
            headset.attach(calls[0])
            conference = Conference()
            for call in calls:
                conference.add(call)
            conference.add(headset)
            await asyncio.sleep(3)
            assert ears[0].hears(700.0, 1100.0)
            assert ears[1].hears(500.0, 1100.0)
            assert person.hears(500.0, 700.0)

    simulate(test, ["PCMU"] * 2)


def test_a_headset_that_takes_a_call_of_a_conference_keeps_it() -> None:
    async def test(hub: Softphone, calls: list[Call], ears: list[Ear]) -> None:
        person = Person(1100.0)
        async with headset_of(person) as headset:
            conference = Conference()
            for call in calls:
                conference.add(call)
            headset.attach(calls[0])
            await asyncio.sleep(2)
            assert ears[0].hears(1100.0)
            conference.remove(calls[0])
            await asyncio.sleep(2)
            assert ears[0].hears(1100.0)
            assert person.hears(500.0)

    simulate(test, ["PCMU"] * 2)


@pytest.mark.parametrize("codecs", [["PCMU"] * 2, ["PCMU", "G722"]])
def test_a_bridge_that_ends_gives_the_headset_back(codecs: list[str]) -> None:
    async def test(hub: Softphone, calls: list[Call], ears: list[Ear]) -> None:
        person = Person(1100.0)
        async with headset_of(person) as headset:
            headset.attach(calls[0])
            with bridge(*calls):
                await asyncio.sleep(2)
                assert ears[0].hears(700.0)
                assert ears[1].hears(500.0)
            await asyncio.sleep(2)
            assert ears[0].hears(1100.0)
            assert ears[1].hears()

    simulate(test, codecs)


def test_two_headsets_at_one_call() -> None:
    """The last one is heard; when it leaves, the one before."""

    async def test(hub: Softphone, calls: list[Call], ears: list[Ear]) -> None:
        one, two = Person(700.0), Person(1100.0)
        async with headset_of(one) as first, headset_of(two) as second:
            first.attach(calls[0])
            second.attach(calls[0])
            await asyncio.sleep(2)
            assert ears[0].hears(1100.0)
            assert one.hears(500.0)
            assert two.hears(500.0)
            second.detach()
            await asyncio.sleep(2)
            assert ears[0].hears(700.0)
            second.attach(calls[0])
            first.detach()
            await asyncio.sleep(2)
            assert ears[0].hears(1100.0)
            second.detach()
            await asyncio.sleep(2)
            assert ears[0].hears()

    simulate(test, ["PCMU"])


def test_a_call_keeps_nothing_of_headsets_that_left() -> None:
    async def test(hub: Softphone, calls: list[Call], ears: list[Ear]) -> None:
        async with headset_of(Person(1100.0)) as headset:
            before = {name: len(calls[0].listeners(name)) for name in calls[0].event_names()}
            for _ in range(3):
                headset.attach(calls[0])
                headset.detach()
            after = {name: len(calls[0].listeners(name)) for name in calls[0].event_names()}
            assert {name: n for name, n in after.items() if n} == before

    simulate(test, ["PCMU"])
