"""RTCP packets: what is packed is parsed, what is wrong is named, any bytes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.errors import BadPacket
from media.rtcp.packet import (
    CNAME,
    Goodbye,
    OtherPacket,
    ReceiverReport,
    ReportBlock,
    RtcpPacket,
    SenderInfo,
    SenderReport,
    SourceDescription,
    compound,
    parse_compound,
)

u32 = st.integers(0, 2**32 - 1)
blocks = st.builds(
    ReportBlock, u32, st.integers(0, 255), st.integers(-(2**23), 2**23 - 1), u32, u32, u32, u32
)
block_tuples = st.lists(blocks, max_size=3).map(tuple)
words = st.binary(max_size=8).map(lambda data: data[: len(data) // 4 * 4])
items = st.tuples(st.integers(1, 8), st.binary(max_size=30))
reports: st.SearchStrategy[RtcpPacket] = st.one_of(
    st.builds(
        SenderReport,
        u32,
        st.builds(SenderInfo, st.integers(0, 2**64 - 1), u32, u32, u32),
        block_tuples,
        words,
    ),
    st.builds(ReceiverReport, u32, block_tuples, words),
)
others: st.SearchStrategy[RtcpPacket] = st.one_of(
    st.builds(
        SourceDescription,
        st.lists(st.tuples(u32, st.lists(items, max_size=3).map(tuple)), max_size=3).map(tuple),
    ),
    st.builds(Goodbye, st.lists(u32, max_size=4).map(tuple), st.text(max_size=20)),
    st.builds(OtherPacket, st.integers(207, 210), st.integers(0, 31), words),
)


@given(reports, st.lists(others, max_size=4))
def test_what_is_packed_is_parsed(report: RtcpPacket, rest: list[RtcpPacket]) -> None:
    assert parse_compound(compound([report, *rest])) == [report, *rest]


@given(st.binary(max_size=120), st.booleans())
def test_any_bytes_give_packets_or_the_documented_error(data: bytes, reduced: bool) -> None:
    try:
        packets = parse_compound(data, reduced_size=reduced)
    except BadPacket:
        return
    assert packets


@given(reports, st.data())
def test_any_change_of_one_byte_is_read_or_refused(report: RtcpPacket, data: st.DataObject) -> None:
    wire = bytearray(compound([report, SourceDescription(((1, ((CNAME, b"a@b"),)),))]))
    wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    try:
        parse_compound(bytes(wire))
    except BadPacket:
        pass


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ("", "empty"),
        ("80c9", "header"),
        ("40c90001 00000001", "version"),
        ("80c90002 00000001", "length 2"),
        ("81c90001 00000001", "RR with 1 report blocks"),
        ("80c80001 00000001", "SR with 0"),
        ("80cb0000", "comes first"),
        ("a0c90001 00000001 80c90001 00000001", "padding in a packet that is not the last"),
        ("a0c90001 00000005", "padding length 5"),
        ("80c90001 00000001 81ca0001 00000001", "without the zero"),
        ("80c90001 00000001 81ca0000", "SDES with 1"),
        ("80c90001 00000001 81ca0002 00000001 01ff6161", "item of type 1"),
        ("80c90001 00000001 82cb0001 00000001", "BYE with 2"),
        ("80c90001 00000001 81cb0002 00000001 09616161", "BYE with a reason of 9"),
        ("80c90001 00000001 80cc0001 00000001", "APP"),
        ("80c90001 00000001 81cd0001 00000001", "feedback"),
    ],
)
def test_what_is_wrong_is_named(data: str, field: str) -> None:
    with pytest.raises(BadPacket, match=field):
        parse_compound(bytes.fromhex(data))


def test_padding_is_taken_off_the_last_packet() -> None:
    data = bytes.fromhex("80c90001 00000001 a1cb0002 00000001 00000004")
    assert parse_compound(data)[1] == Goodbye((1,))


def test_reduced_size_may_begin_with_anything() -> None:
    assert parse_compound(bytes.fromhex("81cb0001 00000007"), reduced_size=True) == [Goodbye((7,))]


def test_cnames() -> None:
    description = SourceDescription(((5, ((CNAME, b"a@b"), (2, b"Ann"))), (6, ())))
    assert description.cnames == {5: "a@b"}


def test_what_cannot_be_packed_is_refused() -> None:
    with pytest.raises(BadPacket):
        bytes(OtherPacket(210, 32, b""))
    with pytest.raises(BadPacket):
        bytes(OtherPacket(210, 0, b"abc"))


VALID = {
    "rtcp_bye", "rtcp_bye_no_sources", "rtcp_rr", "rtcp_rtpfb", "rtcp_sdes",
}  # fmt: skip


def test_packets_of_other_stacks_parse_or_are_refused(fixtures: Path) -> None:
    files = [
        path for path in sorted((fixtures / "rtp").rglob("*")) if path.is_file() and path.name != "SOURCE"
    ]
    assert files
    for path in files:
        data = path.read_bytes()
        if path.parent.name == "aiortc" and path.stem.startswith("rtcp"):
            if path.stem in VALID:
                assert compound(parse_compound(data, reduced_size=True)) == data, path.name
            else:
                with pytest.raises(BadPacket):
                    parse_compound(data, reduced_size=True)
            continue
        try:
            parse_compound(data, reduced_size=True)
        except BadPacket:
            pass
