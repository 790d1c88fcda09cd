"""Replaces (RFC 3891): the call whose place an INVITE is to take."""

from __future__ import annotations

from dataclasses import dataclass

from dialog.dialog import Dialog, DialogKey
from dialog.errors import ParseError
from dialog.grammar import parse_params
from dialog.message import Request

__all__ = ["Replaces"]


@dataclass(frozen=True, slots=True)
class Replaces:
    """One Replaces value: the dialog as its receiver knows it (its own tag is the to-tag)."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, text: str) -> Replaces:
        """Read a field value; ParseError (400)."""
        call_id, semicolon, rest = text.partition(";")
        params = parse_params(semicolon + rest, "Replaces") if rest else {}
        to_tag, from_tag = params.get("to-tag"), params.get("from-tag")
        if not call_id.strip() or to_tag is None or from_tag is None:
            raise ParseError(400, "Bad Replaces", "Replaces")
        # A zero stands for the tag that a peer of RFC 2543 lacks (section 6.1).
        from_tag = "" if from_tag == "0" else from_tag
        return cls(call_id.strip(), to_tag, from_tag, "early-only" in params)

    @classmethod
    def of(cls, request: Request) -> Replaces | None:
        """That of an INVITE; ParseError (400), also when there are two, or a Join beside it (section 3)."""
        values = request.headers.get_all("Replaces")
        if not values:
            return None
        if len(values) > 1 or "Join" in request.headers:
            raise ParseError(400, "Only One Replaces Is Allowed", "Replaces")
        return cls.parse(values[0])

    @classmethod
    def naming(cls, dialog: Dialog) -> Replaces:
        """The one that lets somebody take our place: named as our peer in that dialog knows it."""
        call_id, local_tag, remote_tag = dialog.key
        return cls(call_id, remote_tag, local_tag)

    @property
    def key(self) -> DialogKey:
        """The dialog in our own table."""
        return self.call_id, self.to_tag, self.from_tag

    def __str__(self) -> str:
        text = f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag or '0'}"
        return f"{text};early-only" if self.early_only else text
