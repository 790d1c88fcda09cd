"""Subscriptions of peers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dialog.config import UserAgentConfig
from dialog.errors import LocalProtocolError
from dialog.message import Request, Response
from dialog.service_events import IncomingSubscription, Notified, NotifierEnded, SubscriptionEnded
from dialog.usage.notifier import Notifier, NotifierState

if TYPE_CHECKING:
    from tests.dialog.conftest import Party, Stranger, Wire

BOB = ("192.0.2.2", 5060)


class Watched:
    """Alice watches Bob's presence."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.alice = wire.party(("192.0.2.1", 5060))
        self.bob = wire.party(BOB, UserAgentConfig(bind=BOB, allow_events=("presence", "dialog")))

    def subscribe(self, expires: int = 600) -> Notifier:
        self.subscription = self.alice.core.services.subscribe(
            "sip:bob@192.0.2.2", "presence", from_="<sip:alice@example.com>", expires=expires
        )
        self.wire.run()
        return self.bob.of(IncomingSubscription)[-1].source

    def told(self) -> list[bytes]:
        return [event.body for event in self.alice.of(Notified)]

    def states(self) -> list[str]:
        return [str(event.state) for event in self.alice.of(Notified)]


@pytest.fixture
def watched(wire: Wire) -> Watched:
    return Watched(wire)


def last_response(party: Party, method: str) -> Response:
    return [m for _, m in party.sent if isinstance(m, Response) and m.cseq.method == method][-1]


def test_unknown_events_are_named(wire: Wire) -> None:
    alice, bob = wire.party(("192.0.2.1", 5060)), wire.party(BOB, UserAgentConfig(allow_events=("dialog",)))
    alice.core.services.subscribe("sip:bob@192.0.2.2", "presence", from_="<sip:alice@example.com>")
    wire.run()
    assert last_response(bob, "SUBSCRIBE").status == 489
    assert last_response(bob, "SUBSCRIBE").headers.get("Allow-Events") == "dialog"
    assert alice.only(SubscriptionEnded).status == 489


@pytest.mark.parametrize(
    ("lines", "status"), [((), 489), (("Event: a b",), 400), (("Event: refer", "Expires: soon"), 400)]
)
def test_bad_subscribes(stranger: Stranger, lines: tuple[str, ...], status: int) -> None:
    stranger.say(stranger.request("SUBSCRIBE", *lines))
    assert stranger.statuses() == [status]
    (answer,) = stranger.received
    # RFC 6665 section 8.3.2: a 489 says which there are, whether the Event was unknown or missing.
    assert (answer.headers.get("Allow-Events") == "refer") is (status == 489)


def test_no_more_subscriptions_than_allowed(wire: Wire) -> None:
    bob = wire.party(BOB, UserAgentConfig(max_usages=0))
    stranger = wire.stranger(("192.0.2.66", 5066), bob)
    stranger.say(stranger.request("SUBSCRIBE", "Event: refer"))
    assert stranger.statuses() == [503]


def test_pending_then_active(watched: Watched) -> None:
    notifier = watched.subscribe()
    notifier.accept(pending=True)
    watched.wire.run()
    notifier.notify("text/plain", b"open")
    watched.wire.run()
    assert watched.states() == ["pending;expires=600", "active;expires=600"]
    assert watched.told() == [b"", b"open"]


def test_a_shorter_time_is_granted(watched: Watched) -> None:
    watched.subscribe().accept("text/plain", b"open", expires=100)
    watched.wire.run()
    assert last_response(watched.bob, "SUBSCRIBE").headers.get("Expires") == "100"
    watched.wire.run(70)
    assert len(watched.told()) == 2  # the refresh brings the state again
    watched.wire.run(70)
    assert len(watched.told()) == 3


def test_rejected(watched: Watched) -> None:
    notifier = watched.subscribe()
    with pytest.raises(LocalProtocolError):
        notifier.reject(200)
    with pytest.raises(LocalProtocolError):
        notifier.notify("text/plain", b"too early")
    with pytest.raises(LocalProtocolError):
        notifier.terminate()
    notifier.reject(403)
    watched.wire.run()
    assert watched.alice.only(SubscriptionEnded).status == 403
    with pytest.raises(LocalProtocolError):
        notifier.accept()
    assert watched.bob.of(NotifierEnded) == []
    assert not watched.bob.core.dialogs


def test_an_application_that_says_nothing(watched: Watched) -> None:
    watched.subscribe()
    watched.wire.run(70)
    assert watched.bob.statuses("SUBSCRIBE")[-1] == 480
    assert not watched.bob.core.dialogs


def test_expired(watched: Watched) -> None:
    notifier = watched.subscribe()
    notifier.accept("text/plain", b"open", expires=100)
    watched.wire.run()
    watched.wire.drop = lambda message, sender: isinstance(message, Request) and message.method == "SUBSCRIBE"
    watched.wire.run(110)
    last = watched.bob.requests("NOTIFY")[-1]
    assert last.headers.get("Subscription-State") == "terminated;reason=timeout"
    assert watched.bob.only(NotifierEnded).reason == "timeout"
    assert notifier.state is NotifierState.TERMINATED
    notifier.notify("text/plain", b"nobody hears it")
    notifier.terminate()
    watched.wire.run()
    assert watched.bob.requests("NOTIFY")[-1] is last


@pytest.mark.parametrize("body", [b"", b"gone"])
def test_terminated_by_the_application(watched: Watched, body: bytes) -> None:
    notifier = watched.subscribe()
    notifier.accept("text/plain", b"open")
    watched.wire.run()
    content_type = "text/plain" if body else ""
    notifier.terminate("probation", retry_after=30, content_type=content_type, body=body)
    watched.wire.run()
    ended = watched.alice.only(SubscriptionEnded)
    assert (ended.by, ended.reason, ended.retry_after) == ("remote", "probation", 30)
    assert watched.told()[-1] == (body or b"open")
    assert watched.bob.only(NotifierEnded).reason == "probation"
    assert not watched.bob.core.dialogs


def test_one_notify_at_a_time_and_in_order(watched: Watched) -> None:
    notifier = watched.subscribe()
    lost: list[int] = []

    def drop(message: Request | Response, sender: Party) -> bool:
        if isinstance(message, Request) and message.method == "NOTIFY" and len(lost) < 2:
            lost.append(message.cseq.number)
            return True
        return False

    watched.wire.drop = drop
    notifier.accept("text/plain", b"0")
    for number in range(1, 5):
        notifier.notify("text/plain", str(number).encode())
    notifier.terminate()
    watched.wire.run(5)
    assert watched.told() == [b"0", b"1", b"2", b"3", b"4"]
    assert watched.states()[-1].startswith("terminated")
    assert lost[0] == lost[1]


def test_the_peer_does_not_know_it_any_more(watched: Watched) -> None:
    notifier = watched.subscribe()
    notifier.accept("text/plain", b"open")
    watched.wire.run()
    for key in list(watched.alice.core.dialogs):
        watched.alice.core.dialogs.remove(key)
    watched.wire.run(40)
    notifier.notify("text/plain", b"closed")
    watched.wire.run()
    assert watched.bob.only(NotifierEnded).reason == "remote"
    assert watched.bob.core.services.notifiers == 0


def test_the_peer_is_silent(watched: Watched) -> None:
    notifier = watched.subscribe()
    notifier.accept("text/plain", b"open")
    watched.wire.run()
    watched.wire.drop = lambda message, sender: True
    notifier.notify("text/plain", b"closed")
    watched.wire.run(40)
    assert watched.bob.only(NotifierEnded).reason == "timeout"


def test_a_busy_peer_is_told_later(wire: Wire) -> None:
    bob = wire.party(BOB, UserAgentConfig(allow_events=("presence",)))
    stranger = wire.stranger(("192.0.2.66", 5066), bob)
    stranger.say(stranger.request("SUBSCRIBE", "Event: presence", "Expires: 600"))
    bob.only(IncomingSubscription).source.accept("text/plain", b"open")
    wire.run()
    answers = [503, 200]
    for count in (1, 2):
        notifys = list({m.cseq: m for m in stranger.received if isinstance(m, Request)}.values())
        assert len(notifys) == count
        response = Response.to_request(notifys[-1], answers[count - 1], headers=(("Retry-After", "20"),))
        wire.inject(stranger.address, BOB, bytes(response))
        wire.run(21)
    assert bob.of(NotifierEnded) == []
    assert notifys[0].body == notifys[1].body == b"open"


def test_subscribing_in_the_dialog_again_before_the_first_answer(wire: Wire) -> None:
    bob = wire.party(BOB, UserAgentConfig(allow_events=("presence",)))
    stranger = wire.stranger(("192.0.2.66", 5066), bob)
    stranger.say(stranger.request("SUBSCRIBE", "Event: presence"))
    notifier = bob.only(IncomingSubscription).source
    tag = next(iter(bob.core.dialogs))[1]
    again = stranger.request(
        "SUBSCRIBE", "Event: presence", to=f"<sip:bob@192.0.2.2>;tag={tag}", cseq="2", branch="z9hG4bK2"
    )
    stranger.say(again)
    assert stranger.statuses() == [500]
    notifier.accept("text/plain", b"open")
    wire.run()
    stranger.say(again.replace("z9hG4bK2", "z9hG4bK3").replace("CSeq: 2", "CSeq: 3").replace(
        "Event: presence", "Event: presence\r\nExpires: x"))  # fmt: skip
    assert stranger.statuses()[-1] == 400
    other = again.replace("z9hG4bK2", "z9hG4bK4").replace("CSeq: 2", "CSeq: 4")
    stranger.say(other.replace("Event: presence", "Event: dialog"))
    assert stranger.statuses()[-1] == 481
