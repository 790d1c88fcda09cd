"""sipmedia/registrar/location.py: by what a phone is found, and until when."""

from __future__ import annotations

from dialog.flow import Flow
from dialog.message import Request
from dialog.uri import SipUri, parse_uri
from sipmedia.registrar.location import Location

BOB = "bob", "example.org"
FLOW = Flow("TLS", ("10.0.0.1", 5061), ("10.0.0.2", 44950), 7)
"""The connection that bob's phone has made."""
OTHER = Flow("TLS", ("10.0.0.1", 5061), ("10.0.0.3", 44951), 8)


def register(
    location: Location, contact: str, flow: Flow = FLOW, *, sequence: int = 1, now: float = 0.0
) -> int:
    request = Request(
        "REGISTER",
        SipUri(None, "example.org"),
        [
            ("Via", "SIP/2.0/TLS 10.0.0.2;branch=z9hG4bKr"),
            ("To", "<sip:bob@example.org>"),
            ("From", "<sip:bob@example.org>;tag=b"),
            ("Call-ID", f"of {flow.connection}"),
            ("CSeq", f"{sequence} REGISTER"),
            ("Contact", contact),
        ],
    )
    status, _ = location.register(BOB, request, flow, now)
    return status


def way(location: Location, uri: str, now: float = 0.0) -> Flow | None:
    return location.flow_to(parse_uri(uri), now)


def test_a_phone_is_found_by_its_contact_whatever_user_that_has() -> None:
    location = Location()
    assert register(location, "<sip:bob-0x55e9@192.168.0.2:47062;transport=tls>;expires=60") == 200
    assert way(location, "sip:bob-0x55e9@192.168.0.2:47062") == FLOW
    assert way(location, "sip:carol@192.168.0.2:47062") is None  # another phone, behind a NAT of its own
    assert way(location, "sip:bob-0x55e9@192.168.0.2") is None
    assert way(location, "tel:+15550100") is None


def test_a_phone_is_found_by_the_end_of_its_flow() -> None:
    location = Location()
    register(location, "<sip:bob@192.168.0.2:47062;transport=tls>")
    assert way(location, "sip:anything@10.0.0.2:44950;transport=tls") == FLOW
    assert way(location, "sip:anything@10.0.0.3:44950") is None


def test_nobody_is_found_who_left() -> None:
    location, uri = Location(), "sip:bob@192.168.0.2:47062"
    register(location, f"<{uri}>;expires=60")
    assert way(location, uri, 59) == FLOW
    assert way(location, uri, 61) is None
    register(location, f"<{uri}>", sequence=2, now=61)
    location.drop(FLOW)
    assert way(location, uri, 62) is None
    assert location.addresses() == []
    register(location, f"<{uri}>", sequence=3, now=62)
    register(location, f"<{uri}>;expires=0", sequence=4, now=63)
    assert way(location, uri, 63) is None


def test_of_two_phones_one_leaves() -> None:
    location = Location()
    register(location, "<sip:bob@192.168.0.2>")
    register(location, "<sip:bob@192.168.0.3>", OTHER)
    location.drop(FLOW)
    assert way(location, "sip:bob@192.168.0.2") is None
    assert way(location, "sip:bob@192.168.0.3") == OTHER
