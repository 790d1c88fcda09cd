"""pjsip's scenarios of notifiers, run against our subscriptions; they stay in `../shared/fixtures/sipp`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipmedia import StateNotified
from sipmedia.packages import MessageSummary, Presence
from tests.interop.harness import ours
from tests.interop.harness.parties import Party
from tests.interop.harness.sipp import Sipp

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("sipp")]


@pytest.fixture
def scenarios(fixtures: Path) -> Path:
    folder = fixtures / "sipp" / "pjsip"
    if not folder.is_dir():
        pytest.skip(f"no scenarios at {folder}")
    return folder


def run(peer: Party, us: Party, folder: Path, scenario: Path, event: str, timeout_s: int) -> StateNotified:
    """Subscribe to what the scenario plays; the last state, once the scenario has passed."""

    states: list[StateNotified] = []

    async def main() -> None:
        with Sipp(peer, folder, scenario, timeout_s=timeout_s) as sipp:
            async with ours.phone(us) as phone:
                subscription = phone.softphone.subscribe(peer.uri("sipp"), event, expires=60)
                await asyncio.wait_for(subscription.established(), 10)
                await asyncio.to_thread(sipp.assert_passed)
                assert subscription.latest is not None
                states.append(subscription.latest)

    ours.run(main())
    return states[0]


def test_a_mailbox_that_is_told_once(scenarios: Path, addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)
    state = run(peer, us, folder, scenarios / "uas-mwi-0.xml", "message-summary", 20)
    assert isinstance(state.content, MessageSummary)


def test_a_subscription_that_is_to_be_made_again_later(
    scenarios: Path, addresses: Iterator[Party], folder: Path
) -> None:
    us, peer = next(addresses), next(addresses)
    state = run(peer, us, folder, scenarios / "uas-subscribe-terminated-retry.xml", "presence", 20)
    assert (state.state, state.content) == ("terminated", None)


@pytest.mark.slow  # the scenario waits for 32 s
def test_a_subscription_that_ends_at_once(scenarios: Path, addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)
    state = run(peer, us, folder, scenarios / "uas-subscribe-notify-terminate.xml", "presence", 45)
    assert isinstance(state.content, Presence)
    assert state.content.open
