"""Addresses as people write them on a command line, and where to listen for calls to them."""

from __future__ import annotations

import ipaddress
import socket

from dialog.errors import ParseError
from dialog.uri import SipUri
from sipmedia.account import Account
from sipmedia.errors import InvalidAddress


def complete(target: str, domain: str = "") -> str:
    """``bob@host`` and ``127.0.0.1:5062`` with the scheme that is meant; ``bob`` alone is of ``domain``."""
    if target.partition(":")[0].lower() in ("sip", "sips", "tel"):
        return target
    if domain and not any(mark in target for mark in "@.:"):
        return f"sip:{target}@{domain}"
    return f"sip:{target}"


def dialable(target: str, domain: str = "") -> str:
    """The URI to call for what was typed, with ``domain`` for a bare name.

    :raises InvalidAddress: with what to write instead; at once, before a name is looked up as a host.
    """
    if not domain and target != "localhost" and not any(mark in target for mark in "@.:"):
        raise InvalidAddress(
            f"{target!r} has no host: write {target or 'bob'}@192.0.2.5, for instance, or name the account "
            "whose domain it is in (--account, or --user and --domain)"
        )
    uri = complete(target, domain)
    try:
        if not uri.lower().startswith("tel:"):
            SipUri.parse(uri)
    except ParseError as error:
        raise InvalidAddress(
            f"cannot call {target!r}: {error.reason}; write sip:bob@192.0.2.5:5060, for instance"
        ) from error
    return uri


def default_bind(target: str) -> str:
    """Where to listen for a call to ``target``: on loopback for a call on this machine, else everywhere."""
    try:
        host = ipaddress.ip_address(SipUri.parse(complete(target)).host)
    except (ParseError, ValueError):
        return "127.0.0.1:0" if "localhost" in target else "0.0.0.0:0"
    if host.version == 6:
        return "[::1]:0" if host.is_loopback else "[::]:0"
    return "127.0.0.1:0" if host.is_loopback else "0.0.0.0:0"


def own_host(bound: str, target: str) -> str:
    """The host to call ourselves by when we listen at ``bound``: of all addresses the one that is routed to
    ``target``, or nobody's (RFC 3323) where that cannot be said."""
    if bound not in ("0.0.0.0", "::"):
        return bound
    try:
        remote = ipaddress.ip_address(SipUri.parse(complete(target)).host)
        family = socket.AF_INET6 if remote.version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(remote), 5060))  # sends nothing
            return str(probe.getsockname()[0])
    except (ParseError, ValueError, OSError):
        return "anonymous.invalid"


def bind_for(account: Account) -> str:
    """Where to listen for an account: as for a call to its server."""
    proxies = account.proxies
    return default_bind(str(proxies[0].uri if proxies else account.home or account.uri))
