"""Which body is read by whom."""

from __future__ import annotations

from sipmedia.packages import dialog_info, message_summary, presence
from sipmedia.packages.dialog_info import DialogInfo
from sipmedia.packages.message_summary import MessageSummary
from sipmedia.packages.presence import Presence

Content = MessageSummary | DialogInfo | Presence
"""What a body says, once read."""

ACCEPTED = {
    "message-summary": message_summary.CONTENT_TYPE,
    "dialog": dialog_info.CONTENT_TYPE,
    "presence": presence.CONTENT_TYPE,
}
"""The content type of each event package that can be read here."""


def read(content_type: str, body: bytes) -> Content | None:
    """What a body of that type says, ``None`` for a type not known here. :raises BadBody:"""
    if content_type == message_summary.CONTENT_TYPE:
        return MessageSummary.parse(body)
    if content_type == dialog_info.CONTENT_TYPE:
        return DialogInfo.parse(body)
    if content_type == presence.CONTENT_TYPE:
        return Presence.parse(body)
    return None
