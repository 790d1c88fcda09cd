"""sipmedia/testing/waiting.py: what comes is waited for, what does not is told."""

import asyncio

import pytest

from sipmedia import IncomingCall
from sipmedia.testing import (
    Phones,
    SimCall,
    assert_heard,
    call_time,
    speech,
    tone,
    wait_for_dtmf,
    wait_for_silence,
    wait_for_sound,
    wait_for_tone,
)


async def test_a_conversation_with_an_answering_machine(phones: Phones) -> None:
    alice, bob = phones

    async def machine(event: IncomingCall) -> None:
        await event.call.answer()
        await asyncio.sleep(2)
        await event.call.play(speech(5, seed=3))
        await asyncio.sleep(0.3)
        await event.call.play(tone(1000, 0.5))

    bob.on("incoming_call", machine)
    call = await alice.call(bob)
    assert await wait_for_sound(call, within=3) == pytest.approx(2, abs=0.1)
    beep = await wait_for_tone(call, 1000, within=10, lasting=0.3)
    assert beep.start == pytest.approx(7.3, abs=0.1)
    end = await wait_for_silence(call, within=5)
    assert end == pytest.approx(7.8, abs=0.1)
    await call.play(speech(2, seed=4))
    await call.send_dtmf("1#")
    await wait_for_dtmf(bob, "1#", within=1)
    assert_heard(bob, speech(2, seed=4))


async def test_what_does_not_come_is_told(sim_call: SimCall) -> None:
    caller, callee = sim_call
    with pytest.raises(AssertionError, match="bob heard nothing within 2 s"):
        await wait_for_sound(callee, within=2)
    with pytest.raises(
        AssertionError, match=r"bob did not hear a tone of 440 Hz for 0\.1 s within 1 s after"
    ):
        await wait_for_tone(callee, 440, within=1)
    with pytest.raises(AssertionError, match="bob heard no key, expected '5'"):
        await wait_for_dtmf(callee, "5", within=1)
    caller.play(tone(440, 30))
    await wait_for_sound(callee, within=1)
    then = call_time(callee)
    with pytest.raises(AssertionError, match="bob still hears something: no 1 s of silence within 4 s"):
        await wait_for_silence(callee, within=4)
    assert call_time(callee) - then == pytest.approx(4, abs=0.1)
