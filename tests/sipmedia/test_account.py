"""sipmedia/account.py"""

import pytest

from sipmedia import Account, InvalidAddress


def test_other_characters_than_ascii_are_escaped() -> None:
    account = Account("sip:b\xf6b@h", display_name="B\xf6b")
    assert (account.uri, account.user) == ("sip:b%C3%B6b@h", "b\xf6b")
    assert str(account.address).endswith("<sip:b%C3%B6b@h>")


def test_an_identity() -> None:
    account = Account("sip:alice@example.org:5070", 'Alice "Al" Smith')
    assert account.user == "alice"
    assert str(account.address) == '"Alice \\"Al\\" Smith" <sip:alice@example.org:5070>'


@pytest.mark.parametrize("uri", ["alice", "sip:example.org", "tel:+1555", "sip:alice@", "", "sip:a b@c"])
def test_what_is_none(uri: str) -> None:
    with pytest.raises(InvalidAddress, match=r"sip:alice@example\.org"):
        Account(uri)


@pytest.mark.parametrize(
    ("account", "transports"),
    [
        (Account("sip:al@example.org"), []),
        (Account("sips:al@example.org"), ["tls"]),
        (Account("sip:al@example.org", transport="tcp"), ["tcp"]),
        (Account("sip:al@example.org", registrar="pbx", transport="tls"), ["tls"]),
        (Account("sip:al@example.org", outbound_proxy="sip:edge;transport=TCP"), ["tcp"]),
    ],
)
def test_the_transports_it_needs(account: Account, transports: list[str]) -> None:
    assert account.transports == transports


def test_the_servers_of_a_secure_identity_are_secure() -> None:
    account = Account("sips:al@example.org", registrar="pbx:5071", outbound_proxy="edge")
    assert str(account.home) == "sips:pbx:5071"
    assert [str(proxy) for proxy in account.proxies] == ["<sips:edge;lr>"]
    assert str(Account("sips:al@h", registrar="sip:pbx;transport=tls").home) == "sip:pbx;transport=tls"
    assert str(Account("sips:al@h", registrar="pbx", transport="wss").home) == "sip:pbx;transport=wss"
