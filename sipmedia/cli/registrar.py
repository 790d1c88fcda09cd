"""``sipmedia registrar``: a small registrar and proxy, to try registration with nothing else installed."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from pathlib import Path

from dialog.tls_settings import TlsSettings
from sipmedia.cli.exits import Exit, failed
from sipmedia.cli.output import Output
from sipmedia.cli.stopping import stop_by_signal
from sipmedia.config import format_address
from sipmedia.errors import InvalidAddress, SipMediaError
from sipmedia.registrar import BindingsChanged, Registrar, RequestRefused, RequestRouted


async def serve_domain(
    domain: str,
    out: Output,
    *,
    bind: str,
    users: Sequence[str] = (),
    password_envs: Sequence[str] = (),
    config: Path | None = None,
    algorithms: Sequence[str] = (),
    tls: TlsSettings | None = None,
    tls_port: int | None = None,
) -> Exit:
    """Be the registrar of ``domain`` until Ctrl-C; ``algorithms`` of Digest, without any MD5."""
    try:
        registrar = Registrar(
            domain,
            read_users(users, password_envs, config),
            bind=bind,
            algorithms=algorithms or ("MD5",),
            tls=tls,
            tls_port=tls_port,
        )
        registrar.on("bindings", lambda event: _on_bindings(event, out))
        registrar.on("routed", lambda event: _on_routed(event, out))
        registrar.on("refused", lambda event: _on_refused(event, out))
        registrar.on("error", out.trouble)
        with stop_by_signal(out) as stop:
            async with registrar:
                address = format_address(*registrar.address)
                known = registrar.policy.users
                who = "anybody, without a password" if known is None else ", ".join(known)
                secure = registrar.address_of("tls")
                by_tls = "" if secure is None else format_address(*secure)
                out.event(
                    "listening",
                    f"registrar of {domain} on {address}{by_tls and f', by TLS on {by_tls}'}, for {who}",
                    address=address, tls_address=by_tls or None, domain=domain,
                    users=None if known is None else list(known),
                )  # fmt: skip
                await stop.asked
    except SipMediaError as error:
        return failed(error, out)
    out.summary(exit_code=Exit.TALKED, meaning="it was stopped")
    return Exit.TALKED


def read_users(
    users: Sequence[str], password_envs: Sequence[str], config: Path | None
) -> dict[str, str] | None:
    """Names and passwords; ``None`` when none was named: everybody is let in.

    Each user has a variable of the environment, in the order given, or all have the only one. ``config`` is
    a TOML file whose ``[users]`` maps names to variables. :raises InvalidAddress: for what is missing.
    """
    if not users and config is None:
        if password_envs:
            raise InvalidAddress("a password for whom: give --user with each --password-env")
        return None
    named = list(password_envs) * (len(users) if len(password_envs) == 1 else 1)
    variables = dict(zip(users, named, strict=False))
    if len(named) != len(users):
        raise InvalidAddress("every --user needs a --password-env, or all of them one")
    if config is not None:
        try:
            table = tomllib.loads(config.read_text(encoding="utf-8")).get("users", {})
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InvalidAddress(f"{config} cannot be read: {error}") from error
        if not isinstance(table, dict) or not table:
            raise InvalidAddress(
                f'{config} names no users: write [users], and below alice = "ALICE_PASSWORD"'
            )
        variables.update({str(name): str(variable) for name, variable in table.items()})
    missing = [variable for variable in variables.values() if variable not in os.environ]
    if missing:
        raise InvalidAddress(f"the environment has no {missing[0]}, which is to hold a password")
    return {name: os.environ[variable] for name, variable in variables.items()}


def _on_bindings(event: BindingsChanged, out: Output) -> None:
    where = ", ".join(f"{uri} ({seconds} s)" for uri, seconds in event.contacts)
    words = f"{event.user} is at {where}" if where else f"{event.user} is gone"
    out.event("bindings", words, user=event.user, contacts=[list(contact) for contact in event.contacts])


def _on_routed(event: RequestRouted, out: Output) -> None:
    out.event(
        "routed", f"{event.method} from {event.sender} to {event.recipient}: {', '.join(event.targets)}",
        method=event.method, sender=event.sender, recipient=event.recipient, targets=list(event.targets),
    )  # fmt: skip


def _on_refused(event: RequestRefused, out: Output) -> None:
    out.event(
        "refused", f"{event.method} from {event.sender} to {event.recipient}: {event.status}, {event.why}",
        method=event.method, sender=event.sender, recipient=event.recipient, status=event.status,
        why=event.why,
    )  # fmt: skip
