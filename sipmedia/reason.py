"""The Reason header field (RFC 3326): why a call was ended, in a form for SIP and in words."""

from __future__ import annotations

import re

from dialog.status import reason_phrase

_TEXT = re.compile(r';\s*text\s*=\s*"((?:[^"\\]|\\.)*)"', re.IGNORECASE)


def reason_header(status: int, words: str | None = None) -> str:
    """The value that names a SIP status, with its own words or better ones (no quotes in them)."""
    return f'SIP;cause={status};text="{words or reason_phrase(status)}"'


def reason_words(value: str) -> str:
    """What a Reason value says to a person: its text, or all of it when it has none."""
    match = _TEXT.search(value)
    return re.sub(r"\\(.)", r"\1", match[1]) if match is not None else value
