"""sipmedia/targets.py: what can be called, and where it is."""

from __future__ import annotations

import pytest

from dialog.errors import LocalProtocolError, ParseError
from sipmedia.errors import InvalidAddress
from sipmedia.targets import check_transport, host_of, why_not


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("sip:bob@10.0.0.1:5062", "10.0.0.1"),
        ("sip:bob@[fd00::1]", "fd00::1"),
        ("sip:bob@localhost", "127.0.0.1"),
        ("sip:bob@pbx.example;maddr=10.0.0.9", "10.0.0.9"),
        ("sip:bob@pbx.example", "192.0.2.1"),
        ("tel:+123", "192.0.2.1"),
    ],
)
def test_where_it_is(target: str, host: str) -> None:
    assert host_of(target) == host


def test_a_transport_that_the_phone_was_not_given() -> None:
    check_transport("sip:bob@10.0.0.1;transport=tcp", ("udp", "tcp"))
    check_transport("no URI at all", ("udp",))
    with pytest.raises(InvalidAddress, match="transports="):
        check_transport("sip:bob@10.0.0.1;transport=tls", ("udp", "tcp"))


def test_why_not() -> None:
    error = LocalProtocolError("cannot")
    error.__cause__ = ParseError(400, "Bad URI")
    assert why_not(error).startswith("Bad URI; write sip:bob@")
    assert why_not(LocalProtocolError("cannot")) == "cannot"
