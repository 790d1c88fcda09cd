"""REFER, asked and being asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dialog.digest import Credentials
from dialog.errors import LocalProtocolError
from dialog.incoming import IncomingRequest
from dialog.message import Request, Response
from dialog.replaces import Replaces
from dialog.service_events import IncomingRefer, NotifierEnded, ReferAnswered, ReferEnded, ReferProgress
from dialog.usage.invite import InviteUsage
from dialog.usage.refer import Refer, Referral

if TYPE_CHECKING:
    from tests.dialog.conftest import Pair, Party, Stranger

CAROL = "sip:carol@192.0.2.3"


def refer(pair: Pair, **more: object) -> tuple[Refer, Referral]:
    """Alice asks Bob, in a call, to call Carol."""
    mine, _ = pair.established()
    asked = pair.alice.core.services.refer(mine, CAROL, **more)  # type: ignore[arg-type]
    pair.run()
    return asked, pair.bob.of(IncomingRefer)[-1].source


def test_accepted_and_told_of(pair: Pair) -> None:
    asked, referral = refer(pair, referred_by="<sip:alice@example.com>")
    assert pair.bob.only(IncomingRefer).usage is pair.bob.call
    assert str(referral.target) == CAROL
    assert (referral.replaces, referral.referred_by) == (None, "<sip:alice@example.com>")
    referral.accept()
    pair.run()
    referral.progress(180, "Ringing")
    pair.run()
    referral.finish(200, "OK")
    pair.run()
    assert pair.alice.only(ReferAnswered) == ReferAnswered(asked, 202, True)
    assert [event.status for event in pair.alice.of(ReferProgress)] == [100, 180]
    assert pair.alice.only(ReferEnded) == ReferEnded(asked, "done", 200, "OK")
    assert pair.bob.only(NotifierEnded).reason == "noresource"
    notify = pair.bob.requests("NOTIFY")[0]
    assert notify.headers.get("Event") == f"refer;id={asked.request.cseq.number}"
    assert notify.headers.get("Content-Type") == "message/sipfrag;version=2.0"
    for usage in pair.calls():
        usage.bye()
    assert pair.nothing_left()


def test_the_outcome_comes_after_the_call_is_over(pair: Pair) -> None:
    _, referral = refer(pair)
    referral.accept()
    pair.run()
    for usage in pair.calls()[:1]:
        usage.bye()
    pair.run(5)
    referral.finish(486, "Busy Here")
    pair.run()
    ended = pair.alice.only(ReferEnded)
    assert (ended.outcome, ended.status, ended.reason) == ("done", 486, "Busy Here")
    assert pair.nothing_left()


def test_rejected(pair: Pair) -> None:
    asked, referral = refer(pair)
    with pytest.raises(LocalProtocolError):
        referral.reject(202)
    referral.reject(603)
    pair.run()
    assert pair.alice.only(ReferEnded) == ReferEnded(asked, "refused", 603, "Decline")
    with pytest.raises(LocalProtocolError):
        referral.accept()
    referral.progress(180, "Ringing")  # nobody listens: harmless
    for usage in pair.calls():
        usage.bye()
    assert pair.nothing_left()


def test_without_being_told(pair: Pair) -> None:
    asked, referral = refer(pair, followed=False)
    referral.accept()
    referral.finish(200, "OK")
    pair.run()
    assert pair.bob.requests("NOTIFY") == []
    assert pair.alice.only(ReferAnswered) == ReferAnswered(asked, 202, False)
    assert pair.alice.only(ReferEnded).outcome == "untold"
    for usage in pair.calls():
        usage.bye()
    assert pair.nothing_left()


def test_a_call_to_replace_travels_in_the_uri(pair: Pair) -> None:
    replaces = Replaces("98732@example.com", "to+1", "from.2")
    _, referral = refer(pair, replaces=replaces)
    assert referral.replaces == replaces
    assert str(referral.target) == CAROL
    assert pair.alice.requests("REFER")[0].headers.get("Refer-To") == (
        f"<{CAROL}?Replaces=98732%40example.com%3Bto-tag%3Dto+1%3Bfrom-tag%3Dfrom.2>"
    )


def test_two_at_once_are_told_apart(pair: Pair) -> None:
    mine, _ = pair.established()
    first = pair.alice.core.services.refer(mine, CAROL)
    second = pair.alice.core.services.refer(mine, "sip:dave@192.0.2.4")
    pair.run()
    referrals = [event.source for event in pair.bob.of(IncomingRefer)]
    for referral in referrals:
        referral.accept()
    referrals[0].finish(404, "Not Found")
    referrals[1].finish(200, "OK")
    pair.run()
    assert {event.source: event.status for event in pair.alice.of(ReferEnded)} == {first: 404, second: 200}


def test_outside_a_call(pair: Pair) -> None:
    asked = pair.alice.core.services.refer_outside(
        "sip:bob@192.0.2.2", CAROL, from_="<sip:alice@example.com>"
    )
    pair.run()
    incoming = pair.bob.only(IncomingRefer)
    assert incoming.usage is None
    incoming.source.accept()
    incoming.source.progress(183, "Session Progress")
    incoming.source.finish(200, "OK")
    pair.run()
    assert pair.alice.only(ReferEnded) == ReferEnded(asked, "done", 200, "OK")
    assert pair.nothing_left()


def test_the_subscription_ends_without_an_outcome(pair: Pair) -> None:
    _, referral = refer(pair)
    referral.accept()
    pair.run(310)
    assert pair.alice.only(ReferEnded).outcome == "unknown"
    assert pair.bob.only(NotifierEnded).reason == "timeout"


def test_nobody_answers(pair: Pair) -> None:
    mine, _ = pair.established()
    pair.wire.drop = lambda message, sender: True
    pair.alice.core.services.refer(mine, CAROL)
    pair.run(40)
    assert pair.alice.only(ReferEnded).outcome == "timeout"
    assert "CallEnded" in pair.alice.kinds()


def test_accepted_but_no_notify_comes(pair: Pair) -> None:
    _, referral = refer(pair)
    pair.wire.drop = lambda message, sender: isinstance(message, Request) and message.method == "NOTIFY"
    referral.accept()
    pair.run(40)
    assert pair.alice.only(ReferEnded).outcome == "unknown"
    pair.run(40)
    assert pair.bob.only(NotifierEnded).reason == "timeout"


def test_a_peer_that_says_no_id_and_does_not_terminate(pair: Pair) -> None:
    """Seen in the field: the final status in an active NOTIFY without id, and nothing more."""
    asked, referral = refer(pair)
    referral.accept()

    def rewrite(data: bytes) -> bytes:
        number = str(asked.request.cseq.number).encode()
        return data.replace(b"Event: refer;id=" + number, b"Event: refer").replace(
            b"terminated;reason=noresource", b"active;expires=60"
        )

    pair.wire.garble = rewrite
    referral.finish(200, "OK")
    pair.run()
    assert pair.alice.only(ReferEnded).status == 200
    pair.run(40)
    mine = pair.calls()[0]
    assert len(mine.sharers) == 0


def test_a_body_that_is_no_status_says_nothing(pair: Pair) -> None:
    _, referral = refer(pair)
    pair.wire.garble = lambda data: data.replace(b"SIP/2.0 100 Trying\r\n", b"SIP/2.0 1oo Trying\r\n")
    referral.accept()
    pair.run()
    assert pair.alice.of(ReferProgress) == []


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("Refer-To: <sip:a@b>", "Refer-To: <sip:c@d>"),
        ("Refer-To: <sip:a@b>, <sip:c@d>",),
        ("Refer-To: <>",),
        ("Refer-To: <sip:a@b?Replaces=nothing>",),
    ],
)
def test_refers_that_name_nobody(stranger: Stranger, lines: tuple[str, ...]) -> None:
    stranger.say(stranger.request("REFER", *lines))
    assert stranger.statuses() == [400]


def test_what_the_target_may_be(pair: Pair, stranger: Stranger) -> None:
    stranger.say(stranger.request("REFER", "Refer-To: <sip:a@b;method=BYE?Subject=x>"))
    referral = pair.bob.only(IncomingRefer).source
    assert (referral.method, str(referral.target)) == ("BYE", "sip:a@b")
    stranger.say(stranger.request("REFER", "Refer-To: <tel:+49301>", branch="z9hG4bK2", call_id="other"))
    assert str(pair.bob.of(IncomingRefer)[-1].source.target) == "tel:+49301"


@pytest.mark.parametrize("target", ["", "nobody", "<sip:a@b>"])
def test_targets_that_cannot_be_written(pair: Pair, target: str) -> None:
    mine, _ = pair.established()
    with pytest.raises(LocalProtocolError):
        pair.alice.core.services.refer(mine, target)
    with pytest.raises(LocalProtocolError):
        pair.alice.core.services.refer(mine, "tel:+49301", replaces=Replaces("a", "b", "c"))


def test_not_before_the_call_is_up(pair: Pair) -> None:
    mine = pair.invite()
    with pytest.raises(LocalProtocolError):
        pair.alice.core.services.refer(mine, CAROL)


@pytest.mark.parametrize("lost", ["REFER", "202", "NOTIFY", "200"])
def test_each_message_lost_once(pair: Pair, lost: str) -> None:
    mine, _ = pair.established()
    dropped: list[bool] = []

    def drop(message: Request | Response, sender: Party) -> bool:
        name = message.method if isinstance(message, Request) else str(message.status)
        if name == lost and message.cseq.method in ("REFER", "NOTIFY") and not dropped:
            dropped.append(True)
            return True
        return False

    pair.wire.drop = drop
    asked = pair.alice.core.services.refer(mine, CAROL)
    pair.run(1)
    referral = pair.bob.only(IncomingRefer).source
    referral.accept()
    pair.run(0.02)
    referral.finish(200, "OK")
    pair.run(5)
    assert dropped
    assert pair.alice.only(ReferEnded) == ReferEnded(asked, "done", 200, "OK")


def test_a_challenged_refer_is_followed_by_its_new_number(pair: Pair) -> None:
    """The REFER goes out again with credentials and another CSeq, and that is what NOTIFY names it by."""
    mine, _ = pair.established()
    pair.alice.core.authentication.credentials_for = lambda realm, uri: Credentials("alice", "secret")
    take = pair.bob.core.call_handlers["REFER"]

    def challenge(usage: InviteUsage, incoming: IncomingRequest) -> None:
        if "Authorization" in incoming.request.headers:
            take(usage, incoming)
        else:
            incoming.respond(401, None, (("WWW-Authenticate", 'Digest realm="b", nonce="n", qop="auth"'),))

    pair.bob.core.call_handlers["REFER"] = challenge
    asked = pair.alice.core.services.refer(mine, CAROL)
    pair.run()
    referral = pair.bob.only(IncomingRefer).source
    referral.accept()
    referral.finish(200, "OK")
    pair.run()
    first, second = (request.cseq.number for request in pair.alice.requests("REFER"))
    assert pair.bob.requests("NOTIFY")[0].headers.get("Event") == f"refer;id={second}"
    assert second > first
    assert pair.alice.only(ReferEnded) == ReferEnded(asked, "done", 200, "OK")


@pytest.mark.parametrize("known", [True, False])
def test_a_refer_outside_that_names_the_call(pair: Pair, stranger: Stranger, known: bool) -> None:
    """RFC 4538: who knows the tags is the other side of the call."""
    _, theirs = pair.established()
    call_id, local, remote = theirs.confirmed_dialog.key
    value = f"{call_id};local-tag={local};remote-tag={remote if known else 'guessed'}"
    stranger.say(stranger.request("REFER", f"Refer-To: <{CAROL}>", f"Target-Dialog: {value}"))
    incoming = pair.bob.only(IncomingRefer)
    assert incoming.usage is (theirs if known else None)
    incoming.source.accept()
    pair.run()
    assert pair.bob.requests("NOTIFY")[0].call_id == "stranger-call-1"  # in a dialog of its own
