"""Keys of a call every way they travel, each told once; in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from media import BadDigits, InvalidState, ManagerConfig, SessionConstraints
from media.audio.graph import SampleSource
from media.audio.synthesis import melody
from sipmedia import Account, Call, Dtmf, IncomingCall, InvalidCallState, PhoneConfig, Softphone
from sipmedia.keypad import Presses, SendMethod
from sipmedia.simulation import Network, Simulation

Test = Callable[[Call, Call, list[tuple[str, str]]], Awaitable[None]]


async def talk(test: Test, config: PhoneConfig | None = None, *, events: bool = True) -> None:
    async with (
        Softphone(Account("sip:a@10.0.0.1"), bind="10.0.0.1:5060") as alice,
        Softphone(Account("sip:b@10.0.0.2"), bind="10.0.0.2:5060", config=config) as bob,
    ):
        taken: asyncio.Future[Call] = asyncio.get_running_loop().create_future()
        keys: list[tuple[str, str]] = []

        def on_key(event: Dtmf) -> None:
            keys.append((event.digit, event.method))

        async def answer(event: IncomingCall) -> None:
            event.call.on("dtmf", on_key)
            await event.call.answer()
            taken.set_result(event.call)

        bob.on("incoming_call", answer)
        if not events:
            without_events(alice)
        call = await alice.call("sip:b@10.0.0.2")
        await test(call, await taken, keys)
        await call.hangup()


def without_events(phone: Softphone) -> None:
    """Have the phone offer no telephone-event."""
    manager = phone.media
    create_offer = manager.create_offer

    def offer(constraints: SessionConstraints | None = None) -> Any:
        return create_offer(replace(constraints or SessionConstraints(), dtmf_enabled=False))

    pytest.MonkeyPatch().setattr(manager, "create_offer", offer)


def simulate(test: Test, config: PhoneConfig | None = None, *, events: bool = True, **link: Any) -> None:
    network = Network(seed=1, **link)
    network.host("10.0.0.1")
    network.host("10.0.0.2")
    Simulation(network).run(talk(test, config, events=events), limit=100)


@pytest.mark.parametrize(
    ("method", "way"), [("auto", "rfc4733"), ("rfc4733", "rfc4733"), ("info", "info"), ("info-plain", "info")]
)
def test_each_way(method: SendMethod, way: str) -> None:
    async def test(call: Call, other: Call, keys: list[tuple[str, str]]) -> None:
        await call.send_dtmf("1*#dd!", method=method)
        await asyncio.sleep(0.5)
        assert keys == [(key, way) for key in "1*#DD!"]

    simulate(test, delay=0.02, jitter=0.01)


def test_in_the_sound() -> None:
    async def test(call: Call, other: Call, keys: list[tuple[str, str]]) -> None:
        call.play(SampleSource(melody(8000), 8000, repeat=None))
        await asyncio.sleep(1)
        await call.send_dtmf("1590*#", 80, method="inband")
        await asyncio.sleep(0.5)
        assert keys == [(key, "inband") for key in "1590*#"]
        with pytest.raises(BadDigits, match="no sound"):
            await call.send_dtmf("!", method="inband")

    simulate(test, PhoneConfig(inband_dtmf="always"))


def test_without_telephone_event_info_is_next_and_sound_is_listened_to() -> None:
    async def test(call: Call, other: Call, keys: list[tuple[str, str]]) -> None:
        with pytest.raises(InvalidState):
            await call.send_dtmf("1", method="rfc4733")
        assert "INFO" in call.usage.peer_allows
        assert "INFO" in other.usage.peer_allows
        await call.send_dtmf("12")
        await call.send_dtmf("34", method="inband")
        call.usage.confirmed_branch.peer_allows = frozenset({"INVITE", "ACK", "BYE"})
        await call.send_dtmf("56")
        await asyncio.sleep(0.5)
        assert keys == [*((key, "info") for key in "12"), *((key, "inband") for key in "3456")]
        with pytest.raises(InvalidState, match="flash"):
            await call.send_dtmf("!")

    simulate(test, events=False)


def test_nothing_is_listened_to_where_telephone_event_was_agreed_upon() -> None:
    async def test(call: Call, other: Call, keys: list[tuple[str, str]]) -> None:
        await call.send_dtmf("34", method="inband")
        await asyncio.sleep(0.5)
        assert keys == []

    simulate(test)


def test_sound_is_searched_for_keys_only_once_somebody_wants_them() -> None:
    async def test(call: Call, other: Call, keys: list[tuple[str, str]]) -> None:
        heard: list[str] = []
        await other.send_dtmf("1", method="inband")  # alice has no listener
        await asyncio.sleep(0.3)
        call.on("dtmf", lambda event: heard.append(event.digit))
        await other.send_dtmf("2", method="inband")
        await asyncio.sleep(0.3)
        assert heard == ["2"]

    simulate(test, events=False)


def test_the_same_key_all_ways_at_once_is_one() -> None:
    async def test(call: Call, other: Call, keys: list[tuple[str, str]]) -> None:
        for digit in "1223":
            await asyncio.gather(
                call.send_dtmf(digit, method="rfc4733"),
                call.send_dtmf(digit, method="info"),
                call.send_dtmf(digit, method="inband"),
            )
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)
        assert [key for key, _ in keys] == ["1", "2", "2", "3"]

    simulate(test, PhoneConfig(inband_dtmf="always"), delay=0.02)


def test_info_needs_an_answered_call() -> None:
    async def test(call: Call, other: Call, keys: list[tuple[str, str]]) -> None:
        await call.info("text/plain", b"hello")
        await asyncio.sleep(0.5)
        assert keys == []

    simulate(test)

    async def too_early() -> None:
        async with Softphone(bind="10.0.0.1:5060", media=ManagerConfig()) as phone:
            call = phone.dial("sip:nobody@10.0.0.2")
            with pytest.raises(InvalidCallState):
                await call.info("text/plain", b"hello")

    network = Network(seed=1)
    network.host("10.0.0.1")
    network.host("10.0.0.2")
    Simulation(network).run(too_early(), limit=100)


def test_presses() -> None:
    presses = Presses()
    assert presses.is_new("1", "rfc4733", 10.0, 0.1)
    assert not presses.is_new("1", "info", 10.3, 0.1)
    assert presses.is_new("1", "info", 10.4, 0.1)  # the second press, ahead of its telephone-event
    assert not presses.is_new("1", "rfc4733", 10.5, 0.1)
    assert presses.is_new("2", "rfc4733", 10.5, 0.1)
    assert presses.is_new("1", "info", 12.0, 0.1)
    assert presses.is_new("5", "info", 20.0, 0.1)  # told at its beginning
    assert not presses.is_new("5", "rfc4733", 23.0, 3.0)  # and at its end
