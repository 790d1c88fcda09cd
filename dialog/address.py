"""Addresses (RFC 3261 section 20.10): the value of From, To, Contact, Route and Record-Route."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dialog.errors import ParseError
from dialog.grammar import NAME_ADDR, TOKEN, format_params, parse_params, quote, unquote
from dialog.uri import Uri, parse_uri

__all__ = ["NameAddr"]


@dataclass(frozen=True, slots=True)
class NameAddr:
    """A URI with a display name ("" for none) and the parameters of the field, names in lower case."""

    uri: Uri
    display_name: str = ""
    params: Mapping[str, str | None] = field(default_factory=dict, hash=False)

    @classmethod
    def parse(cls, text: str, field_name: str = "Address") -> NameAddr:
        """Read one address (not a list of them); ParseError (400) naming the field when malformed.

        Without angle brackets every parameter belongs to the field, not to the URI (section 20), and a
        URI with a comma or question mark is refused (RFC 4475 section 3.1.2.13).
        """
        match = NAME_ADDR.fullmatch(text)
        if match is not None:
            quoted, bare, uri, params = match.groups()
            display_name = unquote(quoted) if quoted is not None else bare.rstrip(" \t")
            uri = uri.rstrip(" \t")
        else:
            uri, semicolon, params = text.partition(";")
            uri = uri.strip(" \t")
            params = semicolon + params
            display_name = ""
            if "?" in uri or "," in uri:
                raise ParseError(400, f"URI Needs Angle Brackets In {field_name}", field_name)
        try:
            parsed = parse_uri(uri)
        except ParseError as error:
            raise ParseError(400, f"{error.reason} In {field_name}", field_name) from error
        return cls(parsed, display_name, parse_params(params, field_name) if params else {})

    @property
    def tag(self) -> str | None:
        """The tag parameter, which names one side of a dialog (section 19.3)."""
        return self.params.get("tag")

    def with_tag(self, tag: str | None) -> NameAddr:
        """A copy with this tag, or without one."""
        params = {name: value for name, value in self.params.items() if name != "tag"}
        if tag is not None:
            params["tag"] = tag
        return NameAddr(self.uri, self.display_name, params)

    def __str__(self) -> str:
        params = format_params(self.params) if self.params else ""
        name = self.display_name
        if not name:
            return f"<{self.uri}>{params}"
        if not all(TOKEN.fullmatch(word) for word in name.split(" ")):
            name = quote(name)
        return f"{name} <{self.uri}>{params}"
