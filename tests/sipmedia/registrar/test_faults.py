"""A domain on a bad network: everything comes about all the same, and nothing is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

import pytest

from sipmedia import CallEnded, ModificationFailed, NotRegistered, Softphone
from sipmedia.registrar import Registrar
from sipmedia.simulation import Network, Simulation
from tests.sipmedia.kit import first
from tests.sipmedia.registrar.conftest import DOMAIN, USERS, Domain, answer, domain
from tests.thoroughness import seeds

InDomain = Callable[..., None]


async def _register(phone: Softphone) -> None:
    """Until it is registered: what is lost on the way is tried again."""
    for _ in range(20):
        try:
            await phone.register()
            return
        except NotRegistered:
            await asyncio.sleep(5)
    raise AssertionError("never registered")


async def _live(network: Network, chance: Random) -> tuple[int, int, dict[str, list[str]], int]:
    """Two phones register, talk a few times, and leave; what the registrar still has of it after a while."""
    async with domain(network, USERS) as home:
        alice, bob = [
            await home.phone(user, answer, register=False, transport=chance.choice(["", "tcp"]))
            for user in ("alice", "bob")
        ]
        await asyncio.gather(_register(alice), _register(bob))
        for _ in range(3):
            call = await alice.call(f"sip:bob@{DOMAIN}")
            await asyncio.sleep(3 * chance.random())
            if chance.random() < 0.5:
                try:
                    await call.hold()
                    await call.resume()
                except (ModificationFailed, CallEnded):
                    pass
            await call.hangup()
            await call.ended()
        await alice.aclose()
        await bob.aclose()
        # A goodbye that is lost for as long as a phone closes leaves its binding until that expires.
        await asyncio.sleep(3700)
        core = home.registrar.core
        return len(core.layer), len(core.connections), home.registrar.bindings, core.dropped


def _survives(seed: int) -> None:
    network = Network(seed=seed, loss=0.1, delay=0.02, jitter=0.02, duplicate=0.05, reorder=0.05)
    left = Simulation(network).run(_live(network, Random(seed)), 100_000)
    assert left[:3] == (0, 0, {}), f"seed {seed}"


def test_one_message_in_ten_is_lost() -> None:
    for seed in range(20):
        _survives(seed)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_one_message_in_ten_is_lost_a_thousand_times() -> None:
    for seed in seeds(0, 1000):
        _survives(seed)


def test_a_proxy_that_restarts(in_domain: InDomain) -> None:
    """It has forgotten everybody; over TCP the phone notices at once, and is there again."""

    async def test(home: Domain) -> None:
        phone = await home.phone("alice", transport="tcp")
        await home.registrar.aclose()
        again = Registrar(DOMAIN, USERS, bind="10.0.0.1:5060")
        await home.stack.enter_async_context(again)
        await first(phone, "registered")
        assert again.bindings == {"alice": ["sip:alice@10.0.0.2:5060;transport=tcp"]}

    in_domain(test)


def test_a_connection_that_is_silently_dead(in_domain: InDomain) -> None:
    """No answer to a ping (RFC 5626 section 4.4.1): another connection, another registration."""

    async def test(home: Domain) -> None:
        phone = await home.phone("alice", transport="tcp")
        await asyncio.sleep(5)  # it has seen that pings are answered
        began = asyncio.get_running_loop().time()
        link = home.link_to(phone)
        link.cut()
        await asyncio.sleep(140)
        link.heal()
        await first(phone, "registered")
        # Long before the registration would have been renewed.
        assert asyncio.get_running_loop().time() - began < 400
        assert home.registrar.bindings

    in_domain(test)


def test_pings_keep_a_connection(in_domain: InDomain) -> None:
    async def test(home: Domain) -> None:
        phone = await home.phone("alice", transport="tcp")
        events = first(phone, "registered")
        await asyncio.sleep(2000)
        assert not events.done()
        assert len(home.registrar.core.connections) == 1

    in_domain(test)
