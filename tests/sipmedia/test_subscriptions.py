"""Subscriptions and publications of a phone, and those of others to ours."""

from __future__ import annotations

import asyncio

import pytest

from dialog.event_package import EventType
from dialog.service_events import SubscriptionEnded, SubscriptionEndedBy
from dialog.usage.subscriber import Subscription
from sipmedia import (
    InvalidAddress,
    PhoneConfig,
    StateNotified,
    SubscriptionFailed,
    SubscriptionOver,
    SubscriptionRequested,
    Watcher,
)
from sipmedia.packages import (
    DialogInfo,
    DialogState,
    MessageCounts,
    MessageSummary,
    Presence,
    dialog_info,
    message_summary,
    presence,
)
from sipmedia.subscriptions import again_after
from tests.sipmedia.kit.phones import first, pair, run

MAILBOX = MessageSummary(True, "sip:alice@127.0.0.1", {"voice": MessageCounts(1, 2)})
SERVED = PhoneConfig(event_packages=("message-summary", "presence"))


def serve(event: SubscriptionRequested) -> None:
    if event.watcher.event == "message-summary":
        event.watcher.accept(message_summary.CONTENT_TYPE, bytes(MAILBOX))


def test_a_mailbox() -> None:
    async def main() -> None:
        async with pair(bob=SERVED) as phones:
            watchers: list[Watcher] = []
            phones.bob.on("subscription", lambda event: watchers.append(event.watcher))
            phones.bob.on("subscription", serve)
            subscription = phones.alice.subscribe(phones.bobs_uri, "message-summary")
            state = await subscription.established()
            assert state.content == MAILBOX
            assert watchers[0].uri == "sip:alice@127.0.0.1"
            assert watchers[0].resource == phones.bobs_uri
            assert watchers[0].accepts == (message_summary.CONTENT_TYPE,)
            changed = first(subscription, "notify")
            watchers[0].notify(message_summary.CONTENT_TYPE, b"Messages-Waiting: no\r\n")
            event: StateNotified = await changed
            assert event.content == MessageSummary(False)
            assert subscription.latest is event
            await asyncio.sleep(4000)  # it is refreshed all the while
            assert not subscription.over
            await subscription.unsubscribe()
            assert (await subscription.ended()).by == "local"
            assert watchers[0].over
            await subscription.unsubscribe()

    run(main(), 5000)


def test_refused_unknown_and_unserved() -> None:
    async def main() -> None:
        async with pair(bob=SERVED) as phones:
            for event, status in (("dialog", 489), ("presence", 480)):
                subscription = phones.alice.subscribe(phones.bobs_uri, event)
                with pytest.raises(SubscriptionFailed) as caught:
                    await subscription.established()
                assert caught.value.status == status
                assert subscription.over
            phones.bob.on("subscription", lambda event: event.watcher.reject(403))
            with pytest.raises(SubscriptionFailed) as caught:
                await phones.alice.subscribe(phones.bobs_uri, "presence").established()
            assert caught.value.status == 403
            with pytest.raises(SubscriptionFailed) as caught:
                await phones.alice.subscribe("sip:nobody@127.0.0.1:9", "presence").established()
            assert caught.value.status == 408
            with pytest.raises(InvalidAddress):
                phones.alice.subscribe("nobody", "presence")

    run(main())


@pytest.mark.parametrize(("reason", "again"), [("deactivated", True), ("noresource", False)])
def test_made_anew_when_the_reason_allows_it(reason: str, again: bool) -> None:
    async def main() -> None:
        async with pair(bob=SERVED) as phones:
            watchers: list[Watcher] = []
            phones.bob.on("subscription", lambda event: watchers.append(event.watcher))
            phones.bob.on("subscription", serve)
            subscription = phones.alice.subscribe(phones.bobs_uri, "message-summary")
            await subscription.established()
            await asyncio.sleep(100)
            watchers[0].terminate(reason)
            await asyncio.sleep(1)
            assert len(watchers) == (2 if again else 1)
            assert subscription.over is not again
            if again:
                watchers[1].terminate(reason)  # at once again: we do not spin
                await asyncio.sleep(20)
                assert len(watchers) == 2
                await subscription.unsubscribe()
                assert subscription.over

    run(main())


def test_presence_and_a_body_that_is_none() -> None:
    async def main() -> None:
        async with pair(bob=SERVED) as phones:
            here = Presence("sip:bob@127.0.0.1", True, "at my desk")
            bodies = [bytes(here), b"<!DOCTYPE x><presence/>"]
            phones.bob.on(
                "subscription", lambda event: event.watcher.accept(presence.CONTENT_TYPE, bodies.pop(0))
            )
            assert (await phones.alice.subscribe(phones.bobs_uri, "presence").established()).content == here
            subscription = phones.alice.subscribe(phones.bobs_uri, "presence", forks=False)
            failed = first(subscription, "error")
            assert (await subscription.established()).content is None
            assert "document type" in str((await failed).error)

    run(main())


def test_a_busy_lamp() -> None:
    async def main() -> None:
        async with pair(bob=PhoneConfig(busy_lamp=True)) as phones:
            phones.bob.on("incoming_call", lambda event: None)
            subscription = phones.alice.subscribe(phones.bobs_uri, "dialog")
            seen: list[DialogInfo] = []
            subscription.on("notify", lambda event: seen.append(event.content))
            await subscription.established()
            assert not seen[0].busy
            call = phones.alice.dial(phones.bobs_uri)
            await first(call, "ringing")
            await asyncio.sleep(0.1)
            assert seen[-1].ringing
            (dialog,) = seen[-1].dialogs
            assert dialog.call_id == call.call_id
            assert dialog.remote == "sip:alice@127.0.0.1"
            await phones.bob.calls[0].answer()
            await asyncio.sleep(0.1)
            assert [dialog.state for dialog in seen[-1].dialogs] == ["confirmed"]
            await call.hangup()
            await asyncio.sleep(0.1)
            assert not seen[-1].busy
            assert [info.version for info in seen] == sorted({info.version for info in seen})
            await subscription.unsubscribe()
            other = await phones.alice.options(phones.bobs_uri)
            assert "dialog" in other.events

    run(main())


def test_a_lost_change_of_calls_is_made_up_for() -> None:
    async def main() -> None:
        async with pair(bob=PhoneConfig(event_packages=("dialog",))) as phones:
            watchers: list[Watcher] = []

            def serve(event: SubscriptionRequested) -> None:
                watchers.append(event.watcher)
                event.watcher.accept(dialog_info.CONTENT_TYPE, bytes(DialogInfo("sip:bob@b", 1, True, ())))

            phones.bob.on("subscription", serve)
            subscription = phones.alice.subscribe(phones.bobs_uri, "dialog")
            await subscription.established()
            seen: list[DialogInfo | None] = []
            subscription.on("notify", lambda event: seen.append(event.content))
            call = DialogState("1", "confirmed")
            for version in (2, 4):
                change = DialogInfo("sip:bob@b", version, False, (call,))
                watchers[0].notify(dialog_info.CONTENT_TYPE, bytes(change))
                await asyncio.sleep(0.1)
            assert seen[0] == DialogInfo("sip:bob@b", 2, True, (call,))
            assert seen[1] is None
            assert len(seen) == 3  # the refresh was answered by a state

    run(main())


def test_a_publication_that_nobody_takes() -> None:
    async def main() -> None:
        async with pair() as phones:
            here = bytes(Presence("sip:alice@127.0.0.1", True))
            publication = phones.alice.publish(
                "presence", presence.CONTENT_TYPE, here, target=phones.bobs_uri
            )
            with pytest.raises(SubscriptionFailed) as caught:
                await publication.established()
            assert caught.value.status == 405
            publication.update(presence.CONTENT_TYPE, here)
            await publication.remove()
            with pytest.raises(InvalidAddress):
                phones.alice.publish("presence", presence.CONTENT_TYPE, here, target="nobody")

    run(main())


@pytest.mark.parametrize(
    ("by", "status", "reason", "retry_after", "again"),
    [
        ("local", 0, "", None, None),
        ("rejected", 403, "Forbidden", 30, None),
        ("timeout", 0, "no NOTIFY came", None, 30.0),
        ("transport", 503, "Service Unavailable", 60, 60.0),
        ("remote", 481, "Gone", None, 0.0),
        ("remote", 404, "Not Found", None, None),
        ("remote", 0, "deactivated", None, 0.0),
        ("remote", 0, "timeout", 5, 5.0),
        ("remote", 0, "probation", 300, 300.0),
        ("remote", 0, "giveup", None, 30.0),
        ("remote", 0, "rejected", None, None),
        ("remote", 0, "invariant", None, None),
        ("remote", 0, "something new", None, 30.0),
    ],
)
def test_when_to_subscribe_again(
    by: SubscriptionEndedBy, status: int, reason: str, retry_after: int | None, again: float | None
) -> None:
    source = Subscription.__new__(Subscription)
    source.event = EventType("presence")
    assert again_after(SubscriptionEnded(source, by, status, reason, retry_after)) == again


def test_a_subscription_dies_with_its_phone() -> None:
    async def main() -> None:
        async with pair(bob=SERVED) as phones:
            phones.bob.on("subscription", serve)
            subscription = phones.alice.subscribe(phones.bobs_uri, "message-summary")
            await subscription.established()
            over: list[SubscriptionOver] = []
            subscription.on("ended", over.append)
        assert (await asyncio.wait_for(subscription.ended(), 5)).by == "local"
        assert len(over) == 1

    run(main())
