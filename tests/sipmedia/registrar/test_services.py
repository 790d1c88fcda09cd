"""Transfers, messages and subscriptions of registered phones through the proxy, each request challenged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sipmedia import CallState, PhoneConfig, SubscriptionRequested
from sipmedia.packages import DialogInfo, Presence, presence
from tests.sipmedia.kit import first
from tests.sipmedia.registrar.conftest import Domain, answer

InDomain = Callable[..., None]


def test_a_blind_transfer(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        alice = await home.phone("alice")
        bob = await home.phone("bob", answer)
        carol = await home.phone("carol", answer)
        call = await alice.call("sip:bob@example.org")
        transferred = first(bob.calls[0], "transferred")
        outcome = await call.transfer("sip:carol@example.org")
        assert outcome.status == 200
        assert (await transferred).successor.remote_uri == "sip:carol@example.org"
        await asyncio.sleep(1)
        assert [len(phone.calls) for phone in (alice, bob, carol)] == [0, 1, 1]
        assert "NOTIFY" in home.lines()  # in the dialog of the call, so the proxy that recorded itself saw it

    in_domain(test)


def test_an_attended_transfer_by_the_address_of_the_target(in_domain: InDomain) -> None:
    """Behind the proxy the Refer-To names Carol, not her Contact; Replaces finds the right call there."""

    async def test(home: Domain) -> None:
        alice = await home.phone("alice")
        bob = await home.phone("bob", answer)
        carol = await home.phone("carol", answer)
        call = await alice.call("sip:bob@example.org")
        await call.hold()
        other = await alice.call("sip:carol@example.org")
        replaced = first(carol.calls[0], "replaced")
        assert (await call.transfer_to(other)).status == 200
        event = await replaced
        await asyncio.sleep(1)
        assert [len(phone.calls) for phone in (alice, bob, carol)] == [0, 1, 1]
        assert carol.calls == [event.successor]
        assert event.successor.state is CallState.ANSWERED
        refer = next(m.data for m in home.messages if m.data.startswith(b"REFER"))
        assert b"Refer-To: <sip:carol@example.org?Replaces=" in refer

    in_domain(test)


def test_the_callee_transfers(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        alice = await home.phone("alice")
        bob = await home.phone("bob", answer)
        carol = await home.phone("carol", answer)
        await alice.call("sip:bob@example.org")
        assert (await bob.calls[0].transfer("sip:carol@example.org")).status == 200
        await asyncio.sleep(1)
        assert [len(phone.calls) for phone in (alice, bob, carol)] == [1, 0, 1]

    in_domain(test)


def test_a_message_and_options(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        alice = await home.phone("alice")
        bob = await home.phone("bob", answer)
        got = first(bob, "message")
        await alice.message("sip:bob@example.org", "hello")
        assert (await got).text == "hello"
        assert "MESSAGE" in (await alice.options("sip:bob@example.org")).methods
        call = await alice.call("sip:bob@example.org")
        again = first(bob, "message")
        await call.message("psst")
        assert (await again).call is bob.calls[0]

    in_domain(test)


def test_presence_for_two_hours(in_domain: InDomain) -> None:
    """Refreshes and NOTIFYs go the way that the proxy recorded."""

    async def test(home: Domain) -> None:
        alice = await home.phone("alice")
        bob = await home.phone("bob", config=PhoneConfig(event_packages=("presence",)))
        watchers = []

        def serve(event: SubscriptionRequested) -> None:
            watchers.append(event.watcher)
            event.watcher.accept(presence.CONTENT_TYPE, bytes(Presence("sip:bob@example.org", True)))

        bob.on("subscription", serve)
        subscription = alice.subscribe("sip:bob@example.org", "presence", expires=600)
        assert (await subscription.established()).content == Presence("sip:bob@example.org", True)
        await asyncio.sleep(7200)
        assert not subscription.over
        assert len(watchers) == 1
        changed = first(subscription, "notify")
        watchers[0].notify(presence.CONTENT_TYPE, bytes(Presence("sip:bob@example.org", False)))
        assert (await changed).content == Presence("sip:bob@example.org", False)
        await subscription.unsubscribe()
        assert watchers[0].over

    in_domain(test)


def test_the_lamp_of_a_registered_phone(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        alice = await home.phone("alice")
        await home.phone("bob", answer, config=PhoneConfig(busy_lamp=True))
        subscription = alice.subscribe("sip:bob@example.org", "dialog")
        await subscription.established()
        call = await alice.call("sip:bob@example.org")
        await asyncio.sleep(0.5)
        assert subscription.latest is not None
        info = subscription.latest.content
        assert isinstance(info, DialogInfo)
        assert info.busy
        assert info.dialogs[0].call_id == call.call_id

    in_domain(test)
