"""How a phone behaves, and how people write addresses and port ranges."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from dialog.config import ReliableProvisional
from dialog.tls_settings import TlsSettings
from dialog.trust import Trust
from dialog.usage.session_timer import DEFAULT_MIN_SE
from media.config import check_media_timeout
from sipmedia.errors import InvalidAddress

__all__ = [
    "DEFAULT_PORT",
    "PhoneConfig",
    "TlsSettings",
    "format_address",
    "parse_bind",
    "parse_port_range",
]

DEFAULT_PORT = 5060
"""SIP's own port, for UDP and TCP (RFC 3261 s19.1.2)."""

_HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]+)?(?::(?P<port>[0-9]{1,5}))?\Z")


def parse_bind(text: str, default_port: int = DEFAULT_PORT) -> tuple[str, int]:
    """``"127.0.0.1:5062"``, ``"[::1]:5062"``, ``"127.0.0.1"`` or ``":5062"`` as host (no brackets) and port.

    Port 0 lets the system choose. :raises InvalidAddress: for anything else.
    """
    match = _HOST_PORT.match(text)
    if match is None or not text:
        raise InvalidAddress(
            f"{text!r} is no HOST:PORT: write 127.0.0.1:5060, or [::1]:5060 with brackets for IPv6"
        )
    host = (match["host"] or "127.0.0.1").strip("[]")
    port = default_port if match["port"] is None else int(match["port"])
    if port > 65535:
        raise InvalidAddress(f"{text!r}: a port is a number from 0 to 65535")
    return host, port


def parse_port_range(text: str) -> tuple[int, int]:
    """``"10000-10100"`` as (10000, 10100). Whether RTP can use it is the media's to judge.

    :raises InvalidAddress: when it is not two port numbers with a dash.
    """
    low, dash, high = text.partition("-")
    if not (dash and low.strip().isdecimal() and high.strip().isdecimal()):
        raise InvalidAddress(f"{text!r} is no port range: write MIN-MAX, for instance 10000-10100")
    return int(low), int(high)


def format_address(host: str, port: int) -> str:
    """Host and port as people and URIs write them: IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class PhoneConfig:
    """What a :class:`sipmedia.Softphone` does unless told otherwise. Times are in seconds."""

    ring_timeout: float = 60.0
    """An incoming call that nobody answers for so long gets 480."""
    no_answer_timeout: float | None = 120.0
    """An outgoing call that rings for so long is given up with CANCEL (``None``: never)."""
    automatic_ringing: bool = True
    """Send 180 unless the handler answers or refuses at once; without it ``call.ring()`` does."""
    inband_dtmf: Literal["auto", "always", "never"] = "auto"
    """Whether keys are listened for in the sound: "auto", in calls without telephone-event while somebody
    listens for ``dtmf`` (it costs as much as the rest of such a call)."""
    media_timeout: float | None = 30.0
    """So long without a packet of sound or of RTCP from a far end that was heard before, and ``media_lost``
    is emitted; not while either side holds the call. ``None``: never."""
    hangup_on_media_timeout: bool = False
    """Hang up then, with a Reason."""
    advertised_host: str | None = None
    """What Contact and SDP say in place of the bound address; ``None``: our address towards that peer."""
    tls_port: int | None = None
    """Port to listen on for TLS; ``None``: the one after SIP's."""
    ws_port: int | None = None
    """Port to listen on for WebSockets; ``None``: do not."""
    stun_server: tuple[str, int] | None = None
    """Host and port of a STUN server (RFC 8489) that tells what address our sound comes from behind a NAT:
    asked before the offer of a call that is placed, and before a call that came in with an offer is shown and
    rings. Goes for the phone's own media manager; a ``ManagerConfig`` or manager that is given has a setting
    of its own."""
    stun_timeout: float = 3.0
    """A call waits so long for the STUN server at most; without a word from it, it goes on with the local
    address."""
    trusted_networks: tuple[str, ...] = ()
    """Networks ("10.0.0.0/8") and addresses that are believed when they say who calls (P-Asserted-Identity).
    Servers that our accounts are registered at, or name, are believed anyway, nobody else (RFC 3325)."""
    codecs: tuple[str, ...] | None = None
    """In order of preference; ``None``: the media manager's."""
    accept_transfers: bool = True
    """Call whom the far end of a call wants us to call, and let its calls take the place of ours, unless a
    handler of ``transfer_requested`` decides at once. False: only what a handler accepts."""
    busy_lamp: bool = False
    """Tell whoever subscribes to "dialog" of our calls (RFC 4235)."""
    event_packages: tuple[str, ...] = ()
    """What others may subscribe to; a ``subscription`` handler accepts them."""
    session_expires: int | None = 1800
    """Seconds after which a call that nobody has refreshed is ended (RFC 4028), at least 90: so it is noticed
    that a far end is gone. ``None``: no session timers. The far end must know them, too."""
    reliable_provisional: ReliableProvisional = "supported"
    """PRACK (RFC 3262): "supported", when the caller requires it, or can do it and early media is sent;
    "required", always, and who cannot do it is refused; "off", never."""
    follow_redirects: int = 5
    """How many other addresses a call of ours tries when it is redirected (3xx); 0 follows none."""
    do_not_disturb_status: int = 486
    """What callers get while ``phone.do_not_disturb`` is set: 486 (busy), 480 (not available), 603."""
    max_calls: int = 10_000
    """Calls at once; INVITEs beyond are answered 503."""
    user_agent: str = "sipmedia"
    """User-Agent and Server header; "" leaves them out."""
    traced_messages: int = 500
    """How many SIP messages and milestones the trace of a call keeps; 0 records nothing."""
    close_timeout: float = 1.0
    """How long :meth:`~sipmedia.Softphone.aclose` and ``hangup`` wait for the far end's goodbye."""

    def __post_init__(self) -> None:
        check_media_timeout(self.media_timeout)
        Trust(self.trusted_networks)
        if self.session_expires is not None and self.session_expires < DEFAULT_MIN_SE:
            raise ValueError(f"session_expires={self.session_expires}: at least {DEFAULT_MIN_SE} s, or None")
        if not 400 <= self.do_not_disturb_status <= 699:
            raise ValueError(f"do_not_disturb_status={self.do_not_disturb_status}: a refusal is 400 to 699")
