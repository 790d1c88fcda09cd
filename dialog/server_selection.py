"""What a URI says about its server: host, port, and the transports that will do (RFC 3263 section 4.1).

Nothing is looked up here; `dialog.locating` does what is found.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from dialog.dns import Naptr
from dialog.flow import SECURE_TRANSPORTS
from dialog.uri import SipUri, Uri

DEFAULT_PORTS = {"UDP": 5060, "TCP": 5060, "TLS": 5061, "WS": 80, "WSS": 443}

_SRV_LABELS = {
    "UDP": "_sip._udp",
    "TCP": "_sip._tcp",
    "TLS": "_sips._tcp",
    "WS": "_sip._ws",
    "WSS": "_sips._ws",
}
_NAPTR_SERVICES = {
    "SIP+D2U": "UDP",
    "SIP+D2T": "TCP",
    "SIPS+D2T": "TLS",
    "SIP+D2W": "WS",
    "SIPS+D2W": "WSS",
}
_WITHOUT_BEING_TOLD = ("UDP", "TCP", "TLS")
"""What is tried where nothing says how; a WebSocket is nothing one could guess (RFC 7118 section 5.3)."""


class Wish(NamedTuple):
    """What a URI asks for. `transports` are those that will do, best first; `told` if the URI names one."""

    host: str
    port: int | None
    transports: tuple[str, ...]
    told: bool

    @property
    def is_direct(self) -> bool:
        """Whether neither NAPTR nor SRV records matter."""
        return self.port is not None or is_ip_address(self.host)


def wish_for(uri: Uri, supported: Sequence[str]) -> Wish | str:
    """What a URI asks for, of the `supported` transports; or a sentence saying why there is no way."""
    if not isinstance(uri, SipUri):
        return f"{uri.scheme}: URIs cannot be called, only sip: and sips:"
    secure = uri.scheme == "sips"
    named = uri.transport
    if named is None:
        known = tuple(name for name in _WITHOUT_BEING_TOLD if name in supported)
    else:
        # RFC 3261 section 26.2.2 has sips with transport=tcp, for TLS over TCP.
        wanted = {"tcp": "TLS", "ws": "WSS"}.get(named, named.upper()) if secure else named.upper()
        known = (wanted,) if wanted in supported else ()
    if secure:
        known = tuple(name for name in known if name in SECURE_TRANSPORTS)
    if not known:
        wants = f"asks for {named}" if named is not None else "needs TLS" if secure else "needs UDP or TCP"
        return f"{uri} {wants}, which is not among the transports in use ({', '.join(supported).lower()})"
    return Wish(uri.params.get("maddr") or uri.host, uri.port, known, named is not None)


def srv_name(transport: str, host: str) -> str:
    """Where the SRV records for a transport are."""
    return f"{_SRV_LABELS[transport]}.{host}"


def offered(records: Iterable[Naptr], wish: Wish) -> list[tuple[str, str]]:
    """Transport and SRV name of the services that a domain offers and that will do, best first."""
    chosen = []
    for record in sorted(records, key=lambda record: (record.order, record.preference)):
        transport = _NAPTR_SERVICES.get(record.service.upper())
        if transport in wish.transports and record.flags.lower() == "s" and record.replacement:
            chosen.append((str(transport), record.replacement.rstrip(".").lower()))
    return chosen


def is_ip_address(host: str) -> bool:
    """Whether a host needs no looking up."""
    return ip_address_text(host) is not None


@lru_cache(maxsize=1024)
def ip_address_text(host: str) -> str | None:
    """An IP address as it is written usually: there are many ways to write one of IPv6. None for a name."""
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None
