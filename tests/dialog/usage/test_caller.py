"""Cancelling, forking, and what a caller makes of the bodies it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dialog.dns import Answer
from dialog.errors import LocalProtocolError
from dialog.events import (
    CallAnswered,
    CallCancelled,
    CallConfirmed,
    CallEnded,
    CallFailed,
    Progress,
    SessionAnswer,
    SessionPreview,
    Trying,
)
from dialog.message import Request, Response
from dialog.usage.caller import MAX_EARLY_DIALOGS
from dialog.usage.invite import InviteUsage, Role, UsageState

if TYPE_CHECKING:
    from tests.dialog.conftest import Pair, Stranger, Wire

SDP = (("Content-Type", "application/sdp"),)


class Forks:
    """Alice calls; what answers is written by the test, one tag a branch."""

    def __init__(self, pair: Pair, body: bytes | None = b"v=0 offer") -> None:
        self.pair = pair
        self.peer: Stranger = pair.wire.stranger(("192.0.2.50", 5060), pair.alice)
        self.usage: InviteUsage = pair.alice.core.invite(
            "sip:bob@192.0.2.50", from_="<sip:alice@example.com>", body=body
        )
        pair.run(0.05)
        invite = self.peer.received[0]
        assert isinstance(invite, Request)
        self.invite = invite

    def answer(
        self, status: int, tag: str | None, body: bytes = b"", method: str = "INVITE", contact: str = ""
    ) -> None:
        request = next(
            message
            for message in reversed(self.peer.received)
            if isinstance(message, Request) and message.method == method
        )
        headers = [("Contact", contact or f"<sip:{tag}@192.0.2.50:5060>"), *(SDP if body else ())]
        self.peer.say(bytes(Response.to_request(request, status, to_tag=tag, headers=headers, body=body)))

    def sent(self, method: str) -> list[str]:
        """The To tags of the requests of that method."""
        return [request.to.tag or "" for request in self.pair.alice.requests(method)]

    def end_stray(self) -> None:
        self.answer(200, None, method="BYE")


def test_trying_is_told_once(pair: Pair) -> None:
    forks = Forks(pair)
    forks.answer(100, None)
    assert pair.alice.kinds() == ["Trying"]
    assert isinstance(pair.alice.events[0], Trying)
    assert forks.usage.state is UsageState.CALLING


@pytest.mark.parametrize(
    "contact", ["<tel:+1555>", "<sip:b@pbx.nowhere>", "<sip:b@192.0.2.5;transport=tcp>", "<sip:b@0.0.0.0:5>"]
)
def test_a_contact_that_leads_nowhere_is_answered_where_it_came_from(pair: Pair, contact: str) -> None:
    forks = Forks(pair)
    forks.answer(200, "one", b"v=0 answer", contact=contact)
    pair.run(6)
    forks.usage.reinvite(b"v=0 hold")
    pair.run(6)
    forks.answer(200, "one", b"v=0 held", contact=contact)
    pair.run(6)
    forks.usage.bye()
    pair.run(6)
    sent = [m.method for m in forks.peer.received if isinstance(m, Request)]
    assert [sent.count("ACK"), "BYE" in sent] == [2, True]
    ack = next(m for m in forks.peer.received if isinstance(m, Request) and m.method == "ACK")
    assert ack.request_uri == contact[1:-1]


def test_a_contact_that_wants_tls_gets_nothing_in_the_clear(pair: Pair) -> None:
    forks = Forks(pair)
    forks.answer(200, "one", b"v=0 answer", contact="<sips:bob@192.0.2.50>")
    assert not forks.sent("ACK")


def test_branches_are_told_apart(pair: Pair) -> None:
    forks = Forks(pair)
    forks.answer(180, "one")
    forks.answer(183, "two", b"v=0 two")
    assert [(p.status, p.early_dialog) for p in pair.alice.of(Progress)] == [(180, "one"), (183, "two")]
    assert forks.usage.early_dialogs == ["one", "two"]
    preview = pair.alice.only(SessionPreview)
    assert (preview.body, preview.early_dialog) == (b"v=0 two", "two")


def test_the_first_2xx_wins_and_the_second_is_acknowledged_and_ended(pair: Pair) -> None:
    forks = Forks(pair)
    forks.answer(180, "one")
    forks.answer(180, "two")
    forks.answer(200, "two", b"v=0 two")
    forks.answer(200, "one", b"v=0 one")
    assert pair.alice.only(SessionAnswer).early_dialog == "two"
    assert forks.sent("ACK") == ["two", "one"]
    assert forks.sent("BYE") == ["one"]
    forks.end_stray()
    assert forks.usage.state is UsageState.CONFIRMED
    assert str(forks.usage.confirmed_dialog.remote_target) == "sip:two@192.0.2.50:5060"
    assert len(pair.alice.of(CallAnswered)) == len(pair.alice.of(CallConfirmed)) == 1
    forks.answer(200, "one", b"v=0 one")
    assert forks.sent("ACK") == ["two", "one", "one"]
    assert forks.sent("BYE") == ["one"], "one BYE is enough"


def test_a_repeated_2xx_gets_the_same_ack_and_no_event(pair: Pair) -> None:
    forks = Forks(pair)
    for _ in range(3):
        forks.answer(200, "one", b"v=0 one")
    acks = pair.alice.requests("ACK")
    assert len(acks) == 3
    assert bytes(acks[0]) == bytes(acks[1]) == bytes(acks[2])
    assert acks[0].via.branch != forks.invite.via.branch
    assert acks[0].request_uri == "sip:one@192.0.2.50:5060"
    assert pair.alice.kinds() == ["SessionAnswer", "CallAnswered", "CallConfirmed"]


def test_a_repeated_2xx_is_acknowledged_even_after_the_call(pair: Pair) -> None:
    forks = Forks(pair)
    forks.answer(200, "one", b"v=0 one")
    forks.usage.bye()
    pair.run(0.05)
    forks.end_stray()
    assert forks.usage.state is UsageState.ENDED
    forks.answer(200, "one", b"v=0 one")
    assert len(forks.sent("ACK")) == 2


def test_the_same_preview_is_shown_once_and_a_changed_one_again(pair: Pair) -> None:
    forks = Forks(pair)
    for body in (b"v=0 a", b"v=0 a", b"", b"v=0 b"):
        forks.answer(183, "one", body)
    assert [preview.body for preview in pair.alice.of(SessionPreview)] == [b"v=0 a", b"v=0 b"]


def test_the_answer_says_whether_it_repeats_the_preview(pair: Pair) -> None:
    forks = Forks(pair)
    forks.answer(183, "one", b"v=0 one")
    forks.answer(200, "one", b"v=0 one")
    assert pair.alice.only(SessionAnswer).repeated


def test_an_answer_that_differs_from_the_preview_is_not_repeated(pair: Pair) -> None:
    forks = Forks(pair)
    forks.answer(183, "one", b"v=0 one")
    forks.answer(200, "one", b"v=0 other")
    answer = pair.alice.only(SessionAnswer)
    assert (answer.body, answer.repeated) == (b"v=0 other", False)


def test_a_2xx_without_a_body_takes_the_preview_as_the_answer(pair: Pair) -> None:
    forks = Forks(pair)
    forks.answer(183, "one", b"v=0 one")
    forks.answer(200, "one")
    answer = pair.alice.only(SessionAnswer)
    assert (answer.body, answer.repeated) == (b"v=0 one", True)


def test_a_2xx_without_any_answer_is_acknowledged_and_ended(pair: Pair) -> None:
    forks = Forks(pair)
    forks.answer(200, "one")
    assert forks.sent("ACK") == forks.sent("BYE") == ["one"]
    failed = pair.alice.only(CallFailed)
    assert (failed.status, failed.cause) == (488, "no_description")


def test_a_late_2xx_without_an_offer_is_acknowledged_and_ended(pair: Pair) -> None:
    forks = Forks(pair, None)
    forks.answer(200, "one")
    assert forks.sent("ACK") == forks.sent("BYE") == ["one"]
    assert pair.alice.only(CallFailed).status == 488


def test_cancel_after_ringing(pair: Pair) -> None:
    mine = pair.invite()
    pair.run()
    pair.bob.call.ring()
    pair.run()
    mine.cancel('SIP;cause=200;text="Call completed elsewhere"')
    mine.cancel()
    pair.run()
    assert pair.bob.only(CallCancelled).reason == 'SIP;cause=200;text="Call completed elsewhere"'
    assert pair.bob.statuses("CANCEL") == [200]
    assert pair.bob.statuses("INVITE") == [180, 487]
    failed = pair.alice.only(CallFailed)
    assert (failed.status, failed.cause) == (487, "cancelled")
    (cancel,) = pair.alice.requests("CANCEL")
    invite = pair.alice.requests("INVITE")[0]
    assert str(cancel.via) == str(invite.via)
    assert cancel.cseq.number == invite.cseq.number
    assert len(pair.alice.requests("ACK")) == 1
    assert pair.nothing_left()


def test_cancel_before_any_provisional_response_is_held_back(pair: Pair) -> None:
    forks = Forks(pair)
    forks.usage.cancel()
    pair.run(1)
    assert forks.sent("CANCEL") == []
    forks.answer(100, None)
    forks.answer(180, "one")
    assert len(forks.sent("CANCEL")) == 1
    forks.answer(200, None, method="CANCEL")
    forks.answer(487, "one")
    assert pair.alice.kinds() == ["CallFailed"], "after cancel() only the outcome is told"
    assert pair.alice.only(CallFailed).cause == "cancelled"


def test_cancel_of_an_invite_nobody_ever_answers(pair: Pair) -> None:
    forks = Forks(pair)
    forks.usage.cancel()
    pair.run(33)
    assert forks.sent("CANCEL") == []
    assert pair.alice.only(CallFailed).cause == "cancelled"
    assert pair.nothing_left()


def test_a_2xx_that_crosses_cancel_is_acknowledged_and_ended(pair: Pair) -> None:
    forks = Forks(pair)
    forks.answer(180, "one")
    forks.usage.cancel()
    pair.run(0.05)
    forks.answer(200, "one", b"v=0 one")
    forks.answer(481, None, method="CANCEL")
    assert forks.sent("ACK") == forks.sent("BYE") == ["one"]
    assert pair.alice.only(CallFailed).cause == "cancelled"
    assert not pair.alice.of(CallAnswered)
    forks.end_stray()
    assert pair.nothing_left()


def test_a_2xx_that_comes_instead_of_any_provisional_after_cancel(pair: Pair) -> None:
    forks = Forks(pair)
    forks.usage.cancel()
    forks.answer(200, "one", b"v=0 one")
    assert forks.sent("CANCEL") == []
    assert forks.sent("ACK") == forks.sent("BYE") == ["one"]
    assert pair.alice.only(CallFailed).cause == "cancelled"


def test_a_cancel_that_brings_no_final_response_gives_up(pair: Pair) -> None:
    forks = Forks(pair)
    forks.answer(180, "one")
    forks.usage.cancel()
    pair.run(33)
    assert pair.alice.only(CallFailed).cause == "cancelled"
    assert pair.nothing_left()


def test_cancel_while_the_name_is_looked_up(pair: Pair) -> None:
    core = pair.alice.core
    usage = core.invite("sip:bob@slow.example.com", from_="<sip:alice@example.com>", body=b"v=0")
    (query,) = [effect.query for effect in core.take_effects() if hasattr(effect, "query")]
    usage.cancel()
    core.resolved(query, Answer((pair.bob.address[0],)), pair.wire.now)
    pair.run()
    assert pair.alice.only(CallFailed).cause == "cancelled"
    assert pair.alice.sent == []


def test_a_name_server_that_hangs_is_a_timeout_of_the_call(pair: Pair) -> None:
    core = pair.alice.core
    core.invite("sip:bob@slow.example.com", from_="<sip:alice@example.com>", body=b"v=0")
    core.take_effects()
    pair.run(33)
    assert pair.alice.only(CallFailed).cause == "transport"
    assert pair.nothing_left()


def test_no_response_at_all_is_408(pair: Pair) -> None:
    pair.wire.loss = 1.0
    pair.invite()
    pair.run(33)
    failed = pair.alice.only(CallFailed)
    assert (failed.status, failed.cause, failed.response) == (408, "timeout", None)


def test_a_lost_flow_is_503(pair: Pair) -> None:
    forks = Forks(pair)
    flow = pair.alice.core.locator._flows.popitem()[1]
    pair.alice.core.flow_lost(flow, pair.wire.now)
    pair.alice.drain()
    failed = pair.alice.only(CallFailed)
    assert (failed.status, failed.cause) == (503, "transport")
    assert forks.usage.state is UsageState.ENDED


def test_a_peer_that_invents_branches_is_not_followed_for_ever(pair: Pair) -> None:
    forks = Forks(pair)
    for number in range(3 * MAX_EARLY_DIALOGS):
        forks.answer(183, f"tag{number}", b"v=0 %d" % number)
        forks.answer(200 if number else 180, f"tag{number}", b"v=0")
    assert len(forks.usage.early_dialogs) <= MAX_EARLY_DIALOGS
    assert len(forks.sent("BYE")) <= 12 * MAX_EARLY_DIALOGS
    assert len(set(forks.sent("ACK"))) <= MAX_EARLY_DIALOGS


def test_a_bye_in_a_branch_that_is_not_answered_changes_nothing(pair: Pair) -> None:
    forks = Forks(pair)
    forks.answer(180, "one")
    invite = forks.invite
    bye = Request(
        "BYE",
        "sip:alice@192.0.2.1",
        [
            ("Via", "SIP/2.0/UDP 192.0.2.50:5060;branch=z9hG4bKbye"),
            ("From", f"{invite.headers.get('To')};tag=one"),
            ("To", invite.headers.get("From") or ""),
            ("Call-ID", invite.call_id),
            ("CSeq", "1 BYE"),
        ],
    )
    (response,) = forks.peer.say(bytes(bye))
    assert isinstance(response, Response)
    assert response.status == 200
    forks.answer(200, "two", b"v=0 two")
    assert forks.usage.state is UsageState.CONFIRMED
    assert not pair.alice.of(CallEnded)


def test_route_sets_are_reversed_for_the_caller_and_followed(wire: Wire, pair: Pair) -> None:
    forks = Forks(pair)
    record = [("Record-Route", "<sip:192.0.2.50:5060;lr>"), ("Record-Route", "<sip:far.example.com;lr>")]
    forks.peer.say(
        bytes(
            Response.to_request(
                forks.invite,
                200,
                to_tag="one",
                headers=[*record[::-1], ("Contact", "<sip:bob@10.0.0.9>"), *SDP],
                body=b"v=0",
            )
        )
    )
    (ack,) = pair.alice.requests("ACK")
    assert ack.request_uri == "sip:bob@10.0.0.9"
    assert [str(route) for route in ack.routes] == ["<sip:192.0.2.50:5060;lr>", "<sip:far.example.com;lr>"]
    assert forks.peer.received[-1].start_line.startswith("ACK")


class TestHeldBack:
    """An INVITE that waits for its offer."""

    def invite(self, pair: Pair) -> InviteUsage:
        usage = pair.alice.core.invite(
            "sip:bob@192.0.2.50", from_="<sip:alice@example.com>", body=None, held=True
        )
        pair.run(10)
        assert pair.alice.requests("INVITE") == []
        return usage

    @pytest.mark.parametrize("body", [b"v=0 offer", None])
    def test_it_is_sent_when_it_is_started(self, pair: Pair, body: bytes | None) -> None:
        peer = pair.wire.stranger(("192.0.2.50", 5060), pair.alice)
        usage = self.invite(pair)
        usage.start(body)
        pair.run(0.05)
        (invite,) = pair.alice.requests("INVITE")
        assert (invite.body, invite.content_type) == (body or b"", "application/sdp" if body else None)
        fields = [("Contact", "<sip:bob@192.0.2.50>"), *SDP]
        peer.say(bytes(Response.to_request(invite, 200, to_tag="b", headers=fields, body=b"v=0")))
        assert bool(pair.alice.of(SessionAnswer)) == bool(body)
        assert usage.state is (UsageState.CONFIRMED if body else UsageState.ANSWERED)
        with pytest.raises(LocalProtocolError, match="only the caller can start"):
            InviteUsage(pair.bob.core, Role.UAS, invite).start(b"v=0")

    def test_given_up_before(self, pair: Pair) -> None:
        usage = self.invite(pair)
        usage.cancel()
        usage.start(b"v=0 offer")
        pair.run(40)
        assert pair.alice.only(CallFailed).cause == "cancelled"
        assert pair.alice.sent == []

    def test_twice(self, pair: Pair) -> None:
        usage = self.invite(pair)
        usage.start(b"v=0 offer")
        with pytest.raises(LocalProtocolError, match="sent before"):
            usage.start(b"v=0 offer")
