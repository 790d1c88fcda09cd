"""Whom a phone listens to: intruders of every kind, NAT rebinding, and addresses that signalling names."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from random import Random
from typing import Any

import pytest

from media.audio.graph import SampleSource
from media.audio.synthesis import melody
from media.rtcp.packet import Goodbye, ReceiverReport, compound
from media.rtp.packet import RtpPacket, is_rtcp
from media.rtp.statistics import StreamStatistics
from sipmedia import Account, Call, IncomingCall, Softphone
from sipmedia.simulation import Datagram, Network, Simulation

BOB, EVE = "203.0.113.1", "203.0.113.66"
OUTSIDE = "198.51.100.1"
PAYLOAD = b"\x2a" * 160


class Eve(asyncio.DatagramProtocol):
    """A stranger who may know what goes over the wire, and sends what she likes."""

    def __init__(self, victim: tuple[str, int]) -> None:
        self.victim = victim
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def send(self, ssrc: int, number: int, timestamp: int, payload_type: int = 0, to: int = 0) -> None:
        packet = RtpPacket(payload_type, number & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc, PAYLOAD)
        self.transport.sendto(bytes(packet), (self.victim[0], self.victim[1] + to))

    async def stream(self, ssrc: int, number: int, timestamp: int, packets: int = 50) -> None:
        """In sequence and in time, as a phone does."""
        for index in range(packets):
            self.send(ssrc, number + index, timestamp + 160 * index)
            await asyncio.sleep(0.02)


class World:
    """Alice, behind a NAT box if asked, calls bob; eve looks on. All questions are about what bob hears."""

    def __init__(self, nat: Any = None, seed: int = 1) -> None:
        self.network = Network(seed=seed, delay=0.01)
        self.bob = self.network.host(BOB, name="bob")
        self.network.host(EVE, name="eve")
        self.box = None
        if nat is None:
            self.near: Any = self.network.host("203.0.113.9", name="alice")
            self.alices = "203.0.113.9"
        else:
            self.near = self.box = self.network.nat(nat, OUTSIDE)
            self.box.host("192.168.1.10", name="alice")
            self.alices = "192.168.1.10"
        self.way = self.network.link(self.near, self.bob).towards(self.bob)
        self.last: RtpPacket | None = None
        self.alice_call: Call
        self.bob_call: Call
        self.eve: Eve

    def mute(self, muted: bool) -> None:
        """No RTP of alice's reaches bob."""

        def is_media(datagram: Datagram) -> bool:
            return datagram.destination[1] >= 10000

        self.way.set(drop_if=is_media if muted else None)

    def run(self, then: Callable[["World"], Awaitable[None]], *, muted: bool = False) -> None:
        sim = Simulation(self.network)
        sim.capture.on_received = self._note

        async def main() -> None:
            self.mute(muted)
            async with (
                Softphone(Account(f"sip:alice@{self.alices}"), bind=f"{self.alices}:5060") as alice,
                Softphone(Account(f"sip:bob@{BOB}"), bind=f"{BOB}:5060") as bob,
            ):
                arrived: asyncio.Future[Call] = asyncio.get_running_loop().create_future()

                async def answer(event: IncomingCall) -> None:
                    await event.call.answer()
                    arrived.set_result(event.call)

                bob.on("incoming_call", answer)
                self.alice_call = await alice.call(f"sip:bob@{BOB}")
                self.bob_call = await arrived
                self.alice_call.play(SampleSource(melody(8000), 8000, repeat=None))
                session = self.bob_call.session
                assert session is not None
                assert session.local_address is not None
                self.eve = await self.stranger(EVE, 4000)
                if not muted:
                    await asyncio.sleep(1)
                    assert self.counted.packets_received > 40
                await then(self)
                await self.alice_call.hangup()

        sim.run(main(), limit=600)

    async def stranger(self, host: str, port: int) -> Eve:
        session = self.bob_call.session
        assert session is not None
        assert session.local_address is not None
        victim = session.local_address
        loop = asyncio.get_running_loop()
        _, eve = await loop.create_datagram_endpoint(lambda: Eve(victim), local_addr=(host, port))
        return eve

    def _note(self, host: str, datagram: Datagram) -> None:
        source = datagram.source[0]
        if (
            host == "bob"
            and source != EVE
            and datagram.destination[1] >= 10000
            and not is_rtcp(datagram.data)
        ):
            self.last = RtpPacket.parse(datagram.data)

    @property
    def counted(self) -> StreamStatistics:
        session = self.bob_call.session
        assert session is not None
        return session.path.statistics()

    @property
    def heard(self) -> RtpPacket:
        """The last of alice's packets."""
        assert self.last is not None
        return self.last

    async def still_alice(self, foreign: int) -> None:
        """Bob hears alice and nobody else, sends to her, and has counted the rest."""
        await asyncio.sleep(0.05)  # what is on its way arrives
        before = self.counted
        assert before.discarded_foreign >= foreign
        await asyncio.sleep(1)
        after = self.counted
        assert after.source == before.source
        assert after.source is not None
        assert after.source[0] in (OUTSIDE, self.alices)
        assert after.remote_ssrc == self.heard.ssrc
        assert 45 <= after.packets_received - before.packets_received <= 55
        assert after.discarded_foreign == before.discarded_foreign


def numbers(world: World, kind: str) -> Iterator[tuple[int, int, int]]:
    """SSRC, sequence number and timestamp of an intruder's packets."""
    heard, chance = world.heard, Random(5)
    for index in itertools.count(1):
        if kind == "own SSRC":
            yield 0x12345678, 1000 + index, 160 * index
        elif kind == "copied SSRC":
            yield heard.ssrc, 1000 + index, 160 * index
        elif kind == "copied SSRC, guessing":
            yield heard.ssrc, chance.getrandbits(16), chance.getrandbits(32)
        elif kind == "copied SSRC and sequence":
            yield heard.ssrc, heard.sequence_number + index, chance.getrandbits(31)
        else:
            yield heard.ssrc, heard.sequence_number + index, heard.timestamp + 160 * index


KINDS = ("own SSRC", "copied SSRC", "copied SSRC, guessing", "copied SSRC and sequence")


@pytest.mark.parametrize("nat", [None, "symmetric"])
@pytest.mark.parametrize("kind", [*KINDS, "all copied"])
def test_an_intruder_while_the_peer_sends(kind: str, nat: str | None) -> None:
    async def then(world: World) -> None:
        for ssrc, number, timestamp in itertools.islice(numbers(world, kind), 100):
            world.eve.send(ssrc, number, timestamp)
            await asyncio.sleep(0.007)
        await world.still_alice(100)

    World(nat).run(then)


@pytest.mark.parametrize("nat", [None, "full_cone"])
@pytest.mark.parametrize("silence", [0.1, 2.0, 120.0])
@pytest.mark.parametrize("kind", KINDS)
def test_an_intruder_after_silence(kind: str, silence: float, nat: str | None) -> None:
    async def then(world: World) -> None:
        world.mute(True)
        await asyncio.sleep(silence)
        for ssrc, number, timestamp in itertools.islice(numbers(world, kind), 200):
            world.eve.send(ssrc, number, timestamp)
            await asyncio.sleep(0.005)
        world.mute(False)
        await asyncio.sleep(0.1)
        await world.still_alice(200)

    World(nat).run(then)


def test_an_intruder_on_the_peers_own_host() -> None:
    async def then(world: World) -> None:
        neighbour = await world.stranger(world.alices, 4444)
        await neighbour.stream(77, 5, 0)
        await neighbour.stream(world.heard.ssrc, 5, 0)
        await world.still_alice(100)

    World().run(then)


def test_an_intruder_before_the_first_packet_has_to_go_when_the_peer_speaks() -> None:
    """The address that signalling names takes over with its first packet, and for good."""

    async def then(world: World) -> None:
        await world.eve.stream(77, 5, 0)
        assert world.counted.source == (EVE, 4000)
        world.mute(False)
        await asyncio.sleep(0.1)
        await world.eve.stream(77, 55, 8000)
        await world.still_alice(world.counted.discarded_foreign)
        assert world.counted.discarded_foreign >= 50

    World().run(then, muted=True)


def test_garbage_before_the_first_packet_is_not_learned_from() -> None:
    async def then(world: World) -> None:
        for number in range(20):
            world.eve.send(77, number, 160 * number, payload_type=99)
            world.eve.transport.sendto(b"garbage" * number, world.eve.victim)
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.05)
        assert world.counted.source is None
        assert world.counted.discarded_garbage == 40
        world.mute(False)
        await asyncio.sleep(0.1)
        await world.still_alice(world.counted.discarded_foreign)

    World("symmetric").run(then, muted=True)


@pytest.mark.parametrize("nat", ["full_cone", "symmetric"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_rebinding_is_followed_and_an_intruder_is_not(kind: str, nat: str) -> None:
    async def then(world: World) -> None:
        assert world.box is not None
        before = world.counted.source
        world.box.rebind()
        for ssrc, number, timestamp in itertools.islice(numbers(world, kind), 100):
            world.eve.send(ssrc, number, timestamp)
            await asyncio.sleep(0.01)
        assert world.counted.source != before
        await world.still_alice(world.counted.discarded_foreign)

    World(nat).run(then)


@pytest.mark.parametrize("outage", [0.5, 10.0, 50.0, 100.0, 400.0])
def test_a_rebinding_within_an_outage(outage: float) -> None:
    async def then(world: World) -> None:
        assert world.box is not None
        world.mute(True)
        await asyncio.sleep(outage)
        world.box.rebind()
        await world.eve.stream(77, 5, 0)
        world.mute(False)
        await asyncio.sleep(0.2)
        await world.still_alice(world.counted.discarded_foreign)

    World("full_cone").run(then)


def test_signalling_names_a_new_address() -> None:
    """The new one is believed at once, the old one heard until then and not after."""

    async def then(world: World) -> None:
        mover = await world.stranger("203.0.113.9", 7000)
        body = (
            "v=0\r\no=- 1 2 IN IP4 203.0.113.9\r\ns=-\r\nc=IN IP4 203.0.113.9\r\nt=0 0\r\n"
            "m=audio 7000 RTP/AVP 0\r\n"
        )
        world.alice_call.usage.reinvite(body.encode())
        await asyncio.sleep(1)
        counted = world.counted
        assert counted.source is not None
        assert counted.source[1] != 7000
        assert counted.discarded_foreign == 0
        await world.eve.stream(77, 5, 0, packets=10)
        await mover.stream(99, 5, 0)
        assert world.counted.source == ("203.0.113.9", 7000)
        assert world.counted.remote_ssrc == 99
        await asyncio.sleep(0.05)
        received = world.counted.packets_received
        await asyncio.sleep(1)
        assert world.counted.packets_received == received
        assert world.counted.discarded_foreign > 50

    World().run(then)


def test_rtcp_of_strangers() -> None:
    async def then(world: World) -> None:
        ssrc = world.heard.ssrc
        ended: list[object] = []
        session = world.bob_call.session
        assert session is not None
        session.on("session_updated", ended.append)
        data = compound((ReceiverReport(ssrc), Goodbye((ssrc,))))
        world.eve.transport.sendto(data, (world.eve.victim[0], world.eve.victim[1] + 1))
        await asyncio.sleep(0.1)
        assert not ended
        await world.still_alice(1)

    World().run(then)
