"""3xx: where a redirected call goes next, and where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dialog.address import NameAddr
from dialog.events import CallAnswered, CallFailed, IncomingCall, Redirected
from dialog.message import Request, Response
from dialog.uri import parse_uri
from dialog.usage.invite import InviteUsage, UsageState
from dialog.usage.redirect import TargetSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.dialog.conftest import Pair, Party, Stranger, Wire


def contacts(*values: str) -> list[NameAddr]:
    return [NameAddr.parse(value, "Contact") for value in values]


def rest_of(targets: TargetSet) -> list[str]:
    found = []
    while (uri := targets.next()) is not None:
        found.append(str(uri))
    return found


def test_best_first_in_the_order_of_q() -> None:
    targets = TargetSet(parse_uri("sip:bob@a"), 5)
    targets.add(
        contacts("<sip:b@1>;q=0.2", "<sip:b@2>", "<sip:b@3>;q=0.9", "<sip:b@4>;q=bad", "<sip:b@5>;q=0.9")
    )
    assert rest_of(targets) == ["sip:b@2", "sip:b@3", "sip:b@5", "sip:b@1", "sip:b@4"]


def test_nothing_is_tried_twice() -> None:
    targets = TargetSet(parse_uri("sip:bob@a"), 5)
    targets.add(contacts("<sip:bob@A>", "<sip:c@b>", "<sip:c@B>"))
    assert str(targets.next()) == "sip:c@b"
    targets.add(contacts("<sip:c@b>", "<sip:bob@a>"))
    assert targets.next() is None


def test_only_so_many_and_only_sip() -> None:
    targets = TargetSet(parse_uri("sip:bob@a"), 2)
    targets.add(contacts("<tel:+1>", "<mailto:b@a>", "<sip:b@1>", "<sip:b@2>", "<sip:b@3>"))
    assert rest_of(targets) == ["sip:b@1", "sip:b@2"]


def test_a_secure_call_stays_secure() -> None:
    targets = TargetSet(parse_uri("sips:bob@a"), 5)
    targets.add(contacts("<sip:b@1>", "<sips:b@2>"))
    assert rest_of(targets) == ["sips:b@2"]


def test_headers_of_a_uri_are_left_out() -> None:
    targets = TargetSet(parse_uri("sip:bob@a"), 5)
    targets.add(contacts("<sip:b@1;method=INVITE?Subject=x>"))
    assert rest_of(targets) == ["sip:b@1"]


CAROL = ("192.0.2.3", 5060)


def moved_to(*uris: str) -> list[tuple[str, str]]:
    return [("Contact", f"<{uri}>") for uri in uris]


def redirecting(party: Party, status: int, *uris: str) -> None:
    """This party refuses each call so."""

    def handle(event: object) -> None:
        if isinstance(event, IncomingCall):
            event.usage.reject(status, None, moved_to(*uris))

    party.on_event = handle


@pytest.mark.parametrize("status", [300, 301, 302])
def test_the_call_goes_on_to_carol(pair: Pair, wire: Wire, status: int) -> None:
    carol = wire.party(CAROL)
    redirecting(pair.bob, status, "sip:carol@192.0.2.3")
    mine = pair.invite()
    pair.run()
    first, second = pair.alice.requests("INVITE")
    assert pair.alice.only(Redirected) == Redirected(mine, status, "sip:carol@192.0.2.3")
    assert second.request_uri == "sip:carol@192.0.2.3"
    assert second.headers.get("To") == first.headers.get("To")
    assert (second.call_id, second.from_.tag) == (first.call_id, first.from_.tag)
    assert second.cseq.number == first.cseq.number + 1
    assert second.body == first.body
    assert len(second.contacts) == len(second.vias) == 1
    carol.call.accept(pair.answer)
    pair.run()
    assert mine.state is UsageState.CONFIRMED
    mine.bye()
    pair.run()
    assert carol.kinds()[-1] == "CallEnded"
    assert pair.nothing_left()


@pytest.mark.parametrize("status", [305, 380])
def test_what_is_not_another_place_of_bob_is_not_followed(pair: Pair, status: int) -> None:
    redirecting(pair.bob, status, "sip:carol@192.0.2.3")
    pair.invite()
    pair.run()
    assert pair.alice.only(CallFailed).status == status


def test_a_302_without_contact_is_a_failure(pair: Pair) -> None:
    redirecting(pair.bob, 302)
    pair.invite()
    pair.run()
    assert pair.alice.only(CallFailed).status == 302


def test_two_who_redirect_to_each_other(pair: Pair, wire: Wire) -> None:
    redirecting(pair.bob, 302, "sip:carol@192.0.2.3")
    carol = wire.party(CAROL)
    redirecting(carol, 302, f"sip:bob@{pair.bob.uri[4:]}", "sip:carol@192.0.2.3")
    pair.invite()
    pair.run(5)
    assert pair.alice.only(CallFailed).status == 302
    assert len(pair.alice.requests("INVITE")) == 2
    assert pair.nothing_left()


def test_a_chain_without_end_is_given_up(pair: Pair) -> None:
    count = 0

    def handle(event: object) -> None:
        nonlocal count
        if isinstance(event, IncomingCall):
            count += 1
            event.usage.reject(302, None, moved_to(f"sip:bob{count}@192.0.2.2"))

    pair.bob.on_event = handle
    pair.invite()
    pair.run(5)
    assert pair.alice.only(CallFailed).status == 302
    assert count == 6


def test_the_next_of_several_is_tried_when_one_fails(pair: Pair, wire: Wire) -> None:
    carol, dave = wire.party(CAROL), wire.party(("192.0.2.4", 5060))
    redirecting(pair.bob, 300, "sip:carol@192.0.2.3", "sip:dave@192.0.2.4")
    redirecting(carol, 486)
    mine = pair.invite()
    pair.run()
    assert [e.status for e in pair.alice.of(Redirected)] == [300, 486]
    dave.call.accept(pair.answer)
    pair.run()
    assert pair.alice.of(CallAnswered)
    assert mine.state is UsageState.CONFIRMED


def test_a_6xx_is_final(pair: Pair, wire: Wire) -> None:
    carol = wire.party(CAROL)
    redirecting(pair.bob, 300, "sip:carol@192.0.2.3", "sip:dave@192.0.2.4")
    redirecting(carol, 603)
    pair.invite()
    pair.run()
    assert pair.alice.only(CallFailed).status == 603


def test_cancelled_while_redirected(pair: Pair, wire: Wire) -> None:
    carol = wire.party(CAROL)
    redirecting(pair.bob, 302, "sip:carol@192.0.2.3")
    mine = pair.invite()
    pair.run()
    carol.call.ring()
    pair.run()
    mine.cancel()
    pair.run()
    assert pair.alice.only(CallFailed).cause == "cancelled"
    assert carol.kinds()[-1] == "CallCancelled"
    assert pair.nothing_left()


def test_switched_off(pair_with: Callable[..., Pair]) -> None:
    pair = pair_with(max_redirects=0)
    redirecting(pair.bob, 302, "sip:carol@192.0.2.3")
    pair.invite()
    pair.run()
    assert pair.alice.only(CallFailed).status == 302


def test_a_redirected_re_invite_is_a_refused_one(stranger: Stranger) -> None:
    call: InviteUsage = stranger.peer.core.invite(
        "sip:s@192.0.2.66:5066", from_="<sip:bob@192.0.2.2>", body=b"v=0"
    )
    stranger.wire.run(0.05)

    def answer(status: int, headers: list[tuple[str, str]], body: bytes = b"") -> None:
        invite = [m for m in stranger.received if isinstance(m, Request) and m.method == "INVITE"][-1]
        stranger.say(bytes(Response.to_request(invite, status, to_tag="s", headers=headers, body=body)))

    answer(200, [*moved_to("sip:s@192.0.2.66:5066"), ("Content-Type", "application/sdp")], b"v=0")
    call.reinvite(b"v=0 hold")
    stranger.wire.run(0.05)
    answer(302, moved_to("sip:elsewhere@192.0.2.66:5066"))
    assert stranger.peer.kinds()[-1] == "ModifyFailed"
    assert call.state is UsageState.CONFIRMED
