"""Re-INVITE, both ways, and where they meet."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from dialog.errors import LocalProtocolError
from dialog.events import (
    CallEnded,
    ModifyAccepted,
    ModifyFailed,
    OfferNotAnswered,
    OfferWanted,
    SessionAnswer,
    SessionOffer,
)
from dialog.message import Request, Response
from dialog.usage.invite import InviteUsage, UsageState

if TYPE_CHECKING:
    from tests.dialog.conftest import Pair, Party, Stranger

HOLD, HELD = b"v=0 hold", b"v=0 held"


@pytest.mark.parametrize("by", ["caller", "callee"])
def test_an_offer_and_its_answer(pair: Pair, by: str) -> None:
    mine, theirs = pair.established()
    one, other = (pair.alice, pair.bob) if by == "caller" else (pair.bob, pair.alice)
    us, them = (mine, theirs) if by == "caller" else (theirs, mine)
    us.reinvite(HOLD)
    pair.run()
    assert other.of(SessionOffer)[-1].body == HOLD
    them.answer_offer(HELD)
    pair.run()
    assert one.of(SessionAnswer)[-1].body == HELD
    assert one.only(ModifyAccepted).usage is us
    assert len(one.requests("ACK")) == (2 if by == "caller" else 1)
    assert us.request.call_id == one.requests("INVITE")[-1].call_id
    us.reinvite(pair.offer)
    pair.run()
    them.answer_offer(pair.answer)
    pair.run()
    assert len(one.of(ModifyAccepted)) == 2
    us.bye()
    pair.run()
    assert pair.nothing_left()


def test_a_re_invite_without_a_body_asks_for_an_offer(pair: Pair) -> None:
    mine, theirs = pair.established()
    mine.reinvite(None)
    pair.run()
    assert pair.bob.only(OfferWanted).usage is theirs
    theirs.answer_offer(HOLD)
    pair.run()
    assert pair.alice.only(SessionOffer).body == HOLD
    assert not pair.alice.of(ModifyAccepted)
    mine.answer_offer(HELD)
    pair.run()
    assert pair.bob.only(SessionAnswer).body == HELD
    assert pair.alice.of(ModifyAccepted)


@pytest.mark.parametrize("change", [InviteUsage.reinvite, InviteUsage.update], ids=["re-INVITE", "UPDATE"])
def test_a_refused_change_leaves_the_call_as_it_was(
    pair: Pair, change: Callable[[InviteUsage, bytes], None]
) -> None:
    mine, theirs = pair.established()
    change(mine, HOLD)
    pair.run()
    theirs.reject_offer(488)
    pair.run()
    assert pair.alice.only(ModifyFailed) == ModifyFailed(mine, 488, "Not Acceptable Here")
    assert mine.state is theirs.state is UsageState.CONFIRMED
    change(mine, HOLD)
    pair.run()
    theirs.answer_offer(HELD)
    pair.run()
    assert pair.alice.of(ModifyAccepted)


def test_glare_is_retried_after_random_times_by_both(pair: Pair) -> None:
    mine, theirs = pair.established()
    mine.reinvite(b"v=0 from alice")
    theirs.reinvite(b"v=0 from bob")

    def answer_offers(party: Party, usage: InviteUsage) -> None:
        def handle(event: object) -> None:
            if isinstance(event, SessionOffer):
                usage.answer_offer(HELD)

        party.on_event = handle

    answer_offers(pair.alice, mine)
    answer_offers(pair.bob, theirs)
    pair.run(0.1)
    assert pair.alice.statuses("INVITE") == [491]
    assert pair.bob.statuses("INVITE")[-1] == 491
    start = pair.wire.now
    pair.run(10)
    assert pair.alice.of(ModifyAccepted)
    assert pair.bob.of(ModifyAccepted)
    assert not pair.alice.of(ModifyFailed)
    retries = {
        party: [time - start for time, m in party.sent if isinstance(m, Request) and m.method == "INVITE"][-1]
        for party in (pair.alice, pair.bob)
    }
    assert 2.0 <= retries[pair.alice] <= 4.0, "the owner of the Call-ID waits 2.1 to 4 s"
    assert retries[pair.bob] <= 2.0


def test_glare_without_end_is_a_failure(pair: Pair, stranger: Stranger) -> None:
    call = confirmed(pair, stranger)
    call.reinvite(HOLD)
    for _ in range(20):
        pair.run(4)
        invites = [m for m in stranger.received if isinstance(m, Request) and m.method == "INVITE"]
        stranger.say(bytes(Response.to_request(invites[-1], 491)))
    assert pair.bob.only(ModifyFailed).status == 491
    assert call.state is UsageState.CONFIRMED


def confirmed(pair: Pair, stranger: Stranger) -> InviteUsage:
    """A call of the stranger's to Bob; gives Bob's side."""
    stranger.say(stranger.request("INVITE", body="v=0"))
    pair.bob.call.accept(pair.answer)
    pair.run(0.05)
    to = f"<sip:bob@192.0.2.2>;tag={pair.bob.call.confirmed_dialog.key[1]}"
    stranger.say(stranger.request("ACK", to=to, branch="z9hG4bKack"))
    return pair.bob.call


def to_of(call: InviteUsage) -> str:
    return f"<sip:bob@192.0.2.2>;tag={call.confirmed_dialog.key[1]}"


@pytest.mark.parametrize(("status", "by"), [(481, "remote"), (408, "timeout")])
def test_481_or_408_to_a_re_invite_ends_the_call(
    pair: Pair, stranger: Stranger, status: int, by: str
) -> None:
    call = confirmed(pair, stranger)
    call.reinvite(HOLD)
    pair.run(0.05)
    invite = stranger.received[-1]
    assert isinstance(invite, Request)
    stranger.say(bytes(Response.to_request(invite, status)))
    failed = pair.bob.only(ModifyFailed)
    assert (failed.status, failed.ends_call) == (status, True)
    assert pair.bob.only(CallEnded).by == by
    assert pair.bob.requests("BYE")


def test_a_re_invite_nobody_answers_ends_the_call(pair: Pair) -> None:
    mine, _ = pair.established()
    pair.wire.loss = 1.0
    mine.reinvite(HOLD)
    pair.run(33)
    assert pair.alice.only(ModifyFailed).status == 408
    assert pair.alice.only(CallEnded).by == "timeout"


def test_a_second_re_invite_before_the_first_is_answered(pair: Pair, stranger: Stranger) -> None:
    call = confirmed(pair, stranger)
    to = to_of(call)
    stranger.say(stranger.request("INVITE", to=to, branch="z9hG4bK2", cseq="2", body="v=0 two"))
    stranger.say(stranger.request("INVITE", to=to, branch="z9hG4bK3", cseq="3", body="v=0 three"))
    refused = stranger.received[-1]
    assert isinstance(refused, Response)
    assert (refused.status, refused.cseq.number) == (500, 3)
    assert "Retry-After" in refused.headers
    call.answer_offer(HELD)
    pair.run(0.05)
    assert (stranger.statuses()[-1], stranger.received[-1].cseq.number) == (200, 2)


def test_a_re_invite_while_ours_is_in_progress_is_491(pair: Pair, stranger: Stranger) -> None:
    call = confirmed(pair, stranger)
    call.reinvite(HOLD)
    pair.run(0.05)
    stranger.say(stranger.request("INVITE", to=to_of(call), branch="z9hG4bK2", cseq="2", body="v=0 two"))
    assert stranger.statuses()[-1] == 491


def test_a_re_invite_refreshes_the_target(pair: Pair, stranger: Stranger) -> None:
    call = confirmed(pair, stranger)
    text = stranger.request("INVITE", to=to_of(call), branch="z9hG4bK2", cseq="2", body="v=0 two")
    stranger.say(text.replace("Contact: <sip:stranger@", "Contact: <sip:moved@"))
    call.answer_offer(HELD)
    assert str(call.confirmed_dialog.remote_target).startswith("sip:moved@")
    call.bye()
    pair.run(0.05)
    assert pair.bob.requests("BYE")[0].request_uri == "sip:moved@192.0.2.66:5066"


def test_a_re_invite_whose_2xx_gets_no_ack_ends_the_call(pair: Pair, stranger: Stranger) -> None:
    call = confirmed(pair, stranger)
    stranger.say(stranger.request("INVITE", to=to_of(call), branch="z9hG4bK2", cseq="2", body="v=0 two"))
    call.answer_offer(HELD)
    pair.run(33)
    assert stranger.statuses().count(200) == 12
    assert pair.bob.only(CallEnded).by == "timeout"


def test_a_re_invite_taken_back_by_cancel(pair: Pair, stranger: Stranger) -> None:
    call = confirmed(pair, stranger)
    text = {"to": to_of(call), "branch": "z9hG4bK2", "cseq": "2"}
    stranger.say(stranger.request("INVITE", body="v=0 two", **text))
    stranger.say(stranger.request("CANCEL", **text))
    assert stranger.statuses()[-2:] == [200, 487]
    assert pair.bob.only(ModifyFailed).status == 487
    with pytest.raises(LocalProtocolError, match="no offer is waiting"):
        call.answer_offer(HELD)
    assert call.state is UsageState.CONFIRMED


def test_bye_while_a_re_invite_is_unanswered(pair: Pair, stranger: Stranger) -> None:
    call = confirmed(pair, stranger)
    to = to_of(call)
    stranger.say(stranger.request("INVITE", to=to, branch="z9hG4bK2", cseq="2", body="v=0 two"))
    stranger.say(stranger.request("BYE", to=to, branch="z9hG4bK3", cseq="3"))
    assert stranger.statuses()[-2:] == [200, 487]
    assert pair.bob.only(CallEnded).by == "remote"


def test_our_bye_while_our_re_invite_is_unanswered(pair: Pair) -> None:
    mine, _ = pair.established()
    mine.reinvite(HOLD)
    pair.run()
    mine.bye()
    pair.run()
    assert pair.alice.only(CallEnded).by == "local"
    assert not pair.alice.of(ModifyFailed)
    assert pair.nothing_left()


def test_a_2xx_to_our_re_invite_that_comes_after_our_bye_is_acknowledged(
    pair: Pair, stranger: Stranger
) -> None:
    call = confirmed(pair, stranger)
    call.reinvite(HOLD)
    pair.run(0.05)
    invite = stranger.received[-1]
    assert isinstance(invite, Request)
    call.bye()
    pair.run(0.05)
    sdp = [("Content-Type", "application/sdp")]
    stranger.say(bytes(Response.to_request(invite, 200, headers=sdp, body=b"v=0")))
    assert len(pair.bob.requests("ACK")) == 1
    assert not pair.bob.of(ModifyAccepted)


def test_a_re_invite_before_the_ack_of_the_first_is_taken(pair: Pair, stranger: Stranger) -> None:
    stranger.say(stranger.request("INVITE", body="v=0"))
    call = pair.bob.call
    call.accept(pair.answer)
    pair.run(0.05)
    stranger.say(stranger.request("INVITE", to=to_of(call), branch="z9hG4bK2", cseq="2", body="v=0 two"))
    assert pair.bob.of(SessionOffer)[-1].body == b"v=0 two"
    call.answer_offer(HELD)
    pair.run(0.05)
    stranger.say(stranger.request("ACK", to=to_of(call), branch="z9hG4bK4", cseq="2"))
    stranger.say(stranger.request("ACK", to=to_of(call), branch="z9hG4bK5", cseq="1"))
    assert call.state is UsageState.CONFIRMED
    pair.run(40)
    assert call.state is UsageState.CONFIRMED


def test_a_re_invite_before_the_answer_to_our_late_offer_is_491(pair: Pair, stranger: Stranger) -> None:
    stranger.say(stranger.request("INVITE"))
    call = pair.bob.call
    call.accept(pair.offer)
    pair.run(0.05)
    stranger.say(stranger.request("INVITE", to=to_of(call), branch="z9hG4bK2", cseq="2", body="v=0 two"))
    assert stranger.statuses()[-1] == 491


def test_a_2xx_without_a_body_fails_the_modification_only(pair: Pair, stranger: Stranger) -> None:
    call = confirmed(pair, stranger)
    call.reinvite(HOLD)
    pair.run(0.05)
    invite = stranger.received[-1]
    assert isinstance(invite, Request)
    stranger.say(bytes(Response.to_request(invite, 200)))
    stranger.say(bytes(Response.to_request(invite, 200)))
    assert len(pair.bob.requests("ACK")) == 2
    assert pair.bob.only(ModifyFailed).status == 488
    assert call.state is UsageState.CONFIRMED


def test_an_ack_without_the_answer_to_our_offer_leaves_the_call_as_it_was(
    pair: Pair, stranger: Stranger
) -> None:
    call = confirmed(pair, stranger)
    stranger.say(stranger.request("INVITE", to=to_of(call), branch="z9hG4bK2", cseq="2"))
    call.answer_offer(HOLD)
    pair.run(0.05)
    stranger.say(stranger.request("ACK", to=to_of(call), branch="z9hG4bK3", cseq="2"))
    assert pair.bob.only(OfferNotAnswered).usage is call
    assert call.state is UsageState.CONFIRMED
    call.reinvite(HOLD)


def test_two_of_ours_at_once_are_misuse(pair: Pair) -> None:
    mine, theirs = pair.established()
    mine.reinvite(HOLD)
    with pytest.raises(LocalProtocolError, match="of ours is still in progress"):
        mine.reinvite(HOLD)
    pair.run()
    with pytest.raises(LocalProtocolError, match="of the peer is still in progress"):
        theirs.reinvite(HOLD)
