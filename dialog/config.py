"""What a user agent is told about itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from dialog.flow import HostPort
from dialog.timers import Timers
from dialog.tls_settings import TlsSettings

ALLOWED_METHODS = (
    "INVITE",
    "ACK",
    "CANCEL",
    "BYE",
    "OPTIONS",
    "INFO",
    "PRACK",
    "UPDATE",
    "MESSAGE",
    "REFER",
    "NOTIFY",
    "SUBSCRIBE",
)
"""What this package answers with more than 405."""

SUPPORTED_OPTIONS = ("100rel", "norefersub", "replaces", "tdialog", "timer")
"""Option tags of what this package can do (RFC 3262, 4488, 3891, 4538, 4028)."""

ReliableProvisional = Literal["off", "supported", "required"]


@dataclass(frozen=True, slots=True)
class UserAgentConfig:
    """Settings of one user agent; every one has a default that works on loopback."""

    bind: HostPort = ("127.0.0.1", 5060)
    """Address and port to listen on; port 0 takes a free one."""
    transports: tuple[str, ...] = ("udp", "tcp", "tls")
    """What to listen on and to connect by, of "udp", "tcp", "tls", "ws" and "wss". UDP and TCP share the port
    (section 18.2.1). TLS is listened on only if there is a certificate, WebSockets if they have a port."""
    tls: TlsSettings = field(default_factory=TlsSettings)
    """Certificates of "tls" and "wss"."""
    tls_port: int | None = None
    """Port to listen on for TLS; None: the one after the port of `bind`, or any if that is 0."""
    ws_port: int | None = None
    """Port to listen on for WebSockets ("wss" if that is among `transports`, or else "ws"); None: do not."""
    ws_path: str = "/"
    """What is asked for from WebSocket servers, such as "/ws"."""
    advertised_host: str | None = None
    """Host in Via and Contact; None: our own address towards that peer."""
    user: str = ""
    """User part of our Contact when nothing better is known."""
    trusted: tuple[str, ...] = ()
    """Networks ("10.0.0.0/8") and addresses whose P-Asserted-Identity is believed, as our servers' is."""
    user_agent: str = "sipmedia"
    """User-Agent and Server header; '' leaves them out."""
    allow: tuple[str, ...] = ALLOWED_METHODS
    """Allow header, and the methods not answered 405."""
    supported: tuple[str, ...] = SUPPORTED_OPTIONS
    """Option tags for Supported (see `option_tags`); a Require with any other is answered 420."""
    allow_events: tuple[str, ...] = ("refer",)
    """Event packages of Allow-Events; a SUBSCRIBE to any other is answered 489."""
    reliable_provisional: ReliableProvisional = "supported"
    """PRACK (RFC 3262): "supported", when the caller requires it, or can do it and there is a session
    description to send; "required", always, and a peer that cannot is refused with 421; "off", never."""
    session_expires: int | None = 1800
    """Session interval to ask for in seconds (RFC 4028); None does without session timers."""
    min_se: int = 90
    """The shortest session interval accepted, at least 90; shorter ones are answered 422."""
    session_refresher: Literal["any", "us", "peer"] = "any"
    """Who is to refresh sessions, where it is ours to say."""
    max_redirects: int = 5
    """How many addresses of 3xx responses a call tries; 0 follows none."""
    accept: tuple[str, ...] = ("application/sdp",)
    """Types an INVITE's body may have; others are answered 415."""
    max_message_bytes: int = 65535
    """Longer requests are answered 513; longer messages of ours are a LocalProtocolError."""
    options_body: Callable[[], bytes] | None = None
    """Gives the session description for the 200 to OPTIONS."""
    timers: Timers = field(default_factory=Timers)
    max_transactions: int = 100_000
    """Transactions kept at once; requests beyond are answered 503 statelessly."""
    max_connections: int = 512
    """Connections at once; beyond that those that never said anything are closed, or else the idle ones."""
    max_buffered_bytes: int = 8 << 20
    """Bytes of incomplete messages kept at once, of all connections."""
    connection_idle: float = 1800.0
    """Seconds after which a connection that carries nothing is closed."""
    max_usages: int = 10_000
    """Calls at once; INVITEs beyond are answered 503."""

    @property
    def option_tags(self) -> tuple[str, ...]:
        """What Supported says: `supported` without what is switched off."""
        off = set()
        if self.reliable_provisional == "off":
            off.add("100rel")
        if self.session_expires is None:
            off.add("timer")
        return tuple(tag for tag in self.supported if tag not in off)
