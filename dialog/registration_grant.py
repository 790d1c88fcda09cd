"""What a registrar grants by a 2xx (RFC 3261 section 10.3), with the extensions it has taken up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from dialog.address import NameAddr
from dialog.errors import ParseError
from dialog.grammar import delta_seconds
from dialog.identity import addresses
from dialog.message import Response
from dialog.registration_settings import RegistrationSettings
from dialog.uri import SipUri


@dataclass(frozen=True, slots=True)
class Grant:
    """What holds after an answer; by default what holds before any."""

    expires: int = 0
    """Seconds that our binding lasts; 0 when there is none."""
    bindings: tuple[NameAddr, ...] = ()
    """Every Contact that the registrar holds for the address-of-record."""
    service_route: tuple[NameAddr, ...] = ()
    """RFC 3608: the routes of our requests."""
    path: tuple[str, ...] = ()
    """RFC 3327: the proxies through which requests come to us."""
    public_gruu: str = ""
    temporary_gruu: str = ""
    outbound: bool = False
    """The registrar keeps this flow by RFC 5626."""
    flow_timer: int | None = None
    """Seconds that the far end waits for keep-alives (RFC 5626 section 4.4)."""

    @classmethod
    def read(
        cls, response: Response, settings: RegistrationSettings, contact: SipUri | None, asked: int
    ) -> Self:
        """What a 2xx grants to `contact`, for which `asked` seconds were wished.

        An extension that cannot be read is taken for absent: the binding is worth more than it.
        """
        # One that cannot be read is another phone's: nothing of ours depends on it.
        bindings = tuple(addresses(response, "Contact"))
        mine = _mine(bindings, settings, contact)
        expires = _expires(response, mine, bindings, asked)
        if not expires:
            return cls(bindings=bindings)
        try:
            routes = response.headers.split_all("Service-Route")
            service_route = tuple(NameAddr.parse(text, "Service-Route") for text in routes)
            outbound = bool(settings.reg_id) and "outbound" in response.require
        except ParseError:
            service_route, outbound = (), False
        params = mine.params if mine is not None else {}
        return cls(
            expires,
            bindings,
            service_route,
            tuple(response.headers.get_all("Path")),
            params.get("pub-gruu") or "",
            params.get("temp-gruu") or "",
            outbound,
            delta_seconds(response.headers.get("Flow-Timer")),
        )


def _mine(
    bindings: tuple[NameAddr, ...], settings: RegistrationSettings, contact: SipUri | None
) -> NameAddr | None:
    """Our own binding among those that the registrar tells of."""
    for binding in bindings:
        instance = (binding.params.get("+sip.instance") or "").strip("<>")
        if (settings.instance and instance == settings.instance) or binding.uri == contact:
            return binding
    return None


def _expires(response: Response, mine: NameAddr | None, bindings: tuple[NameAddr, ...], asked: int) -> int:
    """Seconds that our binding lasts: its own, else those of the response, else what we asked for.

    Registrars that rewrite Contacts, for NAT, show none that is ours. The one that ends first is believed to
    be ours: better too early than forgotten.
    """
    for text in (mine.params.get("expires") if mine is not None else None, response.headers.get("Expires")):
        seconds = delta_seconds(text)
        if seconds is not None:
            return min(seconds, asked)
    if mine is not None:
        return asked
    lasting = [delta_seconds(binding.params.get("expires")) or asked for binding in bindings]
    return min([asked, *lasting])
