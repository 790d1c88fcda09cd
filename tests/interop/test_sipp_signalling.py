"""Calls with sipp in which messages are lost, repeated or cross each other, as they do on real networks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipmedia import Call, CallFailed, CallState, PhoneConfig
from tests.interop.harness import ours
from tests.interop.harness import scenario as s
from tests.interop.harness.parties import Party
from tests.interop.harness.relay import Relay, lose_first, repeat
from tests.interop.harness.sipp import Sipp

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("sipp")]

PLAIN_CALL = s.scenario(
    "a plain call",
    s.invite(),
    s.expect(100, optional=True),
    s.expect(180, optional=True),
    s.expect(200),
    s.ack(),
    s.pause(300),
    s.bye(),
    s.expect(200),
)
ANSWERS = s.scenario(
    "answers, then waits for the end",
    s.expect_request("INVITE"),
    s.respond(180, "Ringing"),
    s.respond(200, "OK", s.sdp(), again=True),
    s.expect_request("ACK"),
    s.expect_request("BYE"),
    s.respond_inside(200, "OK"),
)


async def passed(sipp: Sipp) -> None:
    """sipp's verdict, awaited while our phone's loop goes on."""
    await asyncio.to_thread(sipp.assert_passed)


async def ended(phone: ours.Phone, count: int = 1) -> None:
    """Until `count` calls of the phone have ended."""
    while len(phone.ended) < count:
        await asyncio.sleep(0.02)


def test_twenty_calls_at_once(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)

    async def main() -> None:
        async with ours.phone(us) as phone:
            options = ["-l", "20", "-d", "2000"]
            with Sipp(peer, folder, "uac", target=us.bind, calls=20, rate=200, options=options) as sipp:
                most = 0
                while sipp.running:
                    most = max(most, sum(call.state is CallState.ANSWERED for call in phone.calls))
                    await asyncio.sleep(0.05)
                await passed(sipp)
            await ended(phone, 20)
            assert len(phone.calls) == 20
            assert most == 20
            assert {event.by for event in phone.ended} == {"remote"}

    ours.run(main())


@pytest.mark.parametrize("times", [1, 2])
def test_a_lost_200_is_sent_again(addresses: Iterator[Party], folder: Path, times: int) -> None:
    us, peer, between = next(addresses), next(addresses), next(addresses)
    copies = lose_first("SIP/2.0 200", times, cseq="INVITE")

    async def main() -> None:
        async with ours.phone(us) as phone:
            with (
                Relay(between.address, us.address, copies) as relay,
                Sipp(peer, folder, PLAIN_CALL, target=us.bind, via=between.bind) as sipp,
            ):
                await passed(sipp)
            assert relay.count("SIP/2.0 200", from_upstream=True, cseq="INVITE") == times + 1
            await ended(phone)
            assert len(phone.calls) == 1

    ours.run(main())


def test_a_lost_ack_brings_the_200_again_and_nothing_else(addresses: Iterator[Party], folder: Path) -> None:
    us, peer, between = next(addresses), next(addresses), next(addresses)

    async def main() -> None:
        async with ours.phone(us) as phone:
            with (
                Relay(between.address, us.address, lose_first("ACK")) as relay,
                Sipp(
                    peer,
                    folder,
                    PLAIN_CALL.replace('milliseconds="300"', 'milliseconds="1200"'),
                    target=us.bind,
                    via=between.bind,
                ) as sipp,
            ):
                await passed(sipp)
            assert relay.count("SIP/2.0 200", from_upstream=True, cseq="INVITE") == 2
            assert relay.count("ACK", from_upstream=False) == 2
            await ended(phone)
            assert [event.by for event in phone.ended] == ["remote"]

    ours.run(main())


def test_an_invite_received_three_times_is_one_call(addresses: Iterator[Party], folder: Path) -> None:
    us, peer, between = next(addresses), next(addresses), next(addresses)

    async def main() -> None:
        async with ours.phone(us) as phone:
            with (
                Relay(between.address, us.address, repeat("INVITE", 3)),
                Sipp(peer, folder, PLAIN_CALL, target=us.bind, via=between.bind) as sipp,
            ):
                await passed(sipp)
            await ended(phone)
            assert len(phone.calls) == 1

    ours.run(main())


def test_every_message_twice_both_ways(addresses: Iterator[Party], folder: Path) -> None:
    us, peer, between = next(addresses), next(addresses), next(addresses)

    async def main() -> None:
        async with ours.phone(us) as phone:
            with (
                Relay(between.address, us.address, repeat("", 2)),
                Sipp(peer, folder, PLAIN_CALL, target=us.bind, via=between.bind) as sipp,
            ):
                await passed(sipp)
            await ended(phone)
            assert len(phone.calls) == 1

    ours.run(main())


def test_our_lost_invite_is_sent_again(addresses: Iterator[Party], folder: Path) -> None:
    us, peer, between = next(addresses), next(addresses), next(addresses)

    async def main() -> None:
        with (
            Sipp(peer, folder, ANSWERS) as sipp,
            Relay(between.address, peer.address, lose_first("INVITE", 2)) as relay,
        ):
            async with ours.phone(us) as phone:
                call = await phone.softphone.call(between.uri("sipp"))
                await asyncio.sleep(0.3)
                await call.hangup()
                await passed(sipp)
        assert relay.count("INVITE", from_upstream=False) == 3

    ours.run(main())


def test_a_200_that_is_lost_on_its_way_to_us(addresses: Iterator[Party], folder: Path) -> None:
    us, peer, between = next(addresses), next(addresses), next(addresses)
    copies = lose_first("SIP/2.0 200", 1, cseq="INVITE")

    async def main() -> None:
        with (
            Sipp(peer, folder, ANSWERS) as sipp,
            Relay(between.address, peer.address, copies),
        ):
            async with ours.phone(us) as phone:
                call = await phone.softphone.call(between.uri("sipp"))
                await call.hangup()
                await passed(sipp)

    ours.run(main())


def test_our_lost_ack_is_sent_for_each_200(addresses: Iterator[Party], folder: Path) -> None:
    us, peer, between = next(addresses), next(addresses), next(addresses)
    # The contact is the relay, so that our ACK goes through it too.
    scenario = ANSWERS.replace("sip:sipp@[local_ip]:[local_port]", f"sip:sipp@{between.bind}")

    async def main() -> None:
        with (
            Sipp(peer, folder, scenario) as sipp,
            Relay(between.address, peer.address, lose_first("ACK")) as relay,
        ):
            async with ours.phone(us) as phone:
                call = await phone.softphone.call(between.uri("sipp"))
                await asyncio.sleep(1.0)
                await call.hangup()
                await passed(sipp)
        assert relay.count("ACK", from_upstream=False) == 2

    ours.run(main())


CANCELLED = (s.expect(200), s.expect(487), s.ack_failure())


def test_sipp_cancels_while_we_ring(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)
    scenario = s.scenario(
        "CANCEL after 180",
        s.invite(),
        s.expect(100, optional=True),
        s.expect(180),
        s.pause(200),
        s.cancel(),
        *CANCELLED,
    )

    async def main() -> None:
        async with ours.phone(us, handler=None) as phone:
            phone.softphone.on("incoming_call", lambda event: None)
            with Sipp(peer, folder, scenario, target=us.bind) as sipp:
                await passed(sipp)
            await ended(phone)
            assert [(event.by, event.status) for event in phone.ended] == [("remote", 487)]

    ours.run(main())


def test_sipp_cancels_before_we_ring(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)
    scenario = s.scenario("CANCEL after 100", s.invite(), s.expect(100), s.pause(100), s.cancel(), *CANCELLED)

    async def main() -> None:
        async with ours.phone(us, handler=None, config=PhoneConfig(automatic_ringing=False)) as phone:
            with Sipp(peer, folder, scenario, target=us.bind) as sipp:
                await passed(sipp)
            await ended(phone)
            assert [(event.by, event.status) for event in phone.ended] == [("remote", 487)]

    ours.run(main())


def test_a_cancel_after_our_200_changes_nothing(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)
    scenario = s.scenario(
        "CANCEL after 200",
        s.invite(),
        s.expect(100, optional=True),
        s.expect(180, optional=True),
        s.expect(200),
        s.cancel(),
        s.expect(200),
        s.ack(),
        s.pause(300),
        s.bye(),
        s.expect(200),
    )

    async def main() -> None:
        async with ours.phone(us) as phone:
            with Sipp(peer, folder, scenario, target=us.bind) as sipp:
                await passed(sipp)
            await ended(phone)
            assert [(event.by, event.status) for event in phone.ended] == [("remote", 0)]

    ours.run(main())


def test_a_cancel_of_nothing_gets_481(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)
    scenario = s.scenario("a stray CANCEL", s.cancel(), s.expect(481))

    async def main() -> None:
        async with ours.phone(us):
            with Sipp(peer, folder, scenario, target=us.bind) as sipp:
                await passed(sipp)

    ours.run(main())


def test_a_bye_of_nothing_gets_481(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)
    stray = s.bye().replace("[next_url]", "sip:bob@[remote_ip]:[remote_port]")
    stray = stray.replace("[last_To:]", "To: <sip:bob@[remote_ip]>;tag=unknown").replace("[routes]\n", "")
    scenario = s.scenario("a stray BYE", stray, s.expect(481))

    async def main() -> None:
        async with ours.phone(us):
            with Sipp(peer, folder, scenario, target=us.bind) as sipp:
                await passed(sipp)

    ours.run(main())


async def given_up(call: Call, after_s: float) -> CallFailed:
    """Cancel `call` after a while; gives what waiting for it raised."""
    waiting = asyncio.ensure_future(call.answered())
    await asyncio.sleep(after_s)
    await call.hangup()
    with pytest.raises(CallFailed) as failure:
        await waiting
    return failure.value


@pytest.mark.parametrize("provisional", [100, 180])
def test_we_cancel_after_a_provisional(addresses: Iterator[Party], folder: Path, provisional: int) -> None:
    us, peer = next(addresses), next(addresses)
    scenario = s.scenario(
        "gets CANCEL",
        s.expect_request("INVITE"),
        s.respond(provisional, "Trying" if provisional == 100 else "Ringing"),
        s.expect_request("CANCEL"),
        s.respond(200, "OK"),
        s.respond(487, "Request Terminated").replace("[last_CSeq:]", "CSeq: 1 INVITE"),
        s.expect_request("ACK"),
    )

    async def main() -> None:
        with Sipp(peer, folder, scenario) as sipp:
            async with ours.phone(us) as phone:
                failure = await given_up(phone.softphone.dial(peer.uri("sipp")), 0.5)
                assert failure.cause == "cancelled"
                await passed(sipp)

    ours.run(main())


def test_we_cancel_before_any_answer(addresses: Iterator[Party], folder: Path) -> None:
    """RFC 3261 s9.1: the CANCEL waits for the first provisional response."""
    us, peer = next(addresses), next(addresses)
    scenario = s.scenario(
        "is slow to ring",
        s.expect_request("INVITE"),
        s.pause(1200),
        s.respond(180, "Ringing"),
        s.expect_request("CANCEL"),
        s.respond(200, "OK"),
        s.respond(487, "Request Terminated").replace("[last_CSeq:]", "CSeq: 1 INVITE"),
        s.expect_request("ACK"),
    )

    async def main() -> None:
        with Sipp(peer, folder, scenario) as sipp:
            async with ours.phone(us) as phone:
                await given_up(phone.softphone.dial(peer.uri("sipp")), 0.2)
                await passed(sipp)
        assert "\nCANCEL sip:" not in sipp.messages().split("SIP/2.0 180")[0]

    ours.run(main())


def test_our_cancel_crosses_their_200(addresses: Iterator[Party], folder: Path) -> None:
    """RFC 3261 s9.1: a 200 to the INVITE all the same makes a call, which we ACK and end with BYE."""
    us, peer = next(addresses), next(addresses)
    scenario = s.scenario(
        "answers at the last moment",
        s.expect_request("INVITE"),
        s.respond(180, "Ringing"),
        s.expect_request("CANCEL"),
        s.respond(200, "OK"),
        s.respond(200, "OK", s.sdp()).replace("[last_CSeq:]", "CSeq: 1 INVITE"),
        s.expect_request("ACK"),
        s.expect_request("BYE"),
        s.respond_inside(200, "OK"),
    )

    async def main() -> None:
        with Sipp(peer, folder, scenario) as sipp:
            async with ours.phone(us) as phone:
                await given_up(phone.softphone.dial(peer.uri("sipp")), 0.4)
                await passed(sipp)

    ours.run(main())


@pytest.mark.parametrize(("status", "reason"), [(486, "Busy Here"), (404, "Not Found"), (603, "Decline")])
def test_a_refusal_is_acknowledged_and_told(
    addresses: Iterator[Party], folder: Path, status: int, reason: str
) -> None:
    us, peer = next(addresses), next(addresses)
    scenario = s.scenario(
        "refuses",
        s.expect_request("INVITE"),
        s.respond(status, reason, again=True),
        s.expect_request("ACK"),
    )

    async def main() -> None:
        with Sipp(peer, folder, scenario) as sipp:
            async with ours.phone(us) as phone:
                with pytest.raises(CallFailed) as failure:
                    await phone.softphone.call(peer.uri("sipp"))
                assert (failure.value.status, failure.value.reason) == (status, reason)
                await passed(sipp)

    ours.run(main())


def test_hold_and_resume_by_reinvite(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)
    scenario = s.scenario(
        "holds and resumes",
        s.invite(),
        s.expect(100, optional=True),
        s.expect(180, optional=True),
        s.expect(200),
        s.ack(),
        s.pause(300),
        s.reinvite(s.sdp("sendonly", version=2), 2),
        s.expect(100, optional=True),
        s.expect(200, containing="a=recvonly"),
        s.ack(2),
        s.pause(300),
        s.reinvite(s.sdp("inactive", version=3), 3),
        s.expect(100, optional=True),
        s.expect(200, containing="a=inactive"),
        s.ack(3),
        s.pause(300),
        s.reinvite(s.sdp("sendrecv", version=4), 4),
        s.expect(100, optional=True),
        s.expect(200, containing="a=sendrecv"),
        s.ack(4),
        s.pause(300),
        s.bye(5),
        s.expect(200),
    )
    events: list[tuple[str, str]] = []

    async def handler(call: Call) -> None:
        call.on("held", lambda event: events.append(("held", event.by)))
        call.on("resumed", lambda event: events.append(("resumed", event.by)))
        await call.answer()

    async def main() -> None:
        async with ours.phone(us, handler) as phone:
            with Sipp(peer, folder, scenario, target=us.bind) as sipp:
                await passed(sipp)
            await ended(phone)

    ours.run(main())
    assert events == [("held", "remote"), ("resumed", "remote")]


def test_we_hold_and_resume(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)
    scenario = s.scenario(
        "is held and resumed",
        s.expect_request("INVITE"),
        s.respond(200, "OK", s.sdp(), again=True),
        s.expect_request("ACK"),
        s.expect_request("INVITE", containing="a=sendonly"),
        s.respond_inside(200, "OK", s.sdp("recvonly", version=2)),
        s.expect_request("ACK"),
        s.expect_request("INVITE", containing="a=sendrecv"),
        s.respond_inside(200, "OK", s.sdp(version=3)),
        s.expect_request("ACK"),
        s.expect_request("BYE"),
        s.respond_inside(200, "OK"),
    )

    async def main() -> None:
        with Sipp(peer, folder, scenario) as sipp:
            async with ours.phone(us) as phone:
                call = await phone.softphone.call(peer.uri("sipp"))
                await call.hold()
                await call.resume()
                await call.hangup()
                await passed(sipp)

    ours.run(main())


def test_a_refused_reinvite_leaves_the_call_as_it_was(addresses: Iterator[Party], folder: Path) -> None:
    """488 for an offer without a codec of ours; the call goes on, and a good offer afterwards is taken."""
    us, peer = next(addresses), next(addresses)
    scenario = s.scenario(
        "offers nonsense in between",
        s.invite(),
        s.expect(100, optional=True),
        s.expect(180, optional=True),
        s.expect(200),
        s.ack(),
        s.reinvite(s.sdp(version=2, codecs=["109 EVS/16000"]), 2),
        s.expect(100, optional=True),
        s.expect(488),
        s.ack_failure(2, inside=True),
        s.reinvite(s.sdp(version=3), 3),
        s.expect(100, optional=True),
        s.expect(200, containing="m=audio [1-9]"),
        s.ack(3),
        s.pause(200),
        s.bye(4),
        s.expect(200),
    )

    async def main() -> None:
        async with ours.phone(us) as phone:
            with Sipp(peer, folder, scenario, target=us.bind) as sipp:
                await passed(sipp)
            await ended(phone)
            assert len(phone.calls) == 1

    ours.run(main())


def test_a_late_offer_is_answered_in_the_ack(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)
    scenario = s.scenario(
        "offers nothing",
        s.invite(""),
        s.expect(100, optional=True),
        s.expect(180, optional=True),
        s.expect(200, containing="m=audio [1-9][0-9]* RTP/AVP 0"),
        s.ack(1, s.sdp()),
        s.pause(500),
        s.bye(),
        s.expect(200),
    )

    async def main() -> None:
        async with ours.phone(us) as phone:
            with Sipp(peer, folder, scenario, target=us.bind) as sipp:
                await asyncio.sleep(0.3)
                session = phone.calls[0].session
                assert session is not None
                assert session.codec == "PCMU"
                await passed(sipp)
            await ended(phone)

    ours.run(main())


def test_options_by_sipp(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)
    scenario = s.scenario("asks", s.options(), s.expect(200, containing="Allow:.*INVITE"))

    async def main() -> None:
        async with ours.phone(us):
            with Sipp(peer, folder, scenario, target=us.bind) as sipp:
                await passed(sipp)
            assert "m=audio" in sipp.messages()

    ours.run(main())
