"""sipmedia/cli/accounts.py: options, the file of accounts, and where passwords come from."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest

from sipmedia.account import Account
from sipmedia.cli import accounts
from sipmedia.cli.accounts import AccountOptions
from sipmedia.cli.addresses import bind_for, complete
from sipmedia.errors import InvalidAddress

FILE = """
[accounts.work]
user = "alice"
domain = "example.org"
password_env = "WORK"
registrar = "pbx:5070"
transport = "TCP"
auth_user = "1001"
display_name = "Alice"
expires = 600

[accounts.home]
user = "ally"
domain = "home.example"
keyring = true
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "accounts.toml"
    path.write_text(FILE, encoding="utf-8")
    return path


def made(**options: Any) -> Account:
    account = AccountOptions(**options).to_account()
    assert account is not None
    return account


def test_without_an_option_there_is_no_account() -> None:
    assert AccountOptions().to_account() is None


def test_from_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "wonderland")
    account = made(user="alice", domain="example.org", registrar="127.0.0.1:5070", password_env="PW")
    assert (account.uri, account.registrar, account.password) == (
        "sip:alice@example.org", "127.0.0.1:5070", "wonderland"
    )  # fmt: skip
    assert "wonderland" not in repr(account)
    # The registrar's address stands in for a domain that is not named.
    assert made(user="alice", registrar="127.0.0.1:5070").uri == "sip:alice@127.0.0.1:5070"


def test_from_the_file(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORK", "one")
    account = made(account="work", config=config)
    assert account == Account(
        "sip:alice@example.org", "Alice", "one", registrar="pbx:5070", transport="tcp", auth_user="1001",
        expires=600,
    )  # fmt: skip
    assert made(config=config) == account  # the first one
    # An option counts more than the file.
    assert made(config=config, transport="tls").transport == "tls"


def test_where_the_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("APPDATA", str(tmp_path))
    monkeypatch.setenv("WORK", "one")
    folder = tmp_path / "sipmedia"
    folder.mkdir()
    (folder / "accounts.toml").write_text(FILE, encoding="utf-8")
    assert made(account="work").user == "alice"


class Keyring(ModuleType):
    """Stands in for the package."""

    passwords: ClassVar = {("sipmedia", "ally@home.example"): "two"}
    errors: ClassVar = SimpleNamespace(KeyringError=RuntimeError)

    def get_password(self, service: str, name: str) -> str | None:
        if not self.passwords:
            raise RuntimeError("locked")
        return self.passwords.get((service, name))


def test_from_the_keyring(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ring = Keyring("keyring")
    monkeypatch.setitem(sys.modules, "keyring", ring)
    assert made(account="home", config=config).password == "two"
    with pytest.raises(InvalidAddress, match="has no password of bob@home"):
        made(account="home", config=config, user="bob")
    monkeypatch.setattr(Keyring, "passwords", {})
    with pytest.raises(InvalidAddress, match="locked"):
        made(account="home", config=config)


def test_without_the_keyring_package(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(InvalidAddress, match=r"pip install '\.\[keyring\]'"):
        made(account="home", config=config)


@pytest.mark.parametrize(("typed", "password"), [("three", "three"), ("", None)])
def test_asked_for_at_a_terminal(monkeypatch: pytest.MonkeyPatch, typed: str, password: str | None) -> None:
    asked = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return typed

    monkeypatch.setattr(accounts, "_ask", ask)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert made(user="alice", domain="example.org").password == password
    assert asked == ["Password of alice@example.org (Enter: none): "]


def test_nobody_there_to_be_asked() -> None:
    assert made(user="alice", domain="example.org").password is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[accounts.work]\nuser = 'a'\ndomain = 'b'\npassword = 'x'", "does not belong in a file"),
        ("[accounts.work]\nuser = 'a'\ndomain = 'b'\ncolour = 'x'", "has no 'colour'"),
        ("[accounts.work]\nuser = 'a'", "needs a user, and a domain"),
        ("[accounts.work]\nuser = 'a'\ndomain = 'b'\ntransport = 'sctp'", "is no transport"),
        ("[accounts.work]\nuser = 'a'\ndomain = 'b'\nexpires = 'soon'", "no number of seconds"),
        ("[accounts.work]\nuser = 'a b'\ndomain = 'b'", "no SIP identity"),
        ("[accounts.home]\nuser = 'a'", "has no account 'work', but home"),
        ("[accounts]\nwork = 3", "'work' is no account: it needs a table"),
        ("accounts = 3", "names no account"),
        ("= =", "cannot be read"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "accounts.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidAddress, match=why):
        made(account="work", config=path)


def test_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InvalidAddress, match="there is no"):
        made(account="work", config=tmp_path / "none.toml")
    with pytest.raises(InvalidAddress, match="environment has no SIPMEDIA_NOT_SET"):
        made(user="alice", domain="example.org", password_env="SIPMEDIA_NOT_SET")


@pytest.mark.parametrize(
    ("options", "uri"),
    [
        ({"user": "sips:alice", "domain": "example.org"}, "sips:alice@example.org"),
        ({"user": "SIP:alice", "registrar": "pbx"}, "SIP:alice@pbx"),
        ({"user": "sips:alice@example.org", "registrar": "pbx"}, "sips:alice@example.org"),
        ({"user": "alice@example.org"}, "sip:alice@example.org"),
    ],
)
def test_a_user_may_be_an_address(options: dict[str, str], uri: str) -> None:
    assert made(**options).uri == uri


def test_a_domain_that_is_said_twice() -> None:
    with pytest.raises(InvalidAddress, match="said twice"):
        made(user="alice@example.org", domain="example.com")


@pytest.mark.parametrize(
    ("typed", "uri"),
    [("bob", "sip:bob@example.org"), ("bob@b", "sip:bob@b"), ("pbx.b", "sip:pbx.b"), ("sips:x", "sips:x")],
)
def test_a_bare_name_is_of_our_domain(typed: str, uri: str) -> None:
    assert complete(typed, "example.org") == uri


@pytest.mark.parametrize(
    ("account", "bind"),
    [
        (Account("sip:a@b.example"), "0.0.0.0:0"),
        (Account("sip:a@b.example", registrar="127.0.0.1:5070"), "127.0.0.1:0"),
        (Account("sip:a@b.example", outbound_proxy="[::1]:5070", registrar="10.0.0.1"), "[::1]:0"),
    ],
)
def test_where_an_account_listens(account: Account, bind: str) -> None:
    assert bind_for(account) == bind
