"""The flows of RFC 3665 and RFC 5407 that need no proxy, message for message."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dialog.events import SessionOffer
from dialog.message import Request

if TYPE_CHECKING:
    from tests.dialog.conftest import Pair


def ladder(pair: Pair) -> list[str]:
    """Who sent what, in order: A for Alice, B for Bob."""
    sent = [(time, "A", message) for time, message in pair.alice.sent]
    sent += [(time, "B", message) for time, message in pair.bob.sent]
    sent.sort(key=lambda entry: entry[0])
    return [
        f"{who} {message.method if isinstance(message, Request) else message.status}"
        for _, who, message in sent
    ]


def test_rfc_3665_3_1_successful_session(pair: Pair) -> None:
    mine, _ = pair.established()
    pair.run(1)
    mine.bye()
    pair.run(1)
    assert ladder(pair) == ["A INVITE", "B 180", "B 200", "A ACK", "A BYE", "B 200"]


def test_rfc_3665_3_1_ended_by_the_callee(pair: Pair) -> None:
    _, theirs = pair.established()
    pair.run(1)
    theirs.bye()
    pair.run(1)
    assert ladder(pair) == ["A INVITE", "B 180", "B 200", "A ACK", "B BYE", "A 200"]


def test_rfc_3665_3_7_session_with_re_invite(pair: Pair) -> None:
    """The callee changes the address of its media, then the caller hangs up."""
    mine, theirs = pair.established()
    theirs.reinvite(b"v=0 another address")
    pair.run()
    assert pair.alice.only(SessionOffer).body == b"v=0 another address"
    mine.answer_offer(b"v=0 answer")
    pair.run()
    mine.bye()
    pair.run(1)
    assert ladder(pair)[4:] == ["B INVITE", "A 200", "B ACK", "A BYE", "B 200"]


def test_rfc_3665_3_8_no_answer_cancelled(pair: Pair) -> None:
    mine = pair.invite()
    pair.run()
    pair.bob.call.ring()
    pair.run(20)
    mine.cancel()
    pair.run(5)
    assert ladder(pair) == ["A INVITE", "B 180", "A CANCEL", "B 200", "B 487", "A ACK"]


def test_rfc_3665_3_9_busy(pair: Pair) -> None:
    pair.invite()
    pair.run()
    pair.bob.call.reject(486)
    pair.run(5)
    assert ladder(pair) == ["A INVITE", "B 486", "A ACK"]


def test_rfc_3665_3_10_no_response(pair: Pair) -> None:
    pair.wire.loss = 1.0
    pair.invite()
    pair.run(60)
    assert ladder(pair) == ["A INVITE"] * 7


def test_rfc_3665_3_11_temporarily_unavailable(pair: Pair) -> None:
    pair.invite()
    pair.run()
    pair.bob.call.ring()
    pair.run(3)
    pair.bob.call.reject(480)
    pair.run(5)
    assert ladder(pair) == ["A INVITE", "B 180", "B 480", "A ACK"]


def test_rfc_5407_3_1_3_and_3_2_2_byes_cross(pair: Pair) -> None:
    mine, theirs = pair.established()
    mine.bye()
    theirs.bye()
    pair.run(5)
    assert sorted(ladder(pair)[4:]) == ["A 200", "A BYE", "B 200", "B BYE"]


def test_rfc_5407_3_1_2_cancel_crosses_the_answer(pair: Pair) -> None:
    mine = pair.invite()
    pair.run()
    pair.bob.call.ring()
    pair.run()
    pair.bob.call.accept(pair.answer)
    mine.cancel()
    pair.run(5)
    assert sorted(ladder(pair)) == sorted(
        ["A INVITE", "B 180", "B 200", "A CANCEL", "A ACK", "A BYE", "B 200", "B 200"]
    )
    assert pair.alice.kinds()[-1] == "CallFailed"
    assert pair.bob.kinds()[-1] == "CallEnded"


def test_rfc_5407_3_2_1_bye_crosses_a_re_invite(pair: Pair) -> None:
    mine, theirs = pair.established()
    theirs.reinvite(b"v=0 hold")
    mine.bye()
    pair.run(5)
    assert pair.alice.kinds()[-1] == "CallEnded"
    assert pair.bob.kinds()[-1] == "CallEnded"
    assert "A 481" in ladder(pair)
    assert pair.nothing_left()


def test_early_media_then_the_answer(pair_with: Callable[..., Pair]) -> None:
    pair = pair_with(reliable_provisional="off")
    pair.invite()
    pair.run()
    pair.bob.call.progress(pair.answer)
    pair.run()
    pair.bob.call.accept(pair.answer)
    pair.run()
    assert pair.alice.kinds() == [
        "Progress",
        "SessionPreview",
        "SessionAnswer",
        "CallAnswered",
        "CallConfirmed",
    ]
