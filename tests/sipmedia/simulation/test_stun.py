"""Phones behind NAT boxes that ask a STUN server: what they say of themselves leads to them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

import pytest

from media import ManagerConfig, PortRange, PortsExhausted, UnknownCodec
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


def descriptions_from(simulation: Simulation) -> set[str]:
    """The addresses that all descriptions on the wire named."""
    written = BytesIO()
    simulation.capture.save(written)
    return {found.decode() for found in re.findall(rb"\nc=IN IP4 ([0-9.]+)", written.getvalue())}


@pytest.mark.parametrize("kind", ["full_cone", "port_restricted"])
@pytest.mark.parametrize("way", ["call", "dial", "late offer"])
def test_a_call_out_of_a_private_network(kind: Any, way: str) -> None:
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
            if way == "dial":
                call = alice.dial("sip:bob@198.51.100.2")
                await call.answered()
            else:
                call = await alice.call("sip:bob@198.51.100.2", late_offer=way == "late offer")
            assert (call.usage.request.body == b"") == (way == "late offer")
            ears.append(Ear(call))
            await asyncio.sleep(2)
            assert all(ear.loud > 50 for ear in ears)
            await call.hangup()

    simulation = Simulation(network)
    simulation.run(main())
    assert descriptions_from(simulation) == {"198.51.100.1", "198.51.100.2"}


def run_alone(test: Callable[[Softphone], Awaitable[None]], **settings: Any) -> None:
    """A phone whose STUN server says nothing."""
    network = Network(seed=2)
    here = network.host("10.0.0.1")
    network.host("10.0.0.2")
    network.host(SERVER[0])

    async def main() -> None:
        with here:
            phone = Softphone(Account("sip:alice@10.0.0.1"), bind="10.0.0.1:5060", **settings)
        async with phone:
            await test(phone)

    Simulation(network).run(main())


def test_a_cancelled_wait_gives_everything_back() -> None:
    async def test(phone: Softphone) -> None:
        calling = asyncio.ensure_future(phone.call("sip:bob@203.0.113.1"))
        await asyncio.sleep(0.1)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await asyncio.sleep(0.1)
        assert phone.media.ports.in_use == 0
        assert phone.media.list_sessions() == []

    run_alone(test, config=STUN)


@pytest.mark.parametrize("server", [SERVER, ("stun.example.org", 3478)], ids=["silent", "name hangs"])
def test_a_dead_server_holds_a_call_up_for_no_longer_than_the_setting(server: tuple[str, int]) -> None:
    network = Network(seed=2)
    here, there = network.host("10.0.0.1"), network.host("10.0.0.2")
    network.host(SERVER[0])
    network.names_hang = True
    came: list[float] = []

    async def answer(event: IncomingCall) -> None:
        came.append(asyncio.get_running_loop().time())
        await event.call.answer()

    async def main() -> None:
        with here:
            config = PhoneConfig(stun_server=server, stun_timeout=1.5)
            alice = Softphone(Account("sip:alice@10.0.0.1"), bind="10.0.0.1:5060", config=config)
        with there:
            bob = Softphone(Account("sip:bob@10.0.0.2"), bind="10.0.0.2:5060")
        async with alice, bob:
            bob.on("incoming_call", answer)
            began = asyncio.get_running_loop().time()
            call = alice.dial("sip:bob@10.0.0.2")
            assert asyncio.get_running_loop().time() == began
            await call.answered()
            assert came[0] - began == pytest.approx(1.5, abs=0.1)
            assert b"c=IN IP4 10.0.0.1" in call.usage.request.body
            assert [entry.label for entry in call.trace.entries()][:1] == ["INVITE"]
            await call.hangup()

    Simulation(network).run(main())


@pytest.mark.parametrize("way", ["hangup", "close", "no answer"])
def test_a_call_given_up_before_the_server_has_answered_is_never_sent(way: str) -> None:
    async def test(phone: Softphone) -> None:
        call = phone.dial("sip:bob@10.0.0.2")
        assert phone.media.ports.in_use == 1
        await asyncio.sleep(0.2)
        if way == "hangup":
            await call.hangup("changed my mind")
        elif way == "close":
            await phone.aclose()
        with pytest.raises(CallFailed) as caught:
            await call.answered()
        ended = await call.ended()
        assert (ended.status, ended.by) == {
            "hangup": (487, "local"),
            "close": (487, "closed"),
            "no answer": (408, "timeout"),
        }[way]
        assert caught.value.status == ended.status
        await asyncio.sleep(5)
        assert call.trace.entries() == []
        if way != "close":
            assert phone.media.ports.in_use == 0
            assert phone.calls == []

    run_alone(test, config=PhoneConfig(stun_server=SERVER, no_answer_timeout=1.0))


def test_without_a_free_port_nothing_is_dialled() -> None:
    async def test(phone: Softphone) -> None:
        phone.media.create_offer()  # takes the only pair
        with pytest.raises(PortsExhausted):
            phone.dial("sip:bob@10.0.0.2")
        with pytest.raises(UnknownCodec):
            phone.dial("sip:bob@10.0.0.2", codecs=["nonsense"])
        assert phone.calls == []
        assert len(phone.media.list_sessions()) == 1

    run_alone(test, media=ManagerConfig(stun_server=SERVER, rtp_port_range=PortRange(20000, 20001)))


def test_an_offer_that_cannot_be_made_after_all_fails_the_call() -> None:
    async def test(phone: Softphone) -> None:
        call = phone.dial("sip:bob@10.0.0.2")
        assert call.session is not None
        call.session.close()
        with pytest.raises(CallFailed) as caught:
            await call.answered()
        assert caught.value.cause == "media"
        assert call.trace.entries() == []

    run_alone(test, config=STUN)


@pytest.mark.parametrize("stun", [True, False])
def test_early_media_and_answer_from_behind_a_nat(stun: bool) -> None:
    """The handler is called when the address is known, or will not be: it sends early media at once."""
    network = Network(seed=2)
    inside = network.nat("port_restricted", "198.51.100.1").host("192.168.1.10")
    outside, server = network.host("198.51.100.2"), network.host(SERVER[0])
    shown: list[float] = []

    async def early(event: IncomingCall) -> None:
        shown.append(asyncio.get_running_loop().time())
        event.call.progress()
        await asyncio.sleep(1)
        began = asyncio.get_running_loop().time()
        await event.call.answer()
        assert asyncio.get_running_loop().time() == pytest.approx(began, abs=0.5)

    async def main() -> None:
        if stun:
            with server:
                await asyncio.get_running_loop().create_datagram_endpoint(StunServer, local_addr=SERVER)
        with outside:
            alice = Softphone(Account("sip:alice@198.51.100.2"), bind="198.51.100.2:5060")
        with inside:
            bob = Softphone(
                Account("sip:bob@192.168.1.10"),
                bind="192.168.1.10:5060",
                config=PhoneConfig(advertised_host="198.51.100.1"),
                media=ManagerConfig(stun_server=SERVER),
            )
        async with alice, bob:
            bob.on("incoming_call", early)
            await bob.options("sip:alice@198.51.100.2")  # the NAT lets alice in
            began = asyncio.get_running_loop().time()
            call = await alice.call("sip:bob@198.51.100.1:5060")
            assert shown[0] - began == pytest.approx(0 if stun else 3, abs=0.2)
            await call.hangup()

    simulation = Simulation(network)
    simulation.run(main())
    bobs = "198.51.100.1" if stun else "192.168.1.10"
    assert descriptions_from(simulation) == {"198.51.100.2", bobs}


def test_a_caller_who_gives_up_before_the_server_has_answered_is_never_shown() -> None:
    network = Network(seed=2)
    here, there = network.host("10.0.0.1"), network.host("10.0.0.2")
    network.host(SERVER[0])
    shown: list[IncomingCall] = []

    async def main() -> None:
        with here:
            alice = Softphone(Account("sip:alice@10.0.0.1"), bind="10.0.0.1:5060")
        with there:
            bob = Softphone(Account("sip:bob@10.0.0.2"), bind="10.0.0.2:5060", config=STUN)
        async with alice, bob:
            bob.on("incoming_call", shown.append)
            call = alice.dial("sip:bob@10.0.0.2")
            await asyncio.sleep(0.5)
            await call.hangup()
            await asyncio.sleep(5)
            assert shown == []
            assert bob.media.ports.in_use == 0
            call = alice.dial("sip:bob@10.0.0.2")
            await asyncio.sleep(0.5)
            await bob.aclose()
            with pytest.raises(CallFailed) as failed:
                await call.answered()
            assert failed.value.status == 503

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
