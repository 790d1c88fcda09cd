"""Session timers (RFC 4028): who refreshes, how, and what happens when nobody does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from dialog.errors import ParseError
from dialog.events import CallEnded, CallFailed, ModifyAccepted, ModifyFailed, RefreshWanted, SessionOffer
from dialog.message import Request, Response
from dialog.usage.invite import InviteUsage, UsageState
from dialog.usage.session_timer import SessionExpires, knows_timer, min_se, session_expires

if TYPE_CHECKING:
    from tests.dialog.conftest import Pair, Party, Stranger

PairWith = Callable[..., "Pair"]
SDP = "v=0 stranger\r\n"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1800", SessionExpires(1800, None)),
        ("90;refresher=uas", SessionExpires(90, "uas")),
        (" 90 ; x=y ; Refresher = UAC ", SessionExpires(90, "uac")),
        ("90;refresher=nobody", SessionExpires(90, None)),
    ],
)
def test_session_expires_is_read(value: str, expected: SessionExpires) -> None:
    assert session_expires(Request("INVITE", "sip:b@c", [("x", value)])) == expected


@pytest.mark.parametrize("value", ["", "soon", "-1", "99999999999", "9 0"])
def test_what_is_no_number_of_seconds(value: str) -> None:
    with pytest.raises(ParseError):
        session_expires(Request("INVITE", "sip:b@c", [("Session-Expires", value)]))
    with pytest.raises(ParseError):
        min_se(Request("INVITE", "sip:b@c", [("Min-SE", value)]))


def test_min_se_is_never_less_than_90() -> None:
    assert min_se(Request("INVITE", "sip:b@c", [])) == 90
    assert min_se(Request("INVITE", "sip:b@c", [("Min-SE", "5")])) == 90
    assert min_se(Request("INVITE", "sip:b@c", [("Min-SE", "120;x")])) == 120


def test_who_knows_session_timers() -> None:
    assert knows_timer(Request("INVITE", "sip:b@c", [("Supported", "100rel, Timer")]))
    assert knows_timer(Request("INVITE", "sip:b@c", [("Require", "timer")]))
    assert not knows_timer(Request("INVITE", "sip:b@c", [("Supported", "timers")]))


def sessions(party: Party, method: str = "INVITE") -> list[str | None]:
    """The Session-Expires of what a party sent, requests and 2xx of that method."""
    return [
        message.headers.get("Session-Expires")
        for _, message in party.sent
        if message.cseq.method == method
        and (
            (isinstance(message, Request) and message.method == method)
            or getattr(message, "status", 0) == 200
        )
    ]


@pytest.mark.parametrize("who", ["peer", "us"])
def test_the_refresher_sends_update_at_half_the_interval(pair_with: PairWith, who: str) -> None:
    """The caller's wish decides; both know UPDATE, so no session description is sent again."""
    pair = pair_with(alice={"session_refresher": who})
    mine, theirs = pair.established()
    role = "uac" if who == "us" else "uas"
    assert sessions(pair.alice) == [f"1800;refresher={role}"]
    assert sessions(pair.bob) == [f"1800;refresher={role}"]
    assert (mine.session_interval, theirs.session_interval) == (1800, 1800)
    refresher, other = (pair.alice, pair.bob) if who == "us" else (pair.bob, pair.alice)
    pair.run(898)
    assert not refresher.requests("UPDATE")
    pair.run(3)
    (update,) = refresher.requests("UPDATE")
    assert not update.body
    assert update.headers.get("Session-Expires") == "1800;refresher=uac", "in the words of this request"
    assert other.statuses("UPDATE") == [200]
    before = (list(pair.alice.events), list(pair.bob.events))
    pair.run(4 * 3600)
    assert len(refresher.requests("UPDATE")) == 17
    assert not other.requests("UPDATE")
    assert (pair.alice.events, pair.bob.events) == before
    assert mine.state is theirs.state is UsageState.CONFIRMED
    mine.bye()
    assert pair.nothing_left()


def test_by_default_the_callee_leaves_it_to_the_caller(pair: Pair) -> None:
    pair.established()
    assert sessions(pair.alice) == ["1800"]
    assert sessions(pair.bob) == ["1800;refresher=uac"]
    assert pair.bob.sent[-1][1].require == ("timer",)


def test_without_update_the_application_is_asked_for_a_re_invite(pair_with: PairWith) -> None:
    methods = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS")
    pair = pair_with(bob={"allow": methods})
    mine, theirs = pair.established()
    pair.alice.on_event = lambda event: (
        mine.reinvite(pair.offer) if isinstance(event, RefreshWanted) else None
    )
    pair.bob.on_event = lambda event: (
        theirs.answer_offer(pair.answer) if isinstance(event, SessionOffer) else None
    )
    pair.run(905)
    assert len(pair.alice.requests("INVITE")) == 2
    assert pair.alice.requests("INVITE")[1].body == pair.offer
    assert sessions(pair.alice)[1] == "1800;refresher=uac"
    pair.run(3600)
    assert len(pair.alice.of(ModifyAccepted)) == 5
    assert mine.state is theirs.state is UsageState.CONFIRMED


def test_a_session_nobody_refreshes_ends_by_bye_on_both_sides(pair_with: PairWith) -> None:
    pair = pair_with(session_expires=90)
    pair.established()
    start = pair.wire.now
    pair.wire.loss = 1.0
    pair.run(44)
    assert not pair.bob.requests("BYE")
    pair.run(25)
    # 90 s less a third of it, since the last 2xx.
    byes = [time - start for time, m in pair.bob.sent if isinstance(m, Request) and m.method == "BYE"]
    assert byes[0] == pytest.approx(60, abs=1)
    assert pair.bob.only(CallEnded).by == "timeout"
    pair.run(60)
    assert pair.alice.only(CallEnded).by == "timeout"
    assert pair.nothing_left()


def test_the_margin_is_32_s_at_most(pair_with: PairWith) -> None:
    pair = pair_with(session_expires=600)
    pair.established()
    start = pair.wire.now
    pair.wire.drop = lambda message, sender: isinstance(message, Request) and message.method == "UPDATE"
    pair.run(700)
    byes = [time - start for time, m in pair.bob.sent if isinstance(m, Request) and m.method == "BYE"]
    # Alice's UPDATE timed out first, which ends the call at 300 + 32 s.
    assert not byes
    assert pair.bob.only(CallEnded).by == "remote"


def test_a_refresh_that_fails_is_tried_again_until_the_session_expires(
    pair: Pair, stranger: Stranger
) -> None:
    call = answered_by(
        stranger, "Session-Expires: 600;refresher=uac", "Supported: timer", "Allow: INVITE, UPDATE"
    )
    call_start = pair.wire.now
    updates: set[int] = set()
    while pair.wire.now < call_start + 560 and call.state is UsageState.CONFIRMED:
        pair.run(1)
        for message in stranger.received:
            if isinstance(message, Request) and message.method == "UPDATE":
                updates.add(message.cseq.number)
                stranger.say(bytes(Response.to_request(message, 500)))
        stranger.received.clear()
    assert len(updates) > 3
    pair.run(20)
    assert call.state is UsageState.ENDED
    assert pair.bob.only(CallEnded).by == "timeout"


def answered_by(stranger: Stranger, *headers: str) -> InviteUsage:
    """Bob calls the stranger, who answers with these headers and acknowledges nothing."""
    call = stranger.peer.core.invite("sip:s@192.0.2.66:5066", from_="<sip:bob@192.0.2.2>", body=b"v=0")
    stranger.wire.run(0.05)
    invite = stranger.received[-1]
    assert isinstance(invite, Request)
    answer(stranger, invite, 200, *headers, "Content-Type: application/sdp", body=SDP)
    assert call.state is UsageState.CONFIRMED
    return call


def answer(stranger: Stranger, request: Request, status: int, *headers: str, body: str = "") -> None:
    fields = [("Contact", "<sip:s@192.0.2.66:5066>")]
    fields += [(name, value.strip()) for name, _, value in (header.partition(":") for header in headers)]
    stranger.say(bytes(Response.to_request(request, status, to_tag="st", headers=fields, body=body.encode())))


def test_a_peer_without_session_timers_has_none(stranger: Stranger) -> None:
    call = answered_by(stranger)
    assert call.session_interval is None
    stranger.wire.run(4000)
    assert call.state is UsageState.CONFIRMED
    assert not stranger.peer.requests("UPDATE")


def test_an_update_that_is_not_allowed_after_all_becomes_a_re_invite(pair: Pair, stranger: Stranger) -> None:
    call = answered_by(stranger, "Session-Expires: 90;refresher=uac", "Allow: UPDATE, INVITE")
    pair.run(46)
    update = stranger.received[-1]
    assert isinstance(update, Request)
    assert update.method == "UPDATE"
    answer(stranger, update, 405)
    pair.run(10)
    assert pair.bob.of(RefreshWanted)[0].usage is call


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (("Supported: timer",), "1800;refresher=uac"),
        (("Supported: timer", "Session-Expires: 600"), "600;refresher=uac"),
        (("Supported: timer", "Session-Expires: 600;refresher=uas"), "600;refresher=uas"),
        (("Supported: timer", "Session-Expires: 600;refresher=uac"), "600;refresher=uac"),
        (("Supported: timer", "Session-Expires: 7200", "Min-SE: 3600"), "3600;refresher=uac"),
        (("Supported: timer", "Session-Expires: 7200"), "1800;refresher=uac"),
        (("Session-Expires: 600",), "600;refresher=uas"),
        (("Session-Expires: 60",), "90;refresher=uas"),
        ((), None),
    ],
)
def test_what_the_callee_agrees_to(
    stranger: Stranger, headers: tuple[str, ...], expected: str | None
) -> None:
    """RFC 4028 table 2. The 60 came from a proxy: a caller who does not know timers cannot be told 422."""
    stranger.say(stranger.request("INVITE", *headers, body=SDP))
    stranger.peer.call.accept(b"v=0")
    stranger.wire.run(0.05)
    ok = stranger.received[-1]
    assert ok.headers.get("Session-Expires") == expected
    assert ("timer" in ok.require) == any("Supported" in header for header in headers)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (("Supported: timer", "Session-Expires: 89"), 422),
        (("Session-Expires: many",), 400),
        (("Session-Expires: 600", "Min-SE: few"), 400),
    ],
)
def test_intervals_that_are_refused(stranger: Stranger, headers: tuple[str, ...], status: int) -> None:
    stranger.say(stranger.request("INVITE", *headers, body=SDP))
    response = stranger.received[-1]
    assert isinstance(response, Response)
    assert response.status == status
    assert response.headers.get("Min-SE") == ("90" if status == 422 else None)


def test_422_is_answered_by_a_longer_interval(pair_with: PairWith) -> None:
    pair = pair_with(alice={"session_expires": 90}, bob={"min_se": 300})
    mine, _ = pair.established()
    first, second = pair.alice.requests("INVITE")
    assert [m.headers.get("Session-Expires") for m in (first, second)] == ["90", "300"]
    assert [m.headers.get("Min-SE") for m in (first, second)] == [None, "300"]
    assert second.cseq.number == first.cseq.number + 1
    assert second.call_id == first.call_id
    assert second.from_.tag == first.from_.tag
    assert second.via.branch != first.via.branch
    assert mine.session_interval == 300
    mine.bye()
    assert pair.nothing_left()


def test_422_without_end_is_a_failure(pair: Pair, stranger: Stranger) -> None:
    stranger.peer.core.invite("sip:s@192.0.2.66:5066", from_="<sip:bob@192.0.2.2>", body=b"v=0")
    for attempt in range(10):
        pair.run(0.05)
        invites = [m for m in stranger.received if isinstance(m, Request) and m.method == "INVITE"]
        stranger.received.clear()
        if invites:
            answer(stranger, invites[-1], 422, f"Min-SE: {1800 + attempt}")
    assert pair.bob.only(CallFailed).status == 422
    assert len(pair.bob.requests("INVITE")) == 5


def test_422_to_a_refresh_is_answered_by_a_longer_interval(pair: Pair, stranger: Stranger) -> None:
    call = answered_by(stranger, "Session-Expires: 90;refresher=uac", "Allow: UPDATE")
    pair.run(46)
    first = stranger.received[-1]
    assert isinstance(first, Request)
    answer(stranger, first, 422, "Min-SE: 240")
    pair.run(0.1)
    second = stranger.received[-1]
    assert second.headers.get("Session-Expires") == "240;refresher=uac"
    assert isinstance(second, Request)
    answer(stranger, second, 200, "Session-Expires: 240;refresher=uac")
    assert call.session_interval == 240


def test_switched_off(pair_with: PairWith) -> None:
    pair = pair_with(alice={"session_expires": None})
    mine, theirs = pair.established()
    assert mine.session_interval is theirs.session_interval is None
    assert sessions(pair.alice) == [None]
    assert "timer" not in pair.alice.requests("INVITE")[0].supported
    assert not pair.alice.of(ModifyFailed)


def test_a_re_invite_refreshes_the_session_too(pair: Pair) -> None:
    mine, theirs = pair.established()
    pair.run(800)
    theirs.reinvite(b"v=0 hold")
    pair.run()
    mine.answer_offer(b"v=0 held")
    pair.run(600)
    # Alice refreshes still; her 900 s began anew.
    assert pair.bob.requests("INVITE")[0].headers.get("Session-Expires") == "1800;refresher=uas"
    assert not pair.alice.requests("UPDATE")
    pair.run(400)
    assert len(pair.alice.requests("UPDATE")) == 1
