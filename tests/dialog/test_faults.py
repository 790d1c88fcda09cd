"""Whole calls over a wire that loses, doubles and reorders: they end as they should, and nothing is left."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest

from dialog.errors import LocalProtocolError
from dialog.events import (
    CallConfirmed,
    CallEnded,
    CallFailed,
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


ACTIONS: tuple[Callable[[InviteUsage], None], ...] = (
    lambda usage: usage.ring(),
    lambda usage: usage.progress(b"v=0 early"),
    lambda usage: usage.accept(b"v=0 answer"),
    lambda usage: usage.reject(486),
    lambda usage: usage.reinvite(b"v=0 changed"),
    lambda usage: usage.reinvite(None),
    lambda usage: usage.answer_offer(b"v=0 answered"),
    lambda usage: usage.answer_offer(b"v=0 answered"),
    lambda usage: usage.reject_offer(),
    lambda usage: usage.info("text/plain", b"hello"),
    lambda usage: usage.bye(),
    lambda usage: usage.cancel(),
)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_the_applications_do(pair: Pair, seed: int) -> None:
    """Any action at any time over a bad wire that also garbles: never a surprise, and it all ends."""
    wire = bad_wire(pair, seed)
    random = wire.random
    wire.loss = 0.1
    pair.alice.on_event = pair.bob.on_event = lambda event: None

    def garble(data: bytes) -> bytes:
        if random.random() > 0.05:
            return data
        cut = random.randrange(len(data))
        return data[:cut] + random.randbytes(random.randrange(4)) + data[cut + random.randrange(4) :]

    wire.garble = garble
    for _ in range(40):
        if random.random() < 0.1 or not pair.calls():
            pair.invite(random.choice([None, b"v=0 offer"]))
        for usage in pair.calls():
            if random.random() < 0.5:
                quietly(partial(random.choice(ACTIONS), usage))
        wire.run(random.random())
    wire.garble = lambda data: data
    wire.loss = 0
    for _ in range(3):
        wire.run(70)
        for usage in pair.calls():
            quietly(usage.bye)
            quietly(usage.reject)
    assert pair.nothing_left()
    ends = [event for event in pair.alice.events if isinstance(event, CallEnded | CallFailed)]
    assert len(ends) == len({event.usage for event in ends})
