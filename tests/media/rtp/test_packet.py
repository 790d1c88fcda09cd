"""The RTP parser: every field, every way to be wrong, any bytes."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.errors import BadPacket
from media.rtp.packet import RtpPacket, is_rtcp


def test_a_plain_packet() -> None:
    data = bytes.fromhex("80 80 1234 00000064 deadbeef 0102")
    packet = RtpPacket.parse(data)
    assert (packet.payload_type, packet.marker, packet.sequence_number) == (0, True, 0x1234)
    assert (packet.timestamp, packet.ssrc, packet.payload) == (100, 0xDEADBEEF, b"\1\2")
    assert (packet.csrc, packet.extension_profile, packet.padding) == ((), None, 0)
    assert bytes(packet) == data


def test_csrc_extension_and_padding_are_not_payload() -> None:
    data = struct.pack("!BBHII", 0xB2, 8, 1, 2, 3) + struct.pack("!II", 10, 11)
    data += struct.pack("!HH", 0xBEDE, 1) + b"abcd" + b"payload" + b"\0\0\3"
    packet = RtpPacket.parse(data)
    assert packet.csrc == (10, 11)
    assert (packet.extension_profile, packet.extension) == (0xBEDE, b"abcd")
    assert (packet.payload, packet.padding) == (b"payload", 3)
    assert bytes(packet) == data


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ("", "header"),
        ("80000001000000020000", "header"),
        ("400000010000000200000003", "version"),
        ("820000010000000200000003 00000001", "CSRC"),
        ("900000010000000200000003 bede", "extension is cut off"),
        ("900000010000000200000003 bede0002 00000000", "extension length 2"),
        ("a00000010000000200000003", "padding length 0"),
        ("a00000010000000200000003 0000", "padding length 0"),
        ("a00000010000000200000003 0009", "padding length 9"),
    ],
)
def test_what_is_wrong_is_named(data: str, field: str) -> None:
    with pytest.raises(BadPacket, match=field):
        RtpPacket.parse(bytes.fromhex(data))


@given(st.binary(max_size=80))
def test_any_bytes_give_a_packet_or_the_documented_error(data: bytes) -> None:
    try:
        packet = RtpPacket.parse(data)
    except BadPacket:
        return
    again = RtpPacket.parse(bytes(packet))
    assert all(getattr(packet, name) == getattr(again, name) for name in RtpPacket.__slots__)


@given(
    st.integers(0, 127), st.integers(0, 65535), st.integers(0, 2**32 - 1), st.binary(max_size=40),
    st.booleans(), st.lists(st.integers(0, 2**32 - 1), max_size=15),
    st.one_of(st.none(), st.integers(0, 65535)), st.integers(0, 10), st.integers(0, 255),
)  # fmt: skip
def test_what_is_packed_is_parsed(
    payload_type: int, sequence: int, timestamp: int, payload: bytes, marker: bool, csrc: list[int],
    profile: int | None, words: int, padding: int,
) -> None:  # fmt: skip
    extension = bytes(4 * words) if profile is not None else b""
    packet = RtpPacket(
        payload_type, sequence, timestamp, 7, payload, marker, tuple(csrc), profile, extension, padding
    )
    again = RtpPacket.parse(bytes(packet))
    assert all(getattr(packet, name) == getattr(again, name) for name in RtpPacket.__slots__)


@pytest.mark.parametrize(
    "packet",
    [
        RtpPacket(128, 0, 0, 0, b""),
        RtpPacket(0, 65536, 0, 0, b""),
        RtpPacket(0, 0, 0, 0, b"", extension_profile=1, extension=b"abc"),
        RtpPacket(0, 0, 0, 0, b"", csrc=(1,) * 16),
        RtpPacket(0, 0, 0, 0, b"", padding=256),
    ],
)
def test_fields_out_of_range_are_refused(packet: RtpPacket) -> None:
    with pytest.raises(BadPacket):
        bytes(packet)


def test_rtcp_is_told_apart_on_a_muxed_transport() -> None:
    assert is_rtcp(b"\x80\xc8")
    assert not is_rtcp(b"\x80\x80")
    assert not is_rtcp(b"\x80")


def test_packets_of_another_stack(fixtures: Path) -> None:
    folder = fixtures / "rtp" / "aiortc"
    plain = RtpPacket.parse((folder / "rtp.bin").read_bytes())
    assert (plain.payload_type, len(plain.payload), plain.csrc) == (0, 160, ())
    padding = RtpPacket.parse((folder / "rtp_only_padding.bin").read_bytes())
    assert (padding.payload, padding.padding) == (b"", 224)
    mid = RtpPacket.parse((folder / "rtp_with_sdes_mid.bin").read_bytes())
    assert (mid.extension_profile, mid.payload_type) == (0xBEDE, 111)
