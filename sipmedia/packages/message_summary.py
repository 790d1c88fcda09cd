"""message-summary (RFC 3842): how many messages wait, usually in a voice mailbox."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sipmedia.errors import BadBody

CONTENT_TYPE = "application/simple-message-summary"

_COUNTS = re.compile(r"(\d{1,9})\s*/\s*(\d{1,9})(?:\s*\(\s*(\d{1,9})\s*/\s*(\d{1,9})\s*\))?\Z")
_CLASSES = ("voice", "fax", "pager", "multimedia", "text", "none")


@dataclass(frozen=True, slots=True)
class MessageCounts:
    """Messages of one kind; the urgent ones are counted in ``new`` and ``old``, too."""

    new: int
    old: int
    urgent_new: int = 0
    urgent_old: int = 0


@dataclass(frozen=True, slots=True)
class MessageSummary:
    """Whether messages wait, in which account, and how many of each kind ("voice", "fax" ...)."""

    waiting: bool
    account: str | None = None
    counts: Mapping[str, MessageCounts] = field(default_factory=dict)

    @property
    def voice(self) -> MessageCounts:
        """The voice messages."""
        return self.counts.get("voice", MessageCounts(0, 0))

    @classmethod
    def parse(cls, body: bytes) -> MessageSummary:
        """Read a body. :raises BadBody: when it does not say whether messages wait."""
        waiting: bool | None = None
        account: str | None = None
        counts: dict[str, MessageCounts] = {}
        for line in body.decode("utf-8", "replace").splitlines():
            name, colon, value = line.partition(":")
            name, value = name.strip().lower(), value.strip()
            if not colon:
                if not line.strip() and waiting is not None:
                    break  # what follows describes single messages
                continue
            if name == "messages-waiting":
                waiting = value.lower() == "yes"
            elif name == "message-account":
                account = value
            elif name.endswith("-message") and name.removesuffix("-message") in _CLASSES:
                match = _COUNTS.match(value)
                if match is not None:
                    counts[name.removesuffix("-message")] = MessageCounts(
                        *(int(n or 0) for n in match.groups())
                    )
        if waiting is None:
            raise BadBody("a message summary must say Messages-Waiting")
        return cls(waiting, account, counts)

    def __bytes__(self) -> bytes:
        lines = [f"Messages-Waiting: {'yes' if self.waiting else 'no'}"]
        if self.account is not None:
            lines.append(f"Message-Account: {self.account}")
        for kind, count in self.counts.items():
            urgent = f"{count.urgent_new}/{count.urgent_old}"
            lines.append(f"{kind.capitalize()}-Message: {count.new}/{count.old} ({urgent})")
        return ("\r\n".join(lines) + "\r\n").encode()
