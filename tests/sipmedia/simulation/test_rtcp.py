"""RTCP between whole phones: on its own port or muxed, straight or through NAT, and what it tells."""

import asyncio
from typing import Any

import pytest

from media import ManagerConfig
from media.audio.graph import SampleSource
from media.audio.synthesis import melody
from media.rtcp.packet import Goodbye, SenderReport, parse_compound
from media.rtp.packet import is_rtcp
from sipmedia import Account, Call, IncomingCall, Softphone
from sipmedia.simulation import Datagram, Network, Simulation

BOB = "203.0.113.1"


def config(*, mux: bool, reduced_size: bool = False) -> ManagerConfig:
    return ManagerConfig(rtcp_mux=mux, rtcp_reduced_size=reduced_size)


@pytest.mark.parametrize("nat", [None, "full_cone", "symmetric"])
@pytest.mark.parametrize(("ours", "theirs"), [(True, True), (True, False), (False, True), (False, False)])
def test_reports_arrive_on_the_port_agreed_upon(ours: bool, theirs: bool, nat: Any) -> None:
    network = Network(seed=1, delay=0.03)
    network.host(BOB, name="bob")
    alices = "203.0.113.9" if nat is None else "192.168.1.10"
    (network if nat is None else network.nat(nat, "198.51.100.1")).host(alices, name="alice")
    sim = Simulation(network)
    reports: list[Datagram] = []

    def note(host: str, datagram: Datagram) -> None:
        if host in ("alice", "bob") and datagram.destination[1] >= 10000 and is_rtcp(datagram.data):
            reports.append(datagram)

    sim.capture.on_received = note

    async def main() -> None:
        async with (
            Softphone(Account(f"sip:alice@{alices}"), bind=f"{alices}:5060", media=config(mux=ours)) as alice,
            Softphone(
                Account(f"sip:bob@{BOB}"), bind=f"{BOB}:5060", media=config(mux=theirs, reduced_size=True)
            ) as bob,
        ):
            calls: list[Call] = []

            async def answer(event: IncomingCall) -> None:
                calls.append(event.call)
                await event.call.answer()

            bob.on("incoming_call", answer)
            calls.append(await alice.call(f"sip:bob@{BOB}"))
            for call in calls:
                call.play(SampleSource(melody(8000), 8000, repeat=None))
            await asyncio.sleep(30)
            for call in calls:
                assert call.session is not None
                counted = call.session.path.statistics()
                assert counted.discarded_foreign <= (nat is not None)  # not learned yet
                assert counted.discarded_garbage == 0
                assert counted.rtcp_packets_received >= 3
                assert counted.rtt_ms == pytest.approx(60, abs=45)
                assert counted.remote_report is not None
                assert counted.remote_report.fraction_lost == 0
            await calls[1].hangup()

    sim.run(main(), limit=100)
    muxed = ours and theirs
    assert {report.destination[1] % 2 for report in reports} == {0 if muxed else 1}
    compounds = [parse_compound(report.data) for report in reports]  # none begins without a report
    assert any(isinstance(packets[0], SenderReport) for packets in compounds)
    goodbyes = {packet.sources for packets in compounds for packet in packets if isinstance(packet, Goodbye)}
    assert len(goodbyes) >= 1
