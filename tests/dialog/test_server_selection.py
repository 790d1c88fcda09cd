"""What URIs ask for, and what domains offer."""

from __future__ import annotations

import pytest

from dialog.dns import Naptr
from dialog.server_selection import Wish, is_ip_address, offered, srv_name, wish_for
from dialog.uri import parse_uri

ALL = ("UDP", "TCP", "TLS", "WS", "WSS")


@pytest.mark.parametrize(
    ("uri", "wish"),
    [
        ("sip:bob@192.0.2.2", Wish("192.0.2.2", None, ("UDP", "TCP", "TLS"), False)),
        ("sip:[2001:db8::1]:5070;transport=UDP", Wish("2001:db8::1", 5070, ("UDP",), True)),
        ("sip:bob@example.com;maddr=192.0.2.9", Wish("192.0.2.9", None, ("UDP", "TCP", "TLS"), False)),
        ("sip:bob@example.com;transport=tcp", Wish("example.com", None, ("TCP",), True)),
        ("sip:bob@example.com;transport=tls", Wish("example.com", None, ("TLS",), True)),
        ("sips:bob@example.com", Wish("example.com", None, ("TLS",), False)),
        ("sips:bob@example.com;transport=tcp", Wish("example.com", None, ("TLS",), True)),
        ("sips:bob@example.com;transport=ws", Wish("example.com", None, ("WSS",), True)),
        ("sip:bob@example.com;transport=ws", Wish("example.com", None, ("WS",), True)),
    ],
)
def test_what_a_uri_asks_for(uri: str, wish: Wish) -> None:
    assert wish_for(parse_uri(uri), ALL) == wish


@pytest.mark.parametrize(
    ("uri", "supported", "why"),
    [
        ("tel:+123", ALL, "tel: URIs cannot be called, only sip: and sips:"),
        (
            "sips:bob@example.com",
            ("UDP", "TCP"),
            "sips:bob@example.com needs TLS, which is not among the transports in use (udp, tcp)",
        ),
        (
            "sip:bob@example.com;transport=tls",
            ("UDP",),
            "sip:bob@example.com;transport=tls asks for tls, which is not among the transports in use (udp)",
        ),
        (
            "sip:bob@example.com;transport=sctp",
            ALL,
            "sip:bob@example.com;transport=sctp asks for sctp, which is not among the transports in use "
            "(udp, tcp, tls, ws, wss)",
        ),
        (
            "sips:bob@example.com;transport=udp",
            ALL,
            "sips:bob@example.com;transport=udp asks for udp, which is not among the transports in use "
            "(udp, tcp, tls, ws, wss)",
        ),
        (
            "sip:bob@example.com",
            ("WS",),
            "sip:bob@example.com needs UDP or TCP, which is not among the transports in use (ws)",
        ),
    ],
)
def test_why_there_is_no_way(uri: str, supported: tuple[str, ...], why: str) -> None:
    assert wish_for(parse_uri(uri), supported) == why


def test_only_what_leaves_things_open_needs_records() -> None:
    assert Wish("192.0.2.2", None, ("UDP",), False).is_direct
    assert Wish("example.com", 5060, ("UDP",), False).is_direct
    assert not Wish("example.com", None, ("UDP",), True).is_direct


def test_services_in_the_order_of_the_domain() -> None:
    records = [
        Naptr(60, 50, "s", "SIP+D2U", "_sip._udp.example.com."),
        Naptr(50, 50, "S", "sips+d2t", "_sips._tcp.Example.com."),
        Naptr(50, 60, "s", "SIP+D2T", "_sip._tcp.example.com."),
        Naptr(10, 10, "s", "SIP+D2S", "_sip._sctp.example.com."),
        Naptr(10, 10, "u", "E2U+sip", ""),
    ]
    wish = Wish("example.com", None, ("UDP", "TCP", "TLS"), False)
    assert offered(records, wish) == [
        ("TLS", "_sips._tcp.example.com"),
        ("TCP", "_sip._tcp.example.com"),
        ("UDP", "_sip._udp.example.com"),
    ]
    assert offered(records, wish._replace(transports=("TLS",))) == [("TLS", "_sips._tcp.example.com")]


def test_names_of_srv_records() -> None:
    assert srv_name("TLS", "example.com") == "_sips._tcp.example.com"
    assert srv_name("WSS", "example.com") == "_sips._ws.example.com"


def test_addresses_and_names_are_told_apart() -> None:
    assert is_ip_address("192.0.2.1")
    assert is_ip_address("2001:db8::1")
    assert not is_ip_address("192.0.2.1.example.com")
    assert not is_ip_address("localhost")
