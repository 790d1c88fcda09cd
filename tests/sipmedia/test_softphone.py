"""sipmedia/softphone.py: opening, closing, and what becomes of calls that nobody takes."""

import asyncio
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from media import ManagerConfig, MediaManager, PortRange, PortsExhausted
from sipmedia import (
    Account,
    AddressInUse,
    CallEnded,
    CallFailed,
    CallState,
    IncomingCall,
    InvalidAddress,
    PhoneClosed,
    PhoneConfig,
    Softphone,
)
from tests.sipmedia.kit import ScriptedPeer, connected, first, pair, run, run_for_real
from tests.sipmedia.kit.phones import PORTS
from tests.sipmedia.kit.scripted import sdp


def test_a_call_that_nobody_handles_is_unavailable() -> None:
    async def test() -> None:
        async with pair() as phones:
            with pytest.raises(CallFailed) as failed:
                await phones.alice.call(phones.bobs_uri)
            assert (failed.value.status, failed.value.cause) == (480, "rejected")
            assert phones.alice.calls == phones.bob.calls == []

    run(test())


@pytest.mark.parametrize("kind", ["function", "coroutine"])
def test_a_handler_that_raises_gives_500_and_an_error_event(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(event: IncomingCall) -> None:
        raise RuntimeError("out of order")

    async def fail_later(event: IncomingCall) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("out of order")

    async def test() -> None:
        async with pair(fail if kind == "function" else fail_later) as phones:
            error = first(phones.bob, "error")
            with pytest.raises(CallFailed) as failed:
                await phones.alice.call(phones.bobs_uri)
            assert failed.value.status == 500
            assert "out of order" in str((await error).error)
        assert "out of order" in caplog.text

    run(test())


def test_a_handler_that_raises_after_it_answered_ends_the_call() -> None:
    """Nobody would serve it any more: the caller would listen to silence until it gives up."""

    async def fail(event: IncomingCall) -> None:
        await event.call.answer()
        raise RuntimeError("out of order")

    async def test() -> None:
        async with pair(fail) as phones:
            call = await phones.alice.call(phones.bobs_uri)
            ended = await asyncio.wait_for(call.ended(), 5)
            assert (ended.by, ended.reason) == ("remote", "Server Internal Error")

    run(test())


def test_playing_to_a_far_end_that_hangs_up_at_once(tmp_path: Path) -> None:
    """What is played is cut short, or too late; neither is a fault of the session's."""
    file = tmp_path / "hello.wav"
    soundfile.write(file, np.zeros(8000, np.int16), 8000)

    async def hang_up(event: IncomingCall) -> None:
        await event.call.answer()
        await event.call.hangup()

    async def test() -> None:
        async with pair(hang_up) as phones:
            call = await phones.alice.call(phones.bobs_uri)
            try:
                assert not await call.play(file)
            except CallEnded:
                pass
            await call.ended()
            for verb in (lambda: call.play(file), lambda: call.write(b""), call.clear, call.frames):
                with pytest.raises(CallEnded):
                    verb()

    run(test())


def test_nobody_answers_in_time() -> None:
    async def test() -> None:
        async with pair(lambda event: None, bob=PhoneConfig(ring_timeout=0.05)) as phones:
            call = phones.alice.dial(phones.bobs_uri)
            ringing = first(call, "ringing")
            with pytest.raises(CallFailed) as failed:
                await call.answered()
            assert failed.value.status == 480
            assert ringing.done()

    run(test())


def test_the_caller_gives_up_in_time() -> None:
    async def test() -> None:
        async with pair(lambda event: None, alice=PhoneConfig(no_answer_timeout=0.05)) as phones:
            incoming = first(phones.bob, "incoming_call")
            with pytest.raises(CallFailed) as failed:
                await phones.alice.call(phones.bobs_uri)
            assert (failed.value.status, failed.value.cause) == (408, "timeout")
            ended = await (await incoming).call.ended()
            assert (ended.by, ended.status) == ("remote", 487)

    run(test())


def test_closing_ends_every_call_within_a_second() -> None:
    async def test() -> None:
        async with pair(lambda event: None) as phones:
            incoming = first(phones.bob, "incoming_call")
            call = phones.alice.dial(phones.bobs_uri)
            await incoming
            began = asyncio.get_running_loop().time()
            await asyncio.gather(phones.bob.aclose(), phones.bob.aclose())
            assert asyncio.get_running_loop().time() - began < 1.0
            with pytest.raises(CallFailed) as failed:
                await call.answered()
            assert failed.value.status == 503
            await phones.bob.aclose()
            with pytest.raises(PhoneClosed):
                phones.bob.dial("sip:alice@127.0.0.1")

    run(test())


def test_closing_hangs_up_what_is_answered() -> None:
    async def test() -> None:
        async with connected() as (call, answered):
            pass
        assert answered.state is call.state is CallState.ENDED
        assert {call.ended_by, answered.ended_by} == {"closed", "remote"}
        assert not [thread for thread in threading.enumerate() if thread.name == "sipmedia-media"]

    run(test())


def test_closing_does_not_wait_for_a_peer_that_is_gone() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer:
            phone = Softphone(bind="127.0.0.1:0", config=PhoneConfig(close_timeout=0.1))
            async with phone:
                call = phone.dial(f"sip:peer@127.0.0.1:{peer.port}")
                peer.respond(await peer.expect("INVITE"), 200, sdp=sdp())
                await call.answered()
                began = asyncio.get_running_loop().time()
            assert asyncio.get_running_loop().time() - began < 1.0
            assert call.state is CallState.ENDED

    run(test())


def test_a_taken_port_is_named() -> None:
    async def test() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            with pytest.raises(AddressInUse, match=f"port {port} on 127.0.0.1 is in use"):
                await Softphone(bind=f"127.0.0.1:{port}").start()

    run_for_real(test())


def test_it_is_opened_once_and_before_use() -> None:
    async def test() -> None:
        phone = Softphone(bind="127.0.0.1:0")
        with pytest.raises(PhoneClosed):
            phone.dial("sip:bob@127.0.0.1")
        with pytest.raises(PhoneClosed):
            _ = phone.media
        async with phone:
            with pytest.raises(PhoneClosed):
                await phone.start()
        await Softphone(bind="127.0.0.1:0").aclose()

    run(test())


@pytest.mark.parametrize("target", ["bob", "sip:", "http://bob", "sip:bob@exa mple", ""])
def test_a_uri_that_cannot_be_called_leaves_nothing_behind(target: str) -> None:
    async def test() -> None:
        async with Softphone(bind="127.0.0.1:0") as phone:
            with pytest.raises(InvalidAddress):
                phone.dial(target)
            assert phone.calls == []
            assert phone.media.list_sessions() == []

    run(test())


def test_a_shared_manager_stays_open() -> None:
    async def test() -> None:
        manager = MediaManager(ManagerConfig(rtp_port_range=PORTS))
        manager.start()
        try:
            async with Softphone(bind="127.0.0.1:0", media=manager) as phone:
                assert phone.media is manager
            manager.create_offer()[0].close()
        finally:
            manager.stop()

    run(test())


def test_an_incoming_call_without_a_free_port_is_refused() -> None:
    async def test() -> None:
        async with pair(lambda event: None, bobs_ports=PortRange(24002, 24003)) as phones:
            incoming = first(phones.bob, "incoming_call")
            phones.alice.dial(phones.bobs_uri)
            await incoming
            error = first(phones.bob, "error")
            with pytest.raises(CallFailed) as failed:
                await phones.alice.call(phones.bobs_uri)
            assert failed.value.status == 503
            assert isinstance((await error).error, PortsExhausted)
            with pytest.raises(PortsExhausted):
                phones.bob.dial("sip:alice@127.0.0.1")

    run(test())


def test_listening_on_all_addresses_the_description_names_one() -> None:
    async def test() -> None:
        async with Softphone(bind="0.0.0.0:0", media=ManagerConfig(rtp_port_range=PORTS)) as everywhere:
            answers = first(everywhere, "incoming_call")
            async with Softphone(bind="127.0.0.1:0", media=ManagerConfig(rtp_port_range=PORTS)) as here:
                call = here.dial(f"sip:x@127.0.0.1:{everywhere.address[1]}")
                incoming = (await answers).call
                await incoming.answer()
                await call.answered()
                assert call.session is not None
                assert call.session.remote_address is not None
                assert call.session.remote_address[0] == "127.0.0.1"
                await call.hangup()
                back = everywhere.dial(f"sip:x@127.0.0.1:{here.address[1]}")
                assert back.session is not None
                assert "c=IN IP4 127.0.0.1" in (back.session.local_sdp or "")
                assert back.local_uri == f"sip:anonymous@127.0.0.1:{everywhere.address[1]}"
                await back.hangup()

    run(test())


def test_options_says_what_we_can_do() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, Softphone(bind="127.0.0.1:0") as phone:
            request = (
                "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP 127.0.0.1:{peer.port};branch=z9hG4bKo\r\n"
                "Max-Forwards: 70\r\nFrom: <sip:p@127.0.0.1>;tag=1\r\nTo: <sip:x@127.0.0.1>\r\nCall-ID: o\r\n"
                "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            )
            peer.send(request.encode(), phone.address)
            response = await peer.expect_status(200)
            assert "INVITE" in (response.headers.get("Allow") or "")
            assert b"m=audio 0 RTP/AVP 0 8 9" in response.body

    run(test())


def test_over_ipv6() -> None:
    async def test() -> None:
        try:
            phone = Softphone(Account("sip:b@h"), Account("sip:c@h"), bind="[::1]:0")
            async with phone, Softphone(bind="[::1]:0") as other:
                assert other.accounts[0].uri.startswith("sip:anonymous@[::1]:")
                incoming = first(other, "incoming_call")
                call = phone.dial(f"sip:x@[::1]:{other.address[1]}", phone.accounts[1])
                answered = (await incoming).call
                assert answered.remote_uri == "sip:c@h"
                await answered.answer()
                await call.answered()
        except AddressInUse as error:
            pytest.skip(f"no IPv6 here: {error}")

    run(test())


@pytest.mark.parametrize("how", ["at once", "later", "early media", "by hand"])
def test_the_phone_rings_unless_the_handler_decides_at_once(how: str) -> None:
    async def on_call(event: IncomingCall) -> None:
        if how == "later":
            await asyncio.sleep(0.02)
        elif how == "early media":
            event.call.progress()
            await asyncio.sleep(0.02)
        elif how == "by hand":
            event.call.ring()
            await asyncio.sleep(0.02)
        await event.call.answer()

    async def test() -> None:
        async with pair(on_call) as phones:
            call = phones.alice.dial(phones.bobs_uri)
            rung: list[str] = []
            call.on("ringing", lambda event: rung.append("180"))
            call.on("progress", lambda event: rung.append(str(event.status)))
            await call.answered()
        assert rung == {"at once": [], "later": ["180"], "early media": ["183"], "by hand": ["180"]}[how]

    run(test())


def test_a_handler_may_close_the_phone_it_belongs_to() -> None:
    async def test() -> None:
        async with pair() as phones:
            closed = asyncio.Event()

            async def on_call(event: IncomingCall) -> None:
                await event.call.answer()
                await phones.bob.aclose()
                closed.set()

            phones.bob.on("incoming_call", on_call)
            call = await phones.alice.call(phones.bobs_uri)
            assert (await call.ended()).by == "remote"
            await closed.wait()

    run(test())


def test_what_goes_wrong_in_a_call_is_heard_by_the_phone(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, pair() as phones:
            error = first(phones.bob, "error")
            peer.invite(phones.bob.address, sdp(formats="18"))
            await peer.expect_status(488)
            assert "no common codec" in str((await error).error)

    run(test())
    assert "Traceback" not in caplog.text


def test_a_lost_invite_is_sent_again_and_the_trace_says_so() -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer, pair() as phones:
            call = phones.alice.dial(f"sip:peer@127.0.0.1:{peer.port}")
            await peer.expect("INVITE")
            peer.respond(await peer.expect("INVITE"), 486)
            with pytest.raises(CallFailed, match="486"):
                await call.answered()
            await peer.expect("ACK")
        marks = [(entry.label, entry.retransmission) for entry in call.trace.entries()]
        assert marks == [("INVITE", False), ("INVITE", True), ("486 Busy Here", False), ("ACK", False)]

    run(test())


def test_without_traced_messages_nothing_is_kept() -> None:
    async def test() -> None:
        async with pair(lambda event: event.call.reject(), alice=PhoneConfig(traced_messages=0)) as phones:
            call = phones.alice.dial(phones.bobs_uri)
            await call.ended()
            assert call.trace.entries() == []

    run(test())
