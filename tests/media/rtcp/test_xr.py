"""Extended reports: written and read, and losses sorted into bursts and gaps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.errors import BadPacket
from media.rtcp.packet import OtherPacket, ReceiverReport, compound, parse_compound
from media.rtcp.xr import VoipMetrics, extended_report, voip_metrics_in
from media.rtp.bursts import Bursts

METRICS = VoipMetrics(7, 0.25, 0.125, 0.5, 0.0625, 120, 4000, 80, 45, 88, 4.2, 4.1, True, 32, 40, 200)


def test_written_and_read_again() -> None:
    data = compound((ReceiverReport(5), extended_report(5, METRICS)))
    _, packet = parse_compound(data)
    assert isinstance(packet, OtherPacket)
    assert voip_metrics_in(packet) == [METRICS]


def test_bytes_are_those_of_the_rfc() -> None:
    data = bytes(extended_report(5, METRICS))
    assert data[:4].hex() == "80cf000a"  # version 2, XR, ten more words
    assert data[8:12].hex() == "07000008"  # VoIP metrics, eight words
    assert data[12:].hex() == (
        "00000007" "40208010" "00780fa0" "0050002d" "7f7f7f10" "587f2a29" "b0000020" "002800c8"
    )  # fmt: skip


def test_what_is_not_known_is_said_to_be_unavailable() -> None:
    unknown = VoipMetrics(7, 0.0, 0.0, 0.0, 0.0, 0, 0)
    (read,) = voip_metrics_in(extended_report(1, unknown))
    assert (read.r_factor, read.mos_listening, read.mos_conversation) == (None, None, None)


def test_other_blocks_are_passed_over() -> None:
    packet = extended_report(5, METRICS)
    times = bytes.fromhex("04000002") + bytes(8)  # a receiver reference time
    assert voip_metrics_in(OtherPacket(207, 0, packet.body[:4] + times + packet.body[4:])) == [METRICS]
    assert voip_metrics_in(OtherPacket(204, 0, packet.body)) == []


@pytest.mark.parametrize(
    ("body", "message"),
    [("00000005 07000008 00", "past the end"), ("00000005 07000001 00000000", "1 words, not 8")],
)
def test_what_is_cut_off(body: str, message: str) -> None:
    with pytest.raises(BadPacket, match=message):
        voip_metrics_in(OtherPacket(207, 0, bytes.fromhex(body)))


@given(st.binary(max_size=200))
def test_any_bytes_give_metrics_or_the_error(body: bytes) -> None:
    try:
        found = voip_metrics_in(OtherPacket(207, 0, body))
    except BadPacket:
        return
    for metrics in found:
        bytes(metrics)


def test_bursts_and_gaps() -> None:
    bursts = Bursts()
    bursts.missing(100, 1)  # alone: a gap loss
    bursts.missing(200, 3)  # 200-202, 210 and 220-221 belong together
    bursts.missing(210, 1)
    bursts.missing(220, 2)
    bursts.missing(300, 1)
    density, gap_density, burst_ms, gap_ms = bursts.figures(1000, 20.0)
    assert (bursts.bursts, bursts.burst_packets, bursts.burst_lost, bursts.lost) == (1, 22, 6, 8)
    assert density == pytest.approx(6 / 22)
    assert gap_density == pytest.approx(2 / 978)
    assert (burst_ms, gap_ms) == (440, 9780)


def test_a_burst_that_is_not_over_counts() -> None:
    bursts = Bursts()
    bursts.missing(100, 4)
    assert bursts.figures(200, 20.0) == (1.0, 0.0, 80, 1960)
    assert Bursts().figures(0, 20.0) == (0.0, 0.0, 0, 0)
