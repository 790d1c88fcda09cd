"""Which calls an INVITE with Replaces may take the place of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dialog.events import IncomingCall
from dialog.replaces import Replaces

if TYPE_CHECKING:
    from tests.dialog.conftest import Pair, Stranger


def invite(stranger: Stranger, *values: str) -> int | None:
    """The status that Bob gives to an INVITE with these Replaces; None: it rings."""
    stranger.say(stranger.request("INVITE", *(f"Replaces: {value}" for value in values), body="v=0"))
    final = [status for status in stranger.statuses() if status >= 200]
    return final[-1] if final else None


def test_a_call_that_is_up(pair: Pair, stranger: Stranger) -> None:
    _, theirs = pair.established()
    named = Replaces(theirs.call_id, *theirs.confirmed_dialog.key[1:])
    assert invite(stranger, str(named)) is None
    assert pair.bob.of(IncomingCall)[-1].replaces is theirs


def test_a_call_of_ours_that_still_rings(pair: Pair, stranger: Stranger) -> None:
    mine = pair.bob.core.invite("sip:alice@192.0.2.1", from_="<sip:bob@192.0.2.2>", body=pair.offer)
    pair.run()
    pair.alice.call.ring()
    pair.run()
    key = next(iter(pair.bob.core.dialogs))
    assert invite(stranger, f"{key[0]};to-tag={key[1]};from-tag={key[2]};early-only") is None
    assert pair.bob.only(IncomingCall).replaces is mine


def test_nobody_takes_a_ringing_call_away(pair: Pair, stranger: Stranger) -> None:
    pair.invite()
    pair.run()
    pair.bob.call.ring()
    key = next(iter(pair.bob.core.dialogs))
    assert invite(stranger, f"{key[0]};to-tag={key[1]};from-tag={key[2]}") == 481


def test_only_early_calls_were_meant(pair: Pair, stranger: Stranger) -> None:
    _, theirs = pair.established()
    named = Replaces(theirs.call_id, *theirs.confirmed_dialog.key[1:], early_only=True)
    assert invite(stranger, str(named)) == 486


def test_a_call_that_is_ending(pair: Pair, stranger: Stranger) -> None:
    _, theirs = pair.established()
    pair.wire.drop = lambda message, sender: message.cseq.method == "BYE"
    theirs.bye()
    named = Replaces(theirs.call_id, *theirs.confirmed_dialog.key[1:])
    assert invite(stranger, str(named)) == 603


@pytest.mark.parametrize(
    ("values", "status"),
    [
        (("unknown;to-tag=1;from-tag=2",), 481),
        (("unknown;to-tag=1",), 400),
        (("a;to-tag=1;from-tag=2", "b;to-tag=1;from-tag=2"), 400),
    ],
)
def test_what_names_no_call(stranger: Stranger, values: tuple[str, ...], status: int) -> None:
    assert invite(stranger, *values) == status
