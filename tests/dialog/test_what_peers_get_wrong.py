"""Faults that were seen in other SIP stacks, each by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dialog.errors import LocalProtocolError
from dialog.events import CallAnswered, CallCancelled, CallConfirmed, CallFailed, IncomingCall, SessionOffer
from dialog.message import Request, Response
from dialog.usage.invite import UsageState

if TYPE_CHECKING:
    from tests.dialog.conftest import Pair, Stranger


def test_an_invite_that_gets_lost_is_sent_again(pair: Pair) -> None:
    lost = 0

    def drop(message: Request | Response, sender: object) -> bool:
        nonlocal lost
        lost += isinstance(message, Request) and message.method == "INVITE"
        return lost <= 3 and isinstance(message, Request)

    pair.wire.drop = drop
    pair.invite()
    pair.run(3.4)
    assert not pair.bob.of(IncomingCall)
    pair.run(0.2)
    assert pair.bob.of(IncomingCall)
    assert len({bytes(invite) for invite in pair.alice.requests("INVITE")}) == 1


def test_an_invite_received_three_times_is_one_call(pair: Pair, stranger: Stranger) -> None:
    for _ in range(3):
        stranger.say(stranger.request("INVITE", body="v=0"))
    assert len(pair.bob.of(IncomingCall)) == 1
    pair.bob.call.accept(pair.answer)
    for _ in range(3):
        stranger.say(stranger.request("INVITE", body="v=0"))
    assert len(pair.bob.of(IncomingCall)) == 1
    assert stranger.statuses() == [200], "its retransmission is absorbed: the 200 has its own timer"


def test_a_200_is_sent_again_without_ack(pair: Pair, stranger: Stranger) -> None:
    stranger.say(stranger.request("INVITE", body="v=0"))
    pair.bob.call.accept(pair.answer)
    pair.run(8)
    assert stranger.statuses() == [200] * 5


def test_a_lost_200_is_replaced_by_the_next(pair: Pair) -> None:
    dropped: list[int] = []

    def drop(message: Request | Response, sender: object) -> bool:
        if isinstance(message, Response) and message.status == 200 and len(dropped) < 2:
            dropped.append(200)
            return True
        return False

    pair.wire.drop = drop
    pair.invite()
    pair.run()
    pair.bob.call.accept(pair.answer)
    pair.run(5)
    assert pair.bob.call.state is UsageState.CONFIRMED
    assert len(pair.alice.of(CallAnswered)) == 1


def test_a_486_is_acknowledged(pair: Pair) -> None:
    pair.invite()
    pair.run()
    pair.bob.call.reject(486)
    pair.run(5)
    assert pair.bob.statuses("INVITE") == [486], "its ACK stops it"
    (ack,) = pair.alice.requests("ACK")
    assert ack.via.branch == pair.alice.requests("INVITE")[0].via.branch


def test_there_is_no_200_after_487(pair: Pair, stranger: Stranger) -> None:
    stranger.say(stranger.request("INVITE", body="v=0"))
    call = pair.bob.call
    call.ring()
    stranger.say(stranger.request("CANCEL"))
    with pytest.raises(LocalProtocolError, match="the call is over"):
        call.accept(pair.answer)
    pair.run(40)
    by_method = [message.cseq.method for message in stranger.received if "200" in message.start_line]
    assert by_method == ["CANCEL"]
    assert pair.bob.of(CallCancelled)
    assert not pair.bob.of(CallAnswered)


def test_an_invite_without_an_offer_is_accepted(pair: Pair, stranger: Stranger) -> None:
    stranger.say(stranger.request("INVITE"))
    assert pair.bob.of(IncomingCall)
    assert not pair.bob.of(SessionOffer)
    pair.bob.call.accept(pair.offer)
    pair.run(0.05)
    assert stranger.received[-1].body == pair.offer


def test_an_unparsable_packet_harms_no_other_call(pair: Pair, stranger: Stranger) -> None:
    mine, theirs = pair.established()
    for data in (b"\xff\xfe" * 20, b"INVITE sip:x SIP/2.0\r\n\r\n", b"SIP/2.0 abc\r\nVia: x\r\n\r\n"):
        stranger.say(data)
    mine.bye()
    pair.run()
    assert theirs.state is UsageState.ENDED


def test_a_request_without_cseq_is_survived(pair: Pair, stranger: Stranger) -> None:
    stranger.say(stranger.request("INVITE", body="v=0").replace("CSeq: 1 INVITE\r\n", ""))
    assert stranger.statuses() == [400]
    stranger.say(stranger.request("INVITE", branch="z9hG4bKgood", body="v=0"))
    assert pair.bob.of(IncomingCall)


def test_options_is_answered(pair: Pair, stranger: Stranger) -> None:
    stranger.say(stranger.request("OPTIONS"))
    assert stranger.statuses() == [200]


def test_calls_need_no_registrar(pair: Pair) -> None:
    pair.established()
    methods = {m.method for _, m in pair.alice.sent + pair.bob.sent if isinstance(m, Request)}
    assert methods == {"INVITE", "ACK"}


def test_a_lost_ack_is_sent_again_for_the_repeated_200(pair: Pair) -> None:
    lost: list[bool] = []

    def drop(message: Request | Response, sender: object) -> bool:
        if isinstance(message, Request) and message.method == "ACK" and not lost:
            lost.append(True)
            return True
        return False

    pair.wire.drop = drop
    pair.invite()
    pair.run()
    pair.bob.call.accept(pair.answer)
    pair.run(2)
    assert pair.bob.of(CallConfirmed)
    assert len(pair.alice.requests("ACK")) == 2


def test_an_idle_core_wants_no_wake_up(pair: Pair) -> None:
    mine, theirs = pair.established()
    mine.timer.stop()
    theirs.timer.stop()
    pair.run(40)
    assert pair.alice.core.next_deadline() is None
    assert pair.bob.core.next_deadline() is None
    mine.bye()
    assert pair.nothing_left()
    assert not pair.alice.of(CallFailed)
