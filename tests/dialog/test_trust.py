"""Whose word counts about who somebody is (RFC 3325)."""

from __future__ import annotations

import pytest

from dialog.flow import Flow
from dialog.trust import Trust
from dialog.uri import parse_uri

HERE = ("192.0.2.1", 5060)


def flow(host: str, transport: str = "UDP", port: int = 5060) -> Flow:
    return Flow(transport, HERE, (host, port), 0 if transport == "UDP" else 1)


def test_nobody_at_first() -> None:
    assert not Trust().believes(flow("192.0.2.2"))


def test_where_an_account_is_registered_whatever_the_port() -> None:
    trust = Trust()
    trust.add(flow("192.0.2.2"))
    assert trust.believes(flow("192.0.2.2", port=40000))
    assert trust.believes(flow("192.0.2.2", "TCP"))
    assert not trust.believes(flow("192.0.2.3"))


def test_a_server_used_by_tls_is_believed_by_tls_only() -> None:
    trust = Trust()
    trust.add(flow("192.0.2.2", "TLS"))
    assert trust.believes(flow("192.0.2.2", "TLS"))
    assert not trust.believes(flow("192.0.2.2"))
    trust.add(flow("192.0.2.2"))  # another account, in the clear
    assert trust.believes(flow("192.0.2.2"))


@pytest.mark.parametrize(
    ("server", "believed"),
    [
        ("sip:192.0.2.2:5070", {"UDP", "TCP", "TLS"}),
        ("sip:192.0.2.2;transport=tls", {"TLS"}),
        ("sips:192.0.2.2", {"TLS"}),
        ("sip:192.0.2.9", set()),
        ("tel:+15550100", set()),
    ],
)
def test_what_the_settings_name(server: str, believed: set[str]) -> None:
    trust = Trust()
    trust.name(parse_uri(server))
    assert {name for name in ("UDP", "TCP", "TLS") if trust.believes(flow("192.0.2.2", name))} == believed


def test_two_accounts_may_use_one_server_in_two_ways() -> None:
    trust = Trust()
    trust.name(parse_uri("sip:192.0.2.2"))
    trust.name(parse_uri("sip:192.0.2.2;transport=tls"))
    assert trust.believes(flow("192.0.2.2"))


def test_a_name_is_where_requests_to_it_go() -> None:
    trust = Trust()
    trust.name(parse_uri("sip:Proxy.example.com"))
    assert not trust.believes(flow("192.0.2.2"))
    trust.sent(parse_uri("sip:elsewhere.example.com"), flow("192.0.2.3"))
    trust.sent(parse_uri("sip:proxy.example.com:5070"), flow("192.0.2.2"))
    assert trust.believes(flow("192.0.2.2"))
    assert not trust.believes(flow("192.0.2.3"))


def test_networks_that_the_application_names() -> None:
    trust = Trust(["10.1.0.0/16", "192.0.2.7", "2001:db8::/32", "10.2.3.4/24"])
    believed = ["10.1.2.3", "192.0.2.7", "2001:db8::1", "10.2.3.99"]
    assert [
        host for host in (*believed, "10.3.0.1", "192.0.2.8", "::1") if trust.believes(flow(host))
    ] == believed
    with pytest.raises(ValueError, match="nonsense"):
        Trust(["nonsense"])


def test_what_is_remembered_is_bounded() -> None:
    trust = Trust()
    for number in range(1100):
        trust.add(flow(f"10.0.{number // 256}.{number % 256}"))
    assert not trust.believes(flow("10.0.0.0"))
    assert trust.believes(flow("10.0.4.75"))
