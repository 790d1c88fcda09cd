"""dialog/via.py"""

import pytest

from dialog.errors import ParseError
from dialog.via import Via


def test_plain() -> None:
    via = Via.parse("SIP/2.0/UDP 192.0.2.1:5061;branch=z9hG4bKabc;rport")
    assert (via.protocol, via.transport, via.host, via.port) == ("SIP/2.0", "UDP", "192.0.2.1", 5061)
    assert via.branch == "z9hG4bKabc"
    assert via.follows_rfc3261
    assert via.wants_rport
    assert via.rport is None
    assert via.received is None
    assert str(via) == "SIP/2.0/UDP 192.0.2.1:5061;branch=z9hG4bKabc;rport"


def test_white_space_everywhere() -> None:
    via = Via.parse("SIP  / 2.0 / tcp   spindle.example.com : 5060 ; branch  = z9hG4bK9ikj8 ; ttl = 16 ")
    assert via == Via("TCP", "spindle.example.com", 5060, {"branch": "z9hG4bK9ikj8", "ttl": "16"})


@pytest.mark.parametrize("received", ["[2001:db8::9:255]", "2001:db8::9:255"])
def test_received_with_and_without_delimiters(received: str) -> None:
    via = Via.parse(f"SIP/2.0/UDP [2001:db8::9:1];received={received};branch=z9hG4bKas3")
    assert via.host == "2001:db8::9:1"
    assert via.port is None
    assert via.received == "2001:db8::9:255"
    assert str(via) == f"SIP/2.0/UDP [2001:db8::9:1];received={received};branch=z9hG4bKas3"


def test_numbers() -> None:
    via = Via.parse("SIP/2.0/UDP h;rport=5062;ttl=16;maddr=224.2.0.1")
    assert (via.rport, via.ttl, via.maddr) == (5062, 16, "224.2.0.1")
    via = Via.parse("SIP/2.0/UDP h;rport=99999;ttl=x")
    assert (via.rport, via.ttl) == (None, None)


@pytest.mark.parametrize(
    ("branch", "follows"),
    [("", False), (";branch=abc", False), (";branch=z9hG4bK", False), (";branch=Z9HG4BKx", True)],
)
def test_follows_rfc3261(branch: str, follows: bool) -> None:
    assert Via.parse(f"SIP/2.0/UDP h{branch}").follows_rfc3261 is follows


def test_sent_by_does_not_mind_case() -> None:
    assert Via.parse("SIP/2.0/UDP Host.Example:5060").sent_by == ("host.example", 5060)


def test_other_protocols_are_read() -> None:
    assert Via.parse("SIP/7.0/UDP c.example.com;branch=z9hG4bKkdjuw").protocol == "SIP/7.0"
    assert Via.parse("SIP/2.0/UNKNOWN t4.example.com").transport == "UNKNOWN"


def test_with_params_keeps_the_order() -> None:
    via = Via.parse("SIP/2.0/UDP h;rport;branch=z9hG4bKx").with_params(rport="5070", received="192.0.2.7")
    assert str(via) == "SIP/2.0/UDP h;rport=5070;branch=z9hG4bKx;received=192.0.2.7"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0 UDP h",
        "SIP/2.0/UDP 192.0.2.15;;,;,,",
        "SIP/2.0/UDP h:",
        "SIP/2.0/UDP h:65536",
        "SIP/2.0/UDP h:123456",
        "SIP/2.0/UDP h x",
        "SIP/2.0/UDP [::1",
        "SIP/2.0/UDP [1:2]",
        "SIP/2.0/UDP ::1",
        "SIP/2.0/UDP h;branch=a;branch=b",
        "SIP/2.0/UDP " + "[" + ":" * 200 + "]",
    ],
)
def test_malformed(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        Via.parse(text)
    assert (caught.value.status, caught.value.field) == (400, "Via")


def test_equal_and_hashable() -> None:
    assert len({Via.parse("SIP/2.0/UDP h;branch=a"), Via.parse("SIP/2.0/UDP h;branch=a")}) == 1
