"""Who we are: the identity that our calls carry in From."""

from __future__ import annotations

from dataclasses import dataclass

from dialog.address import NameAddr
from dialog.errors import ParseError
from dialog.uri import SipUri
from sipmedia.errors import InvalidAddress


@dataclass(frozen=True, slots=True)
class Account:
    """An identity to call with: ``Account("sip:alice@127.0.0.1", display_name="Alice")``.

    ``uri`` is a SIP URI with a user part. :raises InvalidAddress: when it is not.
    """

    uri: str
    display_name: str = ""

    def __post_init__(self) -> None:
        try:
            user = SipUri.parse(self.uri).user
        except ParseError:
            user = None
        if not user:
            raise InvalidAddress(f"{self.uri!r} is no SIP identity: write it like sip:alice@example.org")

    @property
    def user(self) -> str:
        """The part before the ``@``: what a ladder or a call list shows."""
        return SipUri.parse(self.uri).user or ""

    @property
    def address(self) -> NameAddr:
        """The identity as From carries it (RFC 3261 s20.20), without a tag."""
        return NameAddr(SipUri.parse(self.uri), self.display_name)
