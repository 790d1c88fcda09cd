"""The session flows of RFC 3665 through a proxy that asks for a password, with messages lost on all links."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sipmedia import CallFailed, CallState, IncomingCall, Softphone
from tests.sipmedia.registrar.conftest import Domain, answer

InDomain = Callable[..., None]
SEEDS = 25


async def phones(home: Domain, on_call: Callable[[IncomingCall], object]) -> tuple[Softphone, Softphone]:
    """Alice and bob, registered; from now on one message in ten is lost, to and from each."""
    alice, bob = await home.phone("alice"), await home.phone("bob", on_call)
    for phone in (alice, bob):
        home.link_to(phone).set(loss=0.1)
    return alice, bob


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_3_2_answered_held_and_ended(in_domain: InDomain, seed: int) -> None:
    """Sections 3.2 and 3.7: two credentials, record-routing, a re-INVITE, and BYE through the proxy."""

    async def test(home: Domain) -> None:
        alice, bob = await phones(home, answer)
        call = await alice.call("sip:bob@example.org")
        await call.hold()
        await call.resume()
        assert call.state is CallState.ANSWERED
        (other,) = bob.calls
        await call.hangup()
        ended = await other.ended()
        assert (ended.by, ended.status) == ("remote", 0)

    in_domain(test, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("status", [486, 480])
def test_3_9_and_3_11_refused(in_domain: InDomain, seed: int, status: int) -> None:
    async def test(home: Domain) -> None:
        alice, _ = await phones(home, lambda event: event.call.reject(status))
        with pytest.raises(CallFailed) as failed:
            await alice.call("sip:bob@example.org")
        assert failed.value.status == status

    in_domain(test, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
def test_3_8_cancelled(in_domain: InDomain, seed: int) -> None:
    async def test(home: Domain) -> None:
        alice, bob = await phones(home, lambda event: None)
        call = alice.dial("sip:bob@example.org")
        await asyncio.sleep(10)
        (other,) = bob.calls
        await call.hangup()
        assert (await other.ended()).status == 487

    in_domain(test, seed=seed)
