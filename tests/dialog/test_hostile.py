"""Strangers who know a call's names, replay what they saw, answer what they were not asked, or flood.

Everything is refused as the RFC says, and the call in progress does not notice. There is no secret in plain
SIP: who can read a dialog's three names can end it (section 26.1.4); TLS and digest are for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dialog.config import UserAgentConfig
from dialog.events import CallConfirmed, IncomingCall, ModifyFailed, SessionAnswer
from dialog.flow import Flow
from dialog.message import Request, Response
from dialog.usage.invite import InviteUsage, UsageState
from tests.dialog.conftest import Pair, Stranger, Wire

if TYPE_CHECKING:
    from collections.abc import Callable

MALLORY = ("192.0.2.99", 5099)
SDP = b"v=0 spoofed"


@pytest.fixture
def mallory(pair: Pair) -> Stranger:
    """Somebody else, who talks to Alice."""
    return pair.wire.stranger(MALLORY, pair.alice)


def in_dialog(
    call: InviteUsage, method: str, cseq: int, branch: str = "z9hG4bKmallory", body: bytes = b""
) -> bytes:
    """A request that the peer of `call` might have sent, by its three names, but from Mallory's address."""
    dialog = call.confirmed_dialog
    headers = [
        ("Via", f"SIP/2.0/UDP {MALLORY[0]}:{MALLORY[1]};branch={branch}"),
        ("Max-Forwards", "70"),
        ("From", dialog.remote),
        ("To", dialog.local),
        ("Call-ID", dialog.call_id),
        ("CSeq", f"{cseq} {method}"),
        ("Contact", f"<sip:mallory@{MALLORY[0]}:{MALLORY[1]}>"),
    ]
    if body:
        headers.append(("Content-Type", "application/sdp"))
    return bytes(Request(method, "sip:alice@192.0.2.1", headers, body))


def last_status(stranger: Stranger) -> int:
    return stranger.statuses()[-1]


# Responses nobody asked for.


@pytest.mark.parametrize("status", [100, 180, 200, 302, 404, 486, 603])
def test_responses_to_requests_never_sent(pair: Pair, mallory: Stranger, status: int) -> None:
    mine, theirs = pair.established()
    before = list(pair.alice.events)
    invite = pair.alice.requests("INVITE")[0]
    # The right Call-ID, tags and CSeq: only the branch is not ours.
    invite.replace_via(invite.via.with_params(branch="z9hG4bKguess"))
    mallory.say(
        bytes(Response.to_request(invite, status, to_tag="evil", headers=[("Contact", "<sip:m@evil>")]))
    )
    assert pair.alice.events == before
    assert pair.alice.core.dropped == 1
    assert mine.state is theirs.state is UsageState.CONFIRMED


def test_a_spoofed_200_of_another_branch_is_acknowledged_and_ended(pair: Pair, mallory: Stranger) -> None:
    """Who saw our Via can answer, as a proxy's other branch might: it gets ACK and BYE, the call stays."""
    mine, theirs = pair.established()
    invite = pair.alice.requests("INVITE")[0]
    headers = [("Contact", f"<sip:m@{MALLORY[0]}:{MALLORY[1]}>"), ("Content-Type", "application/sdp")]
    mallory.say(bytes(Response.to_request(invite, 200, to_tag="evil", headers=headers, body=SDP)))
    assert [m.method for m in mallory.received if isinstance(m, Request)] == ["ACK", "BYE"]
    assert len(pair.alice.of(SessionAnswer)) == 1
    assert mine.state is theirs.state is UsageState.CONFIRMED


def test_a_thousand_spoofed_branches(pair: Pair, mallory: Stranger) -> None:
    mine = pair.invite()
    pair.run()
    pair.bob.call.ring()
    pair.run()
    invite = pair.alice.requests("INVITE")[0]
    for number in range(1000):
        headers = [("Contact", f"<sip:m@{MALLORY[0]}:{MALLORY[1]}>"), ("Require", "100rel"), ("RSeq", "1")]
        data = bytes(Response.to_request(invite, 183, to_tag=f"evil{number}", headers=headers))
        pair.alice.core.receive(Flow("UDP", pair.alice.address, MALLORY), data, pair.wire.now)
    pair.run(0.1)
    assert len(mine.early_dialogs) <= 32
    assert len(pair.alice.core.layer) <= 34
    pair.bob.call.accept(pair.answer)
    pair.run()
    assert mine.state is UsageState.CONFIRMED
    mine.bye()
    assert pair.nothing_left()


# Requests that name the call wrongly, or too late.


@pytest.mark.parametrize("what", ["Call-ID", "From tag", "To tag"])
@pytest.mark.parametrize("method", ["BYE", "INVITE", "UPDATE", "INFO", "PRACK"])
def test_wrong_names_are_481(pair: Pair, mallory: Stranger, what: str, method: str) -> None:
    mine, theirs = pair.established()
    before = (list(pair.alice.events), list(pair.bob.events))
    text = in_dialog(mine, method, 7).decode()
    tag = {"From tag": mine.confirmed_dialog.key[2], "To tag": mine.confirmed_dialog.key[1]}.get(what)
    text = (
        text.replace(mine.call_id, "other-call") if tag is None else text.replace(f"tag={tag}", "tag=wrong")
    )
    mallory.say(text)
    assert last_status(mallory) == 481
    assert (pair.alice.events, pair.bob.events) == before
    assert mine.state is theirs.state is UsageState.CONFIRMED


@pytest.mark.parametrize("method", ["BYE", "INVITE", "UPDATE", "INFO"])
def test_an_old_cseq_is_500(pair: Pair, mallory: Stranger, method: str) -> None:
    """A replay has a number that was used (section 12.2.2); Bob's own next request is taken."""
    mine, theirs = pair.established()
    theirs.info("text/plain", b"one")
    theirs.info("text/plain", b"two")
    pair.run()
    used = mine.confirmed_dialog.remote_sequence
    assert used is not None
    mallory.say(in_dialog(mine, method, used - 1))
    assert last_status(mallory) == 500
    assert mine.state is UsageState.CONFIRMED
    theirs.bye()
    pair.run()
    assert pair.nothing_left()


def test_the_very_bye_again_from_elsewhere(pair: Pair, mallory: Stranger) -> None:
    """A BYE that was seen is worth nothing in the next call, and nothing after its own."""
    _, theirs = pair.established()
    theirs.bye()
    pair.run()
    seen = bytes(pair.bob.requests("BYE")[0])
    pair.run(60)
    mallory.say(seen)
    assert last_status(mallory) == 481
    again = pair.invite()
    pair.run()
    pair.bob.of(IncomingCall)[-1].usage.accept(pair.answer)
    pair.run()
    mallory.say(seen)
    assert last_status(mallory) == 481
    assert again.state is UsageState.CONFIRMED


def test_a_replayed_ack_changes_nothing(pair: Pair) -> None:
    mine, theirs = pair.established()
    ack = bytes(pair.alice.requests("ACK")[0])
    before = list(pair.bob.events)
    for source in (pair.alice.address, MALLORY):
        pair.wire.inject(source, pair.bob.address, ack)
    pair.wire.inject(MALLORY, pair.bob.address, ack.replace(b"tag=", b"tag=x", 1))
    pair.run()
    assert pair.bob.events == before
    assert mine.state is theirs.state is UsageState.CONFIRMED


def test_an_ack_with_another_number_does_not_confirm(pair: Pair, mallory: Stranger) -> None:
    pair.wire.drop = lambda message, sender: isinstance(message, Request) and message.method == "ACK"
    mine = pair.invite()
    pair.run()
    pair.bob.call.accept(pair.answer)
    pair.run()
    ack = pair.alice.requests("ACK")[0]
    wrong = bytes(ack).replace(
        f"CSeq: {ack.cseq.number} ACK".encode(), f"CSeq: {ack.cseq.number + 1} ACK".encode()
    )
    pair.wire.inject(MALLORY, pair.bob.address, wrong)
    pair.run()
    assert not pair.bob.of(CallConfirmed)
    pair.wire.inject(pair.alice.address, pair.bob.address, bytes(ack))
    pair.run()
    assert pair.bob.of(CallConfirmed)
    mine.bye()


def test_a_cancel_after_the_answer_and_one_of_nothing(pair: Pair, mallory: Stranger) -> None:
    mine, theirs = pair.established()
    invite = pair.alice.requests("INVITE")[0]
    headers = [(n, v) for n, v in invite.headers if n in ("Via", "From", "To", "Call-ID", "Max-Forwards")]
    cancel = bytes(
        Request("CANCEL", invite.request_uri, [*headers, ("CSeq", f"{invite.cseq.number} CANCEL")])
    )
    pair.wire.inject(MALLORY, pair.bob.address, cancel)
    pair.wire.inject(MALLORY, pair.bob.address, cancel.replace(b"branch=z9hG4bK", b"branch=z9hG4bKx"))
    pair.run()
    assert sorted(pair.bob.statuses("CANCEL")) == [200, 481]
    assert mine.state is theirs.state is UsageState.CONFIRMED


# Answers that do not fit.


def test_a_re_invite_answered_without_a_description_leaves_the_call(pair: Pair) -> None:
    mine, theirs = pair.established()
    mine.reinvite(b"v=0 hold")
    pair.run(0.015)
    invite = pair.alice.requests("INVITE")[-1]
    ok = Response.to_request(invite, 200, headers=[("Contact", f"<{pair.bob.uri}>")])
    pair.wire.inject(pair.bob.address, pair.alice.address, bytes(ok))
    pair.run()
    assert pair.alice.only(ModifyFailed).status == 488
    assert mine.state is UsageState.CONFIRMED
    assert theirs.state is UsageState.CONFIRMED


# Floods.


def test_a_flood_of_invites_is_bounded_and_harms_no_call(wire: Wire) -> None:
    alice = wire.party(("192.0.2.1", 5060))
    config = UserAgentConfig(bind=("192.0.2.2", 5060), max_usages=50, max_transactions=500)
    bob = wire.party(("192.0.2.2", 5060), config)
    pair = Pair(wire, alice, bob)
    mine, theirs = pair.established()
    stranger = wire.stranger(("192.0.2.66", 5066), bob)
    text = stranger.request("INVITE", body="v=0", branch="z9hG4bKflood-0", call_id="flood-0")
    flow = Flow("UDP", bob.address, stranger.address)
    for number in range(3000):
        bob.core.receive(flow, text.replace("flood-0", f"flood-{number}").encode(), wire.now)
        assert len(bob.core.layer) <= 500
        assert bob.core.calls <= 50
    bob.drain()
    wire.run(0.1)
    assert {m.status for m in stranger.received if isinstance(m, Response)} <= {100, 503}
    assert all("Retry-After" in m.headers for m in stranger.received if getattr(m, "status", 0) == 503)
    for event in bob.of(IncomingCall)[1:]:
        event.usage.reject(486)
    wire.run(60)
    assert bob.core.calls == 1
    mine.info("text/plain", b"still there")
    wire.run(1)
    assert bob.kinds()[-1] == "InfoReceived"
    theirs.bye()
    assert pair.nothing_left()


def test_a_flood_in_a_dialog_is_bounded(pair_with: Callable[..., Pair]) -> None:
    """Update upon update, re-INVITE upon re-INVITE: one is looked at, the others are put off."""
    pair = pair_with(max_transactions=300)
    mine, theirs = pair.established()
    flow = Flow("UDP", pair.alice.address, MALLORY)
    for number in range(2000):
        for method in ("INVITE", "UPDATE", "PRACK"):
            data = in_dialog(mine, method, 10_000 + number, f"z9hG4bK{method}{number}", SDP)
            pair.alice.core.receive(flow, data, pair.wire.now)
    assert len(pair.alice.core.layer) <= 300
    pair.run(0.1)
    # Whoever knows the three names may speak for Bob: the dialog is still one, and still ends.
    assert mine.state is UsageState.CONFIRMED
    mine.bye()
    pair.run(1)
    assert theirs.state is UsageState.ENDED
    assert pair.nothing_left()
