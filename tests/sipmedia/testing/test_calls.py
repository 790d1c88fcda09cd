"""sipmedia/testing/calls.py: assertions about calls, and what a failed one says."""

import asyncio

import pytest

from sipmedia import Softphone
from sipmedia.simulation import Network
from sipmedia.testing import (
    Phones,
    SimCall,
    assert_dtmf,
    assert_ladder,
    assert_mos,
    assert_mouth_to_ear,
    assert_no_leaks,
    assert_one_way_audio,
    assert_two_way_audio,
    record_of,
    speech,
    tone,
    watch,
)

CLIP = speech(3, seed=5)


async def test_audio_both_ways_and_one_way(sim_call: SimCall) -> None:
    caller, callee = sim_call
    await caller.play(CLIP)
    await asyncio.sleep(0.2)
    assert_one_way_audio(caller, callee)
    with pytest.raises(AssertionError, match="one-way audio: bob hears alice, but alice heard nothing"):
        assert_two_way_audio(caller, callee)
    with pytest.raises(AssertionError, match="alice heard nothing of bob"):
        assert_one_way_audio(callee, caller)
    await callee.play(CLIP)
    await asyncio.sleep(0.2)
    assert_two_way_audio(caller, callee)
    with pytest.raises(
        AssertionError, match="should go one way, from alice to bob, but alice heard something"
    ):
        assert_one_way_audio(caller, callee)


async def test_no_audio_at_all(sim_call: SimCall) -> None:
    with pytest.raises(AssertionError, match="no audio: neither alice nor bob heard anything"):
        assert_two_way_audio(*sim_call)


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.15])
async def test_mouth_to_ear(sim_call: SimCall, delay: float) -> None:
    assert sim_call.link is not None
    sim_call.link.set(delay=delay)
    await sim_call.caller.play(CLIP)
    await asyncio.sleep(0.5)
    # What the link takes, and 15 ms in the jitter buffer, rounded up to the tick that plays it.
    measured = assert_mouth_to_ear(sim_call.callee, 0.2)
    assert delay + 0.0149 <= measured <= delay + 0.0351
    with pytest.raises(
        AssertionError, match=r"from alice's mouth to bob's ear it takes \d+ ms; at most 10 ms"
    ):
        assert_mouth_to_ear(sim_call.callee, 0.01)


async def test_opinions(sim_call: SimCall) -> None:
    caller, callee = sim_call
    with pytest.raises(AssertionError, match="there is no opinion of bob's"):
        assert_mos(callee, 1)
    await caller.play(CLIP)
    assert assert_mos(callee, 4) > 4
    assert sim_call.link is not None
    sim_call.link.set(loss=0.2)
    await caller.play(CLIP)
    with pytest.raises(AssertionError, match=r"bob would give \d\.\d\d \(MOS\); at least 4 was") as failed:
        assert_mos(callee, 4)
    assert "\ncause: the network: it lost " in str(failed.value)


async def test_keys(sim_call: SimCall) -> None:
    caller, callee = sim_call
    await caller.send_dtmf("12#")
    assert_dtmf(callee, "12#")
    with pytest.raises(
        AssertionError, match=r"bob heard the keys '12#', expected '12\*'\n  alice pressed 3 keys"
    ):
        assert_dtmf(callee, "12*")
    with pytest.raises(AssertionError, match="alice heard no key, expected '1'"):
        assert_dtmf(caller, "1")


async def test_ladders(sim_call: SimCall) -> None:
    await sim_call.caller.hangup()
    found = assert_ladder(sim_call.caller, "INVITE", "200", "ACK", "BYE", "200")
    assert [entry.label for entry in found] == ["INVITE", "200 OK", "ACK", "BYE", "200 OK"]
    with pytest.raises(AssertionError) as failed:
        assert_ladder(sim_call.caller, "INVITE", "183")
    text = str(failed.value)
    assert text.startswith("alice's ladder has no '183' after 'INVITE' at 0.000 s\n  it has: INVITE, ")
    assert text.endswith("cause: '183' was never sent by alice or bob")


async def test_a_message_that_was_lost_is_told_from_one_that_was_never_sent(
    network: Network, phones: Phones
) -> None:
    alice, bob = phones
    network.link(alice.host, bob.host).towards(bob.host).set(drop_if=lambda d: d.data.startswith(b"ACK "))
    await alice.call(bob)
    await asyncio.sleep(2)
    with pytest.raises(AssertionError) as failed:
        assert_ladder(bob, "INVITE", "200", "ACK")
    assert "'200 OK' was sent again 2 times" in str(failed.value)
    assert str(failed.value).splitlines()[-1].startswith("cause: alice sent 'ACK' at 0.00")


async def test_nothing_is_left_of_a_call(phones: Phones) -> None:
    alice, bob = phones
    call = await alice.call(bob)
    with pytest.raises(AssertionError) as failed:
        await assert_no_leaks(*phones)
    text = str(failed.value)
    assert "alice still has <Call to sip:bob@192.0.2.2:5060 answered>" in text
    assert "of alice (active), RTP on 192.0.2.1:10000" in text
    assert "socket UDP 192.0.2.1:10000 on alice.example" in text
    await call.hangup()
    await assert_no_leaks(*phones)


async def test_an_applications_own_phone_is_watched(network: Network) -> None:
    network.host("10.0.0.1")
    async with Softphone(bind="10.0.0.1:5060") as phone, Softphone(bind="10.0.0.1:5062") as other:
        watch(phone, "the app")
        other.on("incoming_call", lambda event: event.call.answer())
        call = await phone.call("sip:other@10.0.0.1:5062")
        await call.play(tone(440))
        assert record_of(call).name == "the app"
        with pytest.raises(LookupError, match="the far end of the app's call is not watched"):
            assert_mouth_to_ear(call, 0.1)
        with pytest.raises(LookupError, match="is not recorded: use the fixture `phones`, or watch"):
            record_of(other.calls[0])
