"""The two bodies of keys in INFO."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipmedia.info_dtmf import PLAIN, RELAY, parse, plain_body, relay_body


@pytest.mark.parametrize("digit", "0123456789*#ABCD!")
def test_there_and_back(digit: str) -> None:
    assert parse(RELAY, relay_body(digit, 160)) == (digit, 160)
    assert parse(PLAIN, plain_body(digit)) == (digit, 100)


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b"Signal=5\r\nDuration=160\r\n", ("5", 160)),
        (b"Signal= 5\nDuration= 160", ("5", 160)),
        (b"duration=250\r\nSIGNAL=a\r\n", ("A", 250)),
        (b"Signal=11\r\n", ("#", 100)),
        (b"Signal=*\r\nDuration=x", ("*", 100)),
        (b"Signal=7\r\nDuration=999999", ("7", 60000)),
        (b"Signal=\r\nDuration=160", None),
        (b"Signal=17", None),
        (b"Signal=E", None),
        (b"", None),
        (b"\xff\xfe", None),
    ],
)
def test_relay_as_devices_write_it(body: bytes, key: tuple[str, int] | None) -> None:
    assert parse(RELAY, body) == key


@pytest.mark.parametrize(
    ("body", "key"), [(b" 5\r\n", "5"), (b"10", "*"), (b"d", "D"), (b"55", None), (b"", None)]
)
def test_plain(body: bytes, key: str | None) -> None:
    assert parse(PLAIN, body) == (None if key is None else (key, 100))


def test_other_bodies() -> None:
    assert parse("application/sdp", b"5") is None
    assert parse("", b"5") is None


@given(st.sampled_from([RELAY, PLAIN]), st.binary(max_size=60))
def test_any_bytes(content_type: str, body: bytes) -> None:
    key = parse(content_type, body)
    assert key is None or (len(key[0]) == 1 and 0 <= key[1] <= 60000)
