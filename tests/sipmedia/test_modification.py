"""sipmedia/modification.py: hold, resume and codecs, asked by either side, and refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dialog.message import Request
from media import MediaDirection, UnknownCodec
from sipmedia import Call, CallEnded, CallState, ModificationFailed
from tests.sipmedia.kit import ScriptedPeer, connected, first, pair, run
from tests.sipmedia.kit.scripted import sdp


async def hung_up(peer: ScriptedPeer, call: Call) -> None:
    """We end the call, and the peer confirms it."""
    hangup = asyncio.ensure_future(call.hangup())
    peer.respond(await peer.expect("BYE"), 200)
    await hangup


@asynccontextmanager
async def called(peer: ScriptedPeer) -> AsyncIterator[tuple[Call, Request]]:
    """A call to the peer that it has answered, and its INVITE; hung up at the end, if it is still up."""
    async with pair() as phones:
        call = phones.alice.dial(f"sip:peer@127.0.0.1:{peer.port}")
        invite = await peer.expect("INVITE")
        peer.respond(invite, 200, sdp=sdp())
        await call.answered()
        yield call, invite
        if call.state is CallState.ANSWERED:
            await hung_up(peer, call)


def direction(call: Call) -> MediaDirection:
    assert call.session is not None
    return call.session.direction


@pytest.mark.parametrize("caller_holds", [True, False], ids=["caller", "callee"])
def test_hold_and_resume_are_seen_by_both(caller_holds: bool) -> None:
    async def test() -> None:
        async with connected() as calls:
            holder, held = calls if caller_holds else calls[::-1]
            seen = first(holder, "held"), first(held, "held")
            await holder.hold()
            assert [(await each).by for each in seen] == ["local", "remote"]
            assert (holder.held, holder.held_by_remote) == (True, False)
            assert (held.held, held.held_by_remote) == (False, True)
            assert direction(holder) == MediaDirection.SENDONLY
            assert direction(held) == MediaDirection.RECVONLY
            await holder.hold()
            seen = first(holder, "resumed"), first(held, "resumed")
            await holder.resume()
            assert [(await each).by for each in seen] == ["local", "remote"]
            assert [direction(holder), direction(held)] == [MediaDirection.SENDRECV] * 2
            await holder.resume()

    run(test())


def test_both_may_hold_and_one_resumes() -> None:
    async def test() -> None:
        async with connected() as (one, other):
            await one.hold()
            await other.hold()
            assert direction(one) == MediaDirection.INACTIVE
            assert one.held_by_remote
            await one.resume()
            assert (one.held, one.held_by_remote, other.held) == (False, True, True)
            await other.resume()
            assert direction(one) == MediaDirection.SENDRECV

    run(test())


def test_a_refused_codec_leaves_the_call_as_it_was() -> None:
    async def test() -> None:
        async with connected(bobs_codecs=("PCMU",)) as (call, other):
            assert call.session is not None
            before = call.session.local_sdp
            with pytest.raises(ModificationFailed, match="488") as failed:
                await call.use_codecs("G722")
            assert failed.value.status == 488
            assert call.session.local_sdp == before
            assert (call.codec, other.codec) == ("PCMU", "PCMU")
            with pytest.raises(UnknownCodec):
                await call.use_codecs("OPUS-9")
            await call.hold()
            assert (call.codec, call.held) == ("PCMU", True)

    run(test())


def test_codecs_can_be_changed() -> None:
    async def test() -> None:
        async with connected() as (call, other):
            await call.use_codecs("G722", "PCMA")
            assert (call.codec, other.codec, other.rate) == ("G722", "G722", 16000)

    run(test())


def test_changes_wait_for_each_other() -> None:
    async def test() -> None:
        async with connected() as (call, other):
            await asyncio.gather(call.hold(), call.use_codecs("PCMA"))
            assert (call.held, call.codec, other.codec) == (True, "PCMA", "PCMA")

    run(test())


def test_a_change_under_way_when_the_call_ends() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, called(peer) as (call, invite):
            holding = asyncio.ensure_future(call.hold())
            again = await peer.expect("INVITE")
            assert again.cseq.number == invite.cseq.number + 1
            assert b"a=sendonly" in again.body
            await hung_up(peer, call)
            with pytest.raises(CallEnded):
                await holding

    run(test())


def test_a_change_that_finds_the_far_end_gone_says_that_the_call_is_over() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, pair() as phones:
            call = phones.alice.dial(f"sip:peer@127.0.0.1:{peer.port}")
            peer.respond(await peer.expect("INVITE"), 200, sdp=sdp())
            await call.answered()
            holding = asyncio.ensure_future(call.hold())
            await peer.expect("ACK")
            peer.respond(await peer.expect("INVITE"), 481)
            with pytest.raises(CallEnded):
                await holding
            assert (await call.ended()).by == "remote"

    run(test())


@pytest.mark.parametrize("formats", ["0", "18"], ids=["usable", "unusable"])
def test_a_far_end_that_wants_an_offer_gets_one(formats: str) -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, called(peer) as (call, invite):
            held = first(call, "held")
            peer.request_like(invite, "INVITE", 1)
            offer = await peer.expect_status(200)
            assert b"m=audio" in offer.body
            peer.request_like(invite, "ACK", 1, sdp(formats=formats) + "a=sendonly\r\n")
            peer.request_like(invite, "INFO", 2)  # in order: when it is answered the ACK was read
            await peer.expect_status(200)
            if formats == "0":
                assert (await held).by == "remote"
            else:
                assert not held.done()
            assert call.codec == "PCMU"

    run(test())


@pytest.mark.parametrize("they_offer", [True, False], ids=["offer", "offer wanted"])
def test_after_glare_theirs_is_answered_and_ours_made_anew(they_offer: bool) -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, pair() as phones:
            incoming = first(phones.bob, "incoming_call")
            peer.invite(phones.bob.address, sdp(formats="0 8"))
            call: Call = (await incoming).call
            await call.answer()
            answer = await peer.expect_status(200)
            peer.acknowledge(answer)
            holding = asyncio.ensure_future(call.hold())
            ours = await peer.expect("INVITE")
            peer.respond(ours, 491)
            await peer.expect("ACK")
            held = first(call, "held")
            hold = sdp(formats="0 8") + "a=sendonly\r\n"
            peer.request_after(answer, "INVITE", 2, hold if they_offer else "")
            described = await peer.expect_status(200)
            peer.request_after(answer, "ACK", 2, "" if they_offer else hold)
            assert (b"a=recvonly" in described.body) == they_offer
            assert (await held).by == "remote"
            again = await peer.expect("INVITE")  # within two seconds: the Call-ID is not ours
            assert b"a=sendonly" in again.body
            assert version(again.body) > version(described.body)
            peer.respond(again, 200, sdp=sdp(formats="0 8") + "a=inactive\r\n")
            await holding
            assert (call.held, call.held_by_remote) == (True, True)
            assert direction(call) == MediaDirection.INACTIVE
            await hung_up(peer, call)

    run(test())


def test_a_change_while_the_far_end_owes_an_answer() -> None:
    """Found by the model: between our offer in a 200 and its ACK a hold failed with media's own error."""

    async def test() -> None:
        async with ScriptedPeer() as peer, called(peer) as (call, invite):
            peer.request_like(invite, "INVITE", 1)
            await peer.expect_status(200)
            with pytest.raises(ModificationFailed, match="491"):
                await call.hold()
            assert not call.held
            peer.request_like(invite, "ACK", 1, sdp())

    run(test())


def version(description: bytes) -> int:
    """The version in o= (RFC 8866 section 5.2)."""
    return int(description.split(b"o=")[1].split()[2])
