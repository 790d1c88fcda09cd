"""URIs (RFC 3261 section 19.1): SIP and SIPS in full, every other scheme as an opaque text.

A `SipUri` holds its parts decoded (``%20`` is a space), so they can be compared and shown. What was parsed
is written back as it came; what was built is written with the escapes its characters need.
"""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from dialog.errors import ParseError
from dialog.grammar import SIP_URI, URI_SCHEME

__all__ = ["OpaqueUri", "SipUri", "Uri", "check_host", "format_host", "parse_uri"]

# What may stand unescaped, by the rules user, password, paramchar and hnv-unreserved of section 25.1;
# letters, digits and "-._~" are always allowed.
_USER_SAFE = "!*'()&=+$,;?/"
_PASSWORD_SAFE = "!*'()&=+$,"
_PARAM_SAFE = "!*'()[]/:&+$"
_HEADER_SAFE = "!*'()[]/?:+$"

# Section 19.1.4: these five tell two URIs apart even when only one of them has the parameter.
_DISTINGUISHING = ("user", "ttl", "method", "maddr", "transport")

_ESCAPED = re.compile("%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'()")
# Longer texts are parsed each time: what strangers send must not fill memory.
_CACHED_LENGTH = 200


def _decode(text: str) -> str:
    return urllib.parse.unquote(text, errors="surrogateescape") if "%" in text else text


def _encode(text: str, safe: str) -> str:
    return urllib.parse.quote(text, safe=safe, errors="surrogateescape")


def _normalise_escape(match: re.Match[str]) -> str:
    value = int(match[1], 16)
    return chr(value) if value in _UNRESERVED else match[0].upper()


@lru_cache(maxsize=256)
def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def check_host(text: str, field_name: str) -> str:
    """The host as we hold it: an IPv6 reference without its brackets; ParseError (400) if it is no IPv6."""
    if text[0] != "[":
        return text
    text = text[1:-1]
    if len(text) > 100 or not _is_ipv6(text):
        raise ParseError(400, f"Bad IPv6 Reference In {field_name}", field_name)
    return text


def format_host(host: str) -> str:
    """The host as it is written: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


@dataclass(frozen=True, slots=True, eq=False)
class SipUri:
    """A SIP or SIPS URI.

    `host` has no brackets and keeps its spelling; `params` has lower-case names, None where there is no
    value; `headers` are the name and value pairs after the "?". Two are equal by RFC 3261 section 19.1.4,
    which is not transitive; equal ones have the same hash.
    """

    user: str | None
    host: str
    port: int | None = None
    params: Mapping[str, str | None] = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()
    scheme: str = "sip"
    password: str | None = None
    _text: str = field(init=False, default="", repr=False)

    @classmethod
    def parse(cls, text: str) -> SipUri:
        """Read a sip: or sips: URI; ParseError (400) when it is malformed, (416) for another scheme."""
        uri = parse_uri(text)
        if isinstance(uri, SipUri):
            return uri
        raise ParseError(416, "Unsupported URI Scheme")

    @property
    def transport(self) -> str | None:
        """The transport parameter in lower case, if given."""
        transport = self.params.get("transport")
        return transport.lower() if transport else None

    @property
    def is_loose_router(self) -> bool:
        """Whether this is a loose router's URI (RFC 3261 section 16.12): it has `lr`."""
        return "lr" in self.params

    def _key(self) -> tuple[str, str, str, int | None]:
        text = str(self)
        userinfo, at, _ = text.partition("@")
        _, _, userinfo = userinfo.partition(":")
        return (
            self.scheme,
            _ESCAPED.sub(_normalise_escape, userinfo) if at else "",
            self.host.lower(),
            self.port,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SipUri):
            return NotImplemented
        if self._key() != other._key():
            return False
        mine, theirs = self.params, other.params
        for name in mine.keys() | theirs.keys():
            if ((name in mine and name in theirs) or name in _DISTINGUISHING) and (
                mine.get(name) or ""
            ).lower() != (theirs.get(name) or "").lower():
                return False
        return sorted((name.lower(), value) for name, value in self.headers) == sorted(
            (name.lower(), value) for name, value in other.headers
        )

    def __hash__(self) -> int:
        return hash(self._key())

    def __str__(self) -> str:
        return self._text or self._format()

    def _format(self) -> str:
        parts = [self.scheme, ":"]
        if self.user is not None:
            parts.append(_encode(self.user, _USER_SAFE))
            if self.password is not None:
                parts.append(f":{_encode(self.password, _PASSWORD_SAFE)}")
            parts.append("@")
        parts.append(format_host(self.host))
        if self.port is not None:
            parts.append(f":{self.port}")
        for name, value in self.params.items():
            name = _encode(name, _PARAM_SAFE)
            parts.append(f";{name}" if value is None else f";{name}={_encode(value, _PARAM_SAFE)}")
        if self.headers:
            parts.append("?")
            parts.append(
                "&".join(
                    f"{_encode(name, _HEADER_SAFE)}={_encode(value, _HEADER_SAFE)}"
                    for name, value in self.headers
                )
            )
        return "".join(parts)


@dataclass(frozen=True, slots=True)
class OpaqueUri:
    """A URI of a scheme that we do not look into: tel, http, urn, or one nobody knows."""

    scheme: str
    opaque: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.opaque}"


Uri: TypeAlias = SipUri | OpaqueUri
"""What stands in a Request-URI or an address."""


def parse_uri(text: str) -> Uri:
    """Read a URI of any scheme; ParseError (400) when it is malformed."""
    return _parse_cached(text) if len(text) <= _CACHED_LENGTH else _parse(text)


def _parse(text: str) -> Uri:
    match = SIP_URI.fullmatch(text)
    if match is not None:
        return _sip_uri(match)
    match = URI_SCHEME.fullmatch(text)
    if match is None or match[1].lower() in ("sip", "sips"):
        raise ParseError(400, "Bad URI")
    return OpaqueUri(match[1].lower(), match[2])


_parse_cached = lru_cache(maxsize=1024)(_parse)


def _sip_uri(match: re.Match[str]) -> SipUri:
    scheme, user, password, host, port, params, headers = match.groups()
    number = None
    if port is not None:
        number = int(port)
        if number > 65535:
            raise ParseError(400, "Bad Port In URI")
    uri = SipUri(
        None if user is None else _decode(user),
        check_host(host, "URI"),
        number,
        _split_params(params) if params else {},
        _split_headers(headers) if headers is not None else (),
        scheme.lower(),
        None if password is None else _decode(password),
    )
    object.__setattr__(uri, "_text", match[0])
    return uri


def _split_params(text: str) -> dict[str, str | None]:
    params: dict[str, str | None] = {}
    for part in text[1:].split(";"):
        name, equal, value = part.partition("=")
        name = _decode(name).lower()
        if not name or name in params:
            raise ParseError(400, "Bad URI Parameters")
        params[name] = _decode(value) if equal else None
    return params


def _split_headers(text: str) -> tuple[tuple[str, str], ...]:
    headers = []
    for part in text.split("&"):
        name, equal, value = part.partition("=")
        if not name or not equal:
            raise ParseError(400, "Bad URI Headers")
        headers.append((_decode(name), _decode(value)))
    return tuple(headers)
