"""Answering, being cancelled, and what happens when responses or ACKs are lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from dialog.events import (
    CallAnswered,
    CallCancelled,
    CallConfirmed,
    CallEnded,
    CallFailed,
    IncomingCall,
    SessionPreview,
)
from dialog.message import Response
from dialog.usage.invite import UsageState

if TYPE_CHECKING:
    from tests.dialog.conftest import Pair, Stranger


def test_100_comes_by_itself_when_the_application_is_slow(pair: Pair) -> None:
    pair.invite()
    pair.run(1)
    assert pair.bob.statuses("INVITE") == [100]
    assert pair.alice.kinds() == ["Trying"]


def test_100_repeats_the_timestamp(pair: Pair, stranger: Stranger) -> None:
    stranger.say(stranger.request("INVITE", "Timestamp: 54.5", body="v=0"))
    pair.run(0.3)
    assert stranger.statuses() == [100]
    assert stranger.received[0].headers.get("Timestamp") == "54.5"
    assert stranger.received[0].to.tag is None


def test_ringing_is_repeated_each_minute_until_the_answer(pair: Pair) -> None:
    pair.invite()
    pair.run()
    pair.bob.call.ring()
    pair.run(130)
    assert pair.bob.statuses("INVITE") == [180, 180, 180]
    pair.bob.call.accept(pair.answer)
    pair.run(130)
    assert pair.bob.statuses("INVITE") == [180, 180, 180, 200]


def test_early_media_is_a_preview(pair_with: Callable[..., Pair]) -> None:
    pair = pair_with(reliable_provisional="off")
    pair.invite()
    pair.run()
    pair.bob.call.progress(pair.answer)
    pair.run()
    assert pair.alice.only(SessionPreview).body == pair.answer
    assert pair.bob.call.state is UsageState.RINGING


def test_a_2xx_is_resent_until_its_ack(pair: Pair) -> None:
    pair.invite()
    pair.run()
    lost = 0

    def drop_two_acks(message: object, sender: object) -> bool:
        nonlocal lost
        if str(message).startswith("<Request 'ACK") and lost < 2:
            lost += 1
            return True
        return False

    pair.wire.drop = drop_two_acks
    pair.bob.call.accept(pair.answer)
    pair.run(20)
    assert pair.bob.statuses("INVITE") == [200, 200, 200]
    assert len(pair.alice.requests("ACK")) == 3
    assert len(pair.bob.of(CallConfirmed)) == len(pair.alice.of(CallConfirmed)) == 1


def test_a_2xx_never_acknowledged_ends_in_bye(pair: Pair, stranger: Stranger) -> None:
    stranger.say(stranger.request("INVITE", body="v=0"))
    pair.bob.call.accept(pair.answer)
    pair.run(40)
    times = [
        round(time - pair.bob.sent[0][0], 3)
        for time, message in pair.bob.sent
        if isinstance(message, Response)
    ]
    assert times == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    failed = pair.bob.only(CallFailed)
    assert (failed.status, failed.cause) == (408, "no_ack")
    assert pair.bob.requests("BYE")
    assert pair.bob.kinds()[-1] == "CallFailed"
    assert pair.nothing_left()


@pytest.mark.parametrize("ringing", [False, True])
def test_cancel_before_the_answer(pair: Pair, stranger: Stranger, ringing: bool) -> None:
    stranger.say(stranger.request("INVITE", body="v=0"))
    if ringing:
        pair.bob.call.ring()
    stranger.say(stranger.request("CANCEL", 'Reason: SIP;cause=200;text="elsewhere"'))
    assert stranger.statuses()[-2:] == [200, 487]
    assert pair.bob.only(CallCancelled).reason == 'SIP;cause=200;text="elsewhere"'
    tags = {message.to.tag for message in stranger.received}
    assert len(tags) == 1, "the 200 to CANCEL has the To tag of the INVITE's responses (section 9.2)"


def test_cancel_after_the_2xx_changes_nothing(pair: Pair, stranger: Stranger) -> None:
    stranger.say(stranger.request("INVITE", body="v=0"))
    pair.bob.call.accept(pair.answer)
    stranger.say(stranger.request("CANCEL"))
    assert stranger.statuses() == [200, 200]
    assert [message.cseq.method for message in stranger.received] == ["INVITE", "CANCEL"]
    assert not pair.bob.of(CallCancelled)
    assert pair.bob.call.state is UsageState.ANSWERED


def test_cancel_after_a_refusal_changes_nothing(pair: Pair, stranger: Stranger) -> None:
    stranger.say(stranger.request("INVITE", body="v=0"))
    pair.bob.call.reject(486)
    stranger.say(stranger.request("CANCEL"))
    assert stranger.statuses() == [486, 200]
    assert not pair.bob.of(CallCancelled)


def test_cancel_of_nothing_is_481(pair: Pair, stranger: Stranger) -> None:
    stranger.say(stranger.request("CANCEL"))
    assert stranger.statuses() == [481]


def test_cancel_repeated_is_answered_alike(pair: Pair, stranger: Stranger) -> None:
    stranger.say(stranger.request("INVITE", body="v=0"))
    stranger.say(stranger.request("CANCEL"))
    stranger.say(stranger.request("CANCEL"))
    assert stranger.statuses() == [200, 487, 200]
    assert len(pair.bob.of(CallCancelled)) == 1


def answered(pair: Pair, stranger: Stranger) -> str:
    """A call that waits for its ACK; the To of its dialog."""
    stranger.say(stranger.request("INVITE", body="v=0"))
    pair.bob.call.accept(pair.answer)
    pair.run(0.01)
    return f"<sip:bob@192.0.2.2>;tag={pair.bob.call.confirmed_dialog.key[1]}"


def test_bye_before_the_ack_ends_the_call(pair: Pair, stranger: Stranger) -> None:
    to = answered(pair, stranger)
    stranger.say(stranger.request("BYE", to=to, branch="z9hG4bKb", cseq="2"))
    assert pair.bob.only(CallEnded).by == "remote"
    before = len(stranger.received)
    pair.run(40)
    assert len(stranger.received) == before, "the 2xx is not resent after BYE"


def test_an_ack_with_another_cseq_confirms_nothing(pair: Pair, stranger: Stranger) -> None:
    to = answered(pair, stranger)
    stranger.say(stranger.request("ACK", to=to, branch="z9hG4bKa", cseq="2"))
    assert not pair.bob.of(CallConfirmed)
    stranger.say(stranger.request("ACK", to=to, branch="z9hG4bKa", cseq="1"))
    stranger.say(stranger.request("ACK", to=to, branch="z9hG4bKa", cseq="1"))
    assert len(pair.bob.of(CallConfirmed)) == 1


def test_an_ack_with_the_branch_of_the_invite_is_taken(pair: Pair, stranger: Stranger) -> None:
    to = answered(pair, stranger)
    stranger.say(stranger.request("ACK", to=to))
    assert pair.bob.of(CallConfirmed)


def test_the_response_carries_what_a_dialog_needs(pair: Pair, stranger: Stranger) -> None:
    stranger.say(
        stranger.request(
            "INVITE",
            "Record-Route: <sip:p2.example.com;lr>, <sip:192.0.2.66:5066;lr>",
            "Record-Route: <sip:p1.example.com;lr>",
            body="v=0",
        )
    )
    pair.bob.call.ring()
    pair.bob.call.accept(pair.answer)
    pair.run(0.05)
    for message in stranger.received:
        assert isinstance(message, Response)
        assert len(message.record_routes) == 3
        assert str(message.contacts[0].uri) == "sip:bob@192.0.2.2:5060"
    ok = stranger.received[-1]
    assert "INVITE" in (ok.headers.get("Allow") or "")
    assert ok.headers.get("Supported") is not None
    assert [str(route) for route in pair.bob.call.confirmed_dialog.route_set] == [
        "<sip:p2.example.com;lr>",
        "<sip:192.0.2.66:5066;lr>",
        "<sip:p1.example.com;lr>",
    ]


def test_a_strict_router_gets_its_request_uri(pair: Pair, stranger: Stranger) -> None:
    stranger.say(
        stranger.request("INVITE", "Record-Route: <sip:192.0.2.66:5066>, <sip:p1.example.com;lr>", body="v=0")
    )
    pair.bob.call.accept(pair.answer)
    pair.run(0.05)
    to = f"<sip:bob@192.0.2.2>;tag={pair.bob.call.confirmed_dialog.key[1]}"
    stranger.say(stranger.request("ACK", to=to, branch="z9hG4bKack"))
    pair.bob.call.bye()
    pair.run(0.05)
    bye = pair.bob.requests("BYE")[0]
    assert bye.request_uri == "sip:192.0.2.66:5066"
    assert [str(route) for route in bye.routes] == [
        "<sip:p1.example.com;lr>",
        "<sip:stranger@192.0.2.66:5066>",
    ]
    assert stranger.received[-1].start_line == bye.start_line


def test_a_caller_without_a_from_tag_is_called_back_without_one(pair: Pair, stranger: Stranger) -> None:
    old = {"from_": "<sip:old@example.com>", "branch": "1"}
    stranger.say(stranger.request("INVITE", body="v=0", **old))
    pair.bob.call.accept(pair.answer)
    pair.run(0.05)
    to = f"<sip:bob@192.0.2.2>;tag={pair.bob.call.confirmed_dialog.key[1]}"
    stranger.say(stranger.request("ACK", to=to, **old))
    assert pair.bob.of(CallConfirmed)
    pair.bob.call.bye()
    pair.run(0.05)
    assert pair.bob.requests("BYE")[0].to.tag is None


def test_a_second_call_is_another_call(pair: Pair, stranger: Stranger) -> None:
    stranger.say(stranger.request("INVITE", body="v=0"))
    stranger.say(stranger.request("INVITE", call_id="other", branch="z9hG4bKother", body="v=0"))
    assert len(pair.bob.of(IncomingCall)) == 2
    assert not pair.bob.of(CallAnswered)


def test_a_re_invite_before_the_answer_is_refused_for_now(pair: Pair, stranger: Stranger) -> None:
    stranger.say(stranger.request("INVITE", body="v=0"))
    pair.bob.call.ring()
    to = f"<sip:bob@192.0.2.2>;tag={pair.bob.call.confirmed_dialog.key[1]}"
    stranger.say(stranger.request("INVITE", to=to, branch="z9hG4bK2", cseq="2", body="v=0"))
    refused = stranger.received[-1]
    assert isinstance(refused, Response)
    assert refused.status == 500
    assert 0 <= int(refused.headers.get("Retry-After") or "-1") <= 10
