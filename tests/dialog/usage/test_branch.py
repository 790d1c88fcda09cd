"""One dialog of a call: its exchange, who is asked, and what it knows of the peer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dialog.errors import LocalProtocolError
from dialog.events import CallAnswered, CallEnded, SessionAnswer
from dialog.message import Request, Response
from dialog.usage.branch import Branch
from dialog.usage.exchange import Exchange
from dialog.usage.glare import glare_delay

if TYPE_CHECKING:
    from tests.dialog.conftest import Pair, Stranger


class Nobody:
    """Is asked, and never answers."""

    def accept(self, body: bytes) -> None:
        raise AssertionError

    def reject(self, status: int) -> None:
        raise AssertionError


@pytest.fixture
def branch(pair: Pair) -> Branch:
    mine, _ = pair.established()
    return mine.confirmed_branch


def test_an_exchange_from_both_sides(branch: Branch) -> None:
    assert branch.quiet
    branch.ask(Nobody())
    assert (branch.exchange, branch.quiet) == (Exchange.THEIRS, False)
    branch.answered()
    assert (branch.exchange, branch.asker) == (Exchange.AGREED, None)
    branch.exchange = Exchange.OURS
    assert not branch.quiet
    branch.offer_failed()
    branch.offer_failed()
    assert branch.quiet


def test_being_asked_for_an_offer_is_no_offer(branch: Branch) -> None:
    branch.ask(Nobody(), offered=False)
    assert (branch.exchange, branch.quiet) == (Exchange.AGREED, False)
    branch.stop()
    assert branch.asker is None


def test_what_the_peer_allows_is_what_it_said_last(branch: Branch) -> None:
    assert "UPDATE" in branch.peer_allows
    branch.note_peer(Response(200))
    assert "UPDATE" in branch.peer_allows
    branch.note_peer(Request("UPDATE", "sip:a@b", [("Allow", "INVITE, ACK")]))
    assert branch.peer_allows == {"INVITE", "ACK"}


def test_who_waits_how_long_after_glare(pair: Pair) -> None:
    mine, theirs = pair.established()
    assert all(2.1 <= glare_delay(mine) <= 4 for _ in range(100))
    assert all(0 <= glare_delay(theirs) <= 2 for _ in range(100))


def test_two_branches_answer_one_after_the_other(stranger: Stranger) -> None:
    """The first 200 makes the call; the second is acknowledged and ended, its own answer never told."""
    call = stranger.peer.core.invite("sip:s@192.0.2.66:5066", from_="<sip:bob@192.0.2.2>", body=b"v=0")
    stranger.wire.run(0.05)
    invite = stranger.received[-1]
    assert isinstance(invite, Request)
    headers = [("Contact", "<sip:s@192.0.2.66:5066>"), ("Content-Type", "application/sdp")]
    for tag in ("a", "b"):
        stranger.say(bytes(Response.to_request(invite, 180, to_tag=tag, headers=headers[:1])))
    with pytest.raises(LocalProtocolError, match="there are 2 early dialogs"):
        call.update(b"v=0")
    for tag in ("b", "a", "a", "b"):
        body = f"v=0 {tag}".encode()
        stranger.say(bytes(Response.to_request(invite, 200, to_tag=tag, headers=headers, body=body)))
    assert stranger.peer.only(SessionAnswer).body == b"v=0 b"
    assert stranger.peer.only(CallAnswered).early_dialog == "b"
    sent = [(m.method, m.to.tag) for m in stranger.received if isinstance(m, Request)]
    assert sorted(set(sent[1:])) == [("ACK", "a"), ("ACK", "b"), ("BYE", "a")]
    assert sent.count(("ACK", "a")) == 2, "each repeated 200 has its ACK again"
    bye = next(m for m in stranger.received if isinstance(m, Request) and m.method == "BYE")
    stranger.say(bytes(Response.to_request(bye, 200)))
    assert not stranger.peer.of(CallEnded)
