"""Which part of a message's body is the session description (RFC 3261 sections 7.4 and 8.2.3, RFC 5621).

Bodies are never read here, only found: by Content-Type and Content-Disposition, in a multipart body by those
of its parts. Gateways put SDP beside ISUP (RFC 3204), emergency callers beside a location (RFC 6442).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from dialog.message import Message

MULTIPART = ("multipart/mixed", "multipart/alternative", "multipart/related")
"""The multipart types looked into; all others are bodies like any unknown one."""

_MAX_PARTS = 32
_MAX_DEPTH = 3
_BOUNDARY = re.compile(
    r';[ \t]*boundary[ \t]*=[ \t]*(?:"(?P<quoted>[^"]{1,70})"|(?P<token>[^";, \t]{1,70}))', re.IGNORECASE
)
_PART_END = re.compile(rb"\r?\n\r?\n")


class Body(NamedTuple):
    """A body or one part of it, by its own headers."""

    content_type: str
    """In lower case, without parameters."""
    disposition: str
    """Disposition type in lower case; "session" where there is none."""
    handling: str
    """The handling parameter: "required", "optional", or "" where it is not given."""
    content: bytes


def session_description(message: Message, accept: tuple[str, ...]) -> Body | None:
    """The part of a message's body that is a session description of an accepted type; None without one."""
    if not message.body:
        return None
    content_type = message.content_type
    disposition = message.headers.get("Content-Disposition")
    if disposition is None and content_type in accept:  # nearly every message
        return Body(content_type or "", "session", "", message.body)
    for part in parts_of(message):
        if part.content_type in accept and part.disposition == "session":
            return part
    return None


def parts_of(message: Message) -> list[Body]:
    """The body as a list of its parts, multiparts opened; one that is no multipart is its own only part.

    Of alternatives the last is the richest (RFC 2046 section 5.1.4): they are listed last first.
    """
    whole = message.headers.get("Content-Type") or ""
    return _open(whole, message.headers.get("Content-Disposition"), message.body, 0)


def _open(content_type: str, disposition: str | None, content: bytes, depth: int) -> list[Body]:
    kind = content_type.partition(";")[0].strip(" \t").lower()
    boundary = _BOUNDARY.search(content_type) if kind in MULTIPART and depth < _MAX_DEPTH else None
    if boundary is None:
        return [Body(kind, *_disposition(disposition), content)]
    name = (boundary["quoted"] or boundary["token"]).encode("utf-8", "surrogateescape")
    delimiter = re.compile(rb"(?:\A|\r?\n)--" + re.escape(name) + rb"(?P<last>--)?[ \t]*(?:\r?\n|\Z)")
    parts: list[Body] = []
    begin = None
    for count, mark in enumerate(delimiter.finditer(content)):
        if begin is not None:
            head, part = _split_part(content[begin : mark.start()])
            inner = head.get("content-type", "text/plain")
            parts += _open(inner, head.get("content-disposition"), part, depth + 1)
        begin = mark.end()
        if mark["last"] or count == _MAX_PARTS:
            break
    return parts[::-1] if kind == "multipart/alternative" else parts


def _split_part(chunk: bytes) -> tuple[dict[str, str], bytes]:
    """Headers (by lower-case name) and content of one part."""
    if chunk.startswith((b"\r\n", b"\n")):
        return {}, chunk.lstrip(b"\r\n")
    end = _PART_END.search(chunk)
    head, content = (chunk[: end.start()], chunk[end.end() :]) if end else (b"", chunk)
    lines = re.sub(rb"\r?\n[ \t]+", b" ", head).decode("utf-8", "surrogateescape").splitlines()
    fields = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, colon, value in fields if colon}, content


def _disposition(value: str | None) -> tuple[str, str]:
    """Disposition type and handling. Without the field the type is "session" (section 20.11)."""
    if value is None:
        return "session", ""
    kind, _, params = value.partition(";")
    for text in params.split(";"):
        name, _, handling = text.partition("=")
        if name.strip().lower() == "handling":
            return kind.strip().lower(), handling.strip(' \t"').lower()
    return kind.strip().lower(), ""
