"""UPDATE (RFC 3311), both ways, before and after the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from dialog.errors import LocalProtocolError
from dialog.events import CallEnded, ModifyAccepted, ModifyFailed, SessionAnswer, SessionOffer
from dialog.message import Request, Response
from dialog.usage.exchange import Exchange
from dialog.usage.invite import InviteUsage, UsageState

if TYPE_CHECKING:
    from tests.dialog.conftest import Pair, Stranger

OFFER, ANSWER = b"v=0 changed", b"v=0 agreed"
SDP = "v=0 stranger\r\n"


@pytest.mark.parametrize("by", ["caller", "callee"])
def test_a_session_changed_by_update(pair: Pair, by: str) -> None:
    mine, theirs = pair.established()
    one, us, other, them = (pair.alice, mine, pair.bob, theirs)
    if by == "callee":
        one, us, other, them = other, them, one, us
    us.update(OFFER)
    pair.run()
    assert other.of(SessionOffer)[-1].body == OFFER
    assert them.confirmed_branch.exchange is Exchange.THEIRS
    them.answer_offer(ANSWER)
    pair.run()
    assert one.of(SessionAnswer)[-1].body == ANSWER
    assert one.only(ModifyAccepted).usage is us
    assert us.confirmed_branch.quiet
    assert them.confirmed_branch.quiet
    assert not one.requests("ACK") or by == "caller"
    us.bye()
    assert pair.nothing_left()


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_an_update_meets_an_offer_of_the_other_side_and_both_are_tried_again(pair: Pair, method: str) -> None:
    mine, theirs = pair.established()

    def answer(usage: InviteUsage) -> Callable[[object], None]:
        return lambda event: usage.answer_offer(ANSWER) if isinstance(event, SessionOffer) else None

    pair.alice.on_event, pair.bob.on_event = answer(mine), answer(theirs)
    mine.update(OFFER)
    (theirs.update if method == "UPDATE" else theirs.reinvite)(OFFER)
    pair.run(0.1)
    assert pair.bob.statuses("UPDATE") == [491]
    assert pair.alice.statuses(method) == [491]
    pair.run(10)
    assert pair.alice.of(ModifyAccepted)
    assert pair.bob.of(ModifyAccepted)
    assert mine.confirmed_branch.quiet


def test_misuse(pair: Pair) -> None:
    mine = pair.invite()
    with pytest.raises(LocalProtocolError, match="no early dialogs"):
        mine.update(OFFER)
    pair.run()
    pair.bob.call.ring()
    pair.run()
    with pytest.raises(LocalProtocolError, match="an offer is open"):
        mine.update(OFFER)
    pair.bob.call.accept(pair.answer)
    pair.run()
    with pytest.raises(LocalProtocolError, match="empty"):
        mine.update(b"")
    mine.update(OFFER)
    with pytest.raises(LocalProtocolError):
        mine.update(OFFER)
    with pytest.raises(LocalProtocolError, match="an UPDATE is still in progress"):
        mine.reinvite(OFFER)
    mine.bye()
    pair.run()
    with pytest.raises(LocalProtocolError, match="over"):
        mine.update(OFFER)
    with pytest.raises(LocalProtocolError):
        pair.bob.call.answer_offer(ANSWER)
    assert pair.nothing_left()


def test_an_early_session_is_changed_by_either_side(pair: Pair) -> None:
    """The answer came reliably in the 183: from then on both may offer."""
    mine = pair.invite()
    pair.run()
    theirs = pair.bob.call
    theirs.progress(pair.answer)
    pair.run()
    theirs.update(b"v=0 to another phone")
    pair.run()
    offer = pair.alice.only(SessionOffer)
    assert offer.body == b"v=0 to another phone"
    mine.answer_offer(ANSWER, offer.early_dialog)
    pair.run()
    assert pair.bob.only(SessionAnswer).body == ANSWER
    mine.update(OFFER, mine.early_dialogs[0])
    pair.run()
    theirs.answer_offer(ANSWER)
    pair.run()
    assert len(pair.alice.of(ModifyAccepted)) == len(pair.bob.of(ModifyAccepted)) == 1
    theirs.accept()
    pair.run()
    assert mine.state is theirs.state is UsageState.CONFIRMED
    mine.bye()
    assert pair.nothing_left()


@pytest.mark.parametrize("whose", ["ours", "theirs"])
def test_the_call_is_answered_while_an_early_update_is_open(stranger: Stranger, whose: str) -> None:
    call = stranger.peer.core.invite("sip:s@192.0.2.66:5066", from_="<sip:bob@192.0.2.2>", body=b"v=0")
    stranger.wire.run(0.05)
    invite = stranger.received[-1]
    assert isinstance(invite, Request)
    contact = ("Contact", "<sip:s@192.0.2.66:5066>")
    sdp = ("Content-Type", "application/sdp")
    early = [contact, sdp, ("Require", "100rel"), ("RSeq", "1")]
    stranger.say(bytes(Response.to_request(invite, 183, to_tag="s", headers=early, body=b"v=0 early")))
    if whose == "ours":
        call.update(OFFER, "s")
    else:
        local = f"{invite.headers.get('From')}"
        text = stranger.request(
            "UPDATE", from_=f"{invite.headers.get('To')};tag=s", to=local, call_id=invite.call_id, body=SDP
        )
        stranger.say(text)
    stranger.wire.run(0.05)
    stranger.say(bytes(Response.to_request(invite, 200, to_tag="s", headers=[contact])))
    assert call.state is UsageState.CONFIRMED
    if whose == "ours":
        ours = next(m for m in stranger.received if isinstance(m, Request) and m.method == "UPDATE")
        stranger.say(bytes(Response.to_request(ours, 200, headers=[contact, sdp], body=ANSWER)))
        assert stranger.peer.of(ModifyAccepted)
    else:
        call.answer_offer(ANSWER)
        stranger.wire.run(0.05)
        assert stranger.received[-1].body == ANSWER
    assert call.confirmed_branch.quiet


def confirmed(stranger: Stranger) -> InviteUsage:
    stranger.say(stranger.request("INVITE", "Allow: INVITE, UPDATE", body=SDP))
    call = stranger.peer.call
    call.accept(b"v=0")
    stranger.wire.run(0.05)
    ok = [m for m in stranger.received if isinstance(m, Response) and m.status == 200]
    stranger.say(stranger.request("ACK", to=ok[-1].headers.get("To") or "", branch="z9hG4bKack"))
    assert call.state is UsageState.CONFIRMED
    return call


def update(stranger: Stranger, call: InviteUsage, cseq: int, body: str = "") -> Response:
    text = stranger.request(
        "UPDATE", to=call.confirmed_dialog.local, cseq=str(cseq), branch=f"z9hG4bKu{cseq}", body=body
    )
    answer = stranger.say(text)[-1]
    assert isinstance(answer, Response)
    return answer


def test_an_update_without_an_offer_is_answered_at_once(stranger: Stranger) -> None:
    call = confirmed(stranger)
    response = update(stranger, call, 2)
    assert response.status == 200
    assert not response.body
    assert not [e for e in stranger.peer.of(SessionOffer) if e.body != SDP.encode()]


def test_a_second_update_before_the_first_is_answered_gets_500(stranger: Stranger) -> None:
    call = confirmed(stranger)
    update_text = stranger.request(
        "UPDATE", to=call.confirmed_dialog.local, cseq="2", branch="z9hG4bKu2", body="v=0 first"
    )
    stranger.say(update_text)
    response = update(stranger, call, 3, body="v=0 second")
    assert response.status == 500
    assert 0 <= int(response.headers.get("Retry-After") or "") <= 10
    call.answer_offer(ANSWER)
    stranger.wire.run(0.05)
    assert stranger.received[-1].body == ANSWER


def test_an_offer_that_meets_ours_is_491_and_one_too_many_500(stranger: Stranger) -> None:
    call = confirmed(stranger)
    call.update(OFFER)
    stranger.wire.run(0.05)
    assert update(stranger, call, 2, body=SDP).status == 491
    ours = next(m for m in stranger.received if isinstance(m, Request) and m.method == "UPDATE")
    stranger.say(
        bytes(Response.to_request(ours, 200, headers=[("Content-Type", "application/sdp")], body=b"v=0"))
    )
    assert stranger.peer.of(ModifyAccepted)
    stranger.say(
        stranger.request("INVITE", to=call.confirmed_dialog.local, cseq="3", branch="z9hG4bKri", body=SDP)
    )
    response = update(stranger, call, 4, body=SDP)
    assert response.status == 500
    assert "Retry-After" in response.headers


def test_an_answer_missing_is_a_failure_of_the_update_only(stranger: Stranger) -> None:
    call = confirmed(stranger)
    call.update(OFFER)
    stranger.wire.run(0.05)
    ours = stranger.received[-1]
    assert isinstance(ours, Request)
    stranger.say(bytes(Response.to_request(ours, 200)))
    assert stranger.peer.only(ModifyFailed).status == 488
    assert call.state is UsageState.CONFIRMED
    assert call.confirmed_branch.quiet


@pytest.mark.parametrize("status", [481, 408])
def test_an_update_for_an_unknown_dialog_ends_the_call(stranger: Stranger, status: int) -> None:
    call = confirmed(stranger)
    call.update(OFFER)
    stranger.wire.run(0.05)
    ours = stranger.received[-1]
    assert isinstance(ours, Request)
    stranger.say(bytes(Response.to_request(ours, status)))
    assert stranger.peer.only(ModifyFailed).ends_call
    assert stranger.peer.of(CallEnded)


def test_the_call_ends_while_an_update_is_unanswered(pair: Pair) -> None:
    mine, _ = pair.established()
    mine.update(OFFER)
    pair.run()
    mine.bye()
    pair.run()
    assert pair.bob.statuses("UPDATE") == [487]
    assert not pair.alice.of(ModifyFailed)
    assert pair.nothing_left()


def test_an_update_refreshes_the_target(stranger: Stranger) -> None:
    call = confirmed(stranger)
    text = stranger.request("UPDATE", to=call.confirmed_dialog.local, cseq="2", branch="z9hG4bKu2")
    stranger.say(text.replace("<sip:stranger@192.0.2.66:5066>", "<sip:moved@192.0.2.66:5066>"))
    call.bye()
    stranger.wire.run(0.05)
    bye = stranger.received[-1]
    assert isinstance(bye, Request)
    assert bye.request_uri == "sip:moved@192.0.2.66:5066"
