"""Who a call is with, beyond From and To: what the network asserts, and where the call was before."""

from __future__ import annotations

from dialog.address import NameAddr
from dialog.identity import (
    ANONYMOUS,
    Diversion,
    HistoryEntry,
    asserted_identities,
    diversions,
    history,
    privacy,
)
from dialog.message import Message
from dialog.usage.invite import InviteUsage
from sipmedia.account import Account


class Identities:
    """What the messages of one call have said. A caller can write these headers as well as a network can:
    P-Asserted-Identity is believed of our own servers only (``PhoneConfig.trusted_networks``), the others are
    told as they came."""

    def __init__(self, usage: InviteUsage, *, incoming: bool) -> None:
        self._usage = usage
        self._incoming = incoming
        self._asserted: NameAddr | None = None
        self._claimed: NameAddr | None = None
        if incoming:
            self.note(usage.request)

    def note(self, message: Message) -> None:
        """Take what a request or response of the far end asserts."""
        if "P-Asserted-Identity" in message.headers or "Remote-Party-ID" in message.headers:
            self._claimed = next(iter(asserted_identities(message)), None)
            self._asserted = self._claimed if self._usage.is_trusted else None

    @property
    def asserted(self) -> NameAddr | None:
        """Who the far end is, in the words of a network that we trust: P-Asserted-Identity (RFC 3325), or
        the Remote-Party-ID of older servers."""
        return self._asserted

    @property
    def claimed(self) -> NameAddr | None:
        """The same of whomever, believed or not."""
        return self._claimed

    @property
    def wants_privacy(self) -> bool:
        """Whether the caller asked not to be shown (Privacy, RFC 3323)."""
        return self._incoming and bool(privacy(self._usage.request) & {"id", "header", "user"})

    @property
    def diversions(self) -> list[Diversion]:
        """Whom an incoming call was for before, the latest first (Diversion, RFC 5806)."""
        return diversions(self._usage.request) if self._incoming else []

    @property
    def history(self) -> list[HistoryEntry]:
        """The targets that an incoming call had, the first first (History-Info, RFC 7044)."""
        return history(self._usage.request) if self._incoming else []


class Identified:
    """What a call says of who it is with."""

    usage: InviteUsage
    identities: Identities

    @property
    def asserted_identity(self) -> str | None:
        """Who the far end is, in the words of a network that we trust (P-Asserted-Identity)."""
        address = self.identities.asserted
        return str(address) if address is not None else None

    @property
    def anonymous(self) -> bool:
        """Whether an incoming call does not say who calls, or asks not to show it."""
        host = getattr(self.usage.remote_uri.uri, "host", "")
        return self.identities.wants_privacy or host.lower() == "anonymous.invalid"

    @property
    def diverted_by(self) -> list[str]:
        """Whose calls are diverted to us, the latest first: from Diversion, else from History-Info."""
        found = [str(entry.address.uri) for entry in self.identities.diversions]
        return found or [str(entry.uri) for entry in self.identities.history if entry.cause is not None][::-1]


def anonymous_headers(account: Account) -> tuple[NameAddr, list[tuple[str, str]]]:
    """The From of a call that does not name its caller, and the headers that tell our own network who it is
    and that nobody beyond it shall know (RFC 3323 s4.1, RFC 3325 s9.2)."""
    return ANONYMOUS, [("Privacy", "id"), ("P-Preferred-Identity", str(account.address))]
