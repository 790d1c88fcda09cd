"""The bodies of event packages: message-summary (RFC 3842), dialog (RFC 4235), presence (RFC 3856, 3863)."""

from sipmedia.packages.contents import Content, read
from sipmedia.packages.dialog_info import DialogInfo, DialogState
from sipmedia.packages.message_summary import MessageCounts, MessageSummary
from sipmedia.packages.presence import Presence

__all__ = [
    "Content",
    "DialogInfo",
    "DialogState",
    "MessageCounts",
    "MessageSummary",
    "Presence",
    "read",
]
