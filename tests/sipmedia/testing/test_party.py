"""sipmedia/testing/party.py and witness.py: phones that answer, are found, and are forgotten."""

import asyncio
import gc
import weakref

import pytest

from sipmedia import CallFailed, IncomingCall
from sipmedia.simulation import Network, Simulation
from sipmedia.testing import Phones, SimCall, record_of, speech


async def test_it_answers_unless_somebody_listens(phones: Phones) -> None:
    alice, bob = phones
    await alice.call(bob)
    bob.once("incoming_call", lambda event: event.call.reject(486))
    with pytest.raises(CallFailed):
        await alice.call(bob.uri)
    await alice.call(bob)
    assert len(bob.records) == 3


async def test_a_handler_decides_alone(phones: Phones) -> None:
    alice, bob = phones

    async def later(event: IncomingCall) -> None:
        await asyncio.sleep(5)
        await event.call.answer()

    bob.on("incoming_call", later)
    call = alice.dial(bob)
    await asyncio.sleep(4)
    assert call.state.value == "ringing"
    await call.answered()


async def test_both_ends_of_a_call_find_each_other(sim_call: SimCall) -> None:
    caller, callee = map(record_of, sim_call)
    assert caller.peer is callee
    assert callee.peer is caller
    assert (caller.name, callee.name) == ("alice", "bob")
    assert sim_call.alice.last_call is sim_call.caller


async def test_what_was_said_is_what_was_heard(sim_call: SimCall) -> None:
    await sim_call.caller.play(speech(1))
    await asyncio.sleep(0.1)
    assert sim_call.alice.said.seconds == pytest.approx(sim_call.bob.heard.seconds, abs=0.15)


@pytest.mark.sipmedia(real_time=True, phones=1)
async def test_there_is_no_host_in_real_time(phones: Phones) -> None:
    with pytest.raises(LookupError, match="alice is on this machine's loopback"):
        _ = phones[0].host
    assert phones[0].uri.startswith("sip:alice@127.0.0.1:")


def test_a_world_that_is_over_is_forgotten() -> None:
    async def main(phones: Phones) -> "weakref.ref[object]":
        alice, bob = await phones.add(), await phones.add()
        call = await alice.call(bob)
        await call.hangup()
        await phones.aclose()
        return weakref.ref(record_of(call))

    network = Network(seed=1)
    gone = Simulation(network).run(main(Phones(network)))
    del network
    gc.collect()
    assert gone() is None
