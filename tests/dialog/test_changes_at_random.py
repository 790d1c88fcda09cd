"""Both sides change, refresh, refuse and end a call at random, on a wire that loses, doubles and reorders.

Whatever they do, each offer has one outcome, no exchange stays open, and nothing is left at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

import pytest

from dialog.errors import LocalProtocolError
from dialog.events import (
    CallConfirmed,
    Event,
    IncomingCall,
    ModifyAccepted,
    ModifyFailed,
    OfferWanted,
    RefreshWanted,
    SessionOffer,
    UsageEvent,
)
from dialog.usage.invite import InviteUsage, UsageState

if TYPE_CHECKING:
    from tests.dialog.conftest import Pair, Party

SEEDS = 200


class Person:
    """Answers what is asked, now or later, with yes or no; counts what it is told of its own changes."""

    def __init__(self, party: Party, random: Random) -> None:
        self.party = party
        self.random = random
        self.asked = 0
        self.told = 0
        party.on_event = self.handle

    def handle(self, event: Event) -> None:
        if not isinstance(event, UsageEvent):
            return
        usage = event.usage
        if isinstance(event, IncomingCall):
            how = self.random.randrange(4)
            if how == 0:
                usage.ring()
            elif how == 1 and usage.can_offer_early:
                usage.progress(b"v=0 early")
            self.accept(usage)
        elif isinstance(event, SessionOffer | OfferWanted):
            early = event.early_dialog or None if isinstance(event, SessionOffer) else None
            if usage.branch is not None and usage.branch.asker is None:
                return  # the offer of the INVITE: answered by accept()
            if self.random.random() < 0.2 and usage.state is UsageState.CONFIRMED:
                self.later(usage, lambda: usage.reject_offer(488, early))
            else:
                self.later(usage, lambda: usage.answer_offer(b"v=0 reply", early))
        elif isinstance(event, RefreshWanted):
            self.later(usage, lambda: usage.refresh(b"v=0 same"))
        elif isinstance(event, ModifyAccepted | ModifyFailed):
            self.told += 1

    def accept(self, usage: InviteUsage) -> None:
        """Answer the call, as soon as no offer before the answer is open."""

        def act() -> None:
            if usage.state in (UsageState.CALLING, UsageState.RINGING):
                try:
                    usage.accept(b"v=0 answer")
                except LocalProtocolError:
                    usage.core.queue.start(1, act)

        self.later(usage, act)

    def later(self, usage: InviteUsage, act: Callable[[], None]) -> None:
        """Most answers come at once, some after seconds."""

        def do() -> None:
            try:
                act()
            except LocalProtocolError:
                pass  # the other side was quicker

        if self.random.random() < 0.6:
            do()
        else:
            usage.core.queue.start(self.random.random() * 3, do)


def change(usage: InviteUsage, random: Random) -> bool:
    """One change of the call; False when it was not the time for it."""
    try:
        kind = random.randrange(4)
        if kind == 0:
            usage.reinvite(None)
        elif kind == 1:
            usage.update(b"v=0 by update")
        else:
            usage.reinvite(b"v=0 by re-invite")
    except LocalProtocolError:
        return False
    return True


@pytest.mark.parametrize("seed", range(SEEDS))
def test_changes_at_random(pair: Pair, seed: int) -> None:
    wire, random = pair.wire, Random(seed)
    wire.random.seed(seed)
    wire.loss, wire.duplication, wire.reordering = 0.1, 0.1, 0.2
    people = {party: Person(party, random) for party in (pair.alice, pair.bob)}
    mine = pair.invite(None if seed % 5 == 0 else b"v=0 offer")
    asked = {pair.alice: 0, pair.bob: 0}
    for _ in range(12):
        wire.run(random.random() * 3)
        both = [(pair.alice, mine), *((pair.bob, event.usage) for event in pair.bob.of(IncomingCall))]
        party, usage = random.choice(both)
        if change(usage, random):
            asked[party] += 1
    wire.run(60)
    for party, usage in [(pair.alice, mine), *((pair.bob, e.usage) for e in pair.bob.of(IncomingCall))]:
        if usage.state is UsageState.CONFIRMED:
            assert people[party].told >= asked[party], "each change has its outcome"
            assert usage.confirmed_branch.quiet, usage.confirmed_branch.exchange
    if pair.alice.of(CallConfirmed):
        end = random.choice(
            [usage for usage in (mine, pair.bob.call) if usage.state is UsageState.CONFIRMED] or [mine]
        )
        end.bye()
    wire.loss = 0
    wire.run(100)
    assert pair.nothing_left()
    for party in (pair.alice, pair.bob):
        ends = [kind for kind in party.kinds() if kind in ("CallEnded", "CallFailed", "CallCancelled")]
        assert len(ends) == len(party.of(IncomingCall)) or party is pair.alice
        assert len(ends) <= 1
