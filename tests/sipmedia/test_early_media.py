"""Forked calls, reliable provisional responses and early offers, as a phone lives through them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dialog.message import Request, Response
from media import SessionState
from sipmedia import Call, CallFailed, CallState, IncomingCall, InvalidCallState, PhoneConfig
from tests.sipmedia.kit import ScriptedPeer, pair, run
from tests.sipmedia.kit.scripted import sdp


def reliable(number: int) -> list[tuple[str, str]]:
    return [("Require", "100rel"), ("RSeq", str(number)), ("Allow", "INVITE, PRACK, UPDATE")]


@asynccontextmanager
async def calling(*, late_offer: bool = False) -> AsyncIterator[tuple[ScriptedPeer, Call, Request]]:
    """A call to a peer that has not said anything yet, and its INVITE."""
    async with ScriptedPeer() as peer, pair() as phones:
        call = phones.alice.dial(f"sip:peer@127.0.0.1:{peer.port}", late_offer=late_offer)
        yield peer, call, await peer.expect("INVITE")
        if call.state is CallState.ANSWERED:
            hangup = asyncio.ensure_future(call.hangup())
            peer.respond(await peer.expect("BYE"), 200)
            await hangup


def remote_port(call: Call) -> int | None:
    assert call.session is not None
    return call.session.remote_address[1] if call.session.remote_address is not None else None


def test_the_branch_that_answered_reliably_is_the_calls() -> None:
    async def test() -> None:
        async with calling() as (peer, call, invite):
            peer.respond(invite, 183, "a", sdp(30000), reliable(1))
            peer.respond(await peer.expect("PRACK"), 200, "a")
            peer.respond(invite, 183, "b", sdp(30010), reliable(9))
            prack = await peer.expect("PRACK")
            assert (prack.to.tag, prack.headers.get("RAck")) == ("b", f"9 {invite.cseq}")
            peer.respond(prack, 200, "b")
            peer.respond(invite, 200, "a")
            await call.answered()
            assert remote_port(call) == 30000
            assert call.codec == "PCMU"

    run(test())


def test_previews_of_two_branches_and_an_answer_of_a_third() -> None:
    async def test() -> None:
        async with calling() as (peer, call, invite):
            errors: list[object] = []
            call.on("error", errors.append)
            for tag, port in (("a", 30000), ("b", 30010), ("a", 30020), ("a", 30020)):
                peer.respond(invite, 183, tag, sdp(port))
            await asyncio.sleep(0.1)
            assert call.session is not None
            assert call.session.state is SessionState.NEGOTIATING
            peer.respond(invite, 200, "c", sdp(30030))
            await call.answered()
            assert remote_port(call) == 30030
            assert not errors

    run(test())


def test_a_branch_offers_an_update_before_it_answers() -> None:
    async def test() -> None:
        async with calling() as (peer, call, invite):
            peer.respond(invite, 183, "a", sdp(30000), reliable(1))
            peer.respond(await peer.expect("PRACK"), 200, "a")
            peer.request_like(invite, "UPDATE", 1, sdp(30040), "a")
            updated = await peer.expect_status(200)
            assert b"m=audio" in updated.body
            peer.respond(invite, 200, "a")
            await call.answered()
            assert remote_port(call) == 30040

    run(test())


def test_offers_of_two_branches_to_a_call_without_one() -> None:
    async def test() -> None:
        async with calling(late_offer=True) as (peer, call, invite):
            for tag, port in (("a", 30000), ("b", 30010)):
                peer.respond(invite, 183, tag, sdp(port), reliable(1))
                prack = await peer.expect("PRACK")
                assert b"m=audio" in prack.body
                peer.respond(prack, 200, tag)
            peer.respond(invite, 200, "b")
            await call.answered()
            assert remote_port(call) == 30010

    run(test())


def test_an_early_offer_we_can_do_nothing_with_ends_the_call() -> None:
    async def test() -> None:
        async with calling(late_offer=True) as (peer, call, invite):
            peer.respond(invite, 183, "a", sdp(formats="3"), reliable(1))
            await peer.expect("PRACK")
            peer.respond(await peer.expect("CANCEL"), 200)
            peer.respond(invite, 487)
            with pytest.raises(CallFailed):
                await call.answered()

    run(test())


def test_a_branch_that_is_over_takes_its_media_along() -> None:
    async def test() -> None:
        async with calling() as (peer, call, invite):
            peer.respond(invite, 183, "a", sdp(30000))
            peer.respond(invite, 199, "a")
            peer.respond(invite, 200, "b", sdp(30010))
            await call.answered()
            assert remote_port(call) == 30010

    run(test())


@pytest.mark.parametrize("late_offer", [False, True])
@pytest.mark.parametrize("required", [False, True])
def test_early_media_between_two_phones(late_offer: bool, required: bool) -> None:
    """A late offer is made in the 183, answered in the PRACK, and the 200 says nothing more."""

    async def test() -> None:
        async def on_call(event: IncomingCall) -> None:
            event.call.progress()
            await asyncio.sleep(1)
            await event.call.answer()

        settings = PhoneConfig(reliable_provisional="required" if required else "supported")
        async with pair(on_call, alice=settings, bob=settings) as phones:
            call = phones.alice.dial(phones.bobs_uri, late_offer=late_offer)
            await asyncio.sleep(0.5)
            assert call.session is not None
            assert call.state is CallState.RINGING
            await call.answered()
            other = phones.bob.calls[0]
            assert (call.codec, other.codec) == ("PCMU", "PCMU")
            labels = [entry.label for entry in call.trace.entries()]
            assert any("PRACK" in label for label in labels)
            await call.hangup()

    run(test())


def test_who_answers_before_the_prack_waits_for_it() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, pair() as phones:
            answers: list[asyncio.Task[None]] = []

            async def on_call(event: IncomingCall) -> None:
                event.call.progress()
                answers.append(asyncio.ensure_future(event.call.answer()))

            phones.alice.on("incoming_call", on_call)
            peer.invite(("127.0.0.1", phones.alice.address[1]), "", headers=("Supported: 100rel",))
            early = await peer.expect_status(183)
            assert b"m=audio" in early.body
            text = f"RAck: {early.headers.get('RSeq')} 1 INVITE"
            await asyncio.sleep(0.3)
            assert not answers[0].done()
            prack(peer, early, text)
            ok = await invite_answer(peer)
            assert not ok.body
            peer.acknowledge(ok)
            await answers[0]
            call = phones.alice.calls[0]
            assert remote_port(call) == 30000
            peer.request_after(ok, "BYE", 3)
            await call.ended()

    run(test())


def test_no_early_offer_to_who_cannot_acknowledge_it() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, pair() as phones:
            failures: list[Exception] = []

            def on_call(event: IncomingCall) -> None:
                try:
                    event.call.progress()
                except InvalidCallState as error:
                    failures.append(error)
                event.call.reject()

            phones.alice.on("incoming_call", on_call)
            peer.invite(("127.0.0.1", phones.alice.address[1]), "")
            await peer.expect_status(603)
            assert failures

    run(test())


def test_required_of_a_caller_who_cannot() -> None:
    async def test() -> None:
        settings = PhoneConfig(reliable_provisional="required")
        async with ScriptedPeer() as peer, pair(alice=settings) as phones:
            peer.invite(("127.0.0.1", phones.alice.address[1]), sdp())
            refused = await peer.expect_status(421)
            assert refused.require == ("100rel",)

    run(test())


def prack(peer: ScriptedPeer, early: Response, rack: str) -> None:
    body = sdp()
    lines = (
        f"PRACK {early.contacts[0].uri} SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.1:{peer.port};branch=z9hG4bKprack",
        "Max-Forwards: 70",
        f"From: {early.from_}",
        f"To: {early.to}",
        f"Call-ID: {early.call_id}",
        "CSeq: 2 PRACK",
        rack,
        "Content-Type: application/sdp",
        f"Content-Length: {len(body)}",
        "",
        body,
    )
    text = "\r\n".join(lines)
    uri = early.contacts[0].uri
    port = getattr(uri, "port", None)
    assert port is not None
    peer.send(text.encode(), ("127.0.0.1", port))


async def invite_answer(peer: ScriptedPeer) -> Response:
    while True:
        response = await peer.expect_status(200)
        if response.cseq.method == "INVITE":
            return response
