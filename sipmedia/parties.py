"""Where a call stands, and between whom it is."""

from __future__ import annotations

import enum

from dialog.address import NameAddr
from dialog.uri import SipUri
from dialog.usage.invite import InviteUsage


class CallState(enum.Enum):
    """Where a call stands; hold is told apart by ``call.held`` and ``call.held_by_remote``."""

    CALLING = "calling"
    """Ours, sent; nothing heard yet but 100."""
    RINGING = "ringing"
    """The far end rings, or we do."""
    ANSWERED = "answered"
    """The two parties are connected."""
    ENDED = "ended"


class Parties:
    """Both ends of a call, as its INVITE named them."""

    usage: InviteUsage

    @property
    def call_id(self) -> str:
        """The Call-ID, the same on both sides."""
        return self.usage.call_id

    @property
    def local_uri(self) -> str:
        """Our side's URI, as From or To carries it."""
        return str(self.usage.local_uri.uri)

    @property
    def remote_uri(self) -> str:
        """The far end's URI, as From or To carries it."""
        return str(self.usage.remote_uri.uri)

    @property
    def local_name(self) -> str:
        """Our side in short: display name, else the user of the URI, else the URI."""
        return _name(self.usage.local_uri)

    @property
    def remote_name(self) -> str:
        """The far end in short: display name, else the user of the URI, else the URI."""
        return _name(self.usage.remote_uri)


def _name(address: NameAddr) -> str:
    user = address.uri.user if isinstance(address.uri, SipUri) else None
    return address.display_name or user or str(address.uri)
