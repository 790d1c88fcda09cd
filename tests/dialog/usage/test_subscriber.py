"""Subscriptions of ours: two cores on a wire, and a notifier that a test plays by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dialog.config import UserAgentConfig
from dialog.errors import LocalProtocolError
from dialog.event_package import SubscriptionState
from dialog.message import Request, Response
from dialog.service_events import IncomingSubscription, Notified, SubscriptionEnded
from dialog.usage.subscriber import Subscription

if TYPE_CHECKING:
    from tests.dialog.conftest import Pair, Party, Wire

HERE, THERE = ("192.0.2.1", 5060), ("192.0.2.9", 5060)


class ByHand:
    """A notifier whose every message is the test's."""

    def __init__(self, wire: Wire, alice: Party) -> None:
        self.wire = wire
        self.alice = alice
        self.box = wire.stranger(THERE, alice)
        self._sequence = 0

    def last(self, method: str = "SUBSCRIBE") -> Request:
        return [m for m in self.box.received if isinstance(m, Request) and m.method == method][-1]

    def count(self, method: str = "SUBSCRIBE") -> int:
        return len({m.cseq for m in self.box.received if isinstance(m, Request) and m.method == method})

    def answer(self, status: int, *headers: tuple[str, str], tag: str = "n1") -> None:
        response = Response.to_request(self.last(), status, to_tag=tag, headers=headers)
        self.wire.inject(THERE, HERE, bytes(response))
        self.wire.run()

    def notify(
        self, state: str, *, tag: str = "n1", event: str = "presence", body: str = "here", sequence: int = 0
    ) -> int:
        """Send a NOTIFY; the status it gets."""
        self._sequence = sequence or self._sequence + 1
        subscribe = self.last()
        text = "\r\n".join(
            [
                f"NOTIFY sip:{HERE[0]}:{HERE[1]} SIP/2.0",
                f"Via: SIP/2.0/UDP {THERE[0]}:{THERE[1]};branch=z9hG4bKn{self._sequence}{tag};rport",
                "Max-Forwards: 70",
                f"From: {subscribe.to.with_tag(tag)}",
                f"To: {subscribe.headers.get('From')}",
                f"Call-ID: {subscribe.call_id}",
                f"CSeq: {self._sequence} NOTIFY",
                f"Contact: <sip:{tag}@{THERE[0]}:{THERE[1]}>",
                f"Event: {event}",
                *([f"Subscription-State: {state}"] if state else []),
                "Content-Type: text/plain",
                f"Content-Length: {len(body)}",
                "",
                body,
            ]
        )
        self.box.say(text)
        return self.box.statuses()[-1]


@pytest.fixture
def hand(wire: Wire) -> ByHand:
    return ByHand(wire, wire.party(HERE))


def subscribe(hand: ByHand, event: str = "presence", **more: object) -> Subscription:
    subscription = hand.alice.core.services.subscribe(
        f"sip:bob@{THERE[0]}",
        event,
        from_="<sip:alice@example.com>",
        **more,  # type: ignore[arg-type]
    )
    hand.wire.run()
    return subscription


def test_a_subscription_from_end_to_end(pair: Pair) -> None:
    config = UserAgentConfig(bind=("192.0.2.3", 5060), allow_events=("presence",))
    carol = pair.wire.party(("192.0.2.3", 5060), config)
    subscription = pair.alice.core.services.subscribe(
        "sip:carol@192.0.2.3", "presence", from_="<sip:alice@example.com>", accept=["text/plain"]
    )
    pair.run()
    incoming = carol.only(IncomingSubscription)
    assert incoming.event.package == "presence"
    assert incoming.request.headers.get("Accept") == "text/plain"
    incoming.source.accept("text/plain", b"open")
    pair.run()
    incoming.source.notify("text/plain", b"closed")
    pair.run()
    assert [(e.state.state, e.content_type, e.body) for e in pair.alice.of(Notified)] == [
        ("active", "text/plain", b"open"),
        ("active", "text/plain", b"closed"),
    ]
    subscription.unsubscribe()
    subscription.unsubscribe()
    pair.run()
    assert pair.alice.of(Notified)[-1].state == SubscriptionState("terminated", None, "timeout")
    assert pair.alice.only(SubscriptionEnded).by == "local"
    pair.wire.run(60)
    assert not pair.alice.core.dialogs
    assert not carol.core.dialogs


def test_the_notify_may_come_first(hand: ByHand) -> None:
    subscribe(hand)
    assert hand.notify("active;expires=600") == 200
    hand.answer(200, ("Expires", "600"))
    event = hand.alice.only(Notified)
    assert (event.branch, event.state.expires, event.body) == ("n1", 600, b"here")
    hand.wire.run(570)
    assert hand.count() == 2  # refreshed 32 s before the end
    assert hand.last().to.tag == "n1"
    assert hand.last().request_uri == "sip:n1@192.0.2.9:5060"


def test_the_2xx_alone_makes_nothing(hand: ByHand) -> None:
    subscribe(hand)
    hand.answer(200, ("Expires", "600"))
    hand.wire.run(33)
    ended = hand.alice.only(SubscriptionEnded)
    assert (ended.by, ended.status) == ("timeout", 0)
    assert hand.notify("active") == 481


def test_refreshed_again_and_again(hand: ByHand) -> None:
    subscribe(hand, expires=100)
    hand.answer(200, ("Expires", "100"))
    hand.notify("active;expires=100")
    for count in range(2, 5):
        hand.wire.run(70)
        assert hand.count() == count
        assert hand.last().headers.get("Expires") == "100"
        hand.answer(200, ("Expires", "100"))
        assert hand.notify("active;expires=100") == 200
    assert hand.alice.of(SubscriptionEnded) == []


@pytest.mark.parametrize("status", [404, 481, 489])
def test_a_refresh_that_says_there_is_none(hand: ByHand, status: int) -> None:
    subscribe(hand, expires=100)
    hand.answer(200, ("Expires", "100"))
    hand.notify("active;expires=100")
    hand.wire.run(70)
    hand.answer(status)
    ended = hand.alice.only(SubscriptionEnded)
    assert (ended.by, ended.status) == ("remote", status)


def test_a_refresh_that_fails_otherwise_is_tried_again_until_the_end(hand: ByHand) -> None:
    subscribe(hand, expires=100)
    hand.answer(200, ("Expires", "100"))
    hand.notify("active;expires=100")
    hand.wire.run(70)
    hand.answer(503, ("Retry-After", "10"))
    hand.wire.run(9)
    assert hand.count() == 2
    hand.wire.run(2)
    assert hand.count() == 3
    hand.answer(500)
    hand.wire.run(30)
    assert hand.alice.only(SubscriptionEnded).reason == "expired"


def test_a_refresh_without_notify_ends_it_by_timer_n(hand: ByHand) -> None:
    subscribe(hand, expires=200)
    hand.answer(200, ("Expires", "200"))
    hand.notify("active;expires=200")
    hand.wire.run(170)
    hand.answer(200, ("Expires", "200"))
    hand.wire.run(33)
    assert hand.alice.only(SubscriptionEnded).by == "timeout"


def test_a_longer_interval_is_asked_for_when_it_must_be(hand: ByHand) -> None:
    subscribe(hand, expires=10)
    hand.answer(423, ("Min-Expires", "60"))
    assert hand.last().headers.get("Expires") == "60"
    hand.answer(200, ("Expires", "60"))
    hand.notify("active;expires=60")
    assert hand.alice.of(SubscriptionEnded) == []
    hand.wire.run(31)
    hand.answer(423, ("Min-Expires", "120"))
    assert hand.last().headers.get("Expires") == "120"


@pytest.mark.parametrize(
    ("status", "headers", "after"),
    [(489, (), None), (403, (), None), (503, (("Retry-After", "30 (busy)"),), 30), (423, (), None)],
)
def test_refused(hand: ByHand, status: int, headers: tuple[tuple[str, str], ...], after: int | None) -> None:
    subscribe(hand)
    hand.answer(status, *headers)
    ended = hand.alice.only(SubscriptionEnded)
    assert (ended.by, ended.status, ended.retry_after) == ("rejected", status, after)
    hand.wire.run(60)
    assert hand.alice.core.next_deadline() is None


def test_nobody_there(hand: ByHand) -> None:
    subscribe(hand)
    hand.wire.run(33)
    assert hand.alice.only(SubscriptionEnded).by == "timeout"


def test_forked_and_followed(hand: ByHand) -> None:
    subscription = subscribe(hand)
    hand.notify("active;expires=600", tag="n1")
    hand.notify("active;expires=600", tag="n2")
    hand.answer(200, ("Expires", "600"))
    assert [event.branch for event in hand.alice.of(Notified)] == ["n1", "n2"]
    hand.notify("terminated;reason=noresource", tag="n1")
    assert hand.alice.of(SubscriptionEnded) == []
    subscription.unsubscribe()
    hand.wire.run()
    assert hand.last().to.tag == "n2"
    hand.notify("terminated;reason=timeout", tag="n2")
    assert hand.alice.only(SubscriptionEnded).by == "local"


def test_a_single_one_refuses_other_branches(hand: ByHand) -> None:
    subscribe(hand, forks=False)
    assert hand.notify("active", tag="n1") == 200
    assert hand.notify("active", tag="n2") == 481


def test_terminated_says_why(hand: ByHand) -> None:
    subscribe(hand)
    hand.answer(200)
    hand.notify("terminated;reason=probation;retry-after=90")
    ended = hand.alice.only(SubscriptionEnded)
    assert (ended.by, ended.reason, ended.retry_after) == ("remote", "probation", 90)
    assert hand.notify("active") == 481


@pytest.mark.parametrize(
    ("state", "event", "status"),
    [
        ("active", "dialog", 481),
        ("two words", "presence", 400),
        ("active", "presence;id=5", 481),
        ("", "presence", 200),
    ],
)
def test_notifys_that_do_not_fit(hand: ByHand, state: str, event: str, status: int) -> None:
    subscribe(hand)
    hand.answer(200)
    assert hand.notify(state, event=event) == status


def test_old_notifys_are_out_of_order(hand: ByHand) -> None:
    subscribe(hand)
    hand.notify("active", sequence=5)
    assert hand.notify("active", sequence=4) == 500
    assert len(hand.alice.of(Notified)) == 1


def test_unsubscribing_before_anything_came(hand: ByHand) -> None:
    subscription = subscribe(hand)
    subscription.unsubscribe()
    hand.answer(200)
    hand.notify("active;expires=60")
    assert hand.last().headers.get("Expires") == "0"
    hand.answer(200, ("Expires", "0"))
    hand.notify("terminated;reason=timeout")
    assert hand.alice.only(SubscriptionEnded).by == "local"


@pytest.mark.parametrize(("status", "by"), [(0, "local"), (481, "local")])
def test_a_goodbye_that_nobody_answers_ends_it_all_the_same(hand: ByHand, status: int, by: str) -> None:
    subscription = subscribe(hand)
    hand.answer(200)
    hand.notify("active")
    subscription.unsubscribe()
    hand.wire.run()
    if status:
        hand.answer(status)
    hand.wire.run(40)
    ended = hand.alice.only(SubscriptionEnded)
    assert ended.by in (by, "timeout")


def test_asking_once(hand: ByHand) -> None:
    subscribe(hand, expires=0)
    hand.answer(200, ("Expires", "0"))
    hand.notify("terminated;reason=timeout")
    assert hand.alice.only(Notified).body == b"here"
    assert hand.alice.only(SubscriptionEnded).by == "remote"
    hand.wire.run(100)
    assert hand.count() == 1


@pytest.mark.parametrize(("target", "event"), [("not a uri", "presence"), ("sip:a@b", "no event")])
def test_what_cannot_be_subscribed_to(hand: ByHand, target: str, event: str) -> None:
    with pytest.raises(LocalProtocolError):
        hand.alice.core.services.subscribe(target, event, from_="<sip:alice@example.com>")
