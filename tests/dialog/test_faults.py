"""Whole calls over a wire that loses, doubles and reorders: they end as they should, and nothing is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from dialog.errors import LocalProtocolError
from dialog.events import (
    CallConfirmed,
    CallEnded,
    Event,
    IncomingCall,
    ModifyAccepted,
    OfferWanted,
    SessionAnswer,
    SessionOffer,
    UsageEvent,
)
from dialog.usage.invite import InviteUsage, Role, UsageState

if TYPE_CHECKING:
    from tests.dialog.conftest import Pair, Party, Wire

SEEDS = 60


def application(party: Party) -> None:
    """Answer everything that is asked."""

    def handle(event: Event) -> None:
        if not isinstance(event, UsageEvent) or event.usage.state is UsageState.ENDED:
            return
        usage = event.usage
        first = usage.role is Role.UAS and usage.state in (UsageState.CALLING, UsageState.RINGING)
        if isinstance(event, IncomingCall):
            usage.ring()
        elif isinstance(event, SessionOffer) and first:
            usage.accept(b"v=0 answer")
        elif isinstance(event, SessionOffer | OfferWanted):
            usage.answer_offer(b"v=0 later answer")

    party.on_event = handle


def quietly(action: Callable[[], None]) -> None:
    """Do what may have become impossible: the other side was faster."""
    try:
        action()
    except LocalProtocolError:
        pass


def bad_wire(pair: Pair, seed: int) -> Wire:
    wire = pair.wire
    wire.random.seed(seed)
    wire.loss, wire.duplication, wire.reordering = 0.25, 0.2, 0.3
    application(pair.alice)
    application(pair.bob)
    return wire


def ends_once(party: Party) -> None:
    """Each call that was told has one last event."""
    usages: dict[InviteUsage, list[str]] = {}
    for event in party.events:
        assert isinstance(event, UsageEvent)
        usages.setdefault(event.usage, []).append(type(event).__name__)
    for usage, kinds in usages.items():
        last = [kind for kind in kinds if kind in ("CallEnded", "CallFailed", "CallCancelled")]
        assert len(last) == 1, kinds
        assert kinds[-1] == last[0]
        assert usage.state is UsageState.ENDED


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_call_with_changes_from_both_sides(pair: Pair, seed: int) -> None:
    wire = bad_wire(pair, seed)
    mine = pair.invite()
    wire.run(40)
    assert {"CallConfirmed", "CallFailed"} & set(pair.alice.kinds())
    if pair.alice.of(CallConfirmed):
        theirs = pair.bob.call
        quietly(lambda: mine.reinvite(b"v=0 hold"))
        quietly(lambda: theirs.reinvite(b"v=0 also"))
        wire.run(40)
        quietly(lambda: theirs.reinvite(None))
        wire.run(40)
        assert mine.state is UsageState.ENDED or pair.alice.of(ModifyAccepted)
        (mine if seed % 2 else theirs).bye()
        wire.run(40)
        assert pair.alice.of(CallEnded)
    wire.loss = 0
    wire.run(40)
    for usage in (event.usage for event in pair.bob.of(IncomingCall)):
        quietly(usage.bye)
    assert pair.nothing_left()
    ends_once(pair.alice)
    ends_once(pair.bob)
    assert len(pair.bob.of(IncomingCall)) <= 1


@pytest.mark.parametrize("seed", range(SEEDS))
def test_cancel_at_any_moment(pair: Pair, seed: int) -> None:
    wire = bad_wire(pair, seed)
    mine = pair.invite()
    wire.run(wire.random.random() * 2)
    mine.bye()
    wire.run(80)
    assert mine.state is UsageState.ENDED
    wire.loss = 0
    wire.run(40)
    for usage in (event.usage for event in pair.bob.of(IncomingCall)):
        quietly(usage.bye)
    assert pair.nothing_left()
    ends_once(pair.alice)
    ends_once(pair.bob)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_late_offer(pair: Pair, seed: int) -> None:
    wire = bad_wire(pair, seed)
    pair.bob.on_event = lambda event: (
        event.usage.accept(b"v=0 offer") if isinstance(event, IncomingCall) else None
    )
    mine = pair.invite(None)
    wire.run(40)
    if pair.alice.of(CallConfirmed):
        assert pair.alice.only(SessionOffer).body == b"v=0 offer"
        assert len(pair.bob.of(SessionAnswer)) <= 1
    mine.bye()
    wire.loss = 0
    wire.run(40)
    assert pair.nothing_left()
    ends_once(pair.alice)
    ends_once(pair.bob)


def test_many_calls_at_once_on_a_bad_wire(pair: Pair) -> None:
    wire = bad_wire(pair, 7)
    wire.loss = 0.1
    usages = [pair.invite() for _ in range(50)]
    wire.run(40)
    assert len(pair.alice.of(CallConfirmed)) > 45
    for usage in usages:
        usage.bye()
    wire.run(40)
    assert pair.nothing_left()
    ends_once(pair.alice)
    assert len(pair.bob.of(IncomingCall)) == 50
