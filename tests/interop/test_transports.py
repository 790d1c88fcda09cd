"""Calls by TCP and TLS with sipp and baresip, each calling the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dialog.tls_settings import TlsSettings
from dialog.user_agent import TracedMessage
from sipmedia import Softphone
from tests.interop.harness import ours, sound
from tests.interop.harness.baresip import Baresip
from tests.interop.harness.certificates import Authority
from tests.interop.harness.parties import Party
from tests.interop.harness.sipp import Sipp

pytestmark = pytest.mark.interop

THEIRS = sound.tune(22, 20.0)


def watched(softphone: Softphone) -> list[TracedMessage]:
    """The messages that a phone of ours sends and gets from now on."""
    messages: list[TracedMessage] = []
    softphone._open_agent().on_message = messages.append
    return messages


@pytest.mark.usefixtures("sipp")
@pytest.mark.parametrize("mode", ["t1", "tn"], ids=["one connection", "one for each call"])
def test_sipp_calls_us_by_tcp(addresses: Iterator[Party], folder: Path, mode: str) -> None:
    us, peer = next(addresses), next(addresses)

    async def main() -> None:
        async with ours.phone(us) as phone:
            messages = watched(phone.softphone)
            options = ["-t", mode, "-d", "300", "-max_socket", "100"]
            with Sipp(peer, folder, "uac", target=us.bind, calls=10, rate=50, options=options) as sipp:
                await asyncio.to_thread(sipp.assert_passed)
            while len(phone.ended) < 10:
                await asyncio.sleep(0.02)
            assert {message.transport for message in messages} == {"TCP"}

    ours.run(main())


@pytest.mark.usefixtures("sipp")
def test_we_call_sipp_by_tcp(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)

    async def main() -> None:
        async with ours.phone(us) as phone:
            with Sipp(peer, folder, "uas", calls=3, options=["-t", "t1"]) as sipp:
                await asyncio.sleep(0.5)
                for _ in range(3):
                    call = await phone.softphone.call(f"{peer.uri('bob')};transport=tcp")
                    await call.hangup()
                await asyncio.to_thread(sipp.assert_passed)
            assert sipp.messages().count("SIP/2.0/TCP") > 10

    ours.run(main())


def certificates(folder: Path, *parties: Party) -> tuple[Authority, list[Path]]:
    """An authority, and a certificate for each party, with its key in the same file."""
    authority = Authority(folder / "authority")
    files = []
    for number, party in enumerate(parties):
        certificate = authority.issue(folder, f"party{number}", ["localhost"], [party.host])
        with certificate.open("a") as file:
            file.write(certificate.with_suffix(".key").read_text())
        files.append(certificate)
    return authority, files


def settings_for(transport: str, folder: Path, us: Party, peer: Party) -> tuple[TlsSettings, list[str]]:
    """What a call by that transport needs: of our phone, and lines of baresip's configuration."""
    if transport == "tcp":
        return TlsSettings(), []
    authority, (mine, theirs) = certificates(folder, us, peer)
    tls = TlsSettings(mine, authorities=authority.certificate)
    return tls, [f"sip_certificate {theirs}", f"sip_cafile {authority.certificate}", "sip_verify_server yes"]


@pytest.mark.usefixtures("baresip")
@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_we_call_baresip(addresses: Iterator[Party], folder: Path, transport: str) -> None:
    us, peer = next(addresses), next(addresses)
    tls, settings = settings_for(transport, folder, us, peer)

    async def main() -> None:
        with Baresip(peer, folder / "baresip", THEIRS, settings=settings) as baresip:
            await asyncio.to_thread(baresip.wait_ready)
            async with ours.phone(us, transports=("udp", "tcp", "tls"), tls=tls) as phone:
                messages = watched(phone.softphone)
                port = peer.sip_port + (transport == "tls")
                call = await phone.softphone.call(f"sip:bob@{peer.host}:{port};transport={transport}")
                call.record(folder / "heard.wav", layout="received")
                await asyncio.sleep(4)
                await call.hold()
                await call.resume()
                await call.hangup()
                assert {message.transport for message in messages} == {transport.upper()}
            # How true the sound is, other tests say; here it must be there.
            assert sound.match(ours.heard(folder / "heard.wav"), THEIRS).audible_s >= 1

    ours.run(main())


@pytest.mark.usefixtures("baresip")
@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_baresip_calls_us(addresses: Iterator[Party], folder: Path, transport: str) -> None:
    us, peer = next(addresses), next(addresses)
    tls, settings = settings_for(transport, folder, us, peer)

    async def main() -> None:
        async with ours.phone(us, transports=("udp", "tcp", "tls"), tls=tls) as phone:
            messages = watched(phone.softphone)
            port = us.sip_port + (transport == "tls")
            dial = f"sip:bob@{us.host}:{port};transport={transport}"
            with Baresip(peer, folder / "baresip", THEIRS, dial=dial, settings=settings) as baresip:
                await asyncio.to_thread(baresip.wait_for, "established")
                (call,) = phone.calls
                call.record(folder / "heard.wav", layout="received")
                await asyncio.sleep(4)
                baresip.command("hangup")
                until = time.monotonic() + 5
                while not phone.ended and time.monotonic() < until:
                    await asyncio.sleep(0.02)
                assert [event.by for event in phone.ended] == ["remote"]
                assert {message.transport for message in messages} == {transport.upper()}
            # How true the sound is, other tests say; here it must be there.
            assert sound.match(ours.heard(folder / "heard.wav"), THEIRS).audible_s >= 1

    ours.run(main())
