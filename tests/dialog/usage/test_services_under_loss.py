"""Subscriptions, transfers and publications on a wire that loses, doubles and reorders."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from dialog.config import UserAgentConfig
from dialog.service_events import (
    IncomingMessage,
    IncomingRefer,
    IncomingSubscription,
    Notified,
    NotifierEnded,
    ReferEnded,
    SubscriptionEnded,
)
from tests.dialog.conftest import Pair, Wire

if TYPE_CHECKING:
    from tests.dialog.conftest import Party

ALICE, BOB = ("192.0.2.1", 5060), ("192.0.2.2", 5060)
SEEDS = 60


def bad_pair(seed: int) -> Pair:
    wire = Wire(seed)
    wire.loss, wire.duplication, wire.reordering = 0.1, 0.1, 0.1
    events = ("presence", "refer")
    alice = wire.party(ALICE, UserAgentConfig(bind=ALICE, allow_events=events))
    bob = wire.party(BOB, UserAgentConfig(bind=BOB, allow_events=events))
    return Pair(wire, alice, bob)


def nothing_left(pair: Pair) -> bool:
    pair.wire.run(200)
    parties: list[Party] = [pair.alice, pair.bob]
    return all(
        not (p.core.dialogs or p.core.services.notifiers or len(p.core.layer))
        and p.core.next_deadline() is None
        for p in parties
    )


@pytest.mark.parametrize("block", range(5))
def test_states_arrive_all_and_in_order(block: int) -> None:
    for seed in range(block * SEEDS, (block + 1) * SEEDS):
        pair = bad_pair(seed)
        subscription = pair.alice.core.services.subscribe(
            "sip:bob@192.0.2.2", "presence", from_="<sip:alice@example.com>", expires=100
        )
        pair.run(30)
        incoming = pair.bob.only(IncomingSubscription)
        incoming.source.accept("text/plain", b"0")
        for number in range(1, 4):
            pair.run(40)
            incoming.source.notify("text/plain", str(number).encode())
        pair.run(30)
        told = [event.body for event in pair.alice.of(Notified)]
        assert told == sorted(told), seed
        assert set(told) == {b"0", b"1", b"2", b"3"}, seed
        subscription.unsubscribe()
        pair.run(80)
        assert pair.alice.only(SubscriptionEnded).by == "local", seed
        assert len(pair.bob.of(NotifierEnded)) == 1, seed
        assert nothing_left(pair), seed


@pytest.mark.parametrize("block", range(5))
def test_the_outcome_of_a_transfer_is_told_once(block: int) -> None:
    for seed in range(block * SEEDS, (block + 1) * SEEDS):
        pair = bad_pair(seed)
        mine = pair.invite()
        pair.run(40)
        pair.bob.call.accept(pair.answer)
        pair.run(40)
        pair.alice.core.services.refer(mine, "sip:carol@192.0.2.3")
        pair.run(30)
        referral = pair.bob.only(IncomingRefer).source
        referral.accept()
        referral.progress(180, "Ringing")
        pair.run(1)
        mine.bye()
        referral.finish(200, "OK")
        pair.run(80)
        ended = pair.alice.only(ReferEnded)
        assert (ended.outcome, ended.status) == ("done", 200), seed
        assert nothing_left(pair), seed


def once(party: Party, answer: Callable[[IncomingMessage], None]) -> None:
    party.on_event = lambda event: answer(event) if isinstance(event, IncomingMessage) else None


def test_a_message_is_delivered_once() -> None:
    for seed in range(300):
        pair = bad_pair(seed)
        once(pair.bob, lambda event: event.source.accept())
        pair.alice.core.services.ask(
            "MESSAGE",
            "sip:bob@192.0.2.2",
            from_="<sip:alice@example.com>",
            content_type="text/plain",
            body=b"hello",
        )
        pair.run(60)
        assert len(pair.bob.of(IncomingMessage)) == 1, seed
        assert nothing_left(pair), seed
