"""sipmedia/account.py"""

import pytest

from sipmedia import Account, InvalidAddress


def test_an_identity() -> None:
    account = Account("sip:alice@example.org:5070", 'Alice "Al" Smith')
    assert account.user == "alice"
    assert str(account.address) == '"Alice \\"Al\\" Smith" <sip:alice@example.org:5070>'


@pytest.mark.parametrize("uri", ["alice", "sip:example.org", "tel:+1555", "sip:alice@", "", "sip:a b@c"])
def test_what_is_none(uri: str) -> None:
    with pytest.raises(InvalidAddress, match=r"sip:alice@example\.org"):
        Account(uri)
