"""The flows of RFC 3665 section 3 that need no registrar and no proxy, by whole phones with their sound.

Message for message they are in tests/dialog/test_callflows.py; here is what callers and callees get of them.
"""

import asyncio

import pytest

from sipmedia import CallFailed, IncomingCall
from sipmedia.simulation import Network
from sipmedia.testing import (
    Phones,
    SimCall,
    assert_heard,
    assert_ladder,
    assert_no_leaks,
    assert_one_way_audio,
    assert_two_way_audio,
    call_time,
    speech,
)

HERS, HIS = speech(2, seed=1), speech(2, seed=2)


async def ring_and_answer(event: IncomingCall) -> None:
    await asyncio.sleep(3)
    await event.call.answer()


async def test_3_1_successful_session_establishment(phones: Phones) -> None:
    alice, bob = phones
    bob.on("incoming_call", ring_and_answer)
    call = await alice.call(bob)
    await asyncio.gather(call.play(HERS), bob.last_call.play(HIS))
    await bob.last_call.hangup()
    for party in (alice, bob):
        assert_ladder(party, "INVITE", "180", "200", "ACK", "first sound", "BYE", "200")
    assert_heard(alice, HIS)
    assert_heard(bob, HERS)
    await assert_no_leaks(alice, bob)


async def test_3_7_session_with_re_invite(sim_call: SimCall) -> None:
    """The flow of the RFC moves the media elsewhere; ours holds the call and takes it up again."""
    caller, callee = sim_call
    await asyncio.gather(caller.play(HERS), callee.play(HIS))
    await callee.hold()
    await asyncio.sleep(0.5)
    held = call_time(caller)
    waiting = caller.play(HERS)  # until the hold is over
    await callee.play(HIS)
    assert_one_way_audio(callee, caller, since=held)
    await callee.resume()
    resumed = call_time(caller)
    await asyncio.gather(waiting, callee.play(HIS))
    await asyncio.sleep(0.5)
    assert_two_way_audio(caller, callee, since=resumed)
    await caller.hangup()
    assert_ladder(
        caller, "INVITE", "200", "ACK", "INVITE", "200", "ACK", "INVITE", "200", "ACK", "BYE", "200"
    )
    await assert_no_leaks(sim_call.alice, sim_call.bob)


async def test_3_8_unsuccessful_no_answer(phones: Phones) -> None:
    alice, bob = phones
    bob.on("incoming_call", lambda _: None)
    call = alice.dial(bob)
    await asyncio.sleep(20)
    await call.hangup()
    for party in (alice, bob):
        assert_ladder(party, "INVITE", "180", "CANCEL", "200", "487", "ACK")
    with pytest.raises(CallFailed):
        await call.answered()
    await assert_no_leaks(alice, bob)


@pytest.mark.parametrize(("status", "words"), [(486, "Busy Here"), (480, "Temporarily Unavailable")])
async def test_3_9_and_3_11_refused(phones: Phones, status: int, words: str) -> None:
    alice, bob = phones
    bob.on("incoming_call", lambda event: event.call.reject(status))
    with pytest.raises(CallFailed) as failed:
        await alice.call(bob)
    assert failed.value.status == status
    assert_ladder(alice, "INVITE", f"{status} ", "ACK")
    await assert_no_leaks(alice, bob)


async def test_3_10_unsuccessful_no_response(network: Network, phones: Phones) -> None:
    """Seven INVITEs in 32 seconds, then 408 of our own making (Timer B)."""
    alice, bob = phones
    network.link(alice.host, bob.host).cut()
    began = network.clock.elapsed
    with pytest.raises(CallFailed) as failed:
        await alice.call(bob)
    assert failed.value.status == 408
    assert network.clock.elapsed - began == pytest.approx(32, abs=0.1)
    assert [entry.label for entry in alice.last_call.trace.entries()] == ["INVITE"] * 7
    await assert_no_leaks(alice, bob)
