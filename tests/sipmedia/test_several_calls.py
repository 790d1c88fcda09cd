"""Several calls of one phone, hold with music, mute, and peace."""

import asyncio

import numpy as np
import pytest

from sipmedia import Call, CallFailed, CallState, IncomingCall, InvalidCallState, PhoneConfig
from tests.sipmedia.kit import ScriptedPeer, connected, first, pair, run
from tests.sipmedia.kit.scripted import sdp

TONE = (8000 * np.sin(np.arange(8000) * 2 * np.pi * 440 / 8000)).astype(np.int16)


async def answer(event: IncomingCall) -> None:
    await event.call.answer()


async def loudness(call: Call, seconds: float = 0.5) -> int:
    """The loudest sample heard from now on."""
    loudest = 0
    frames = call.frames()
    until = asyncio.get_running_loop().time() + seconds
    async for frame in frames:
        loudest = max(loudest, int(np.abs(frame.samples).max()))
        if asyncio.get_running_loop().time() > until:
            break
    frames.close()
    return loudest


def test_switching_between_two_calls() -> None:
    async def test() -> None:
        async with pair(answer) as phones:
            one = await phones.alice.call(phones.bobs_uri)
            two = phones.alice.dial(phones.bobs_uri)
            with pytest.raises(InvalidCallState):
                await phones.alice.switch_to(two)
            assert not one.held
            await two.answered()
            await phones.alice.switch_to(two)
            assert (one.held, two.held) == (True, False)
            assert phones.alice.active_calls == [two]
            await phones.alice.switch_to(one)
            assert (one.held, two.held) == (False, True)
            await phones.alice.hold_all()
            assert phones.alice.active_calls == []

    run(test())


def test_a_waiting_call_is_taken_and_the_other_held() -> None:
    async def test() -> None:
        async with pair() as phones:
            incoming = first(phones.bob, "incoming_call")
            first_call = phones.alice.dial(phones.bobs_uri)
            talking = (await incoming).call
            await talking.answer()
            await first_call.answered()
            waiting = first(phones.bob, "incoming_call")
            second = phones.alice.dial(phones.bobs_uri)
            call = (await waiting).call
            await phones.bob.switch_to(call, music=TONE)
            assert (talking.held, call.state) == (True, CallState.ANSWERED)
            assert await loudness(first_call) > 4000
            await second.answered()

    run(test())


def test_a_call_that_cannot_be_held_is_told_and_left() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, pair() as phones:
            call = phones.alice.dial(f"sip:peer@127.0.0.1:{peer.port}")
            peer.respond(await peer.expect("INVITE"), 200, sdp=sdp())
            await call.answered()
            error = first(phones.alice, "error")
            holding = asyncio.ensure_future(phones.alice.hold_all())
            await peer.expect("ACK")
            peer.respond(await peer.expect("INVITE"), 488)
            await holding
            assert "on hold" in (await error).doing
            hangup = asyncio.ensure_future(call.hangup())
            peer.respond(await peer.expect("BYE"), 200)
            await hangup

    run(test())


def test_music_on_hold_until_the_call_is_resumed() -> None:
    async def test() -> None:
        async with connected() as (call, other):
            await call.hold(music=TONE)
            assert await loudness(other, 3) > 4000
            await call.hold(music=TONE // 4)
            await asyncio.sleep(0.5)
            assert 1000 < await loudness(other) < 3000
            await call.resume()
            await asyncio.sleep(0.5)
            assert await loudness(other) == 0

    run(test())


def test_what_is_played_goes_on_after_the_music() -> None:
    async def test() -> None:
        async with connected() as (call, other):
            playback = call.play(TONE, repeat=None)
            await call.hold(music=TONE // 16)
            await asyncio.sleep(0.5)
            assert await loudness(other) < 1000
            await call.resume()
            await asyncio.sleep(0.5)
            assert await loudness(other) > 4000
            assert not playback.done

    run(test())


def test_muted_nothing_is_heard_and_all_goes_on() -> None:
    async def test() -> None:
        async with connected() as (call, other):
            call.play(TONE, repeat=None)
            await asyncio.sleep(0.3)
            assert await loudness(other) > 4000
            call.mute()
            assert call.muted
            await asyncio.sleep(0.3)
            assert await loudness(other) == 0
            pressed = first(other, "dtmf")
            await call.send_dtmf("5")
            assert (await pressed).digit == "5"
            call.unmute()
            assert not call.muted
            await asyncio.sleep(0.3)
            assert await loudness(other) > 4000

    run(test())


@pytest.mark.parametrize("status", [486, 480])
def test_peace(status: int) -> None:
    async def test() -> None:
        async with pair(answer, bob=PhoneConfig(do_not_disturb_status=status)) as phones:
            phones.bob.do_not_disturb = True
            created: list[object] = []
            phones.bob.on("call_created", created.append)
            with pytest.raises(CallFailed) as failed:
                await phones.alice.call(phones.bobs_uri)
            assert failed.value.status == status
            assert not created
            phones.bob.do_not_disturb = False
            await (await phones.alice.call(phones.bobs_uri)).hangup()

    run(test())
