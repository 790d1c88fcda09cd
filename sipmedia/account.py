"""Who we are: the identity that our calls carry in From, and how it registers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from dialog.address import NameAddr
from dialog.addressee import as_request_uri
from dialog.digest import Credentials
from dialog.errors import LocalProtocolError, ParseError
from dialog.registration import RegistrationSettings
from dialog.uri import SipUri
from sipmedia.errors import InvalidAddress

Transport = Literal["", "udp", "tcp", "tls", "ws", "wss"]


@dataclass(frozen=True, slots=True)
class Account:
    """An identity to call with: ``Account("sip:alice@127.0.0.1", display_name="Alice")``.

    With a PBX or a provider it has a password, and the phone registers it:

        Account("sip:alice@example.org", password=os.environ["SIP_PASSWORD"], register=True)

    ``uri`` is a SIP URI with a user part; its host is the domain. :raises InvalidAddress: when it is not, or
    when a server cannot be read. The password is in no repr, event or trace.
    """

    uri: str
    display_name: str = ""
    password: str | None = field(default=None, repr=False)
    """For every challenge (401, 407) of the account's requests; ``None`` answers none."""
    register: bool = False
    """Register when the phone opens, and stay registered; without it ``phone.register(account)`` does."""
    auth_user: str = ""
    """The user name of the password, when it is not that of ``uri``."""
    realm: str = ""
    """The only realm that is given an answer made from the password; "" answers any that asks."""
    registrar: str = ""
    """HOST:PORT or URI of the domain's server, when the domain does not lead there: requests to the domain go
    to it."""
    outbound_proxy: str = ""
    """HOST:PORT or URI of a proxy that every request outside a call goes through first."""
    transport: Transport = ""
    """How to reach the server named above, or the domain; "" leaves it to the URIs."""
    expires: int = 3600
    """Seconds to register for; the registrar decides."""
    contacts: Sequence[str] = ()
    """Further Contact values to register with the phone's own, as they are to be written."""
    instance: str = ""
    """A URN that stays the same for ever (``urn:uuid:...``): asks for a GRUU, and for outbound (RFC 5626)."""

    def __post_init__(self) -> None:
        try:
            uri = SipUri.parse(self.uri)
            user = uri.user
        except ParseError:
            user = None
        if not user:
            raise InvalidAddress(f"{self.uri!r} is no SIP identity: write it like sip:alice@example.org")
        if not self.uri.isascii():
            object.__setattr__(self, "uri", str(as_request_uri(uri)))
        for server in (self.registrar, self.outbound_proxy):
            if server:
                self._server(server)
        if not 0 < self.expires < 2**31:
            raise InvalidAddress(f"an account cannot register for {self.expires} s: 1 or more")

    @property
    def user(self) -> str:
        """The part before the ``@``: what a ladder or a call list shows."""
        return SipUri.parse(self.uri).user or ""

    @property
    def domain(self) -> str:
        """The host of ``uri``."""
        return SipUri.parse(self.uri).host

    @property
    def address(self) -> NameAddr:
        """The identity as From carries it (RFC 3261 s20.20), without a tag."""
        return NameAddr(SipUri.parse(self.uri), self.display_name)

    @property
    def credentials(self) -> Credentials | None:
        """What challenges are answered with. :raises InvalidAddress: for a user name of several lines."""
        if self.password is None:
            return None
        try:
            return Credentials(self.auth_user or self.user, self.password)
        except LocalProtocolError as error:
            raise InvalidAddress(str(error)) from error

    @property
    def proxies(self) -> tuple[NameAddr, ...]:
        """The routes that requests outside a call begin with: the outbound proxy, if there is one."""
        if not self.outbound_proxy:
            return ()
        proxy = self._server(self.outbound_proxy)
        return (
            NameAddr(SipUri(None, proxy.host, proxy.port, {**proxy.params, "lr": None}, (), proxy.scheme)),
        )

    @property
    def home(self) -> SipUri | None:
        """Where requests to the account's domain go, ``None``: where the domain leads."""
        if self.registrar:
            return self._server(self.registrar)
        return self._server(self._domain_uri) if self.transport else None

    @property
    def transports(self) -> Sequence[str]:
        """The transports that ``transport`` and the URIs name, "tls" for those of SIPS."""
        servers = [self._server(text) for text in (self.registrar, self.outbound_proxy) if text]
        uris = [SipUri.parse(self.uri), *servers]
        named = [self.transport, *("tls" if uri.scheme == "sips" else uri.transport for uri in uris)]
        return [name for name in dict.fromkeys(named) if name]

    @property
    def registration(self) -> RegistrationSettings:
        """What the registrar is asked for."""
        return RegistrationSettings(
            self.address,
            SipUri.parse(self._domain_uri),
            hop=self.home,
            route_set=self.proxies,
            expires=self.expires,
            instance=self.instance,
            reg_id=1 if self.instance else 0,
            contacts=tuple(self.contacts),
        )

    @property
    def _domain_uri(self) -> str:
        uri = SipUri.parse(self.uri)
        return str(SipUri(None, uri.host, uri.port, {}, (), uri.scheme))

    def _server(self, text: str) -> SipUri:
        """A server as a URI, with our transport unless it names one; a sips: one for a sips: identity."""
        named = text.lower().startswith(("sip:", "sips:"))
        secure = self.uri.lower().startswith("sips:") and self.transport in ("", "tls")
        try:
            uri = SipUri.parse(text if named else f"{'sips' if secure else 'sip'}:{text}")
        except ParseError as error:
            raise InvalidAddress(
                f"{text!r} is no server: write HOST:PORT, or a URI like sip:pbx.example.org;transport=tcp"
            ) from error
        params = dict(uri.params)
        if self.transport and "transport" not in params and uri.scheme == "sip":
            params["transport"] = self.transport
        return SipUri(None, uri.host, uri.port, params, (), uri.scheme)
