"""Who a call is with, in the words of the network; and calls that do not say who calls."""

import asyncio

import pytest

from sipmedia import CallFailed, IncomingCall, PhoneConfig
from tests.sipmedia.kit import ScriptedPeer, first, pair, run
from tests.sipmedia.kit.scripted import sdp

TRUSTING = PhoneConfig(trusted_networks=("127.0.0.0/8",))


def test_what_an_incoming_call_says() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, pair(alice=TRUSTING) as phones:
            incoming = first(phones.alice, "incoming_call")
            headers = (
                'P-Asserted-Identity: "Pat" <sip:pat@example.com>',
                "Privacy: id",
                "Diversion: <sip:boss@example.com>;reason=unconditional",
                "History-Info: <sip:boss@example.com?Reason=SIP%3Bcause%3D302>;index=1",
            )
            peer.invite(("127.0.0.1", phones.alice.address[1]), sdp(), headers=headers)
            call = (await incoming).call
            assert call.asserted_identity == "Pat <sip:pat@example.com>"
            assert call.anonymous
            assert call.diverted_by == ["sip:boss@example.com"]
            assert call.identities.diversions[0].reason == "unconditional"
            assert call.identities.history[0].cause == 302
            call.reject()

    run(test())


def test_a_stranger_is_not_believed() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, pair() as phones:
            incoming = first(phones.alice, "incoming_call")
            headers = ("Remote-Party-ID: <sip:bank@example.com>;party=calling",)
            peer.invite(("127.0.0.1", phones.alice.address[1]), sdp(), headers=headers)
            call = (await incoming).call
            assert call.asserted_identity is None
            assert str(call.identities.claimed) == "<sip:bank@example.com>"
            call.reject()
            call = phones.alice.dial(f"sip:peer@127.0.0.1:{peer.port}")
            invite = await peer.expect("INVITE")
            peer.respond(invite, 200, sdp=sdp(), headers=[("P-Asserted-Identity", "<sip:desk@example.com>")])
            await call.answered()
            assert call.asserted_identity is None
            assert call.identities.claimed is not None

    run(test())


def test_networks_must_be_networks() -> None:
    with pytest.raises(ValueError, match="/33"):
        PhoneConfig(trusted_networks=("10.0.0.0/33",))


def test_a_call_diverted_as_its_history_tells() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, pair() as phones:
            incoming = first(phones.alice, "incoming_call")
            history = (
                "History-Info: <sip:ann@example.com?Reason=SIP%3Bcause%3D302>;index=1, "
                "<sip:ben@example.com?Reason=SIP%3Bcause%3D486>;index=1.1, <sip:phone@127.0.0.1>;index=1.2"
            )
            peer.invite(("127.0.0.1", phones.alice.address[1]), sdp(), headers=(history,))
            call = (await incoming).call
            assert call.diverted_by == ["sip:ben@example.com", "sip:ann@example.com"]
            assert not call.anonymous
            assert call.asserted_identity is None
            call.reject()

    run(test())


def test_an_anonymous_call() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, pair() as phones:
            call = phones.alice.dial(f"sip:peer@127.0.0.1:{peer.port}", anonymous=True)
            invite = await peer.expect("INVITE")
            assert str(invite.from_.uri) == "sip:anonymous@anonymous.invalid"
            assert invite.headers.get("Privacy") == "id"
            assert b"alice" not in bytes(invite)
            peer.respond(invite, 486)
            with pytest.raises(CallFailed):
                await call.answered()
            other = first(phones.bob, "incoming_call")
            again = phones.alice.dial(phones.bobs_uri, anonymous=True)
            assert (await other).call.anonymous
            await again.hangup()

    run(test())


def test_who_answered_in_the_words_of_the_network() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, pair(alice=TRUSTING) as phones:
            call = phones.alice.dial(f"sip:peer@127.0.0.1:{peer.port}")
            invite = await peer.expect("INVITE")
            peer.respond(invite, 200, sdp=sdp(), headers=[("P-Asserted-Identity", "<sip:desk@example.com>")])
            await call.answered()
            assert call.asserted_identity == "<sip:desk@example.com>"
            hangup = asyncio.ensure_future(call.hangup('gone "home"'))
            bye = await peer.expect("BYE")
            assert bye.headers.get("Reason") == 'SIP;text="gone \\"home\\""'
            peer.respond(bye, 200)
            await hangup

    run(test())


def test_reasons_are_shown_to_the_other_side() -> None:
    async def test() -> None:
        def on_call(event: IncomingCall) -> None:
            ended.append(first(event.call, "ended"))

        ended: list[asyncio.Future[object]] = []
        async with pair(on_call) as phones:
            call = phones.alice.dial(phones.bobs_uri)
            await asyncio.sleep(0.5)
            await call.hangup("wrong number")
            event = await ended[0]
            assert getattr(event, "reason", "") == "wrong number"

    run(test())


def test_when_to_try_again() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, pair() as phones:
            call = phones.alice.dial(f"sip:peer@127.0.0.1:{peer.port}")
            invite = await peer.expect("INVITE")
            peer.respond(invite, 480, headers=[("Retry-After", "3600 (at lunch);duration=60")])
            with pytest.raises(CallFailed) as failed:
                await call.answered()
            assert failed.value.retry_after == 3600

    run(test())
