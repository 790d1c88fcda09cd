"""Our own registrar and proxy with phones that are not ours: baresip and linphone, calling and called."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import pytest

from dialog.tls_settings import TlsSettings
from sipmedia import Account, NotRegistered, Softphone
from sipmedia.account import Transport
from sipmedia.registrar import Registrar
from tests.interop.conftest import require
from tests.interop.harness import baresip, sound
from tests.interop.harness import linphone as linphone_peer
from tests.interop.harness.baresip import Baresip, registering
from tests.interop.harness.certificates import Authority
from tests.interop.harness.linphone import Linphone, Registration
from tests.interop.harness.ours import run
from tests.interop.harness.parties import Party
from tests.interop.harness.phones import OurPhone, Peer, assert_heard, assert_hears, until

pytestmark = pytest.mark.interop

A, B = (sound.tune(seed, 6.0) for seed in (61, 62))
DOMAIN = "example.org"
USERS = {"alice": "wonderland", "bob": "builder"}
KINDS: tuple[tuple[str, Transport], ...] = (
    ("baresip", "udp"),
    ("baresip", "tcp"),
    ("baresip", "tls"),
    ("linphone", "udp"),
    ("linphone", "tls"),
)


def started(kind: str, transport: str, server: str, party: Party, folder: Path, authority: Authority) -> Peer:
    """A peer that registers as bob, and answers."""
    peer: Peer
    if kind == "baresip":
        require("baresip", baresip.available())
        account = registering("bob", DOMAIN, USERS["bob"], server, transport)
        trust = [f"sip_cafile {authority.certificate}"]
        peer = Baresip(party, folder, np.tile(B, 10), account=account, settings=trust, seconds=60)
    else:
        require("linphonec", linphone_peer.available())
        registration = Registration("bob", DOMAIN, USERS["bob"], server, transport, authority.certificate)
        peer = Linphone(party, folder, B, registration=registration)
        peer.wait_ready()
    return peer


@pytest.mark.parametrize(("kind", "transport"), KINDS)
def test_both_call_through_our_proxy(
    addresses: Iterator[Party], folder: Path, kind: str, transport: Transport
) -> None:
    """Digest for everything; sound both ways; hold, keys, and BYE from both ends by way of the proxy."""

    async def scene(stack: AsyncExitStack) -> None:
        home = next(addresses)
        authority = Authority(folder / "authority")
        certificate = authority.issue(folder / "tls", "proxy", [DOMAIN], [home.host])
        tls = TlsSettings(certificate, certificate.with_suffix(".key"))
        registrar = Registrar(DOMAIN, USERS, bind=home.bind, tls=tls, tls_port=0)
        await stack.enter_async_context(registrar)
        host, port = registrar.address_of(transport) or home.address
        peer = await asyncio.to_thread(
            started, kind, transport, f"{host}:{port}", next(addresses), folder / kind, authority
        )
        stack.enter_context(peer)
        account = Account(f"sip:alice@{DOMAIN}", password=USERS["alice"], registrar=home.bind)
        softphone = await stack.enter_async_context(Softphone(account, bind=next(addresses).bind))
        alice = OurPhone(softphone, "alice", A)
        await softphone.register()
        await until(lambda: set(registrar.bindings) == {"alice", "bob"}, "both to be registered")
        call = await alice.call(f"sip:bob@{DOMAIN}")
        await assert_hears(call, B)
        await call.send_dtmf("12#")
        await until(lambda: peer.keys() == "12#", f"our keys, not {peer.keys()!r}")
        await asyncio.to_thread(peer.hold)
        await until(lambda: call.held_by_remote, "to be held")
        peer.resume()
        await until(lambda: not call.held_by_remote, "to be resumed")
        await call.hold()
        await call.resume()
        peer.hang_up()
        assert (await asyncio.wait_for(call.ended(), 20)).by == "remote"
        peer.call(f"sip:alice@{DOMAIN}")
        back = await alice.called(2)
        await assert_hears(back, B)
        await back.hangup()
        await assert_heard(peer, A)

    run(_on_stage(scene), 90)


def test_a_peer_with_a_wrong_password(addresses: Iterator[Party], folder: Path) -> None:
    """baresip gives up; and our phone is told what a stranger's registrar says."""

    async def scene(stack: AsyncExitStack) -> None:
        home, authority = next(addresses), Authority(folder / "authority")
        registrar = Registrar(DOMAIN, {"bob": "another"}, bind=home.bind)
        refused: list[object] = []
        registrar.on("refused", refused.append)
        await stack.enter_async_context(registrar)
        peer = await asyncio.to_thread(
            started, "baresip", "udp", home.bind, next(addresses), folder / "bob", authority
        )
        stack.enter_context(peer)
        await until(lambda: refused, "the refusal")
        assert registrar.bindings == {}
        account = Account(f"sip:bob@{DOMAIN}", password=USERS["bob"], registrar=home.bind)
        async with Softphone(account, bind=next(addresses).bind) as softphone:
            with pytest.raises(NotRegistered, match="password"):
                await softphone.register()

    run(_on_stage(scene), 60)


async def _on_stage(scene: Callable[[AsyncExitStack], Awaitable[None]]) -> None:
    async with AsyncExitStack() as stack:
        await scene(stack)
