"""Sessions behind NAT boxes, in virtual time: what STUN tells goes into SDP, and sound flows both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from media import ManagerConfig, MediaManager, MediaSession, PortRange
from media.audio.graph import SampleSource
from media.audio.synthesis import melody
from media.frame import AudioFrame
from media.stun.message import binding_request
from media.stun.responder import respond
from sipmedia.simulation import Host, Network, Simulation

SERVER = ("203.0.113.1", 3478)


class StunServer(asyncio.DatagramProtocol):
    """Answers, or does not."""

    def __init__(self) -> None:
        self.silent = False
        self.requests = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, source: tuple[str, int]) -> None:
        self.requests += 1
        answer = None if self.silent else respond(data, source)
        if answer is not None:
            self.transport.sendto(answer, source)


class Ear:
    def __init__(self) -> None:
        self.loud = 0

    def push(self, frame: AudioFrame) -> None:
        self.loud += bool(abs(frame.samples).max(initial=0) > 500)


async def serve(host: Host) -> StunServer:
    with host:
        _, server = await asyncio.get_running_loop().create_datagram_endpoint(StunServer, local_addr=SERVER)
    return server


def manager(host: Host, **more: Any) -> MediaManager:
    config = ManagerConfig(
        default_local_ip=host.address,
        rtp_port_range=PortRange(20000, 20100),
        default_audio_codecs=("PCMU",),
        stun_server=SERVER,
        idle="silence",
        **more,
    )
    with host:
        made = MediaManager(config)
        made.start()
    return made


def listen(session: MediaSession) -> Ear:
    ear = Ear()
    session.add_sink(ear)
    session.play(SampleSource(melody(8000), 8000, repeat=None))
    return ear


def run(network: Network, main: Callable[[], Coroutine[Any, Any, None]], seconds: float = 300) -> None:
    Simulation(network).run(main(), seconds)


@pytest.mark.parametrize(
    ("ours", "theirs", "works"),
    [
        ("full_cone", "full_cone", True),
        ("full_cone", "port_restricted", True),
        ("address_restricted", "port_restricted", True),
        ("port_restricted", "port_restricted", True),
        ("symmetric", "full_cone", True),
        ("symmetric", "symmetric", False),  # this needs a relay (RFC 8656), which we have not
    ],
)
def test_two_behind_boxes_of_their_own(ours: Any, theirs: Any, works: bool) -> None:
    network = Network(seed=3)
    alice = network.nat(ours, "198.51.100.1").host("192.168.1.10")
    bob = network.nat(theirs, "198.51.100.2").host("192.168.2.20")
    outside = network.host(SERVER[0])

    async def main() -> None:
        await serve(outside)
        a, b = manager(alice), manager(bob)
        caller, callee = a.create_session(), b.create_session()
        assert await caller.gather()
        offer = caller.create_offer()
        assert "c=IN IP4 198.51.100.1" in offer
        callee.set_remote_offer(offer)
        assert await callee.gather()
        caller.set_remote_answer(callee.create_answer())
        ears = listen(caller), listen(callee)
        await asyncio.sleep(3)
        assert all(ear.loud > 50 for ear in ears) is works
        a.stop()
        b.stop()

    run(network, main)


def test_one_behind_a_box_is_heard_at_once() -> None:
    """Without STUN it is symmetric RTP alone that helps, and only once the one inside has spoken."""
    network = Network(seed=3)
    alice = network.nat("full_cone", "198.51.100.1").host("192.168.1.10")
    bob, outside = network.host("198.51.100.2"), network.host(SERVER[0])

    async def main() -> None:
        await serve(outside)
        a, b = manager(alice), manager(bob)
        session = a.create_session()
        assert await session.gather()
        other = b.create_session_from_sdp(session.create_offer())
        other.create_answer()
        ear = listen(session)
        listen(other)
        await asyncio.sleep(1)  # no answer came yet, and no sound left: what comes is heard all the same
        assert other.statistics().media["audio"].packets_sent > 40
        assert session.statistics().media["audio"].packets_received > 40
        assert ear.loud > 30
        a.stop()
        b.stop()

    run(network, main)


def test_the_port_of_rtcp_is_said_where_it_is_not_the_next() -> None:
    network = Network(seed=3)
    alice = network.nat("symmetric", "198.51.100.1").host("192.168.1.10")
    outside = network.host(SERVER[0])

    async def main() -> None:
        await serve(outside)
        a = manager(alice)
        session = a.create_session()
        assert await session.gather()
        assert await session.gather()  # once is enough
        mapped = session.path.mapped
        assert mapped is not None
        assert mapped.rtcp is not None
        said = f"a=rtcp:{mapped.rtcp[1]} IN IP4 198.51.100.1" in session.create_offer()
        assert said is (mapped.rtcp[1] != mapped.rtp[1] + 1)
        a.stop()

    run(network, main)


@pytest.mark.parametrize("silent", [True, False])
def test_lossy_and_silent_servers(silent: bool) -> None:
    network = Network(seed=5)
    nat = network.nat("full_cone", "198.51.100.1")
    alice = nat.host("192.168.1.10")
    outside = network.host(SERVER[0])
    network.link(nat, outside, loss=0.5)

    async def main() -> None:
        server = await serve(outside)
        server.silent = silent
        a = manager(alice, stun_timeout_s=8.0)
        session = a.create_session()
        began = asyncio.get_running_loop().time()
        assert await session.gather() is not silent
        took = asyncio.get_running_loop().time() - began
        assert took == pytest.approx(8.0) if silent else took < 8.0
        assert ("192.168.1.10" in session.create_offer()) is silent
        a.stop()

    run(network, main)


def test_no_server_no_name_and_an_address_that_is_known() -> None:
    network = Network(seed=5)
    host = network.host("10.0.0.1")

    async def main() -> None:
        plain = MediaManager(ManagerConfig(default_local_ip="10.0.0.1"))
        nameless = MediaManager(
            ManagerConfig(default_local_ip="10.0.0.1", stun_server=("nowhere.example", 1))
        )
        known = MediaManager(
            ManagerConfig(default_local_ip="10.0.0.1", stun_server=SERVER, advertised_ip="192.0.2.1")
        )
        for one in (plain, nameless, known):
            with one:
                session = one.create_session()
                assert not await session.gather()
                session.close()

    with host:
        run(network, main)


def test_the_mapping_is_kept_while_it_rings() -> None:
    """A box that forgets after half a minute, and a call that rings for two."""
    network = Network(seed=5)
    box = network.nat("full_cone", "198.51.100.1", timeout=30.0)
    alice, bob, outside = box.host("192.168.1.10"), network.host("198.51.100.2"), network.host(SERVER[0])

    async def main() -> None:
        server = await serve(outside)
        a, b = manager(alice), manager(bob)
        session = a.create_session()
        assert await session.gather()
        offer = session.create_offer()
        await asyncio.sleep(120)
        assert server.requests > 10
        other = b.create_session_from_sdp(offer)
        other.create_answer()
        listen(other)
        await asyncio.sleep(1)
        assert session.statistics().media["audio"].packets_received > 40
        a.stop()
        b.stop()

    run(network, main)


def test_stun_on_the_rtp_port_is_no_rtp() -> None:
    """RFC 7983: while we ask, STUN goes to who asked; otherwise it is noise, and counted as that."""
    network = Network(seed=5)
    alice, outside = network.host("10.0.0.1"), network.host(SERVER[0])

    async def main() -> None:
        server = await serve(outside)
        a = manager(alice)
        session = a.create_session()
        assert await session.gather()
        assert session.path.statistics().discarded_garbage == 0
        address = session.local_address
        assert address is not None
        for _ in range(3):
            server.transport.sendto(bytes(binding_request(bytes(12))), address)
        await asyncio.sleep(0.1)
        assert session.path.statistics().discarded_garbage == 3
        a.stop()

    run(network, main)


def test_closed_meanwhile() -> None:
    network = Network(seed=5)
    alice, outside = network.host("10.0.0.1"), network.host(SERVER[0])

    async def main() -> None:
        server = await serve(outside)
        server.silent = True
        a = manager(alice)
        session = a.create_session()
        asking = asyncio.ensure_future(session.gather())
        await asyncio.sleep(0.5)
        session.close()
        assert not await asking
        a.stop()

    run(network, main)
