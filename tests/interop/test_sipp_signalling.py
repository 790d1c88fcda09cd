"""Calls with sipp in which messages are lost, repeated or cross each other, as they do on real networks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sipmedia import Call, CallFailed, CallState, PhoneConfig
from tests.interop.harness import ours
from tests.interop.harness import scenario as s
from tests.interop.harness.parties import Party
from tests.interop.harness.relay import Copies, Relay, lose_first, pass_all, repeat
from tests.interop.harness.sipp import Sipp

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("sipp")]

MAYBE_RINGS = (s.expect(100, optional=True), s.expect(180, optional=True))
CALLED = (s.invite(), *MAYBE_RINGS, s.expect(200), s.ack())
HANGS_UP = (s.bye(), s.expect(200))
PLAIN_CALL = (*CALLED, s.pause(300), *HANGS_UP)
ENDED_BY_US = (s.expect_request("BYE"), s.respond_inside(200, "OK"))
ANSWERS = (
    s.expect_request("INVITE"),
    s.respond(180, "Ringing"),
    s.respond(200, "OK", s.sdp(), again=True),
    s.expect_request("ACK"),
    *ENDED_BY_US,
)


Lead = Callable[[ours.Phone, str], Awaitable[None]]


async def nothing(phone: ours.Phone) -> None:
    """The handler of what needs no watching."""


class Line:
    """Our phone and sipp, and between them a relay that loses and repeats as it is told."""

    def __init__(self, addresses: Iterator[Party], folder: Path) -> None:
        self.us, self.peer, self.between = next(addresses), next(addresses), next(addresses)
        self.folder = folder
        self.messages = ""
        """All that sipp sent and received."""

    def sipp_calls(
        self,
        *steps: str,
        copies: Copies = pass_all,
        handler: Callable[[Call], Awaitable[None]] | None = ours.answer,
        meanwhile: Callable[[ours.Phone], Awaitable[None]] = nothing,
        calls: int = 1,
        **settings: Any,
    ) -> ours.Phone:
        """sipp goes by these steps, to the end, and our phone has had so many calls, now ended."""

        async def main() -> ours.Phone:
            async with ours.phone(self.us, handler, **settings) as phone:
                with (
                    Relay(self.between.address, self.us.address, copies) as self.relay,
                    Sipp(
                        self.peer,
                        self.folder,
                        s.scenario("calls", *steps),
                        target=self.us.bind,
                        via=self.between.bind,
                    ) as sipp,
                ):
                    await meanwhile(phone)
                    await asyncio.to_thread(sipp.assert_passed)
                    self.messages = sipp.messages()
                while len(phone.ended) < calls:
                    await asyncio.sleep(0.02)
                assert len(phone.calls) == calls
                return phone

        return ours.run(main())

    def we_call(self, lead: Lead, *steps: str, copies: Copies = pass_all) -> None:
        """Our phone calls, led by `lead`, which is told whom; sipp goes by these steps, to the end."""

        async def main() -> None:
            with (
                Sipp(self.peer, self.folder, s.scenario("is called", *steps)) as sipp,
                Relay(self.between.address, self.peer.address, copies) as self.relay,
            ):
                async with ours.phone(self.us) as phone:
                    await lead(phone, self.between.uri("sipp"))
                    await asyncio.to_thread(sipp.assert_passed)
                    self.messages = sipp.messages()

        ours.run(main())


@pytest.fixture
def line(addresses: Iterator[Party], folder: Path) -> Line:
    """One for each test."""
    return Line(addresses, folder)


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
                await asyncio.to_thread(sipp.assert_passed)
            while len(phone.ended) < 20:
                await asyncio.sleep(0.02)
            assert len(phone.calls) == 20
            assert most == 20
            assert {event.by for event in phone.ended} == {"remote"}

    ours.run(main())


@pytest.mark.parametrize("times", [1, 2])
def test_a_lost_200_is_sent_again(line: Line, times: int) -> None:
    line.sipp_calls(*PLAIN_CALL, copies=lose_first("SIP/2.0 200", times, cseq="INVITE"))
    assert line.relay.count("SIP/2.0 200", from_upstream=True, cseq="INVITE") == times + 1


def test_a_lost_ack_brings_the_200_again_and_nothing_else(line: Line) -> None:
    phone = line.sipp_calls(*CALLED, s.pause(1200), *HANGS_UP, copies=lose_first("ACK"))
    assert line.relay.count("SIP/2.0 200", from_upstream=True, cseq="INVITE") == 2
    assert line.relay.count("ACK", from_upstream=False) == 2
    assert [event.by for event in phone.ended] == ["remote"]


@pytest.mark.parametrize(
    "copies", [repeat("INVITE", 3), repeat("", 2)], ids=["INVITE, three times", "all, twice"]
)
def test_what_comes_several_times_is_one_call(line: Line, copies: Copies) -> None:
    line.sipp_calls(*PLAIN_CALL, copies=copies)


def talk(seconds: float) -> Lead:
    """Call, and hang up after a while."""

    async def lead(phone: ours.Phone, target: str) -> None:
        call = await phone.softphone.call(target)
        await asyncio.sleep(seconds)
        await call.hangup()

    return lead


def test_our_lost_invite_is_sent_again(line: Line) -> None:
    line.we_call(talk(0.3), *ANSWERS, copies=lose_first("INVITE", 2))
    assert line.relay.count("INVITE", from_upstream=False) == 3


def test_a_200_that_is_lost_on_its_way_to_us(line: Line) -> None:
    line.we_call(talk(0), *ANSWERS, copies=lose_first("SIP/2.0 200", 1, cseq="INVITE"))


def test_our_lost_ack_is_sent_for_each_200(line: Line) -> None:
    # The contact is the relay, so that our ACK goes through it too.
    contact = f"sip:sipp@{line.between.bind}"
    steps = [step.replace("sip:sipp@[local_ip]:[local_port]", contact) for step in ANSWERS]
    line.we_call(talk(1.0), *steps, copies=lose_first("ACK"))
    assert line.relay.count("ACK", from_upstream=False) == 2


CANCELLED = (s.expect(200), s.expect(487), s.ack_failure())


async def only_ring(call: Call) -> None:
    """The handler of a phone that nobody answers."""


@pytest.mark.parametrize(
    ("rings", "until"),
    [
        (True, (s.expect(100, optional=True), s.expect(180), s.pause(200))),
        (False, (s.expect(100), s.pause(100))),
    ],
    ids=["while we ring", "before we ring"],
)
def test_sipp_cancels(line: Line, rings: bool, until: tuple[str, ...]) -> None:
    config = PhoneConfig(automatic_ringing=rings)
    phone = line.sipp_calls(s.invite(), *until, s.cancel(), *CANCELLED, handler=only_ring, config=config)
    assert [(event.by, event.status) for event in phone.ended] == [("remote", 487)]


def test_a_cancel_after_our_200_changes_nothing(line: Line) -> None:
    cancels = (s.cancel(), s.expect(200))
    phone = line.sipp_calls(
        s.invite(), *MAYBE_RINGS, s.expect(200), *cancels, s.ack(), s.pause(300), *HANGS_UP
    )
    assert [(event.by, event.status) for event in phone.ended] == [("remote", 0)]


def test_a_cancel_of_nothing_gets_481(line: Line) -> None:
    line.sipp_calls(s.cancel(), s.expect(481), calls=0)


def test_a_bye_of_nothing_gets_481(line: Line) -> None:
    stray = s.bye().replace("[next_url]", "sip:bob@[remote_ip]:[remote_port]")
    stray = stray.replace("[last_To:]", "To: <sip:bob@[remote_ip]>;tag=unknown").replace("[routes]\n", "")
    line.sipp_calls(stray, s.expect(481), calls=0)


def give_up(after_s: float) -> Lead:
    """Call, and cancel that after a while."""

    async def lead(phone: ours.Phone, target: str) -> None:
        call = phone.softphone.dial(target)
        waiting = asyncio.ensure_future(call.answered())
        await asyncio.sleep(after_s)
        await call.hangup()
        with pytest.raises(CallFailed) as failure:
            await waiting
        assert failure.value.cause == "cancelled"

    return lead


IS_CANCELLED = (
    s.expect_request("CANCEL"),
    s.respond(200, "OK"),
    s.respond(487, "Request Terminated").replace("[last_CSeq:]", "CSeq: 1 INVITE"),
    s.expect_request("ACK"),
)


@pytest.mark.parametrize(("status", "reason"), [(100, "Trying"), (180, "Ringing")])
def test_we_cancel_after_a_provisional(line: Line, status: int, reason: str) -> None:
    line.we_call(give_up(0.5), s.expect_request("INVITE"), s.respond(status, reason), *IS_CANCELLED)


def test_we_cancel_before_any_answer(line: Line) -> None:
    """RFC 3261 s9.1: the CANCEL waits for the first provisional response."""
    slow = (s.expect_request("INVITE"), s.pause(1200), s.respond(180, "Ringing"))
    line.we_call(give_up(0.2), *slow, *IS_CANCELLED)
    assert "\nCANCEL sip:" not in line.messages.split("SIP/2.0 180")[0]


def test_our_cancel_crosses_their_200(line: Line) -> None:
    """RFC 3261 s9.1: a 200 to the INVITE all the same makes a call, which we ACK and end with BYE."""
    line.we_call(
        give_up(0.4),
        s.expect_request("INVITE"),
        s.respond(180, "Ringing"),
        s.expect_request("CANCEL"),
        s.respond(200, "OK"),
        s.respond(200, "OK", s.sdp()).replace("[last_CSeq:]", "CSeq: 1 INVITE"),
        s.expect_request("ACK"),
        *ENDED_BY_US,
    )


@pytest.mark.parametrize(("status", "reason"), [(486, "Busy Here"), (404, "Not Found"), (603, "Decline")])
def test_a_refusal_is_acknowledged_and_told(line: Line, status: int, reason: str) -> None:
    async def lead(phone: ours.Phone, target: str) -> None:
        with pytest.raises(CallFailed) as failure:
            await phone.softphone.call(target)
        assert (failure.value.status, failure.value.reason) == (status, reason)

    refuses = (s.expect_request("INVITE"), s.respond(status, reason, again=True), s.expect_request("ACK"))
    line.we_call(lead, *refuses)


def offers(
    cseq: int, *expected: str, codecs: Sequence[str] | None = None, direction: str = "sendrecv"
) -> list[str]:
    """sipp offers anew and gets what is `expected`."""
    body = s.sdp(direction, version=cseq) if codecs is None else s.sdp(direction, version=cseq, codecs=codecs)
    return [s.reinvite(body, cseq), s.expect(100, optional=True), *expected]


def test_hold_and_resume_by_reinvite(line: Line) -> None:
    events: list[tuple[str, str]] = []

    async def handler(call: Call) -> None:
        call.on("held", lambda event: events.append(("held", event.by)))
        call.on("resumed", lambda event: events.append(("resumed", event.by)))
        await call.answer()

    line.sipp_calls(
        *CALLED,
        s.pause(300),
        *offers(2, s.expect(200, containing="a=recvonly"), s.ack(2), direction="sendonly"),
        s.pause(300),
        *offers(3, s.expect(200, containing="a=inactive"), s.ack(3), direction="inactive"),
        s.pause(300),
        *offers(4, s.expect(200, containing="a=sendrecv"), s.ack(4)),
        s.pause(300),
        s.bye(5),
        s.expect(200),
        handler=handler,
    )
    assert events == [("held", "remote"), ("resumed", "remote")]


def test_we_hold_and_resume(line: Line) -> None:
    async def lead(phone: ours.Phone, target: str) -> None:
        call = await phone.softphone.call(target)
        await call.hold()
        await call.resume()
        await call.hangup()

    line.we_call(
        lead,
        s.expect_request("INVITE"),
        s.respond(200, "OK", s.sdp(), again=True),
        s.expect_request("ACK"),
        s.expect_request("INVITE", containing="a=sendonly"),
        s.respond_inside(200, "OK", s.sdp("recvonly", version=2)),
        s.expect_request("ACK"),
        s.expect_request("INVITE", containing="a=sendrecv"),
        s.respond_inside(200, "OK", s.sdp(version=3)),
        s.expect_request("ACK"),
        *ENDED_BY_US,
    )


def test_a_refused_reinvite_leaves_the_call_as_it_was(line: Line) -> None:
    """488 for an offer without a codec of ours; the call goes on, and a good offer afterwards is taken."""
    line.sipp_calls(
        *CALLED,
        *offers(2, s.expect(488), s.ack_failure(2, inside=True), codecs=["109 EVS/16000"]),
        *offers(3, s.expect(200, containing="m=audio [1-9]"), s.ack(3)),
        s.pause(200),
        s.bye(4),
        s.expect(200),
    )


def test_a_late_offer_is_answered_in_the_ack(line: Line) -> None:
    async def meanwhile(phone: ours.Phone) -> None:
        await asyncio.sleep(0.3)
        session = phone.calls[0].session
        assert session is not None
        assert session.codec == "PCMU"

    line.sipp_calls(
        s.invite(""),
        *MAYBE_RINGS,
        s.expect(200, containing="m=audio [1-9][0-9]* RTP/AVP 0"),
        s.ack(1, s.sdp()),
        s.pause(500),
        *HANGS_UP,
        meanwhile=meanwhile,
    )


def test_options_by_sipp(line: Line) -> None:
    line.sipp_calls(s.options(), s.expect(200, containing="Allow:.*INVITE"), calls=0)
    assert "m=audio" in line.messages
