"""OPTIONS by sipsak, the tool that operators ask "is it alive" with."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.harness import ours
from tests.interop.harness.parties import Party
from tests.interop.harness.process import PeerProcess

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("sipsak")]


def test_options_by_sipsak(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)

    async def main() -> None:
        async with ours.phone(us):
            command = ["sipsak", "-vv", "-s", us.uri("bob"), "-H", peer.host, "-l", str(peer.sip_port)]
            with PeerProcess("sipsak", command, folder) as sipsak:
                assert await asyncio.to_thread(sipsak.wait, 15) == 0, sipsak.output()
            assert "SIP/2.0 200 OK" in sipsak.output()

    ours.run(main())
