"""sipmedia/config.py: addresses and ranges as people write them."""

import pytest

from sipmedia import InvalidAddress
from sipmedia.config import format_address, parse_bind, parse_port_range


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:5062", ("127.0.0.1", 5062)),
        ("[::1]:5062", ("::1", 5062)),
        ("[::]", ("::", 5060)),
        ("0.0.0.0", ("0.0.0.0", 5060)),
        (":0", ("127.0.0.1", 0)),
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_bind_addresses(text: str, expected: tuple[str, int]) -> None:
    assert parse_bind(text) == expected
    assert parse_bind(format_address(*expected)) == expected


@pytest.mark.parametrize(
    "text", ["", "::1", "::1:5060", "host:port", "1.2.3.4:65536", "[1.2.3.4", "a b:1", "x:-1"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(InvalidAddress):
        parse_bind(text)


def test_port_ranges() -> None:
    assert parse_port_range("10000-10100") == (10000, 10100)
    for text in ("10000", "a-b", "-", "1-2-3", ""):
        with pytest.raises(InvalidAddress, match="MIN-MAX"):
            parse_port_range(text)
