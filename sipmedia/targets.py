"""What is called: whether a phone can, why not, and where it is."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from dialog.errors import ParseError
from dialog.server_selection import wish_for
from dialog.uri import SipUri
from sipmedia.errors import InvalidAddress

_SOMEWHERE = "192.0.2.1"
"""An address that is nowhere (RFC 5737): the way to it is the default route."""


def check_transport(target: str, transports: Sequence[str]) -> None:
    """:raises InvalidAddress: for a SIP URI that asks for a transport the phone was not given."""
    try:
        uri = SipUri.parse(target)
    except ParseError:
        return  # said better by who calls it
    wish = wish_for(uri, [name.upper() for name in transports])
    if isinstance(wish, str):
        raise InvalidAddress(f"cannot call {target!r}: {wish}; name it in transports=, or call another URI")


def why_not(error: Exception) -> str:
    """What is wrong with a URI, in the words of who read it, or why it cannot be called."""
    cause = error.__cause__ or error
    if isinstance(cause, ParseError):
        return f"{cause.reason}; write sip:bob@192.0.2.5:5060, for instance"
    return str(error)


def host_of(target: str) -> str:
    """The address a URI names. A name that is to be looked up is taken to be where most peers are."""
    try:
        uri = SipUri.parse(target)
        host = uri.params.get("maddr") or uri.host
        return "127.0.0.1" if host == "localhost" else str(ipaddress.ip_address(host))
    except (ParseError, ValueError):  # the first is refused when it is dialled
        return _SOMEWHERE
