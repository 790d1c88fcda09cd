"""A call from INVITE to BYE, both sides, on a clean wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from dialog.errors import LocalProtocolError
from dialog.events import (
    CallCancelled,
    CallEnded,
    CallFailed,
    IncomingCall,
    InfoReceived,
    SessionAnswer,
    SessionOffer,
)
from dialog.usage.invite import InviteUsage, Role, UsageState

if TYPE_CHECKING:
    from tests.dialog.conftest import Pair, Stranger


def test_a_call_and_its_events(pair: Pair) -> None:
    mine, theirs = pair.established()
    assert (mine.role, theirs.role) == (Role.UAC, Role.UAS)
    assert mine.state is theirs.state is UsageState.CONFIRMED
    assert pair.alice.kinds() == ["Progress", "SessionAnswer", "CallAnswered", "CallConfirmed"]
    assert pair.bob.kinds() == ["IncomingCall", "SessionOffer", "CallAnswered", "CallConfirmed"]
    assert pair.bob.only(SessionOffer).body == pair.offer
    answer = pair.alice.only(SessionAnswer)
    assert (answer.body, answer.repeated) == (pair.answer, False)
    assert answer.early_dialog == theirs.confirmed_dialog.key[1]
    assert mine.call_id == theirs.call_id
    assert str(theirs.remote_uri) == str(mine.local_uri) == "<sip:alice@example.com>"
    assert str(theirs.local_uri) == "<sip:bob@192.0.2.2>"
    assert str(mine.remote_uri) == "<sip:bob@192.0.2.2:5060>"


@pytest.mark.parametrize("by", ["caller", "callee"])
def test_bye_from_either_side(pair: Pair, by: str) -> None:
    mine, theirs = pair.established()
    ender, other = (mine, theirs) if by == "caller" else (theirs, mine)
    ender.bye('Q.850;cause=16;text="Normal call clearing"')
    ender.bye()
    assert ender.state is UsageState.ENDING
    pair.run()
    sides = {mine: pair.alice, theirs: pair.bob}
    assert sides[ender].only(CallEnded).by == "local"
    assert sides[other].only(CallEnded) == CallEnded(
        other, "remote", 'Q.850;cause=16;text="Normal call clearing"'
    )
    assert mine.state is theirs.state is UsageState.ENDED
    assert pair.nothing_left()


def test_both_hang_up_at_once(pair: Pair) -> None:
    mine, theirs = pair.established()
    mine.bye()
    theirs.bye()
    pair.run()
    assert pair.alice.only(CallEnded).by == pair.bob.only(CallEnded).by == "local"
    assert pair.nothing_left()


def test_a_bye_nobody_answers_ends_the_call_all_the_same(pair: Pair) -> None:
    mine, _ = pair.established()
    pair.wire.loss = 1.0
    mine.bye()
    pair.run(31)
    assert not pair.alice.of(CallEnded)
    pair.run(2)
    assert pair.alice.only(CallEnded).by == "local"
    assert len(pair.alice.requests("BYE")) == 11


def test_bye_before_the_ack_is_held_until_it_comes(pair: Pair) -> None:
    pair.invite()
    pair.run()
    theirs = pair.bob.call
    theirs.accept(pair.answer)
    theirs.bye()
    pair.run(0.005)
    assert pair.bob.requests("BYE") == []
    pair.run()
    assert len(pair.bob.requests("BYE")) == 1
    assert pair.alice.kinds()[-1] == pair.bob.kinds()[-1] == "CallEnded"
    assert pair.nothing_left()


def test_a_held_bye_goes_when_no_ack_ever_comes(pair: Pair) -> None:
    pair.invite()
    pair.run()
    pair.bob.call.accept(pair.answer)
    pair.bob.call.bye()
    pair.wire.drop = lambda message, sender: message.start_line.startswith("ACK")
    pair.run(40)
    assert len(pair.bob.requests("BYE")) == 1
    assert pair.bob.only(CallEnded).by == "local"
    assert pair.nothing_left()


def test_a_refusal(pair: Pair) -> None:
    pair.invite()
    pair.run()
    pair.bob.call.reject(486, headers=[("Retry-After", "60")])
    pair.run()
    failed = pair.alice.only(CallFailed)
    assert (failed.status, failed.reason, failed.cause) == (486, "Busy Here", "rejected")
    assert failed.response is not None
    assert failed.response.headers.get("Retry-After") == "60"
    assert len(pair.alice.requests("ACK")) == 1
    assert pair.bob.kinds() == ["IncomingCall", "SessionOffer"]
    assert pair.nothing_left()


def test_a_late_offer_is_answered_in_the_ack(pair: Pair) -> None:
    mine = pair.invite(None)
    pair.run()
    theirs = pair.bob.call
    assert not pair.bob.of(SessionOffer)
    theirs.accept(pair.offer)
    pair.run()
    assert pair.alice.only(SessionOffer).body == pair.offer
    assert mine.state is UsageState.ANSWERED
    assert not pair.alice.requests("ACK")
    mine.answer_offer(pair.answer)
    pair.run()
    assert pair.alice.kinds() == ["SessionOffer", "CallAnswered", "CallConfirmed"]
    assert pair.bob.kinds() == ["IncomingCall", "CallAnswered", "SessionAnswer", "CallConfirmed"]
    assert pair.bob.only(SessionAnswer).body == pair.answer


def test_a_late_offer_that_is_refused_is_acknowledged_and_ended(pair: Pair) -> None:
    mine = pair.invite(None)
    pair.run()
    pair.bob.call.accept(pair.offer)
    pair.run()
    mine.reject_offer()
    pair.run()
    assert len(pair.alice.requests("ACK")) == 1
    assert len(pair.alice.requests("BYE")) == 1
    assert pair.alice.only(CallEnded).by == "local"
    assert pair.bob.kinds()[-1] == "CallEnded"
    assert pair.nothing_left()


def test_a_late_offer_hung_up_before_it_is_answered(pair: Pair) -> None:
    pair.invite(None)
    pair.run()
    pair.bob.call.accept(pair.offer)
    pair.run(0.012)
    pair.alice.core.take_events()
    mine = pair.alice.only(SessionOffer).usage
    mine.bye()
    pair.run()
    assert pair.alice.only(CallEnded).by == "local"
    assert pair.nothing_left()


def test_an_ack_without_the_answer_ends_the_call(pair: Pair, stranger: Stranger) -> None:
    stranger.say(stranger.request("INVITE"))
    pair.bob.call.accept(pair.offer)
    pair.run()
    tag = pair.bob.call.confirmed_dialog.key[1]
    stranger.say(stranger.request("ACK", to=f"<sip:bob@192.0.2.2>;tag={tag}", branch="z9hG4bKack"))
    (bye,) = pair.bob.requests("BYE")
    assert "488" in (bye.headers.get("Reason") or "")


def test_info_in_the_call(pair: Pair) -> None:
    mine, theirs = pair.established()
    mine.info("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n")
    theirs.info("application/x-empty", b"")
    pair.run()
    assert pair.bob.only(InfoReceived).body == b"Signal=5\r\nDuration=160\r\n"
    assert pair.bob.only(InfoReceived).content_type == "application/dtmf-relay"
    assert pair.alice.only(InfoReceived).body == b""
    assert pair.bob.statuses("INFO") == [200]


def test_info_to_a_peer_that_forgot_the_call_ends_it(pair: Pair) -> None:
    mine, theirs = pair.established()
    pair.bob.core.dialogs.remove(theirs.confirmed_dialog.key)
    mine.info("application/dtmf-relay", b"Signal=5")
    pair.run()
    assert pair.alice.only(CallEnded).by == "remote"


def test_info_nobody_answers_ends_the_call_in_time(pair: Pair) -> None:
    mine, _ = pair.established()
    pair.wire.loss = 1.0
    mine.info("application/dtmf-relay", b"Signal=5")
    pair.run(33)
    assert pair.alice.only(CallEnded).by == "timeout"


def test_info_of_an_unknown_package_is_refused(pair: Pair, stranger: Stranger) -> None:
    to = establish_with(pair, stranger)
    (refused,) = stranger.say(
        stranger.request("INFO", "Info-Package: nobody", to=to, branch="z9hG4bKi", cseq="2")
    )
    assert refused.start_line.startswith("SIP/2.0 469")
    assert not pair.bob.of(InfoReceived)


def test_bye_of_the_caller_before_the_answer_cancels(pair: Pair, stranger: Stranger) -> None:
    stranger.say(stranger.request("INVITE", body="v=0"))
    pair.bob.call.ring()
    pair.run()
    tag = pair.bob.call.confirmed_dialog.key[1]
    to = f"<sip:bob@192.0.2.2>;tag={tag}"
    stranger.say(stranger.request("BYE", to=to, branch="z9hG4bKb", cseq="2"))
    assert stranger.statuses() == [180, 200, 487]
    assert pair.bob.of(CallCancelled)


def establish_with(pair: Pair, stranger: Stranger) -> str:
    """A confirmed call of the stranger's; gives the To value of its requests."""
    stranger.say(stranger.request("INVITE", body="v=0"))
    pair.bob.call.accept(pair.answer)
    pair.run(0.05)
    to = f"<sip:bob@192.0.2.2>;tag={pair.bob.call.confirmed_dialog.key[1]}"
    stranger.say(stranger.request("ACK", to=to, branch="z9hG4bKack"))
    assert pair.bob.call.state is UsageState.CONFIRMED
    return to


def test_a_request_with_a_lower_cseq_is_refused(pair: Pair, stranger: Stranger) -> None:
    to = establish_with(pair, stranger)
    assert [m.start_line for m in stranger.say(stranger.request("INFO", to=to, branch="z9hG4bK1", cseq="5"))]
    stranger.say(stranger.request("INFO", to=to, branch="z9hG4bK2", cseq="4"))
    stranger.say(stranger.request("INFO", to=to, branch="z9hG4bK3", cseq="6"))
    assert stranger.statuses() == [200, 200, 500, 200]


def test_options_in_a_call(pair: Pair, stranger: Stranger) -> None:
    to = establish_with(pair, stranger)
    stranger.say(stranger.request("OPTIONS", to=to, branch="z9hG4bK1", cseq="5"))
    assert stranger.statuses()[-1] == 200


@pytest.mark.parametrize("method", ["BYE", "INFO", "INVITE", "OPTIONS"])
@pytest.mark.parametrize("wrong", ["to", "from_", "call_id"])
def test_a_stranger_with_a_wrong_tag_or_call_id_reaches_no_call(
    pair: Pair, stranger: Stranger, method: str, wrong: str
) -> None:
    to = establish_with(pair, stranger)
    fields = {"to": to, "branch": "z9hG4bKw", "cseq": "9", "body": "v=0"}
    fields[wrong] = {"to": to + "x", "from_": "<sip:stranger@example.com>;tag=other", "call_id": "other"}[
        wrong
    ]
    before = len(pair.bob.events)
    stranger.say(stranger.request(method, **fields))
    assert stranger.statuses()[-1] == 481
    assert len(pair.bob.events) == before
    assert pair.bob.call.state is UsageState.CONFIRMED


MISUSES: list[tuple[str, Callable[[InviteUsage], None], str]] = [
    ("calling", lambda usage: usage.ring(), "only the callee"),
    ("calling", lambda usage: usage.accept(b"v=0"), "only the callee"),
    ("calling", lambda usage: usage.reject(), "only the callee"),
    ("calling", lambda usage: usage.reinvite(b"v=0"), "wait for CallConfirmed"),
    ("calling", lambda usage: usage.info("text/plain", b""), "wait for CallConfirmed"),
    ("calling", lambda usage: usage.answer_offer(b"v=0"), "no offer is waiting"),
    ("ringing", lambda usage: usage.cancel(), "only the caller"),
    ("ringing", lambda usage: usage.bye(), r"reject\(\)"),
    ("ringing", lambda usage: usage.ring(200), "not a provisional"),
    ("ringing", lambda usage: usage.ring(100), "not a provisional"),
    ("ringing", lambda usage: usage.reject(200), "does not refuse"),
    ("ringing", lambda usage: usage.accept(b""), "must carry a session description"),
    ("ringing", lambda usage: usage.accept(b"x" * 70_000), "does not fit"),
    ("answered", lambda usage: usage.reinvite(b"v=0"), "ACK is still missing"),
    ("answered", lambda usage: usage.accept(b"v=0"), "answered already"),
    ("confirmed", lambda usage: usage.cancel(), r"bye\(\)"),
    ("confirmed", lambda usage: usage.reject_offer(), "no offer is waiting"),
    ("confirmed", lambda usage: usage.reinvite(b"x" * 70_000), "does not fit"),
    ("confirmed", lambda usage: usage.bye("a\r\nb"), "one line"),
    ("calling", lambda usage: usage.cancel("a\nb"), "one line"),
    ("ringing", lambda usage: usage.reject(486, "a\nb"), "line end"),
    ("ringing", lambda usage: usage.reject(486, headers=[("X", "a\nb")]), "line end"),
    ("confirmed", lambda usage: usage.info("a\nb", b"x"), "line end"),
    ("over", lambda usage: usage.reinvite(b"v=0"), "the call is over"),
    ("rejected", lambda usage: usage.accept(b"v=0"), "the call is over"),
]


@pytest.mark.parametrize(("when", "misuse", "words"), MISUSES)
def test_misuse_says_why_and_sends_nothing(
    pair: Pair, when: str, misuse: Callable[[InviteUsage], None], words: str
) -> None:
    if when in ("confirmed", "over"):
        usage, _ = pair.established()
        if when == "over":
            usage.bye()
    else:
        usage = pair.invite()
        if when != "calling":
            pair.run()
            usage = pair.bob.call
        if when == "answered":
            usage.accept(pair.answer)
        if when == "rejected":
            usage.reject()
    pair.wire.run(0)
    state, before = usage.state, len(pair.alice.sent) + len(pair.bob.sent)
    with pytest.raises(LocalProtocolError, match=words):
        misuse(usage)
    pair.wire.run(0)
    assert usage.state is state
    assert len(pair.alice.sent) + len(pair.bob.sent) == before


@pytest.mark.parametrize(
    "target", ["", "bob", "tel:+123", "http://example.com", "sip:", "sip:bob@host\r\nX: y"]
)
def test_an_unusable_target_is_said_at_once(pair: Pair, target: str) -> None:
    with pytest.raises(LocalProtocolError, match="cannot call"):
        pair.alice.core.invite(target, from_="<sip:alice@example.com>", body=b"v=0")
    assert pair.alice.core.calls == 0


def test_an_unknown_host_is_a_transport_failure(pair: Pair) -> None:
    pair.alice.core.invite("sip:bob@nowhere.invalid", from_="<sip:alice@example.com>", body=b"v=0")
    pair.run()
    failed = pair.alice.only(CallFailed)
    assert (failed.status, failed.cause) == (503, "transport")
    assert pair.nothing_left()


def test_a_name_is_looked_up(pair: Pair) -> None:
    pair.wire.names["bob.example.com"] = (pair.bob.address[0],)
    pair.alice.core.invite("sip:bob@bob.example.com", from_="<sip:alice@example.com>", body=b"v=0")
    pair.run()
    assert pair.bob.of(IncomingCall)


def test_sips_and_other_transports_are_not_sent_in_the_clear(pair: Pair) -> None:
    for target in ("sips:bob@192.0.2.2", "sip:bob@192.0.2.2;transport=tcp"):
        pair.alice.core.invite(target, from_="<sip:alice@example.com>", body=b"v=0")
    pair.run()
    assert [failed.cause for failed in pair.alice.of(CallFailed)] == ["transport", "transport"]
    assert pair.alice.sent == []
