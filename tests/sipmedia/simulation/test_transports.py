"""Calls over TCP, servers found by DNS, and what goes wrong with both, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dialog.user_agent import TracedMessage
from sipmedia import Account, Call, CallFailed, IncomingCall, PhoneConfig, Softphone
from sipmedia.simulation import Network, Simulation
from sipmedia.simulation.clock import START

ALICE, BOB, CAROL = "192.0.2.1", "192.0.2.2", "192.0.2.3"


class World:
    """Three hosts, and a simulation that ends with nothing left over."""

    def __init__(self, seed: int = 1) -> None:
        self.network = Network(seed=seed)
        self.alice = self.network.host(ALICE, name="alice.example")
        self.bob = self.network.host(BOB, name="bob.example")
        self.carol = self.network.host(CAROL, name="carol.example")
        self.sim = Simulation(self.network)

    def run(self, test: Callable[[], Awaitable[None]], limit: float = 600.0) -> None:
        async def main() -> None:
            await test()

        self.sim.run(main(), limit=limit)
        assert [text for text in self.sim.open_sockets() if "TCP" in text or "UDP" in text] == []


def phone(host: str, name: str = "alice", **settings: Any) -> Softphone:
    return Softphone(Account(f"sip:{name}@{host}"), bind=f"{host}:5060", **settings)


def answering(phone: Softphone) -> list[Call]:
    calls: list[Call] = []

    async def answer(event: IncomingCall) -> None:
        calls.append(event.call)
        await event.call.answer()

    phone.on("incoming_call", answer)
    return calls


def watched(phone: Softphone) -> list[TracedMessage]:
    """Every message that this phone sends or gets from now on."""
    agent = phone._open_agent()
    kept: list[TracedMessage] = []
    before = agent.on_message

    def keep(message: TracedMessage) -> None:
        kept.append(message)
        if before is not None:
            before(message)

    agent.on_message = keep
    return kept


def transports(messages: list[TracedMessage]) -> set[str]:
    return {message.transport for message in messages}


def invites(messages: list[TracedMessage]) -> list[str]:
    """The transports of the INVITEs outside of a call, in order."""
    return [
        message.transport
        for message in messages
        if message.data.startswith(b"INVITE ") and b";tag=" not in _to(message.data)
    ]


def _to(data: bytes) -> bytes:
    return data.split(b"\r\nTo:")[1].split(b"\r\n")[0]


def now() -> float:
    """Seconds since the beginning."""
    return asyncio.get_running_loop().time() - START


@pytest.mark.parametrize("hangs_up", ["alice", "bob"])
def test_a_call_over_tcp(hangs_up: str) -> None:
    world = World()

    async def test() -> None:
        async with phone(ALICE) as alice, phone(BOB, "bob") as bob:
            theirs, messages = answering(bob), watched(alice)
            call = await alice.call(f"sip:bob@{BOB};transport=tcp")
            await asyncio.sleep(5)
            await call.hold()
            await call.resume()
            await (call if hangs_up == "alice" else theirs[0]).hangup()
            await asyncio.gather(call.ended(), theirs[0].ended())
            assert transports(messages) == {"TCP"}

    world.run(test)


@pytest.mark.parametrize("seed", range(10))
def test_a_lossy_network_only_delays_a_call_over_tcp(seed: int) -> None:
    world = World(seed)
    world.network.link(world.alice, world.bob, loss=0.1, delay=0.03, jitter=0.02)

    async def test() -> None:
        async with phone(ALICE) as alice, phone(BOB, "bob") as bob:
            theirs, messages = answering(bob), watched(alice)
            call = await alice.call(f"sip:bob@{BOB};transport=tcp")
            await asyncio.sleep(2)
            await call.hangup()
            await theirs[0].ended()
            requests = [m.data.split()[0] for m in messages if m.direction == "sent"]
            assert requests.count(b"INVITE") == requests.count(b"BYE") == 1

    world.run(test)


def test_servers_are_found_by_srv_and_the_next_one_is_tried() -> None:
    world = World()
    network = world.network
    network.naptr("example.com", "SIP+D2T", "_sip._tcp.example.com", order=1)
    network.naptr("example.com", "SIP+D2U", "_sip._udp.example.com", order=2)
    network.srv("_sip._tcp.example.com", "carol.example", 5060, priority=1)
    network.srv("_sip._tcp.example.com", "bob.example", 5060, priority=2)

    async def test() -> None:
        # Nobody listens at Carol's: Bob, the next in the order of the records, gets the call.
        async with phone(ALICE) as alice, phone(BOB, "bob") as bob:
            theirs, messages = answering(bob), watched(alice)
            call = await alice.call("sip:bob@example.com")
            assert transports(messages) == {"TCP"}
            await call.hangup()
            await theirs[0].ended()

    world.run(test)


def test_a_server_that_takes_no_calls_now_is_left_for_the_next() -> None:
    world = World()
    world.network.srv("_sip._udp.example.com", "carol.example", 5060, priority=1)
    world.network.srv("_sip._udp.example.com", "bob.example", 5060, priority=2)

    async def test() -> None:
        async with phone(ALICE) as alice, phone(BOB, "bob") as bob, phone(CAROL, "carol") as carol:
            theirs = answering(bob)
            asked: list[Call] = []

            def full(event: IncomingCall) -> None:
                asked.append(event.call)
                event.call.reject(503)

            carol.on("incoming_call", full)
            for _ in range(3):
                call = await alice.call("sip:bob@example.com")
                await call.hangup()
                await theirs[-1].ended()
            assert len(theirs) == 3
            assert len(asked) == 1  # for half a minute she is asked last

    world.run(test)


def test_a_server_that_is_silent_is_left_for_the_next() -> None:
    world = World()
    world.network.srv("_sip._udp.example.com", "carol.example", 5060, priority=1)
    world.network.srv("_sip._udp.example.com", "bob.example", 5060, priority=2)
    world.network.link(world.alice, world.carol).cut()

    async def test() -> None:
        async with phone(ALICE) as alice, phone(BOB, "bob") as bob:
            theirs = answering(bob)
            call = await alice.call("sip:bob@example.com")
            assert 31 < now() < 34  # Timer B
            await call.hangup()
            await theirs[0].ended()
            call = await alice.call("sip:bob@example.com")
            assert now() < 36
            await call.hangup()
            await theirs[1].ended()

    world.run(test)


def test_name_servers_that_hang() -> None:
    world = World()
    world.network.names_hang = True

    async def test() -> None:
        async with phone(ALICE) as alice:
            with pytest.raises(CallFailed, match=r"the name servers do not answer.*bob\.example"):
                await alice.call("sip:bob@bob.example")
            assert now() < 40

    world.run(test)


def test_a_host_that_nobody_knows_is_named() -> None:
    world = World()

    async def test() -> None:
        async with phone(ALICE) as alice:
            with pytest.raises(CallFailed, match=r"cannot be reached: there is no host nobody\.example"):
                await alice.call("sip:bob@nobody.example")

    world.run(test)


def test_a_refused_connection_is_told_at_once() -> None:
    world = World()

    async def test() -> None:
        async with phone(ALICE) as alice, phone(BOB, "bob", transports=("udp",)):
            with pytest.raises(CallFailed, match=r"nobody accepts TCP on 192\.0\.2\.2:5060"):
                await alice.call(f"sip:bob@{BOB};transport=tcp")
            assert now() < 1

    world.run(test)


def test_the_connection_breaks_in_a_call_and_the_next_request_makes_a_new_one() -> None:
    world = World()

    async def test() -> None:
        async with phone(ALICE) as alice, phone(BOB, "bob") as bob:
            theirs = answering(bob)
            call = await alice.call(f"sip:bob@{BOB};transport=tcp")
            await asyncio.sleep(1)
            for stream in list(world.sim.loop.streams):
                stream.abort()
            await asyncio.sleep(1)
            await call.hold()
            assert call.state is theirs[0].state
            await call.hangup()
            await theirs[0].ended()

    world.run(test)


def test_the_connection_breaks_while_it_rings_and_the_answer_still_arrives() -> None:
    world = World()

    async def test() -> None:
        async with phone(ALICE) as alice, phone(BOB, "bob") as bob:
            rung: asyncio.Future[Call] = asyncio.get_running_loop().create_future()
            bob.on("incoming_call", lambda event: rung.set_result(event.call))
            call = alice.dial(f"sip:bob@{BOB};transport=tcp")
            theirs = await rung
            await asyncio.sleep(1)
            # Only Bob loses it: as when a middlebox forgets the connection and answers him with a reset.
            for stream in list(world.sim.loop.streams):
                if stream.get_extra_info("sockname")[0] == BOB:
                    stream.break_off(ConnectionResetError("reset"))
            await asyncio.sleep(1)
            await theirs.answer()
            await call.answered()
            await call.hangup()
            await theirs.ended()

    world.run(test)


def test_long_requests_go_by_tcp_and_by_udp_to_who_has_none() -> None:
    world = World()
    # A user part of any length makes a request long.
    user = "b" * 600

    async def test() -> None:
        async with (
            phone(ALICE) as alice,
            phone(BOB, "bob") as bob,
            phone(CAROL, "carol", transports=("udp",)) as carol,
        ):
            for host, far, transport in ((BOB, bob, "TCP"), (CAROL, carol, "UDP")):
                theirs, messages = answering(far), watched(alice)
                call = await alice.call(f"sip:{user}@{host}")
                assert invites(messages) == [transport]
                await call.hangup()
                await theirs[0].ended()

    world.run(test)


def test_connections_are_shared_by_calls() -> None:
    world = World()

    async def test() -> None:
        config = PhoneConfig(max_calls=50)
        async with phone(ALICE, config=config) as alice, phone(BOB, "bob", config=config) as bob:
            theirs = answering(bob)
            calls = await asyncio.gather(
                *(alice.call(f"sip:bob@{BOB};transport=tcp", codecs=["PCMU"]) for _ in range(20))
            )
            assert len(world.sim.loop.streams) == 2  # both ends of one
            await asyncio.gather(*(call.hangup() for call in calls))
            await asyncio.gather(*(call.ended() for call in theirs))

    world.run(test)


def test_a_flood_of_connections_and_huge_headers_leaves_a_call_alone() -> None:
    world = World()
    attacker = world.network.host("203.0.113.66", name="attacker.example")

    async def flood() -> None:
        loop = asyncio.get_running_loop()
        with attacker:
            for number in range(1500):
                transport, _ = await loop.create_connection(asyncio.Protocol, BOB, 5060)
                if number % 3 == 1:
                    transport.write(b"INVITE sip:bob@192.0.2.2 SIP/2.0\r\nX: " + b"x" * 60_000)
                elif number % 3 == 2:
                    transport.write(b"OPTIONS sip:bob@192.0.2.2 SIP/2.0\r\n" + b"X: y\r\n" * 20_000)

    async def test() -> None:
        async with phone(ALICE) as alice, phone(BOB, "bob") as bob:
            theirs = answering(bob)
            call = await alice.call(f"sip:bob@{BOB};transport=tcp")
            await flood()
            agent = bob._open_agent()
            connections = agent._started().connections
            assert len(connections) <= 512
            assert connections.held <= 8 << 20
            again = await alice.call(f"sip:bob@{BOB};transport=tcp")
            await again.hangup()
            await call.hold()
            await call.resume()
            await call.hangup()
            await asyncio.gather(*(one.ended() for one in theirs))
            await asyncio.sleep(60)
            assert len(connections) <= 2  # those who never finished a message are gone

    world.run(test)
