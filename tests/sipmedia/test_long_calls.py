"""Calls longer than their session timer, redirected ones, and far ends that hold in ways of their own."""

import asyncio

import pytest

from sipmedia import CallFailed, CallState, IncomingCall, PhoneConfig
from tests.sipmedia.kit import ScriptedPeer, connected, first, pair, run
from tests.sipmedia.kit.scripted import sdp


def test_a_long_call_is_refreshed_by_update() -> None:
    async def test() -> None:
        async with connected() as (call, other):
            events: list[object] = []
            for name in ("held", "resumed", "error", "ended"):
                call.on(name, events.append)
            assert call.usage.session_interval == 1800
            await asyncio.sleep(1000)
            assert call.state is other.state is CallState.ANSWERED
            assert not events
            labels = [entry.label for entry in call.trace.entries()]
            assert sum("UPDATE" in label for label in labels) == 1

    run(test(), 4 * 3600)


def test_without_update_the_same_description_is_offered_again() -> None:
    async def test() -> None:
        timer = [("Session-Expires", "90;refresher=uac"), ("Require", "timer"), ("Allow", "INVITE, ACK, BYE")]
        async with ScriptedPeer() as peer, pair(alice=PhoneConfig(session_expires=90)) as phones:
            call = phones.alice.dial(f"sip:peer@127.0.0.1:{peer.port}")
            invite = await peer.expect("INVITE")
            assert invite.headers.get("Session-Expires") == "90"
            peer.respond(invite, 200, sdp=sdp(), headers=timer)
            await call.answered()
            await peer.expect("ACK")
            await asyncio.sleep(44)
            for _ in range(3):
                again = await peer.expect("INVITE")
                assert again.body == invite.body, "also the version in o="
                peer.respond(again, 200, sdp=sdp(), headers=timer)
                await peer.expect("ACK")
                await asyncio.sleep(44)
            assert call.state is CallState.ANSWERED
            # On hold the description that says so is repeated.
            holding = asyncio.ensure_future(call.hold())
            hold = await peer.expect("INVITE")
            assert b"sendonly" in hold.body
            peer.respond(hold, 200, sdp=sdp(direction="recvonly"), headers=timer)
            await holding
            await peer.expect("ACK")
            await asyncio.sleep(44)
            again = await peer.expect("INVITE")
            assert again.body == hold.body
            peer.respond(again, 488)
            await peer.expect("ACK")
            assert call.held
            ended = await call.ended()
            assert ended.by == "timeout"

    run(test())


def test_a_far_end_that_vanished_is_noticed_by_both_roles() -> None:
    async def test() -> None:
        settings = PhoneConfig(session_expires=90)
        timer = [("Session-Expires", "90;refresher=uas"), ("Require", "timer")]
        async with ScriptedPeer() as peer, pair(alice=settings) as phones:
            call = phones.alice.dial(f"sip:peer@127.0.0.1:{peer.port}")
            peer.respond(await peer.expect("INVITE"), 200, sdp=sdp(), headers=timer)
            await call.answered()
            answered = asyncio.get_running_loop().time()
            ended = await call.ended()
            assert ended.by == "timeout"
            assert ended.reason == "Session timer expired"
            assert asyncio.get_running_loop().time() - answered == pytest.approx(60, abs=1)

    run(test())


def test_a_redirected_call_says_where_it_goes() -> None:
    async def test() -> None:
        async def answer(event: IncomingCall) -> None:
            await event.call.answer()

        async with ScriptedPeer() as peer, pair(answer) as phones:
            call = phones.alice.dial(f"sip:peer@127.0.0.1:{peer.port}")
            redirected = first(call, "redirected")
            invite = await peer.expect("INVITE")
            peer.respond(invite, 302, headers=[("Contact", f"<{phones.bobs_uri}>")])
            await call.answered()
            event = await redirected
            assert (event.target, event.status) == (phones.bobs_uri, 302)
            await call.hangup()

    run(test())


def test_redirection_is_not_followed_when_it_is_switched_off() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, pair(alice=PhoneConfig(follow_redirects=0)) as phones:
            call = phones.alice.dial(f"sip:peer@127.0.0.1:{peer.port}")
            invite = await peer.expect("INVITE")
            peer.respond(invite, 302, headers=[("Contact", f"<{phones.bobs_uri}>")])
            with pytest.raises(CallFailed) as failed:
                await call.answered()
            assert failed.value.status == 302

    run(test())


@pytest.mark.parametrize("answer", ["sendrecv", "recvonly", "inactive", "sendonly", ""])
def test_a_hold_survives_whatever_the_far_end_answers(answer: str) -> None:
    """sendrecv, as buggy phones answer, or no direction at all: we hold all the same, and resume."""

    async def test() -> None:
        async with ScriptedPeer() as peer, pair() as phones:
            call = phones.alice.dial(f"sip:peer@127.0.0.1:{peer.port}")
            peer.respond(await peer.expect("INVITE"), 200, sdp=sdp())
            await call.answered()
            for wanted, reply in (("sendonly", answer), ("sendrecv", "sendrecv")):
                change = asyncio.ensure_future(call.hold() if wanted == "sendonly" else call.resume())
                invite = await peer.expect("INVITE")
                assert f"a={wanted}".encode() in invite.body
                peer.respond(invite, 200, sdp=sdp(direction=reply))
                await change
                assert call.held is (wanted == "sendonly")
                assert call.session is not None
                assert call.session.direction.receives is not call.held
            assert call.session is not None
            assert call.session.direction.sends
            hangup = asyncio.ensure_future(call.hangup())
            peer.respond(await peer.expect("BYE"), 200)
            await hangup

    run(test())


def test_the_hold_of_rfc_2543() -> None:
    """c=0.0.0.0 holds, an address again resumes; without any direction attribute."""

    async def test() -> None:
        async with ScriptedPeer() as peer, pair() as phones:
            incoming = first(phones.alice, "incoming_call")
            peer.invite(("127.0.0.1", phones.alice.address[1]), sdp())
            call = (await incoming).call
            answering = asyncio.ensure_future(call.answer())
            ok = await peer.expect_status(200)
            peer.acknowledge(ok)
            await answering
            held = first(call, "held")
            peer.request_after(ok, "INVITE", 2, sdp().replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0"))
            answer = await peer.expect_status(200)
            assert b"a=recvonly" in answer.body
            peer.request_after(answer, "ACK", 2)
            assert (await held).by == "remote"
            assert call.held_by_remote
            resumed = first(call, "resumed")
            peer.request_after(ok, "INVITE", 3, sdp())
            answer = await peer.expect_status(200)
            peer.request_after(answer, "ACK", 3)
            assert (await resumed).by == "remote"
            peer.request_after(ok, "BYE", 4)
            await call.ended()

    run(test())
