"""The UDP socket: what is sent, what is told when it cannot be."""

from __future__ import annotations

import asyncio
import socket
import sys

import pytest

from dialog.flow import Flow, HostPort
from dialog.transport.udp import UdpTransport

LOCAL = ("127.0.0.1", 0)


class Ends:
    """What one transport told."""

    def __init__(self) -> None:
        self.received: list[tuple[Flow, bytes]] = []
        self.lost: list[HostPort] = []

    async def bind(self) -> UdpTransport:
        return await UdpTransport.bind(
            LOCAL,
            lambda flow, data: self.received.append((flow, data)),
            lambda flow: self.lost.append(flow.remote),
        )


def closed_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(LOCAL)
        port: int = probe.getsockname()[1]
        return port


def test_datagrams_carry_their_flow() -> None:
    async def run() -> None:
        here, there = Ends(), Ends()
        one, two = await here.bind(), await there.bind()
        one.send(one.flow_to(two.local_address), b"hello")
        await asyncio.sleep(0.02)
        assert there.received == [(Flow("UDP", two.local_address, one.local_address), b"hello")]
        one.close()
        two.close()
        await asyncio.sleep(0)

    asyncio.run(run())


@pytest.mark.parametrize("remote", [("127.0.0.1", 0), ("127.0.0.1", 70000), ("::1", 5060)])
def test_a_datagram_that_cannot_be_sent_is_told(remote: HostPort) -> None:
    async def run() -> None:
        ends = Ends()
        transport = await ends.bind()
        transport.send(transport.flow_to(remote), b"x")
        await asyncio.sleep(0)
        assert ends.lost == [remote]
        transport.close()
        transport.close()
        transport.send(transport.flow_to(remote), b"x")
        assert ends.lost == [remote, remote]
        await asyncio.sleep(0)

    asyncio.run(run())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells who is unreachable")
def test_the_report_on_one_peer_costs_no_other_its_datagram() -> None:
    async def run() -> None:
        here, there = Ends(), Ends()
        one, two = await here.bind(), await there.bind()
        gone = ("127.0.0.1", closed_port())
        # The loop has no turn in between: the second call finds the report on the first.
        one.send(one.flow_to(gone), b"nobody")
        one.send(one.flow_to(two.local_address), b"hello")
        await asyncio.sleep(0.05)
        assert here.lost == [gone]
        assert [data for _, data in there.received] == [b"hello"]
        one.close()
        two.close()
        await asyncio.sleep(0)

    asyncio.run(run())
