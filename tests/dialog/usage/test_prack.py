"""Reliable provisional responses and PRACK (RFC 3262), and the session descriptions in them (RFC 6337)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from dialog.errors import LocalProtocolError
from dialog.events import (
    CallAnswered,
    CallCancelled,
    CallConfirmed,
    CallEnded,
    CallFailed,
    IncomingCall,
    Progress,
    SessionAnswer,
    SessionOffer,
    SessionPreview,
)
from dialog.message import Request, Response
from dialog.usage.invite import InviteUsage, UsageState
from dialog.usage.prack import reliable_sequence

if TYPE_CHECKING:
    from tests.dialog.conftest import Pair, Stranger

PairWith = Callable[..., "Pair"]
SDP = "v=0 stranger\r\n"


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (183, {"Require": "100rel", "RSeq": "1"}, 1),
        (183, {"Require": "x, 100REL", "RSeq": "4294967295"}, 4294967295),
        (183, {"Require": "100rel", "RSeq": "0"}, None),
        (183, {"Require": "100rel", "RSeq": "4294967296"}, None),
        (183, {"Require": "100rel", "RSeq": "one"}, None),
        (183, {"Require": "100rel"}, None),
        (183, {"RSeq": "1"}, None),
        (100, {"Require": "100rel", "RSeq": "1"}, None),
    ],
)
def test_what_asks_for_prack(status: int, headers: dict[str, str], expected: int | None) -> None:
    assert reliable_sequence(Response(status, None, headers.items())) == expected


# Caller and callee.


def test_an_answer_in_a_reliable_183(pair: Pair) -> None:
    mine = pair.invite()
    pair.run()
    theirs = pair.bob.call
    theirs.progress(pair.answer)
    pair.run()
    (prack,) = pair.alice.requests("PRACK")
    (progress,) = [m for _, m in pair.bob.sent if isinstance(m, Response) and m.status == 183]
    assert prack.headers.get("RAck") == f"{progress.headers.get('RSeq')} {mine.request.cseq}"
    assert prack.request_uri == str(progress.contacts[0].uri)
    assert pair.bob.statuses("PRACK") == [200]
    assert pair.alice.kinds() == ["Progress", "SessionAnswer"]
    theirs.accept(pair.answer)
    pair.run()
    (ok,) = [
        m
        for _, m in pair.bob.sent
        if isinstance(m, Response) and m.status == 200 and m.cseq.method == "INVITE"
    ]
    assert not ok.body
    assert pair.alice.kinds() == ["Progress", "SessionAnswer", "CallAnswered", "CallConfirmed"]
    assert pair.alice.only(CallAnswered).early_dialog == pair.alice.only(SessionAnswer).early_dialog
    mine.bye()
    assert pair.nothing_left()


def test_an_offer_in_a_reliable_183_has_its_answer_in_prack(pair: Pair) -> None:
    mine = pair.invite(None)
    pair.run()
    theirs = pair.bob.call
    assert theirs.can_offer_early
    theirs.progress(pair.offer)
    pair.run()
    offer = pair.alice.only(SessionOffer)
    assert offer.body == pair.offer
    assert not pair.alice.requests("PRACK")
    with pytest.raises(LocalProtocolError, match="no answer yet"):
        theirs.accept(pair.offer)
    mine.answer_offer(pair.answer, offer.early_dialog)
    pair.run()
    assert pair.alice.requests("PRACK")[0].body == pair.answer
    assert pair.bob.only(SessionAnswer).body == pair.answer
    theirs.accept()
    pair.run()
    assert pair.alice.kinds()[-2:] == ["CallAnswered", "CallConfirmed"]
    assert not pair.alice.requests("ACK")[0].body
    assert pair.bob.kinds()[-1] == "CallConfirmed"
    theirs.bye()
    assert pair.nothing_left()


def test_an_offer_in_a_response_that_is_refused_ends_the_call(pair: Pair) -> None:
    mine = pair.invite(None)
    pair.run()
    pair.bob.call.progress(pair.offer)
    pair.run()
    mine.reject_offer()
    pair.run(5)
    assert pair.alice.only(CallFailed).cause == "cancelled"
    assert pair.bob.of(CallCancelled)
    assert pair.nothing_left()


def test_a_lost_prack_has_the_response_repeated(pair: Pair) -> None:
    pair.invite()
    pair.run()
    start = pair.wire.now
    pair.wire.drop = lambda message, sender: isinstance(message, Request) and message.method == "PRACK"
    pair.bob.call.progress(pair.answer)
    pair.run(4)
    times = [time - start for time, m in pair.bob.sent if isinstance(m, Response) and m.status == 183]
    assert times == pytest.approx([0, 0.5, 1.5, 3.5])
    assert len(pair.alice.of(Progress)) == len(pair.alice.of(SessionAnswer)) == 1
    pair.wire.drop = lambda message, sender: False
    pair.run(10)
    assert len(pair.bob.statuses("PRACK")) == 1
    assert pair.bob.statuses("INVITE").count(183) <= 5


def test_without_prack_for_64_t1_the_call_is_refused(pair: Pair) -> None:
    pair.invite()
    pair.run()
    pair.wire.drop = lambda message, sender: isinstance(message, Request) and message.method == "PRACK"
    pair.bob.call.progress(pair.answer)
    pair.run(31)
    assert not pair.bob.of(CallFailed)
    pair.run(3)
    assert pair.bob.only(CallFailed).cause == "no_ack"
    assert pair.alice.only(CallFailed).status == 504
    assert pair.nothing_left()


def test_a_2xx_waits_for_the_prack_of_its_answer(pair: Pair) -> None:
    pair.invite()
    pair.run()
    lost: list[Request] = []

    def drop(message: Request | Response, sender: object) -> bool:
        if isinstance(message, Request) and message.method == "PRACK" and not lost:
            lost.append(message)
            return True
        return False

    pair.wire.drop = drop
    theirs = pair.bob.call
    theirs.progress(pair.answer)
    theirs.accept()
    pair.run(0.3)
    assert 200 not in pair.bob.statuses("INVITE")
    assert theirs.state is UsageState.ANSWERED
    pair.run(1)
    assert pair.bob.statuses("INVITE")[-1] == 200
    assert pair.alice.of(CallConfirmed)
    assert pair.bob.of(CallConfirmed)


@pytest.mark.parametrize("how", ["bye", "cancel"])
def test_the_call_ends_while_its_2xx_waits(pair: Pair, how: str) -> None:
    mine = pair.invite()
    pair.run()
    theirs = pair.bob.call
    pair.wire.drop = lambda message, sender: isinstance(message, Request) and message.method == "PRACK"
    theirs.progress(pair.answer)
    pair.run()
    theirs.accept()
    if how == "bye":
        theirs.bye()
    else:
        mine.cancel()
    pair.run(5)
    assert pair.alice.only(CallFailed).status == (480 if how == "bye" else 487)
    assert pair.bob.of(CallEnded if how == "bye" else CallCancelled)
    assert pair.nothing_left()


def test_several_reliable_responses_go_one_after_the_other(pair_with: PairWith) -> None:
    pair = pair_with(reliable_provisional="required")
    mine = pair.invite()
    assert mine.request.require == ("100rel",)
    pair.run()
    theirs = pair.bob.call
    theirs.ring()
    theirs.progress(pair.answer)
    theirs.ring(181)
    assert pair.bob.statuses("INVITE") == []
    pair.run(0.005)
    assert pair.bob.statuses("INVITE") == [180]
    pair.run()
    assert pair.bob.statuses("INVITE") == [180, 183, 181]
    numbers = [
        int(m.headers.get("RSeq") or "")
        for _, m in pair.bob.sent
        if isinstance(m, Response) and m.status < 200
    ]
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]
    assert len(pair.alice.requests("PRACK")) == 3
    assert [p.status for p in pair.alice.of(Progress)] == [180, 183, 181]
    theirs.accept()
    pair.run()
    assert pair.alice.of(CallConfirmed)


def test_ringing_without_a_description_is_not_reliable_unless_required(pair: Pair) -> None:
    pair.invite()
    pair.run()
    pair.bob.call.ring()
    pair.run()
    assert not pair.alice.requests("PRACK")


def test_a_2xx_need_not_wait_for_a_response_without_a_description(pair_with: PairWith) -> None:
    pair = pair_with(reliable_provisional="required")
    pair.invite()
    pair.run()
    pair.wire.drop = lambda message, sender: isinstance(message, Request) and message.method == "PRACK"
    theirs = pair.bob.call
    theirs.ring()
    pair.run()
    theirs.accept(pair.answer)
    pair.run(10)
    assert pair.bob.of(CallConfirmed)
    assert pair.bob.statuses("INVITE").count(180) == 1


def test_required_but_not_supported(pair_with: PairWith) -> None:
    pair = pair_with(alice={"reliable_provisional": "off"}, bob={"reliable_provisional": "required"})
    pair.invite()
    pair.run()
    failed = pair.alice.only(CallFailed)
    assert failed.status == 421
    assert failed.response is not None
    assert failed.response.require == ("100rel",)
    assert not pair.bob.of(IncomingCall)


def test_switched_off_it_is_420(pair_with: PairWith) -> None:
    pair = pair_with(alice={"reliable_provisional": "required"}, bob={"reliable_provisional": "off"})
    pair.invite()
    pair.run()
    assert pair.alice.only(CallFailed).status == 420


def test_off_for_both_it_is_a_preview(pair_with: PairWith) -> None:
    pair = pair_with(bob={"reliable_provisional": "off"})
    pair.invite()
    pair.run()
    pair.bob.call.progress(pair.answer)
    pair.run()
    assert pair.alice.of(SessionPreview)
    assert not pair.bob.call.can_offer_early


# A callee and a caller that speaks for itself.


def ringing(stranger: Stranger, *headers: str, body: str = SDP) -> tuple[InviteUsage, Response]:
    """The stranger calls Bob, who sends early media; gives the 183."""
    stranger.say(stranger.request("INVITE", *headers, body=body))
    call = stranger.peer.call
    call.progress(b"v=0 early")
    stranger.wire.run(0.05)
    progress = stranger.received[-1]
    assert isinstance(progress, Response)
    assert progress.status == 183
    return call, progress


def send_prack(
    stranger: Stranger, progress: Response, rack: str | None = None, *, cseq: int = 2, body: str = ""
) -> list[Response]:
    """Acknowledge; what comes at once as an answer."""
    rack = rack or f"{progress.headers.get('RSeq')} 1 INVITE"
    text = stranger.request(
        "PRACK",
        f"RAck: {rack}",
        to=progress.headers.get("To") or "",
        cseq=str(cseq),
        branch=f"z9hG4bKp{cseq}",
        body=body,
    )
    return [m for m in stranger.say(text) if isinstance(m, Response) and m.cseq.method == "PRACK"]


def prack(
    stranger: Stranger, progress: Response, rack: str | None = None, *, cseq: int = 2, body: str = ""
) -> Response:
    """Acknowledge; the answer."""
    return send_prack(stranger, progress, rack, cseq=cseq, body=body)[-1]


@pytest.mark.parametrize("header", ["Supported: 100rel", "Require: 100rel"])
def test_a_callers_wish_is_obeyed(stranger: Stranger, header: str) -> None:
    _, progress = ringing(stranger, header)
    assert progress.require == ("100rel",)
    assert 1 <= int(progress.headers.get("RSeq") or "") < 2**31
    assert prack(stranger, progress).status == 200


def test_required_every_response_is_reliable(stranger: Stranger) -> None:
    stranger.say(stranger.request("INVITE", "Require: 100rel", body=SDP))
    stranger.peer.call.ring()
    stranger.wire.run(0.05)
    assert "RSeq" in stranger.received[-1].headers


@pytest.mark.parametrize(
    "rack", ["1 1 INVITE", "{rseq} 2 INVITE", "{rseq} 1 UPDATE", "{rseq} INVITE", "what"]
)
def test_a_prack_of_nothing_gets_481(stranger: Stranger, rack: str) -> None:
    call, progress = ringing(stranger, "Supported: 100rel")
    assert prack(stranger, progress, rack.format(rseq=progress.headers.get("RSeq"))).status == 481
    assert call.state is UsageState.RINGING
    assert prack(stranger, progress, cseq=3).status == 200


def test_a_prack_for_the_same_response_again_gets_481(stranger: Stranger) -> None:
    _, progress = ringing(stranger, "Supported: 100rel")
    assert prack(stranger, progress).status == 200
    assert prack(stranger, progress, cseq=3).status == 481


def test_an_offer_in_prack_has_its_answer_in_the_200(stranger: Stranger) -> None:
    call, progress = ringing(stranger, "Supported: 100rel")
    assert not send_prack(stranger, progress, body="v=0 changed")
    assert stranger.peer.of(SessionOffer)[-1].body == b"v=0 changed"
    with pytest.raises(LocalProtocolError, match="unanswered"):
        call.accept()
    call.answer_offer(b"v=0 fine")
    call.accept()
    stranger.wire.run(0.1)
    answers = [m for m in stranger.received if isinstance(m, Response) and m.status == 200]
    assert [(m.cseq.method, m.body) for m in answers] == [("PRACK", b"v=0 fine"), ("INVITE", b"")]


def test_a_2xx_that_waits_for_a_prack_waits_for_the_answer_to_its_offer(stranger: Stranger) -> None:
    call, progress = ringing(stranger, "Supported: 100rel")
    call.accept()
    assert not send_prack(stranger, progress, body="v=0 changed")
    assert 200 not in stranger.statuses()
    call.answer_offer(b"v=0 fine")
    stranger.wire.run(0.1)
    answers = [m for m in stranger.received if isinstance(m, Response) and m.status == 200]
    assert [(m.cseq.method, m.body) for m in answers] == [("PRACK", b"v=0 fine"), ("INVITE", b"")]


def test_an_offer_in_prack_that_is_refused_acknowledges_all_the_same(stranger: Stranger) -> None:
    call, progress = ringing(stranger, "Supported: 100rel")
    stranger.peer.on_event = lambda event: call.reject_offer(488) if isinstance(event, SessionOffer) else None
    assert prack(stranger, progress, body="v=0 nonsense").status == 488
    call.accept()
    stranger.wire.run(0.1)
    assert stranger.statuses()[-1] == 200


# A caller and a callee that speaks for itself.


def calling(stranger: Stranger, body: bytes | None = b"v=0 ours") -> tuple[InviteUsage, Request]:
    call = stranger.peer.core.invite("sip:s@192.0.2.66:5066", from_="<sip:bob@192.0.2.2>", body=body)
    stranger.wire.run(0.05)
    invite = stranger.received[-1]
    assert isinstance(invite, Request)
    return call, invite


def respond(
    stranger: Stranger, invite: Request, status: int, tag: str, rseq: int | None = None, body: bytes = b""
) -> None:
    headers = [("Contact", f"<sip:{tag}@192.0.2.66:5066>")]
    if rseq is not None:
        headers += [("Require", "100rel"), ("RSeq", str(rseq))]
    if body:
        headers.append(("Content-Type", "application/sdp"))
    stranger.say(bytes(Response.to_request(invite, status, to_tag=tag, headers=headers, body=body)))


def racks(stranger: Stranger) -> list[tuple[str, str]]:
    """The PRACKs we sent: To tag and RAck."""
    return [
        (m.to.tag or "", (m.headers.get("RAck") or "").partition(" ")[0])
        for m in stranger.received
        if isinstance(m, Request) and m.method == "PRACK"
    ]


def test_out_of_order_and_repeated_responses_are_not_acknowledged(stranger: Stranger) -> None:
    _, invite = calling(stranger)
    respond(stranger, invite, 180, "a", 10)
    respond(stranger, invite, 183, "a", 12, b"v=0 too early")
    respond(stranger, invite, 180, "a", 10)
    respond(stranger, invite, 180, "a", 9)
    assert set(racks(stranger)) == {("a", "10")}
    respond(stranger, invite, 183, "a", 11, b"v=0 answer")
    respond(stranger, invite, 183, "a", 12)
    assert set(racks(stranger)) == {("a", "10"), ("a", "11"), ("a", "12")}
    assert [e.body for e in stranger.peer.of(SessionAnswer)] == [b"v=0 answer"]
    assert [p.status for p in stranger.peer.of(Progress)] == [180, 183, 183]


def test_each_branch_has_its_own_numbers_and_answer(stranger: Stranger) -> None:
    call, invite = calling(stranger)
    respond(stranger, invite, 183, "a", 5, b"v=0 a")
    respond(stranger, invite, 183, "b", 7, b"v=0 b")
    respond(stranger, invite, 180, "c")
    assert set(racks(stranger)) == {("a", "5"), ("b", "7")}
    assert [(e.early_dialog, e.body) for e in stranger.peer.of(SessionAnswer)] == [
        ("a", b"v=0 a"),
        ("b", b"v=0 b"),
    ]
    assert call.early_dialogs == ["a", "b", "c"]
    respond(stranger, invite, 200, "b")
    assert stranger.peer.only(CallAnswered).early_dialog == "b"
    assert len(stranger.peer.of(SessionAnswer)) == 2
    # A late 2xx of another branch: acknowledged, and ended.
    respond(stranger, invite, 200, "a")
    requests = [(m.method, m.to.tag) for m in stranger.received if isinstance(m, Request)]
    assert ("ACK", "b") in requests
    assert ("ACK", "a") in requests
    assert ("BYE", "a") in requests
    assert ("BYE", "b") not in requests
    assert call.state is UsageState.CONFIRMED


def test_late_offers_of_two_branches_are_answered_each(stranger: Stranger) -> None:
    call, invite = calling(stranger, None)
    respond(stranger, invite, 183, "a", 1, b"v=0 from a")
    respond(stranger, invite, 183, "b", 1, b"v=0 from b")
    call.answer_offer(b"v=0 to b", "b")
    call.answer_offer(b"v=0 to a", "a")
    stranger.wire.run(0.05)
    pracks = [m for m in stranger.received if isinstance(m, Request) and m.method == "PRACK"]
    assert {m.to.tag: m.body for m in pracks} == {"b": b"v=0 to b", "a": b"v=0 to a"}


def test_a_description_repeated_in_the_2xx_is_ignored(stranger: Stranger) -> None:
    _, invite = calling(stranger)
    respond(stranger, invite, 183, "a", 1, b"v=0 answer")
    respond(stranger, invite, 200, "a", None, b"v=0 something else")
    assert [e.body for e in stranger.peer.of(SessionAnswer)] == [b"v=0 answer"]
    assert stranger.peer.of(CallConfirmed)


def test_a_2xx_while_a_reliable_offer_is_unanswered_is_acknowledged_and_ended(stranger: Stranger) -> None:
    _, invite = calling(stranger, None)
    respond(stranger, invite, 183, "a", 1, b"v=0 offer")
    respond(stranger, invite, 200, "a", None, b"v=0 offer")
    methods = [m.method for m in stranger.received if isinstance(m, Request)]
    assert "ACK" in methods
    assert "BYE" in methods
    assert stranger.peer.only(CallFailed).status == 488


def test_a_re_invite_may_be_answered_by_reliable_responses_too(stranger: Stranger) -> None:
    call, invite = calling(stranger)
    respond(stranger, invite, 200, "a", None, b"v=0 answer")
    call.reinvite(b"v=0 hold")
    stranger.wire.run(0.05)
    again = [m for m in stranger.received if isinstance(m, Request) and m.method == "INVITE"][-1]
    respond(stranger, again, 183, "a", 77, b"v=0 held")
    assert ("a", "77") in racks(stranger)
    assert stranger.peer.of(SessionAnswer)[-1].body == b"v=0 held"
    respond(stranger, again, 200, "a")
    assert stranger.peer.kinds()[-1] == "ModifyAccepted"
