"""The registrar on sockets, real or simulated."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from dialog.digest import ALGORITHMS, split_algorithm
from dialog.errors import AddressInUse as SipAddressInUse
from dialog.errors import BadAddress, BadCertificate
from dialog.events import Event
from dialog.tls_settings import TlsSettings
from dialog.user_agent import TracedMessage, UserAgent, UserAgentConfig
from sipmedia.async_with import AsyncWith
from sipmedia.config import parse_bind
from sipmedia.emitter import Emitter
from sipmedia.errors import AddressInUse, PhoneClosed, TransportUnavailable
from sipmedia.registrar.core import METHODS, Policy, RegistrarCore
from sipmedia.registrar.events import BindingsChanged, RegistrarEvent, RequestRouted


class _Agent(UserAgent):
    """The driver, with the registrar's core in it."""

    core_type = RegistrarCore

    @property
    def core(self) -> RegistrarCore:
        """The core, once started."""
        core = self._started()
        assert isinstance(core, RegistrarCore)
        return core


class Registrar(Emitter, AsyncWith):
    """A small registrar and record-routing proxy of one domain; an async context manager.

        async with Registrar("example.org", {"alice": "secret"}, bind="127.0.0.1:5070") as registrar:
            ...

    ``users`` maps names to passwords; ``None`` lets anybody register any name, so listen on loopback then.
    ``algorithms`` are those of Digest, best first: "SHA-512-256", "SHA-256", "MD5"; some phones know no more
    than the last. It listens by UDP and TCP at ``bind``, and with a certificate in ``tls`` by TLS at
    ``tls_port``, by default the port after that. It keeps everything in memory: what was registered is gone
    when it closes. ``on_message`` sees every SIP message, without passwords. Events: ``bindings``,
    ``routed``, ``refused``, ``error`` (:mod:`sipmedia.registrar.events`).

    :raises InvalidAddress: for a ``bind`` that cannot be read. :raises ValueError: for an algorithm that is
        not known here.
    """

    def __init__(
        self,
        domain: str,
        users: Mapping[str, str] | None = None,
        *,
        bind: str = "127.0.0.1:5060",
        min_expires: int = 60,
        max_expires: int = 7200,
        algorithms: Sequence[str] = ("MD5",),
        tls: TlsSettings | None = None,
        tls_port: int | None = None,
        on_message: Callable[[TracedMessage], None] | None = None,
    ) -> None:
        super().__init__()
        unknown = [name for name in algorithms if split_algorithm(name) is None]
        if unknown or not algorithms:
            raise ValueError(f"algorithms={tuple(algorithms)}: there are {', '.join(ALGORITHMS)}")
        known = None if users is None else dict(users)
        self.policy = Policy(domain, known, min_expires, max_expires, algorithms)
        self._bind = parse_bind(bind)
        self._tls = tls or TlsSettings()
        self._tls_port = tls_port
        self._on_message = on_message
        self._agent: _Agent | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on. :raises PhoneClosed: when it does not."""
        return self._open().local_address

    def address_of(self, transport: str) -> tuple[str, int] | None:
        """Host and port by this transport, "udp", "tcp" or "tls"; ``None`` if it does not listen by it."""
        return self._open().address_of(transport.upper())

    @property
    def core(self) -> RegistrarCore:
        """What it is driven by: for tests, which look whether anything is left there."""
        return self._open().core

    @property
    def bindings(self) -> dict[str, list[str]]:
        """Who is registered, and where: user names and their contacts."""
        location, now = self._open().core.location, asyncio.get_running_loop().time()
        found = {user: location.find((user, domain), now) for user, domain in location.addresses()}
        return {user: [str(one.uri) for one in bindings] for user, bindings in found.items() if bindings}

    async def start(self) -> None:
        """Listen; ``async with`` does it.

        :raises AddressInUse: naming what to change. :raises TransportUnavailable: for a certificate that
            cannot be used.
        """
        if self._agent is not None:
            raise PhoneClosed("a registrar is opened once; make another one")
        config = UserAgentConfig(
            bind=self._bind, tls=self._tls, tls_port=self._tls_port, allow=tuple(METHODS.split(", "))
        )
        agent = _Agent(config, _ignore, on_message=self._on_message)
        try:
            await agent.start()
        except (SipAddressInUse, BadAddress) as error:
            raise AddressInUse(*self._bind, str(error)) from error
        except BadCertificate as error:
            raise TransportUnavailable(str(error)) from error
        agent.core.obey(self.policy)
        agent.core.tell = self._tell
        self._agent = agent

    async def aclose(self) -> None:
        """Stop listening. May be called twice."""
        agent = self._agent
        if agent is not None:
            await agent.aclose()
            await self.close_handlers()

    def _tell(self, event: RegistrarEvent) -> None:
        if isinstance(event, BindingsChanged):
            name = "bindings"
        else:
            name = "routed" if isinstance(event, RequestRouted) else "refused"
        self.emit(name, event)

    def _open(self) -> _Agent:
        if self._agent is None:
            raise PhoneClosed("the registrar is not open: use `async with Registrar(...) as registrar:`")
        return self._agent


def _ignore(event: Event) -> None:
    """Its core keeps no calls: there are no events of any."""
