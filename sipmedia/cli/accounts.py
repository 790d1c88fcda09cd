"""Which account a command uses: what its options say, or one of a file of accounts.

    # $XDG_CONFIG_HOME/sipmedia/accounts.toml, on most systems ~/.config/sipmedia/accounts.toml
    [accounts.work]
    user = "alice"
    domain = "example.org"
    password_env = "WORK_PASSWORD"      # or keyring = true; without both it is asked for
    registrar = "pbx.example.org:5060"  # and, as Account has them: outbound_proxy transport auth_user realm
                                        # display_name expires instance

Passwords come from the environment, from the system's keyring (``pip install '.[keyring]'``, service
"sipmedia", user ``alice@example.org``) or from who sits at the terminal; never from a file or an argument,
where others could read them.
"""

from __future__ import annotations

import getpass
import os
import signal
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from sipmedia.account import Account, Transport
from sipmedia.cli.device_choice import configuration_file
from sipmedia.errors import InvalidAddress

_TRANSPORTS: tuple[Transport, ...] = get_args(Transport)
_KNOWN = {
    "user", "domain", "registrar", "outbound_proxy", "transport", "auth_user", "realm", "display_name",
    "expires", "instance", "password_env", "keyring",
}  # fmt: skip
_SERVICE = "sipmedia"


def _option(metavar: str, words: str) -> Any:
    return typer.Option(metavar=metavar, help=words, rich_help_panel="Account")


@dataclass(frozen=True, slots=True)
class AccountOptions:
    """The options of accounts; "" is what was not said."""

    account: Annotated[
        str,
        _option("NAME", "Account of the file of accounts (~/.config/sipmedia/accounts.toml, or --config)."),
    ] = ""
    config: Annotated[Path | None, _option("FILE", "Another file of accounts.")] = None
    registrar: Annotated[
        str, _option("HOST:PORT", "The domain's server, when the domain does not lead there.")
    ] = ""
    domain: Annotated[str, _option("NAME", "What comes after the @.")] = ""
    user: Annotated[
        str, _option("NAME", "What comes before the @; sips:NAME for an identity that only TLS reaches.")
    ] = ""
    password_env: Annotated[
        str, _option("VAR", "Variable of the environment that holds the password; asked for without one.")
    ] = ""
    transport: Annotated[
        str, _option("udp|tcp|tls|ws|wss", "How to reach the server; by default as its URI or DNS say.")
    ] = ""

    @property
    def given(self) -> bool:
        """Whether any was, so that calls are somebody's."""
        return self != AccountOptions()

    def to_account(self) -> Account | None:
        """The account to use, with its password; ``None`` when no option named one.

        :raises InvalidAddress: with what to write instead.
        """
        if not self.given:
            return None
        values = self._from_file() if self.account or self.config is not None else {}
        for name in ("registrar", "domain", "user", "password_env", "transport"):
            if getattr(self, name):
                values[name] = getattr(self, name)
        return _build(values)

    def _from_file(self) -> dict[str, Any]:
        path = self.config or configuration_file().with_name("accounts.toml")
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InvalidAddress(f"there is no {path}: see `sipmedia register --help`") from None
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InvalidAddress(f"{path} cannot be read: {error}") from error
        accounts = document.get("accounts")
        if not isinstance(accounts, Mapping) or not accounts:
            raise InvalidAddress(f"{path} names no account: it needs a table [accounts.NAME]")
        name = self.account or next(iter(accounts))
        if name not in accounts:
            raise InvalidAddress(f"{path} has no account {name!r}, but {', '.join(accounts)}")
        values = accounts[name]
        if not isinstance(values, Mapping):
            raise InvalidAddress(f"{path}: {name!r} is no account: it needs a table [accounts.NAME]")
        return dict(values)


def _build(values: dict[str, Any]) -> Account:
    if "password" in values:
        raise InvalidAddress("a password does not belong in a file: name its variable with password_env")
    unknown = sorted(set(values) - _KNOWN)
    if unknown:
        raise InvalidAddress(f"an account has no {unknown[0]!r}: there are {', '.join(sorted(_KNOWN))}")
    user, registrar = str(values.get("user", "")), str(values.get("registrar", ""))
    domain = str(values.get("domain", "")) or registrar
    if not user or not (domain or "@" in user):
        raise InvalidAddress("an account needs a user, and a domain or a registrar (--user, --domain)")
    if "@" in user and "domain" in values:
        raise InvalidAddress(f"the domain is said twice: give --user {user} without --domain")
    try:
        expires = int(values.get("expires", 3600))
    except (TypeError, ValueError):
        raise InvalidAddress(f"expires = {values['expires']!r} is no number of seconds") from None
    account = Account(
        _address(user, domain),
        transport=_transport(str(values.get("transport", ""))),
        expires=expires,
        display_name=str(values.get("display_name", "")),
        auth_user=str(values.get("auth_user", "")),
        realm=str(values.get("realm", "")),
        registrar=registrar,
        outbound_proxy=str(values.get("outbound_proxy", "")),
        instance=str(values.get("instance", "")),
    )
    return _with_password(account, str(values.get("password_env", "")), bool(values.get("keyring", False)))


def _address(user: str, domain: str) -> str:
    """A bare name is of the domain, ``sips:alice`` too; an address that is written out is what it says."""
    scheme = "" if user.lower().startswith(("sip:", "sips:")) else "sip:"
    return f"{scheme}{user}" if "@" in user else f"{scheme}{user}@{domain}"


def _transport(text: str) -> Transport:
    for name in _TRANSPORTS:
        if name == text.lower():
            return name
    raise InvalidAddress(f"{text!r} is no transport: there are {', '.join(filter(None, _TRANSPORTS))}")


def _with_password(account: Account, variable: str, keyring: bool) -> Account:
    name = f"{account.auth_user or account.user}@{account.domain}"
    if variable:
        if variable not in os.environ:
            raise InvalidAddress(
                f"the environment has no {variable}, which is to hold the password of {name}"
            )
        return replace(account, password=os.environ[variable])
    if keyring:
        return replace(account, password=_from_keyring(name))
    if sys.stdin.isatty():
        return replace(account, password=_ask(f"Password of {name} (Enter: none): ") or None)
    return account


def _asked(prompt: str) -> str:
    """What is typed; Ctrl-C ends that at once (the event loop's handler would wait for the answer)."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return getpass.getpass(prompt)
    finally:
        signal.signal(signal.SIGINT, before)


_ask: Callable[[str], str] = _asked


def _from_keyring(name: str) -> str:
    try:
        import keyring
    except ImportError:
        raise InvalidAddress(
            "the keyring needs a package: pip install '.[keyring]' in the checkout"
        ) from None
    try:
        password = keyring.get_password(_SERVICE, name)
    except keyring.errors.KeyringError as error:
        raise InvalidAddress(f"the keyring cannot be read: {error}") from error
    if password is None:
        raise InvalidAddress(
            f"the keyring has no password of {name}: `keyring set {_SERVICE} {name}` adds it"
        )
    return str(password)
