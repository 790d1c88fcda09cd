"""Keys in SIP INFO requests: the two bodies in use, neither of which has a standard.

``application/dtmf-relay`` (Cisco's) has lines ``Signal=5`` and ``Duration=160`` in milliseconds;
``application/dtmf`` has just the key.
"""

from __future__ import annotations

import re

from media.dtmf.telephone_event import DIGITS

RELAY = "application/dtmf-relay"
PLAIN = "application/dtmf"

_USUAL_DURATION_MS = 100
_LONGEST_MS = 60_000
_LINE = re.compile(r"\s*(\w+)\s*[=:]\s*(\S+)\s*\Z")


def relay_body(digit: str, duration_ms: int) -> bytes:
    """A key as ``application/dtmf-relay``."""
    return f"Signal={digit}\r\nDuration={duration_ms}\r\n".encode()


def plain_body(digit: str) -> bytes:
    """A key as ``application/dtmf``."""
    return digit.encode()


def parse(content_type: str, body: bytes) -> tuple[str, int] | None:
    """The key and its duration in ms; ``None`` when it is something else, or no key.

    Lenient: spaces, either order, a missing duration; 10 and 11 for ``*`` and ``#``, 12 to 15 for A to D, as
    some devices number them after RFC 4733.
    """
    text = body.decode("ascii", "replace").strip()
    if content_type == PLAIN:
        digit = _key(text)
        return None if digit is None else (digit, _USUAL_DURATION_MS)
    if content_type != RELAY:
        return None
    fields = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is not None:
            fields[match[1].lower()] = match[2]
    digit = _key(fields.get("signal", ""))
    if digit is None:
        return None
    duration = fields.get("duration", "")
    ms = int(duration) if duration.isdecimal() and len(duration) < 7 else _USUAL_DURATION_MS
    return digit, min(ms, _LONGEST_MS)


def _key(text: str) -> str | None:
    if len(text) == 1 and text.upper() in DIGITS:
        return text.upper()
    if text.isdecimal() and len(text) == 2 and int(text) < len(DIGITS):
        return DIGITS[int(text)]
    return None
