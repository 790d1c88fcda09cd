"""sipmedia/call.py: a call from both ends, answered, refused, given up, hung up."""

import asyncio

import pytest

from sipmedia import (
    CallEnded,
    CallFailed,
    CallState,
    IncomingCall,
    InvalidCallState,
    Ringing,
)
from tests.sipmedia.kit import ScriptedPeer, connected, first, pair, run
from tests.sipmedia.kit.scripted import sdp


def test_both_sides_of_an_answered_call() -> None:
    async def test() -> None:
        async with pair() as phones:
            incoming = first(phones.bob, "incoming_call")
            call = phones.alice.dial(phones.bobs_uri)
            assert [call.state] == [CallState.CALLING]
            assert (call.remote_name, call.local_name, call.remote_uri) == ("bob", "alice", phones.bobs_uri)
            ringing, answered = first(call, "ringing"), first(call, "answered")
            other = (await incoming).call
            assert other.incoming
            assert other.state is CallState.RINGING
            assert (other.remote_uri, other.call_id) == ("sip:alice@127.0.0.1", call.call_id)
            assert isinstance(await ringing, Ringing)
            assert [each.state for each in (call, other)] == [CallState.RINGING] * 2
            await other.answer()
            await call.answered()
            assert (await answered).codec == other.codec == "PCMU"
            assert [each.state for each in (call, other)] == [CallState.ANSWERED] * 2
            assert (phones.alice.calls, phones.bob.calls) == ([call], [other])
            ends = first(call, "ended"), first(other, "ended")
            await asyncio.sleep(90)
            await call.hangup()
            assert [(await end).by for end in ends] == ["local", "remote"]
            assert (await other.ended()).status == 0
            assert 90 <= call.duration < 90.1
            assert "ended" in repr(call)
            await call.hangup()
            await asyncio.gather(call.hangup(), other.hangup())
            assert phones.alice.calls == phones.bob.calls == []

    run(test())


@pytest.mark.parametrize(
    ("status", "words"), [(486, "the far end is busy"), (603, "declined the call"), (404, "no such user")]
)
def test_a_refusal_says_why(status: int, words: str) -> None:
    async def test() -> None:
        async with pair(lambda event: event.call.reject(status)) as phones:
            call = phones.alice.dial(phones.bobs_uri)
            with pytest.raises(CallFailed, match=words) as failed:
                await call.answered()
            assert (failed.value.status, call.status) == (status, status)
            ended = await call.ended()
            assert (ended.by, ended.status, ended.duration) == ("remote", status, 0.0)
            with pytest.raises(CallFailed):
                await call.answered()

    run(test())


def test_no_common_codec_names_both_lists() -> None:
    async def test() -> None:
        async with pair(lambda event: None, bobs_codecs=("PCMA",)) as phones:
            with pytest.raises(CallFailed, match=r"no common codec.*PCMA.*PCMU") as failed:
                await phones.alice.call(phones.bobs_uri, codecs=["PCMU"])
            assert failed.value.status == 488

    run(test())


def test_cancelling_the_wait_cancels_the_call() -> None:
    async def test() -> None:
        async with pair() as phones:
            incoming = first(phones.bob, "incoming_call")
            waiting = asyncio.ensure_future(phones.alice.call(phones.bobs_uri))
            other = (await incoming).call
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            ended = await other.ended()
            assert (ended.by, ended.status) == ("remote", 487)
            with pytest.raises(CallFailed):
                await other.answered()
            with pytest.raises(InvalidCallState, match="ended"):
                await other.answer()

    run(test())


def test_hanging_up_what_rings() -> None:
    async def test() -> None:
        async with pair() as phones:
            for caller_hangs_up in (True, False):
                incoming = first(phones.bob, "incoming_call")
                call = phones.alice.dial(phones.bobs_uri)
                other = (await incoming).call
                await (call if caller_hangs_up else other).hangup()
                ends = [(await each.ended()) for each in (call, other)]
                expected = (["local", "remote"], 487) if caller_hangs_up else (["remote", "local"], 603)
                assert ([end.by for end in ends], ends[0].status) == expected

    run(test())


def test_an_answer_that_crosses_our_cancel_is_hung_up() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, pair() as phones:
            call = phones.alice.dial(f"sip:peer@127.0.0.1:{peer.port}")
            invite = await peer.expect("INVITE")
            ringing = first(call, "ringing")
            peer.respond(invite, 180)
            await ringing
            hangup = asyncio.ensure_future(call.hangup())
            await peer.expect("CANCEL")
            peer.respond(invite, 200, sdp=sdp())
            await peer.expect("ACK")
            peer.respond(await peer.expect("BYE"), 200)
            await hangup
            assert (await call.ended()).by == "local"

    run(test())


def test_a_late_offer_both_ways() -> None:
    async def test() -> None:
        async with connected(late_offer=True) as (call, other):
            assert call.codec == other.codec == "PCMU"
            heard = first(call, "media"), first(other, "media")
            await asyncio.gather(*heard)

    run(test())


def test_an_answer_that_cannot_be_used_ends_the_call() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, pair() as phones:
            call = phones.alice.dial(f"sip:peer@127.0.0.1:{peer.port}")
            peer.respond(await peer.expect("INVITE"), 200, sdp=sdp(formats="18"))
            with pytest.raises(CallFailed, match="no common codec") as failed:
                await call.answered()
            assert (failed.value.status, failed.value.cause) == (488, "media")
            bye = await peer.expect("BYE")
            assert "cause=488" in (bye.headers.get("Reason") or "")
            peer.respond(bye, 200)
            await call.ended()

    run(test())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "the far end answered without saying what sound it takes"),
        ("nonsense", "the far end's SDP could not be read: line 1 'nonsense': a line is a letter"),
    ],
)
def test_an_answer_that_says_nothing_is_not_the_far_ends_refusal(body: str, words: str) -> None:
    """It said 200; that the call is over is our doing."""

    async def test() -> None:
        async with ScriptedPeer() as peer, pair() as phones:
            call = phones.alice.dial(f"sip:peer@127.0.0.1:{peer.port}")
            peer.respond(await peer.expect("INVITE"), 200, sdp=body)
            with pytest.raises(CallFailed) as failed:
                await call.answered()
            assert (failed.value.status, failed.value.cause) == (488, "media")
            assert str(failed.value).startswith(words)
            bye = await peer.expect("BYE")
            peer.respond(bye, 200)
            ended = await call.ended()
            assert (ended.by, ended.status) == ("local", 488)

    run(test())


@pytest.mark.parametrize("body", ["nonsense", sdp(formats="18"), sdp().replace("RTP/AVP", "RTP/SAVP")])
def test_an_offer_that_cannot_be_used_never_rings(body: str) -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, pair() as phones:
            incoming = first(phones.bob, "incoming_call")
            peer.invite(phones.bob.address, body)
            response = await peer.expect_status(488)
            assert response.headers.get("Warning")
            assert not incoming.done()
            assert phones.bob.calls == []

    run(test())


def test_early_media_is_heard_before_the_answer() -> None:
    async def test() -> None:
        async with pair() as phones:
            incoming = first(phones.bob, "incoming_call")
            call = phones.alice.dial(phones.bobs_uri)
            progress, heard = first(call, "progress"), first(call, "media")
            other = (await incoming).call
            other.progress()
            assert (await progress).status == 183
            await heard
            assert call.state is CallState.RINGING
            await other.answer()
            await call.answered()
            assert call.codec == "PCMU"

    run(test())


def test_early_media_of_one_branch_and_the_answer_of_another() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, pair() as phones:
            call = phones.alice.dial(f"sip:peer@127.0.0.1:{peer.port}")
            assert call.session is not None
            invite = await peer.expect("INVITE")
            progress = first(call, "progress")
            peer.respond(invite, 183, "one", sdp(30000, "0"))
            peer.respond(invite, 183, "two", sdp(30002, "8"))
            await progress
            peer.respond(invite, 200, "three", sdp(30004, "9"))
            await call.answered()
            assert call.codec == "G722"
            assert call.session.remote_address == ("127.0.0.1", 30004)
            assert len(phones.alice.media.list_sessions()) == 1
            bye = asyncio.ensure_future(peer.expect("BYE"))
            hangup = asyncio.ensure_future(call.hangup())
            peer.respond(await bye, 200)
            await hangup

    run(test())


def test_verbs_out_of_order_are_refused_in_words() -> None:
    async def test() -> None:
        async with pair() as phones:
            incoming = first(phones.bob, "incoming_call")
            call = phones.alice.dial(phones.bobs_uri)
            other = (await incoming).call
            with pytest.raises(InvalidCallState, match="cannot answer an outgoing call"):
                await call.answer()
            with pytest.raises(InvalidCallState, match="not answered yet"):
                await call.hold()
            with pytest.raises(InvalidCallState, match="not agreed on a codec"):
                call.play("x.wav")
            await other.answer()
            await call.answered()
            with pytest.raises(InvalidCallState, match="cannot reject"):
                other.reject()
            await call.hangup()
            with pytest.raises(CallEnded):
                await call.hold()
            with pytest.raises(CallEnded):
                call.write(b"")

    run(test())


def test_a_call_nobody_is_there_for() -> None:
    async def on_call(event: IncomingCall) -> None:
        await event.call.answered()

    async def test() -> None:
        async with pair(on_call) as phones:
            call = phones.alice.dial(phones.bobs_uri)
            await first(call, "ringing")
            await phones.bob.aclose()
            with pytest.raises(CallFailed):
                await call.answered()

    run(test())
