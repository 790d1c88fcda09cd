"""Where a redirected call goes next (RFC 3261 sections 8.1.3.4 and 21.3)."""

from __future__ import annotations

from collections.abc import Iterable

from dialog.address import NameAddr
from dialog.addressee import as_request_uri
from dialog.uri import SipUri, Uri

FOLLOWED = frozenset({300, 301, 302})
"""305 names a proxy and 380 another service: neither is another place of whom we call."""


class TargetSet:
    """The addresses of one call: those still to try, best first, and those that were tried.

    At most `limit` addresses are tried, none of them twice, so that it cannot loop. A call to a SIPS address
    goes to SIPS addresses only (section 26.4.4).
    """

    __slots__ = ("_left", "_limit", "_secure", "_tried")

    def __init__(self, first: Uri, limit: int) -> None:
        self._limit = limit
        self._secure = isinstance(first, SipUri) and first.scheme == "sips"
        self._tried = {_identity(first)}
        self._left: list[tuple[float, SipUri]] = []

    def add(self, contacts: Iterable[NameAddr]) -> None:
        """Take the Contacts of a 3xx. They go before those left of an earlier one, by their q values."""
        known = {_identity(uri) for _, uri in self._left} | self._tried
        found: list[tuple[float, SipUri]] = []
        for contact in contacts:
            uri = contact.uri
            if not isinstance(uri, SipUri) or (self._secure and uri.scheme != "sips"):
                continue
            if _identity(uri) not in known:
                known.add(_identity(uri))
                found.append((_quality(contact), as_request_uri(uri)))
        found.sort(key=lambda entry: -entry[0])
        self._left = (found + self._left)[: self._limit]

    def next(self) -> SipUri | None:
        """The next address to try; None when there is none, or enough have been tried."""
        if not self._left or len(self._tried) > self._limit:
            return None
        uri = self._left.pop(0)[1]
        self._tried.add(_identity(uri))
        return uri


def _identity(uri: Uri) -> str:
    return str(uri).lower()


def _quality(contact: NameAddr) -> float:
    """The q of a Contact; 1.0 without one (section 20.10), 0.0 when it cannot be read."""
    value = contact.params.get("q")
    if value is None:
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0
