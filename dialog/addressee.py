"""What of a URI goes into a request to it: Request-URI, To and header fields (RFC 3261 section 19.1.5)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dialog.uri import SipUri, Uri

_log = logging.getLogger(__name__)

_NOT_IN_TO = frozenset({"method", "maddr", "ttl", "transport", "lr"})

_HONOURED = frozenset(
    {
        "accept-contact",
        "call-info",
        "in-reply-to",
        "priority",
        "reject-contact",
        "reply-to",
        "request-disposition",
        "subject",
        "user-to-user",
    }
)
"""What a link may say of a call that it asks for. The rest would misstate who calls, what can be done or the
way to go (From, Route, Contact, Accept, a body), or take the place of another call (Replaces, which only a
Refer-To may hold: RFC 3891 section 3)."""


class Addressee(NamedTuple):
    """What a request to a URI is made of."""

    uri: Uri
    """Its Request-URI: without headers and method (section 19.1.1, table 1), in ASCII."""
    to: str
    """Its To: whom it is for, without the way there."""
    fields: tuple[tuple[str, str], ...]
    """The header fields that the URI asks for, but for those that are not a link's to say."""


def addressee(uri: Uri, headers: Iterable[tuple[str, str]] = ()) -> Addressee:
    """Take a URI that is dialled apart (section 19.1.5). What `headers` say already it does not say again."""
    if not isinstance(uri, SipUri):
        return Addressee(uri, f"<{uri}>", ())
    params = {name: value for name, value in uri.params.items() if name not in _NOT_IN_TO}
    to = SipUri(uri.user, uri.host, None, params, (), uri.scheme, uri.password)
    return Addressee(
        as_request_uri(uri), f"<{to}>", tuple(_fields(uri, {name.lower() for name, _ in headers}))
    )


def as_request_uri(uri: SipUri) -> SipUri:
    """Without what must not stand in a Request-URI, its other characters than ASCII escaped."""
    if not uri.headers and "method" not in uri.params and str(uri).isascii():
        return uri
    params = {name: value for name, value in uri.params.items() if name != "method"}
    return SipUri(uri.user, uri.host, uri.port, params, (), uri.scheme, uri.password)


def _fields(uri: SipUri, said: set[str]) -> Iterator[tuple[str, str]]:
    for name, value in uri.headers:
        # A line end would begin a field of its own; control characters have no place in a field.
        if name.lower() in _HONOURED - said and value.isprintable():
            said.add(name.lower())
            yield name, value
        else:
            _log.warning("the header field %a of the URI %a is not sent", name, str(uri))
