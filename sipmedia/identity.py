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
from dialog.message import Message, Request
from dialog.usage.invite import InviteUsage
from sipmedia.account import Account


class Identities:
    """What the messages of one call have said. Nothing of it is proven: a caller can write these headers as
    well as a network can; whether they are to be believed depends on who delivered them."""

    def __init__(self, request: Request, *, incoming: bool) -> None:
        self._request = request if incoming else None
        self._asserted: NameAddr | None = None
        if incoming:
            self.note(request)

    def note(self, message: Message) -> None:
        """Take what a request or response of the far end asserts."""
        if "P-Asserted-Identity" in message.headers:
            self._asserted = next(iter(asserted_identities(message)), None)

    @property
    def asserted(self) -> NameAddr | None:
        """P-Asserted-Identity: who the far end is, in the words of its network (RFC 3325)."""
        return self._asserted

    @property
    def wants_privacy(self) -> bool:
        """Whether the caller asked not to be shown (Privacy, RFC 3323)."""
        return self._request is not None and bool(privacy(self._request) & {"id", "header", "user"})

    @property
    def diversions(self) -> list[Diversion]:
        """Whom an incoming call was for before, the latest first (Diversion, RFC 5806)."""
        return diversions(self._request) if self._request is not None else []

    @property
    def history(self) -> list[HistoryEntry]:
        """The targets that an incoming call had, the first first (History-Info, RFC 7044)."""
        return history(self._request) if self._request is not None else []


class Identified:
    """What a call says of who it is with."""

    usage: InviteUsage
    identities: Identities

    @property
    def asserted_identity(self) -> str | None:
        """Who the network says the far end is (P-Asserted-Identity); believe it if you trust that network."""
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
