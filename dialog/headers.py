"""The header fields of a message: an ordered list that is searched by name (RFC 3261 section 7.3).

Every field is kept as it came, in its order and spelling, unknown ones too. Look-ups do not mind case or
compact forms: `headers.get("via")` finds ``V:``. What we add is written with its long name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dialog.errors import LocalProtocolError, ParseError
from dialog.grammar import LIST_ELEMENT, TOKEN

__all__ = ["Headers", "field_key", "split_list"]

# The IANA registry "SIP Parameters: Header Fields", compact form column.
_COMPACT = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}

_WITHOUT_COMPACT = """
Accept Accept-Encoding Accept-Language Alert-Info Allow Authentication-Info Authorization Call-Info
Content-Disposition Content-ID Content-Language CSeq Date Diversion Error-Info Expires Geolocation
History-Info Info-Package In-Reply-To Join Max-Forwards MIME-Version Min-Expires Min-SE Organization
P-Access-Network-Info P-Asserted-Identity P-Early-Media P-Preferred-Identity Path Priority Privacy
Proxy-Authenticate Proxy-Authorization Proxy-Require RAck Reason Record-Route Recv-Info Replaces
Reply-To Require Retry-After Route RSeq Server Service-Route SIP-ETag SIP-If-Match Subscription-State
Target-Dialog Timestamp Unsupported User-Agent User-to-User Warning WWW-Authenticate
"""

_NAMES = (*_COMPACT.values(), *_WITHOUT_COMPACT.split())
_LONG_NAMES = {name.lower(): name for name in _NAMES}

_SECRET = frozenset({"authorization", "proxy-authorization"})
"""What a password could be guessed from is in no repr."""

# Spellings that need no work: as registered, all lower, all upper, compact in both cases.
_KEYS = {spelling: name.lower() for name in _NAMES for spelling in (name, name.lower(), name.upper())} | {
    spelling: name.lower() for compact, name in _COMPACT.items() for spelling in (compact, compact.upper())
}


def field_key(name: str) -> str | None:
    """The long name in lower case that `name` is looked up by; None when it is no token."""
    key = _KEYS.get(name)
    if key is not None:
        return key
    if TOKEN.fullmatch(name) is None:
        return None
    key = name.lower()
    return _KEYS.get(key, key)


def split_list(value: str) -> list[str]:
    """The elements of a comma-separated value, stripped; empty ones are dropped.

    Commas in quotes and angle brackets do not separate. ParseError (400) when one of those does not end.
    """
    if "," not in value:
        value = value.strip(" \t")
        return [value] if value else []
    if '"' not in value and "<" not in value:
        elements = value.split(",")
    else:
        elements = []
        position, end = 0, len(value)
        while position <= end:
            match = LIST_ELEMENT.match(value, position)
            # The pattern matches the empty string, so there always is a match.
            stop = match.end() if match else position
            elements.append(value[position:stop])
            if stop < end and value[stop] != ",":
                raise ParseError(400, "Unbalanced Quotes Or Brackets")
            position = stop + 1
    return [stripped for element in elements if (stripped := element.strip(" \t"))]


def _check(value: str) -> str:
    if "\n" in value or "\r" in value:
        raise LocalProtocolError(f"a header value must not hold a line end: {value!r}")
    return value


class Headers:
    """An ordered, searchable list of header fields.

    Iteration gives `(name, value)` pairs in order. Names are matched without regard to case and compact
    forms. LocalProtocolError when a name that we add is no token or a value holds a line end.
    """

    __slots__ = ("_index", "_items", "parsed")

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._items: list[tuple[str, str, str]] = []  # key, name, value
        self._index: dict[str, list[str]] | None = None
        #: What `Message` has read from the values, by accessor; emptied whenever a field changes.
        self.parsed: dict[str, Any] = {}
        for name, value in fields:
            self._items.append(self._item(name, value))

    @classmethod
    def from_items(cls, items: list[tuple[str, str, str]]) -> Headers:
        """Take over a list of (key, name, value) whose keys and values were checked by the parser."""
        headers = cls.__new__(cls)
        headers._items = items
        headers._index = None
        headers.parsed = {}
        return headers

    @staticmethod
    def _item(name: str, value: str) -> tuple[str, str, str]:
        key = field_key(name)
        if key is None:
            raise LocalProtocolError(f"{name!r} is not a header field name")
        return key, _LONG_NAMES.get(key, name), _check(value)

    @staticmethod
    def _key(name: str) -> str:
        return _KEYS.get(name) or field_key(name) or name

    def _changed(self) -> None:
        self._index = None
        if self.parsed:
            self.parsed = {}

    def _indexed(self) -> dict[str, list[str]]:
        index: dict[str, list[str]] = {}
        for key, _, value in self._items:
            if key in index:
                index[key].append(value)
            else:
                index[key] = [value]
        self._index = index
        return index

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of the first field of that name."""
        values = (self._index or self._indexed()).get(_KEYS.get(name) or self._key(name))
        return values[0] if values else default

    def get_all(self, name: str) -> list[str]:
        """The values of all fields of that name, as they stand."""
        return list((self._index or self._indexed()).get(self._key(name), ()))

    def count(self, name: str) -> int:
        """How many fields have that name."""
        return len((self._index or self._indexed()).get(self._key(name), ()))

    def first_repeated(self, names: Iterable[str]) -> str | None:
        """The first of these names that more than one field has."""
        index = self._index or self._indexed()
        if len(index) == len(self._items):
            return None
        return next((name for name in names if len(index.get(self._key(name), ())) > 1), None)

    def split_all(self, name: str) -> list[str]:
        """The elements of all fields of that name, each a comma-separated list; ParseError (400)."""
        elements: list[str] = []
        for value in (self._index or self._indexed()).get(self._key(name), ()):
            try:
                elements += split_list(value)
            except ParseError as error:
                raise ParseError(400, error.reason, name) from None
        return elements

    def items_of(self, keys: Iterable[str]) -> list[tuple[str, str, str]]:
        """The (key, name, value) triples of the fields with these lower-case long names, in order."""
        return [item for item in self._items if item[0] in keys]

    def add(self, name: str, value: str) -> None:
        """Append a field."""
        self._items.append(self._item(name, value))
        self._changed()

    def insert(self, name: str, value: str) -> None:
        """Put a field above all others."""
        self._items.insert(0, self._item(name, value))
        self._changed()

    def set(self, name: str, value: str) -> None:
        """Replace the first field of that name where it stands and drop the others, or append it."""
        new = self._item(name, value)
        items: list[tuple[str, str, str]] = []
        placed = False
        for item in self._items:
            if item[0] != new[0]:
                items.append(item)
            elif not placed:
                items.append(new)
                placed = True
        if not placed:
            items.append(new)
        self._items = items
        self._changed()

    def replace_first(self, name: str, value: str) -> None:
        """Replace the first field of that name where it stands and keep the others; KeyError if none."""
        new = self._item(name, value)
        for position, item in enumerate(self._items):
            if item[0] == new[0]:
                self._items[position] = new
                self._changed()
                return
        raise KeyError(name)

    def remove(self, name: str) -> None:
        """Drop all fields of that name; none is fine."""
        key = self._key(name)
        self._items = [item for item in self._items if item[0] != key]
        self._changed()

    def copy(self) -> Headers:
        """An independent copy."""
        return Headers.from_items(self._items.copy())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._key(name) in (self._index or self._indexed())

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter([(name, value) for _, name, value in self._items])

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        """Same fields with the same values in the same order; spelling of names does not matter."""
        if not isinstance(other, Headers):
            return NotImplemented
        return [(key, value) for key, _, value in self._items] == [
            (key, value) for key, _, value in other._items
        ]

    def __repr__(self) -> str:
        shown = [(name, "***" if key in _SECRET else value) for key, name, value in self._items]
        return f"Headers({shown!r})"

    def write(self, body_length: int) -> str:
        """All fields as lines, each with its CRLF, with the Content-Length that the body has."""
        lines = []
        counted = False
        for key, name, value in self._items:
            if key == "content-length":
                if counted:
                    continue
                counted = True
                value = str(body_length)
            lines.append(f"{name}: {value}\r\n")
        if not counted:
            lines.append(f"Content-Length: {body_length}\r\n")
        return "".join(lines)
