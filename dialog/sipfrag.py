"""message/sipfrag (RFC 3420): a piece of a SIP message, here the status line that tells how a REFER fares."""

from __future__ import annotations

import re
from typing import NamedTuple

from dialog.status import reason_phrase

__all__ = ["SIPFRAG", "StatusFragment", "is_sipfrag"]

SIPFRAG = "message/sipfrag;version=2.0"
"""The Content-Type of what we send (RFC 3515 section 2.4.5)."""

_STATUS_LINE = re.compile(rb"SIP/2\.0[ \t]+([1-6][0-9][0-9])(?![0-9])(?:[ \t]+([^\r\n]*))?", re.IGNORECASE)


class StatusFragment(NamedTuple):
    """One status line."""

    status: int
    reason: str

    @classmethod
    def parse(cls, body: bytes) -> StatusFragment | None:
        """The status line at the start of a fragment, empty lines before it forgiven; None without one."""
        match = _STATUS_LINE.match(body.lstrip(b"\r\n \t"))
        if match is None:
            return None
        status = int(match[1])
        reason = (match[2] or b"").decode("utf-8", "replace").strip()
        return cls(status, reason or reason_phrase(status))

    def __bytes__(self) -> bytes:
        return f"SIP/2.0 {self.status} {self.reason}\r\n".encode()


def is_sipfrag(content_type: str) -> bool:
    """Whether a body of this type is a fragment (type without parameters)."""
    return content_type == "message/sipfrag"
