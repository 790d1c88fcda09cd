"""A call over IPv6: the same phone, addresses in brackets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.interop.harness import ours
from tests.interop.harness.parties import Party, free_port, has_ipv6
from tests.interop.harness.sipp import Sipp

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("sipp")]


@pytest.fixture
def parties() -> tuple[Party, Party]:
    """Two parties on ::1, which has no room for an address each."""
    if not has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    return Party("::1", free_port("::1")), Party("::1", free_port("::1"))


def test_sipp_calls_us_over_ipv6(parties: tuple[Party, Party], folder: Path) -> None:
    us, peer = parties

    async def main() -> None:
        async with ours.phone(us) as phone:
            with Sipp(peer, folder, "uac", target=us.bind, options=["-d", "300"]) as sipp:
                await asyncio.to_thread(sipp.assert_passed)
            while not phone.ended:
                await asyncio.sleep(0.02)
            assert "c=IN IP6 ::1" in sipp.messages().split("SIP/2.0 200")[1]

    ours.run(main())


def test_we_call_sipp_over_ipv6(parties: tuple[Party, Party], folder: Path) -> None:
    us, peer = parties

    async def main() -> None:
        with Sipp(peer, folder, "uas") as sipp:
            async with ours.phone(us) as phone:
                call = await phone.softphone.call(peer.uri("sipp"))
                await asyncio.sleep(0.3)
                await call.hangup()
                await asyncio.to_thread(sipp.assert_passed)

    ours.run(main())
