"""The wire format of STUN: the vectors of RFC 5769, what others send, and what nobody should."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.errors import BadPacket
from media.stun.message import (
    BINDING,
    Attribute,
    MessageClass,
    StunMessage,
    binding_request,
    is_stun,
)

ID = bytes(range(12))


@pytest.fixture
def vectors(fixtures: Path) -> Path:
    return fixtures / "auth_nat_srtp"


def test_the_vectors_of_rfc_5769(vectors: Path) -> None:
    folder = vectors / "stun_rfc5769"
    told = json.loads((folder / "vectors.json").read_text())
    key = told["password_short_term"].encode()
    request = StunMessage.parse((folder / "2.1_request.bin").read_bytes())
    assert (request.method, request.message_class) == (BINDING, MessageClass.REQUEST)
    assert request.get(Attribute.USERNAME) == told["username_2_1"].encode()
    assert request.has_integrity(key)
    assert not request.has_integrity(b"wrong")
    response = StunMessage.parse((folder / "2.2_response_ipv4.bin").read_bytes())
    assert response.message_class is MessageClass.SUCCESS
    assert response.mapped_address == ("192.0.2.1", 32853)
    assert response.has_integrity(key)
    assert response.get(Attribute.SOFTWARE) == b"test vector"


@pytest.mark.parametrize("name", ["2.1_request.bin", "2.2_response_ipv4.bin"])
def test_a_vector_with_one_bit_changed_is_refused(vectors: Path, name: str) -> None:
    """FINGERPRINT is over everything: no change goes unseen, but one that makes another attribute of it."""
    data = (vectors / "stun_rfc5769" / name).read_bytes()
    for position in (*range(len(data) - 8), *range(len(data) - 6, len(data))):
        changed = bytearray(data)
        changed[position] ^= 1
        with pytest.raises(BadPacket):
            StunMessage.parse(bytes(changed))


@pytest.mark.parametrize("folder", ["stun_aioice", "stun_pjsip_fuzz", "stun_coturn_fuzz"])
def test_what_others_collected_is_read_or_refused(vectors: Path, folder: str) -> None:
    read = 0
    for path in sorted((vectors / folder).rglob("*")):
        if not path.is_file() or path.name == "SOURCE":
            continue
        data = path.read_bytes()
        try:
            message = StunMessage.parse(data)
        except BadPacket:
            continue
        read += 1
        assert is_stun(data) == (data[0] < 4)
        for name in ("mapped_address", "error"):
            with contextlib.suppress(BadPacket):
                getattr(message, name)
    assert read > 0 or folder != "stun_aioice"


def test_a_server_in_the_wild(vectors: Path) -> None:
    data = (vectors / "stun_aioice" / "binding_response.bin").read_bytes()
    assert StunMessage.parse(data).mapped_address == ("80.200.136.90", 53054)


@pytest.mark.parametrize("address", [("192.0.2.7", 40000), ("2001:db8::7", 1)])
def test_an_address_there_and_back(address: tuple[str, int]) -> None:
    message = StunMessage(BINDING, MessageClass.SUCCESS, ID).with_mapped_address(address).with_fingerprint()
    assert StunMessage.parse(bytes(message)).mapped_address == address


def test_the_old_attribute_of_old_servers() -> None:
    value = b"\x00\x01\x9c\x40\xc0\x00\x02\x07"
    message = StunMessage(BINDING, MessageClass.SUCCESS, ID, ((Attribute.MAPPED_ADDRESS, value),))
    assert message.mapped_address == ("192.0.2.7", 40000)
    assert StunMessage(BINDING, MessageClass.SUCCESS, ID).mapped_address is None


def test_integrity_and_padding() -> None:
    message = binding_request(ID, [(Attribute.USERNAME, b"abc")]).with_integrity(b"key").with_fingerprint()
    again = StunMessage.parse(bytes(message))
    assert again == message
    assert again.has_integrity(b"key")
    assert not binding_request(ID).has_integrity(b"key")


def test_errors() -> None:
    def error(value: bytes) -> StunMessage:
        return StunMessage(BINDING, MessageClass.ERROR, ID, ((Attribute.ERROR_CODE, value),))

    assert error(b"\x00\x00\x04\x01Unauthorized").error == (401, "Unauthorized")
    assert binding_request(ID).error is None
    with pytest.raises(BadPacket):
        _ = error(b"\x00").error


GOOD = bytes(binding_request(ID, [(Attribute.SOFTWARE, b"abcd")]))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[:19],
        GOOD[:-1],
        GOOD + b"\x00",
        b"\x80" + GOOD[1:],
        GOOD[:4] + bytes(4) + GOOD[8:],
        GOOD[:22] + b"\x00\x05" + GOOD[24:],
        GOOD[:22] + b"\xff\xff" + GOOD[24:],
    ],
)
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(BadPacket):
        StunMessage.parse(data)


@pytest.mark.parametrize(
    "value", [b"", b"\x00", b"\x00\x01\x00\x00", b"\x00\x03" + bytes(6), b"\x00\x02" + bytes(6)]
)
def test_what_is_no_address(value: bytes) -> None:
    message = StunMessage(BINDING, MessageClass.SUCCESS, ID, ((Attribute.XOR_MAPPED_ADDRESS, value),))
    with pytest.raises(BadPacket):
        _ = message.mapped_address


def test_told_apart_from_rtp_and_dtls() -> None:
    assert is_stun(GOOD)
    assert not is_stun(b"\x80" + GOOD[1:])  # RTP and RTCP: 128 to 191
    assert not is_stun(b"\x16" + GOOD[1:])  # DTLS: 20 to 63
    assert not is_stun(GOOD[:12])
    assert not is_stun(GOOD[:4] + bytes(16))


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for candidate in (data, GOOD[:8] + data):
        try:
            message = StunMessage.parse(candidate)
        except BadPacket:
            continue
        assert bytes(message)[:20] == candidate[:20]


@given(
    st.integers(0, 0xFFF),
    st.sampled_from(MessageClass),
    st.lists(st.tuples(st.integers(1, 0x7FFF), st.binary(max_size=9)), max_size=4),
)
def test_written_and_read(method: int, kind: MessageClass, attributes: list[tuple[int, bytes]]) -> None:
    message = StunMessage(method, kind, random.Random(1).randbytes(12), tuple(attributes))
    assert StunMessage.parse(bytes(message)) == message
