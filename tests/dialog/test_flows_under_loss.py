"""The session flows of RFC 3665 section 3, and those of the extensions, on a wire that loses messages.

Each flow is played once on a clean wire; then once for every message of it with just that message lost; then
under 10 % random loss, by a thousand seeds in all. It must come to the same end every time: retransmissions
are there for nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

import pytest

from dialog.config import UserAgentConfig
from dialog.errors import LocalProtocolError
from dialog.events import (
    CallConfirmed,
    Event,
    IncomingCall,
    ModifyAccepted,
    OfferWanted,
    Progress,
    RefreshWanted,
    SessionAnswer,
    SessionOffer,
    UsageEvent,
)
from dialog.message import Request, Response
from dialog.usage.invite import InviteUsage, Role, UsageState
from tests.dialog.conftest import Pair, Party, Wire

if TYPE_CHECKING:
    Act = Callable[[InviteUsage, Event], None]

OFFER, ANSWER = b"v=0 offer", b"v=0 answer"
SEEDS_EACH = 91
"""Of eleven flows: a thousand and one."""


class Flow:
    """Who does what when; everything else (answering offers of a running call, say) goes by itself."""

    def __init__(
        self,
        name: str,
        *,
        alice: Act | None = None,
        bob: Act | None = None,
        offer: bytes | None = OFFER,
        expected: tuple[str, str],
        lasts: float = 90.0,
        changes: int = 0,
        **settings: object,
    ) -> None:
        self.name = name
        self.acts = {"alice": alice, "bob": bob}
        self.offer = offer
        self.expected = expected
        self.lasts = lasts
        self.changes = changes
        self.settings = settings

    def __repr__(self) -> str:
        return self.name

    def play(self, wire: Wire) -> Pair:
        """Play it on this wire to its end."""
        parties = {}
        for name, host in (("alice", "192.0.2.1"), ("bob", "192.0.2.2")):
            config = UserAgentConfig(bind=(host, 5060), **self.settings)  # type: ignore[arg-type]
            parties[name] = wire.party((host, 5060), config)
            application(parties[name], self.acts[name])
        pair = Pair(wire, parties["alice"], parties["bob"])
        if self.name == "redirected":
            carol = wire.party(("192.0.2.3", 5060))
            application(carol, answer_and_wait)
        pair.invite(self.offer)
        wire.run(self.lasts)
        return pair

    def outcome(self, pair: Pair) -> tuple[str, str]:
        """The last events of both."""
        ends = ("CallEnded", "CallFailed", "CallCancelled")
        mine = [kind for kind in pair.alice.kinds() if kind in ends]
        theirs = [kind for kind in pair.bob.kinds() if kind in ends]
        return (mine or ["nothing"])[-1], (theirs or ["nothing"])[-1]


def application(party: Party, act: Act | None) -> None:
    """Do what the flow says, and answer what is asked inside a call."""

    def handle(event: Event) -> None:
        if not isinstance(event, UsageEvent) or event.usage.state is UsageState.ENDED:
            return
        usage = event.usage
        first = usage.role is Role.UAS and usage.state in (UsageState.CALLING, UsageState.RINGING)
        try:
            if act is not None:
                act(usage, event)
            if isinstance(event, SessionOffer) and not (first and usage.confirmed_branch.asker is None):
                usage.answer_offer(ANSWER, event.early_dialog or None)
            elif isinstance(event, OfferWanted):
                usage.answer_offer(OFFER)
            elif isinstance(event, RefreshWanted):
                usage.refresh(OFFER)
        except LocalProtocolError:
            pass  # the other side was quicker

    party.on_event = handle


def answer_and_wait(usage: InviteUsage, event: Event) -> None:
    if isinstance(event, IncomingCall):
        usage.ring()
        usage.accept(ANSWER)


def bye_when_confirmed(usage: InviteUsage, event: Event) -> None:
    if isinstance(event, CallConfirmed):
        usage.bye()


def answer_then_bye(usage: InviteUsage, event: Event) -> None:
    answer_and_wait(usage, event)
    bye_when_confirmed(usage, event)


def answer_then_reinvite(usage: InviteUsage, event: Event) -> None:
    answer_and_wait(usage, event)
    if isinstance(event, CallConfirmed):
        usage.reinvite(b"v=0 moved")
    elif isinstance(event, ModifyAccepted):
        usage.bye()


def cancel_when_it_rings(usage: InviteUsage, event: Event) -> None:
    if isinstance(event, Progress):
        usage.cancel()


def ring_only(usage: InviteUsage, event: Event) -> None:
    if isinstance(event, IncomingCall):
        usage.ring()


def busy(usage: InviteUsage, event: Event) -> None:
    if isinstance(event, IncomingCall):
        usage.reject(486)


def unavailable(usage: InviteUsage, event: Event) -> None:
    if isinstance(event, IncomingCall):
        usage.ring()
        usage.reject(480)


def early_media(usage: InviteUsage, event: Event) -> None:
    if isinstance(event, IncomingCall):
        usage.progress(ANSWER)
        usage.accept()


def early_offer(usage: InviteUsage, event: Event) -> None:
    if isinstance(event, IncomingCall):
        usage.progress(OFFER)
    elif isinstance(event, SessionAnswer):
        usage.accept()


def early_update(usage: InviteUsage, event: Event) -> None:
    if isinstance(event, IncomingCall):
        usage.progress(ANSWER)
    elif isinstance(event, SessionOffer) and usage.confirmed_branch.asker is not None:
        usage.answer_offer(b"v=0 changed, too")
        usage.accept()


def update_when_answered_early(usage: InviteUsage, event: Event) -> None:
    if isinstance(event, SessionAnswer) and event.body == ANSWER:
        usage.update(b"v=0 changed", event.early_dialog)
    up = usage.state is UsageState.CONFIRMED
    # The 200 to the INVITE may be quicker than that to the UPDATE.
    if isinstance(event, CallConfirmed | ModifyAccepted) and up and usage.confirmed_branch.quiet:
        usage.bye()


def redirect(usage: InviteUsage, event: Event) -> None:
    if isinstance(event, IncomingCall):
        usage.reject(302, None, [("Contact", "<sip:carol@192.0.2.3>")])


def hang_up_later(usage: InviteUsage, event: Event) -> None:
    if isinstance(event, CallConfirmed):
        usage.core.queue.start(300, usage.bye)


ENDED = ("CallEnded", "CallEnded")
FLOWS = [
    Flow(
        "3.1 successful, ended by the caller", alice=bye_when_confirmed, bob=answer_and_wait, expected=ENDED
    ),
    Flow("3.1 successful, ended by the callee", bob=answer_then_bye, expected=ENDED),
    Flow("3.1 with a late offer", alice=bye_when_confirmed, bob=answer_and_wait, offer=None, expected=ENDED),
    Flow("3.7 re-INVITE", bob=answer_then_reinvite, expected=ENDED, changes=1),
    Flow(
        "3.8 no answer", alice=cancel_when_it_rings, bob=ring_only, expected=("CallFailed", "CallCancelled")
    ),
    Flow("3.9 busy", bob=busy, expected=("CallFailed", "nothing")),
    Flow("3.11 temporarily unavailable", bob=unavailable, expected=("CallFailed", "nothing")),
    Flow("PRACK", alice=bye_when_confirmed, bob=early_media, expected=ENDED),
    Flow("PRACK with an answer", alice=bye_when_confirmed, bob=early_offer, offer=None, expected=ENDED),
    Flow(
        "UPDATE before the answer",
        alice=update_when_answered_early,
        bob=early_update,
        expected=ENDED,
        changes=1,
    ),
    Flow(
        "session timer",
        alice=hang_up_later,
        bob=answer_and_wait,
        expected=ENDED,
        lasts=420,
        session_expires=90,
    ),
]


def came_to_its_end(flow: Flow, pair: Pair) -> None:
    assert flow.outcome(pair) == flow.expected, (pair.alice.kinds(), pair.bob.kinds())
    changes = len(pair.alice.of(ModifyAccepted)) + len(pair.bob.of(ModifyAccepted))
    assert changes == flow.changes
    assert len(pair.bob.of(IncomingCall)) == 1
    pair.wire.drop = lambda message, sender: False
    pair.wire.loss = 0
    assert pair.nothing_left()


@pytest.mark.parametrize("flow", FLOWS, ids=repr)
def test_each_message_lost_once(flow: Flow) -> None:
    clean = flow.play(Wire())
    count = len(clean.alice.sent) + len(clean.bob.sent)
    came_to_its_end(flow, clean)
    for lost in range(count):
        wire = Wire()
        passed = 0

        def drop(message: Request | Response, sender: Party) -> bool:
            nonlocal passed
            passed += 1
            return passed == lost + 1  # noqa: B023

        wire.drop = drop
        came_to_its_end(flow, flow.play(wire))


@pytest.mark.parametrize("flow", FLOWS, ids=repr)
def test_ten_percent_lost(flow: Flow) -> None:
    for seed in range(SEEDS_EACH):
        wire = Wire(seed)
        wire.random = Random(f"{flow} {seed}")
        wire.loss = 0.1
        came_to_its_end(flow, flow.play(wire))


def test_redirected_with_loss() -> None:
    """The second INVITE of a call goes elsewhere; Bob is out of it."""
    for seed in range(50):
        flow = Flow("redirected", alice=bye_when_confirmed, bob=redirect, expected=("CallEnded", "nothing"))
        wire = Wire(seed)
        wire.loss = 0.1
        came_to_its_end(flow, flow.play(wire))
