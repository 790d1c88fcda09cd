"""SIP: messages, transactions, dialogs and calls, without I/O in the core (RFC 3261).

`UserAgent` is the asyncio driver over UDP, TCP, TLS and WebSockets; `Core` is what it drives, bytes and time
in, bytes and events out. Session descriptions are opaque bytes here; `dialog.events` says which is an offer
and which an answer.
"""

from dialog.address import NameAddr
from dialog.config import UserAgentConfig
from dialog.core import Core
from dialog.errors import (
    AddressInUse,
    BadAddress,
    BadCertificate,
    LocalProtocolError,
    MissingPackage,
    ParseError,
    RemoteProtocolError,
    SipError,
)
from dialog.message import Request, Response
from dialog.timers import Timers
from dialog.tls_settings import TlsSettings
from dialog.uri import SipUri
from dialog.usage.invite import InviteUsage, Role, UsageState
from dialog.user_agent import TracedMessage, UserAgent

__all__ = [
    "AddressInUse",
    "BadAddress",
    "BadCertificate",
    "Core",
    "InviteUsage",
    "LocalProtocolError",
    "MissingPackage",
    "NameAddr",
    "ParseError",
    "RemoteProtocolError",
    "Request",
    "Response",
    "Role",
    "SipError",
    "SipUri",
    "Timers",
    "TlsSettings",
    "TracedMessage",
    "UsageState",
    "UserAgent",
    "UserAgentConfig",
]
