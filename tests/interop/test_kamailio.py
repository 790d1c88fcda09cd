"""Our phones behind Kamailio and rtpengine, among themselves and with baresip and linphone.

Digest for everything, UDP, TCP and TLS; the proxy stays in the way of each call and all sound passes through
rtpengine. Whoever hears something hears the other's own tune, by correlation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import pytest

from sipmedia import Account, Call, CallFailed, Softphone
from sipmedia.account import Transport
from sipmedia.errors import NotRegistered
from tests.interop.conftest import require
from tests.interop.harness import baresip, sound
from tests.interop.harness import linphone as linphone_peer
from tests.interop.harness.kamailio import Kamailio
from tests.interop.harness.ours import run
from tests.interop.harness.parties import Party
from tests.interop.harness.phones import (
    OurPhone,
    Peer,
    assert_heard,
    assert_hears,
    assert_packets,
    both_hear,
    registered,
    until,
)

pytestmark = pytest.mark.interop

A, B, C = (sound.tune(seed, 6.0) for seed in (51, 52, 53))


class Stage:
    """The proxy, and phones as a test asks for them; all are gone with the stage."""

    def __init__(
        self, proxy: Kamailio, addresses: Iterator[Party], folder: Path, stack: AsyncExitStack
    ) -> None:
        self.proxy = proxy
        self._addresses = addresses
        self._folder = folder
        self._stack = stack

    async def ours(self, says: sound.Samples, transport: Transport = "udp") -> OurPhone:
        """A phone of ours, registered."""
        party = next(self._addresses)
        return await self._stack.enter_async_context(registered(self.proxy, party, says, transport))

    async def peer(
        self, kind: str, transport: Transport = "udp", *, answers: bool = True
    ) -> tuple[Peer, str]:
        """A baresip or a linphone, registered, that says B; and the name it is registered under."""
        party, user, folder = next(self._addresses), self.proxy.new_user(), self._folder / kind
        peer: Peer
        if kind == "baresip":
            require("baresip", baresip.available())
            peer = self.proxy.baresip(party, folder, np.tile(B, 10), user, transport, answers=answers)
        else:
            require("linphonec", linphone_peer.available())
            peer = self.proxy.linphone(party, folder, B, user, transport, answers=answers)
        self._stack.enter_context(peer)
        await asyncio.to_thread(self.proxy.wait_registered, user)
        return peer, user


@pytest.fixture
def play(
    proxy: Kamailio, addresses: Iterator[Party], folder: Path
) -> Callable[[Callable[[Stage], Awaitable[None]]], None]:
    """Run a test's scene on a stage."""

    def played(scene: Callable[[Stage], Awaitable[None]]) -> None:
        async def main() -> None:
            async with AsyncExitStack() as stack:
                await scene(Stage(proxy, addresses, folder, stack))

        run(main(), 100)

    return played


Play = Callable[[Callable[[Stage], Awaitable[None]]], None]
WAYS: tuple[tuple[Transport, Transport], ...] = (
    ("udp", "udp"),
    ("tcp", "tcp"),
    ("tls", "tls"),
    ("tls", "udp"),
)


async def hold_and_resume(one: Call, other: Call) -> None:
    """The other end sees both."""
    await one.hold()
    await until(lambda: other.held_by_remote, "the other end to be on hold")
    await one.resume()
    await until(lambda: not other.held_by_remote, "the other end to be off hold")


@pytest.mark.parametrize(("first", "second"), WAYS)
def test_two_of_ours(play: Play, first: Transport, second: Transport) -> None:
    """Sound through rtpengine, hold and resume, keys, and BYE from both ends; both may call."""

    async def scene(stage: Stage) -> None:
        alice, bob = await stage.ours(A, first), await stage.ours(B, second)
        call = await alice.call(stage.proxy.uri(bob.user))
        other = await bob.called()
        await both_hear(call, A, other, B)
        for one in (call, other):
            assert one.session is not None
            assert one.session.remote_address is not None
            assert one.session.remote_address[0] == stage.proxy.party.host
        await hold_and_resume(call, other)
        await call.send_dtmf("12#")
        await other.send_dtmf("90*")
        await until(lambda: (alice.keys, bob.keys) == ("90*", "12#"), "the keys")
        await both_hear(call, A, other, B)
        await other.hangup()
        assert (await call.ended()).by == "remote"
        call = await bob.call(stage.proxy.uri(alice.user))
        await assert_hears(call, A)
        await call.hangup()
        assert (await alice.calls[-1].ended()).by == "remote"

    play(scene)


def test_registered_again_and_no_more(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        alice, bob = await stage.ours(A), await stage.ours(B, "tcp")
        registration = bob.softphone.registrations[0]
        registration.refresh()
        await asyncio.to_thread(stage.proxy.wait_registered, bob.user, 2)
        call = await alice.call(stage.proxy.uri(bob.user))
        await assert_hears(call, B)
        await call.hangup()
        await registration.unregister()
        with pytest.raises(CallFailed) as failed:
            await alice.call(stage.proxy.uri(bob.user))
        assert failed.value.status == 404

    play(scene)


def test_a_wrong_password(proxy: Kamailio, addresses: Iterator[Party]) -> None:
    async def main() -> None:
        account = Account(
            proxy.uri(proxy.new_user()), password="guessed", register=True, registrar=proxy.party.bind
        )
        async with Softphone(account, bind=next(addresses).bind) as phone:
            with pytest.raises(NotRegistered) as refused:
                await phone.registrations[0].registered()
        assert refused.value.status == 401

    run(main())


def test_digest_by_sha256(addresses: Iterator[Party], folder: Path, kamailio: None, linphone: None) -> None:
    """And without rtpengine: the phones' sound goes straight from one to the other."""

    async def scene(proxy: Kamailio) -> None:
        party, user = next(addresses), proxy.new_user()
        async with registered(proxy, next(addresses), A) as alice:
            with proxy.linphone(party, folder / "linphone", B, user) as peer:
                await asyncio.to_thread(proxy.wait_registered, user)
                call = await alice.call(proxy.uri(user))
                await assert_hears(call, B)
                assert call.session is not None
                assert call.session.remote_address is not None
                assert call.session.remote_address[0] == party.host
                await call.hangup()
                await assert_heard(peer, A)

    with Kamailio(next(addresses), folder / "kamailio", ("SHA256",)) as proxy:
        proxy.wait_ready()
        run(scene(proxy))


@pytest.mark.parametrize("transport", ["udp", "tls"])
def test_each_request_in_a_call_is_challenged(
    addresses: Iterator[Party], folder: Path, kamailio: None, transport: Transport
) -> None:
    """The proxy asks for the password again for each re-INVITE and BYE, of the caller and of the called."""

    def challenges(call: Call) -> int:
        entries = call.trace.entries()
        return sum(entry.label.startswith("407") and not entry.retransmission for entry in entries)

    async def scene(stack: AsyncExitStack, proxy: Kamailio) -> None:
        alice = await stack.enter_async_context(registered(proxy, next(addresses), A, transport))
        bob = await stack.enter_async_context(registered(proxy, next(addresses), B, transport))
        for bye_by_caller in (True, False):
            call = await alice.call(proxy.uri(bob.user))
            other = await bob.called(2 - bye_by_caller)
            await hold_and_resume(call, other)
            await hold_and_resume(other, call)
            await both_hear(call, A, other, B)
            ends, ended = (call, other) if bye_by_caller else (other, call)
            await ends.hangup()
            assert (await ended.ended()).by == "remote"
            # The INVITE of the caller; hold and resume of each; the BYE.
            assert challenges(call) == 3 + bye_by_caller
            assert challenges(other) == 2 + (not bye_by_caller)

    async def main(proxy: Kamailio) -> None:
        async with AsyncExitStack() as stack:
            await scene(stack, proxy)

    with Kamailio(next(addresses), folder / "kamailio", ("TLS", "STRICT")) as proxy:
        proxy.wait_ready()
        run(main(proxy))


def test_the_proxy_says_who_calls(play: Play) -> None:
    """It is believed, since bob is registered there; a name that alice made up is not passed on."""

    async def scene(stage: Stage) -> None:
        alice, bob = await stage.ours(A), await stage.ours(B, "tcp")
        made_up = [("P-Asserted-Identity", "<sip:bank@example.com>")]
        call = await alice.softphone.call(stage.proxy.uri(bob.user), headers=made_up)
        assert (await bob.called()).asserted_identity == f"<{stage.proxy.uri(alice.user)}>"
        await call.hangup()
        call = await alice.softphone.call(stage.proxy.uri(bob.user), anonymous=True)
        other = await bob.called(2)
        assert other.anonymous
        assert other.identities.claimed is None
        assert alice.user.encode() not in bytes(other.usage.request)
        await call.hangup()

    play(scene)


@pytest.mark.slow
def test_the_proxy_is_started_again(addresses: Iterator[Party], folder: Path, kamailio: None) -> None:
    """It has forgotten everybody. Who lost a connection comes back by itself; a call goes on meanwhile."""

    async def scene(stack: AsyncExitStack) -> None:
        party = next(addresses)
        with Kamailio(party, folder / "before") as before:
            await asyncio.to_thread(before.wait_ready)
            alice = await stack.enter_async_context(registered(before, next(addresses), A, "tcp"))
            bob = await stack.enter_async_context(registered(before, next(addresses), B))
            call = await alice.call(before.uri(bob.user))
            await assert_hears(call, B)
        with Kamailio(party, folder / "after") as after:
            await asyncio.to_thread(after.wait_ready)
            await assert_hears(call, B)
            said = f"{after.uri(alice.user)} registered"
            await until(lambda: said in after.output(), "alice to register again", 90)
            await call.hangup()  # through the new proxy, which was not there when the call began
            assert (await bob.calls[0].ended()).by == "remote"
            bob.softphone.registrations[0].refresh()
            await asyncio.to_thread(after.wait_registered, bob.user)
            call = await bob.call(after.uri(alice.user))
            await assert_hears(call, A)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            await scene(stack)

    run(main(), 150)


@pytest.mark.parametrize("transferor", ["caller", "callee"])
def test_a_blind_transfer_of_ours(play: Play, transferor: str) -> None:
    async def scene(stage: Stage) -> None:
        alice, bob, carol = await stage.ours(A), await stage.ours(B, "tcp"), await stage.ours(C, "tls")
        call = await alice.call(stage.proxy.uri(bob.user))
        other = await bob.called()
        moving, moved = (other, call) if transferor == "callee" else (call, other)
        said = A if moved is call else B
        await moving.transfer(stage.proxy.uri(carol.user))
        at_carol = await carol.called()
        await asyncio.gather(moving.ended(), moved.ended())
        phone = alice if moved is call else bob
        (successor,) = phone.softphone.calls
        await both_hear(successor, said, at_carol, C)
        await at_carol.hangup()
        assert (await successor.ended()).by == "remote"

    play(scene)


def test_an_attended_transfer_of_ours(play: Play) -> None:
    async def scene(stage: Stage) -> None:
        alice, bob, carol = await stage.ours(A, "tls"), await stage.ours(B), await stage.ours(C, "tcp")
        first = await alice.call(stage.proxy.uri(bob.user))
        at_bob = await bob.called()
        await at_bob.hold()
        second = await bob.call(stage.proxy.uri(carol.user))
        await assert_hears(second, C)
        await at_bob.transfer_to(second)
        await asyncio.gather(first.ended(), at_bob.ended(), second.ended())
        (left,), (right,) = alice.softphone.calls, carol.softphone.calls
        await both_hear(left, A, right, C)
        await left.hangup()
        assert (await right.ended()).by == "remote"

    play(scene)


KINDS: tuple[tuple[str, Transport, Transport], ...] = (("baresip", "tcp", "udp"), ("linphone", "tls", "tcp"))
with_peers = pytest.mark.parametrize(("kind", "theirs", "way"), KINDS, ids=["baresip", "linphone"])


@with_peers
def test_we_call(play: Play, kind: str, theirs: Transport, way: Transport) -> None:
    """Sound and keys both ways, hold and resume from both ends; the peer hangs up."""

    async def scene(stage: Stage) -> None:
        alice = await stage.ours(A, way)
        peer, user = await stage.peer(kind, theirs)
        call = await alice.call(stage.proxy.uri(user))
        await assert_hears(call, B)
        await call.hold()
        await call.resume()
        await call.send_dtmf("12#")
        await until(lambda: peer.keys() == "12#", f"our keys at {kind}, not {peer.keys()!r}")
        peer.press("9")
        await until(lambda: alice.keys == "9", f"the first key of {kind}")
        peer.press("*")
        await until(lambda: alice.keys == "9*", f"the second key of {kind}")
        await asyncio.to_thread(peer.hold)
        await until(lambda: call.held_by_remote, f"{kind} to hold us")
        peer.resume()
        await until(lambda: not call.held_by_remote, f"{kind} to resume")
        await asyncio.gather(assert_hears(call, B), assert_packets(peer))
        peer.hang_up()
        assert (await asyncio.wait_for(call.ended(), 20)).by == "remote"
        await assert_heard(peer, A)

    play(scene)


@with_peers
def test_we_are_called(play: Play, kind: str, theirs: Transport, way: Transport) -> None:
    async def scene(stage: Stage) -> None:
        alice = await stage.ours(A, way)
        peer, _ = await stage.peer(kind, theirs, answers=False)
        peer.call(stage.proxy.uri(alice.user))
        call = await alice.called()
        await assert_hears(call, B)
        await call.hangup()
        await assert_heard(peer, A)

    play(scene)


@with_peers
def test_a_peer_is_transferred(play: Play, kind: str, theirs: Transport, way: Transport) -> None:
    """Blind, from us to another phone of ours."""

    async def scene(stage: Stage) -> None:
        alice, carol = await stage.ours(A, way), await stage.ours(C)
        peer, user = await stage.peer(kind, theirs)
        call = await alice.call(stage.proxy.uri(user))
        await assert_hears(call, B)
        await call.transfer(stage.proxy.uri(carol.user))
        at_carol = await carol.called()
        await call.ended()
        await assert_hears(at_carol, B)
        await at_carol.hangup()
        await assert_heard(peer, C)

    play(scene)


@with_peers
def test_a_peer_transfers_us(play: Play, kind: str, theirs: Transport, way: Transport) -> None:
    """Blind, from it to another phone of ours."""

    async def scene(stage: Stage) -> None:
        alice, carol = await stage.ours(A, way), await stage.ours(C)
        peer, user = await stage.peer(kind, theirs)
        call = await alice.call(stage.proxy.uri(user))
        await assert_hears(call, B)
        peer.transfer(stage.proxy.uri(carol.user))
        at_carol = await carol.called()
        await asyncio.wait_for(call.ended(), 20)
        (successor,) = alice.softphone.calls
        await both_hear(successor, A, at_carol, C)
        await successor.hangup()

    play(scene)


@pytest.mark.parametrize("kind", ["baresip", "linphone"])
def test_a_peer_takes_part_in_attended_transfers(play: Play, kind: str) -> None:
    """Ours connects it with another of ours: as the transferee, and as the target if it knows Replaces."""

    async def scene(stage: Stage) -> None:
        alice, carol = await stage.ours(A), await stage.ours(C, "tcp")
        peer, user = await stage.peer(kind)
        pairs = [(user, carol.user)]
        if kind != "baresip":  # baresip 1.0 answers it by 420
            pairs.append((carol.user, user))
        for transferee, target in pairs:
            first = await alice.call(stage.proxy.uri(transferee))
            second = await alice.call(stage.proxy.uri(target))
            await first.transfer_to(second)
            await asyncio.gather(first.ended(), second.ended())
            (left,) = carol.softphone.calls
            await assert_hears(left, B)
            await left.hangup()
            await assert_heard(peer, C)

    play(scene)


def test_linphone_connects_two_of_ours(play: Play) -> None:
    """Attended: it calls both and transfers one to the other."""

    async def scene(stage: Stage) -> None:
        alice, carol = await stage.ours(A, "tcp"), await stage.ours(C)
        peer, _ = await stage.peer("linphone", answers=False)
        assert isinstance(peer, linphone_peer.Linphone)
        peer.call(stage.proxy.uri(alice.user))
        first = await alice.called()
        await assert_hears(first, B)
        await asyncio.to_thread(peer.hold)
        await until(lambda: first.held_by_remote, "linphone to hold us")
        peer.call(stage.proxy.uri(carol.user))
        second = await carol.called()
        await assert_hears(second, B)
        peer.say("transfer 1 --to-call 2")
        await asyncio.wait_for(asyncio.gather(first.ended(), second.ended()), 20)
        (left,), (right,) = alice.softphone.calls, carol.softphone.calls
        await both_hear(left, A, right, C)

    play(scene)
