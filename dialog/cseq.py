"""The CSeq field (RFC 3261 section 20.16): a sequence number and the method it counts."""

from __future__ import annotations

from typing import NamedTuple

from dialog.errors import ParseError
from dialog.grammar import CSEQ

__all__ = ["MAX_SEQUENCE", "CSeq"]

MAX_SEQUENCE = 2**31 - 1
"""The largest sequence number (RFC 3261 section 8.1.1.5: it MUST be less than 2**31)."""


class CSeq(NamedTuple):
    """One CSeq value, as `str(cseq)` writes it: ``314159 INVITE``."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """Read a field value; ParseError (400) when it is malformed or the number is 2**31 or more."""
        match = CSEQ.fullmatch(text)
        if match is None:
            raise ParseError(400, "Bad CSeq", "CSeq")
        digits = match[1]
        if len(digits) > 10:
            digits = digits.lstrip("0") or "0"
        # Never more than ten digits become a number: int() of many is slow, and refused by Python.
        number = int(digits) if len(digits) <= 10 else MAX_SEQUENCE + 1
        if number > MAX_SEQUENCE:
            raise ParseError(400, "CSeq Number Too Large", "CSeq")
        return cls(number, match[2])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"
