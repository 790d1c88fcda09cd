"""The errors of this package, all under one root.

    SipError
    ├── LocalProtocolError       our caller asked for something SIP does not allow now, or at all
    ├── RemoteProtocolError      the peer broke the protocol; carries the status to answer with
    │   └── ParseError           what came is not a SIP message, or one of its fields cannot be read
    ├── AddressInUse             the address to listen on is taken
    ├── BadAddress               the address to listen on or to send to cannot be used
    ├── BadCertificate           a certificate, key or authority for TLS cannot be used
    └── MissingPackage           an optional package is not installed

Each message is a sentence that a person can act on. Nothing else is raised for what a peer sends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dialog.message import Request

__all__ = [
    "AddressInUse",
    "BadAddress",
    "BadCertificate",
    "LocalProtocolError",
    "MissingPackage",
    "ParseError",
    "RemoteProtocolError",
    "SipError",
]


class SipError(Exception):
    """The root: catch it to catch everything this package raises on purpose."""


class LocalProtocolError(SipError):
    """Our own side erred: a method called in the wrong state, a header value with a line end in it."""


class RemoteProtocolError(SipError):
    """The peer erred.

    `status` is the SIP status to answer the request with, or None where nothing must be answered:
    a response, or bytes that are no SIP at all, are dropped. `reason` says what is wrong in words fit
    for a reason phrase, `field` names the header field at fault ("" when it is none). `message` is the
    request as far as it could be read, so that it can be answered; None when there is none.
    """

    def __init__(
        self,
        status: int | None,
        reason: str,
        field: str = "",
        message: Request | None = None,
    ) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.status = status
        self.reason = reason
        self.field = field
        self.message = message


class ParseError(RemoteProtocolError):
    """Bytes or a field value that the grammar of RFC 3261 section 25 does not allow."""


class AddressInUse(SipError):
    """Somebody else listens on that address; the message names it and says what to change."""


class BadAddress(SipError):
    """No such address here, or a name that does not resolve; the message names it."""


class BadCertificate(SipError):
    """A file of the TLS settings cannot be used; the message names it and says why."""


class MissingPackage(SipError):
    """A transport needs a package that is not installed; the message says how to install it."""
