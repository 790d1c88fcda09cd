"""Event and Subscription-State."""

from __future__ import annotations

import pytest

from dialog.errors import ParseError
from dialog.event_package import EventType, SubscriptionState
from dialog.message import Request


def notify(**fields: str) -> Request:
    return Request("NOTIFY", "sip:a@b", [(name.replace("_", "-"), value) for name, value in fields.items()])


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("presence", EventType("presence")),
        ("Message-Summary", EventType("message-summary")),
        ("refer;id=93809824", EventType("refer", "93809824")),
        (" dialog ; id=7 ; sla", EventType("dialog", "7")),
    ],
)
def test_event(text: str, event: EventType) -> None:
    assert EventType.of(notify(Event=text)) == event
    assert EventType.of(notify(o=str(event))) == event


@pytest.mark.parametrize(("text", "status"), [("", 400), ("a b", 400), (";id=1", 400), ("refer;;", 400)])
def test_bad_event(text: str, status: int) -> None:
    with pytest.raises(ParseError) as caught:
        EventType.of(notify(Event=text))
    assert caught.value.status == status


def test_no_event_at_all_is_a_bad_event() -> None:
    with pytest.raises(ParseError) as caught:
        EventType.of(notify())
    assert caught.value.status == 489


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("active;expires=60", SubscriptionState("active", 60)),
        ("Pending", SubscriptionState("pending")),
        (
            "terminated;reason=probation;retry-after=30",
            SubscriptionState("terminated", None, "probation", 30),
        ),
        ("terminated ; reason=NoResource", SubscriptionState("terminated", None, "noresource")),
        ("active;expires=soon", SubscriptionState("active")),
        ("active;expires=99999999999999", SubscriptionState("active", 2**32 - 1)),
    ],
)
def test_subscription_state(text: str, state: SubscriptionState) -> None:
    parsed = SubscriptionState.of(notify(Subscription_State=text))
    assert parsed == state
    assert SubscriptionState.of(notify(Subscription_State=str(state))) == state
    assert parsed.terminated == (parsed.state == "terminated")


def test_without_the_field_a_subscription_is_active() -> None:
    assert SubscriptionState.of(notify()) == SubscriptionState("active")


@pytest.mark.parametrize("text", ["", "two words", "active;;"])
def test_bad_subscription_state(text: str) -> None:
    with pytest.raises(ParseError):
        SubscriptionState.of(notify(Subscription_State=text))
