"""Phones behind NAT boxes that ask a STUN server: what they say of themselves leads to them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from media import ManagerConfig, PortRange
from media.audio.graph import SampleSource
from media.audio.synthesis import melody
from media.frame import AudioFrame
from media.stun.responder import respond
from sipmedia import Account, Call, CallFailed, IncomingCall, PhoneConfig, Softphone
from sipmedia.simulation import Network, Simulation

SERVER = ("203.0.113.1", 3478)
STUN = PhoneConfig(stun_server=SERVER)


class StunServer(asyncio.DatagramProtocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        answer = respond(data, source)
        if answer is not None:
            self.transport.sendto(answer, source)


class Ear:
    def __init__(self, call: Call) -> None:
        self.loud = 0
        assert call.session is not None
        call.session.add_sink(self)
        call.play(SampleSource(melody(8000), 8000, repeat=None))

    def push(self, frame: AudioFrame) -> None:
        self.loud += bool(abs(frame.samples).max(initial=0) > 500)


@pytest.mark.parametrize("kind", ["full_cone", "port_restricted"])
def test_a_call_out_of_a_private_network(kind: Any) -> None:
    network = Network(seed=2)
    alices = network.nat(kind, "198.51.100.1").host("192.168.1.10")
    bobs, outside = network.host("198.51.100.2"), network.host(SERVER[0])
    ears: list[Ear] = []

    async def answer(event: IncomingCall) -> None:
        await event.call.answer()
        ears.append(Ear(event.call))

    async def main() -> None:
        with outside:
            await asyncio.get_running_loop().create_datagram_endpoint(StunServer, local_addr=SERVER)
        with bobs:
            bob = Softphone(Account("sip:bob@198.51.100.2"), bind="198.51.100.2:5060", config=STUN)
        with alices:
            alice = Softphone(Account("sip:alice@192.168.1.10"), bind="192.168.1.10:5060", config=STUN)
        async with bob, alice:
            bob.on("incoming_call", answer)
            call = await alice.call("sip:bob@198.51.100.2")
            assert b"c=IN IP4 198.51.100.1" in call.usage.request.body
            ears.append(Ear(call))
            await asyncio.sleep(2)
            assert all(ear.loud > 50 for ear in ears)
            await call.hangup()

    Simulation(network).run(main())


def test_a_cancelled_wait_gives_everything_back() -> None:
    network = Network(seed=2)
    host = network.host("10.0.0.1")
    network.host(SERVER[0])

    async def main() -> None:
        with host:
            phone = Softphone(Account("sip:alice@10.0.0.1"), bind="10.0.0.1:5060", config=STUN)
        async with phone:
            calling = asyncio.ensure_future(phone.call("sip:bob@203.0.113.1"))
            await asyncio.sleep(0.1)
            calling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await calling
            await asyncio.sleep(0.1)
            assert phone.media.ports.in_use == 0
            assert phone.media.list_sessions() == []

    Simulation(network).run(main())


def test_answering_without_a_free_port_refuses_the_call() -> None:
    """A late offer takes its ports when it is answered: there are none, and the caller hears so."""
    network = Network(seed=2)
    here, there = network.host("10.0.0.1"), network.host("10.0.0.2")
    network.host(SERVER[0])
    failures: list[CallFailed] = []

    async def answer(event: IncomingCall) -> None:
        try:
            await event.call.answer()
        except CallFailed as failed:
            failures.append(failed)

    async def main() -> None:
        few = ManagerConfig(stun_server=SERVER, rtp_port_range=PortRange(20000, 20001))
        with here:
            alice = Softphone(Account("sip:alice@10.0.0.1"), bind="10.0.0.1:5060")
        with there:
            bob = Softphone(Account("sip:bob@10.0.0.2"), bind="10.0.0.2:5060", media=few)
        async with alice, bob:
            bob.media.create_offer()  # takes the only pair
            bob.on("incoming_call", answer)
            with pytest.raises(CallFailed) as caught:
                await alice.call("sip:bob@10.0.0.2", late_offer=True)
            assert caught.value.status == 503
            assert [failed.status for failed in failures] == [503]

    Simulation(network).run(main())
