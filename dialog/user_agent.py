"""The driver: one core, its sockets, one timer of the running asyncio loop."""

from __future__ import annotations

import asyncio
import logging
import random as random_module
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from dialog.address import NameAddr
from dialog.authentication import CredentialsFor
from dialog.config import UserAgentConfig
from dialog.core import Core
from dialog.digest import mask_credentials
from dialog.dns import Query
from dialog.errors import LocalProtocolError
from dialog.events import Event
from dialog.flow import MESSAGE_TRANSPORTS, Close, Effect, Flow, HostPort, Open, Send, Target
from dialog.parser import is_keepalive
from dialog.registration import Registration, RegistrationSettings
from dialog.services import Services
from dialog.transport.names import Resolver, SystemResolver
from dialog.transport.sockets import Sockets
from dialog.uri import SipUri
from dialog.usage.invite import InviteUsage

__all__ = ["TracedMessage", "UserAgent", "UserAgentConfig"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TracedMessage:
    """One message as it went over the wire. `time` is the loop's, in seconds."""

    time: float
    direction: Literal["sent", "received"]
    local: HostPort
    remote: HostPort
    data: bytes
    transport: str = "UDP"


class UserAgent:
    """A SIP user agent on the running loop.

    `on_event` is given every event, in order and never from inside a method of a call: what a call made in a
    handler brings about comes after that handler. An exception it raises is logged and harms no other call.
    `on_message` sees each message sent and received; `resolver` is asked for names instead of the system's
    name servers. Call `start` once, then anything, then `aclose`.
    """

    core_type: type[Core] = Core
    """What it drives; a proxy has a core of its own."""

    def __init__(
        self,
        config: UserAgentConfig,
        on_event: Callable[[Event], None],
        *,
        random: random_module.Random | None = None,
        on_message: Callable[[TracedMessage], None] | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self.config = config
        self.on_message = on_message
        self._on_event = on_event
        self._random = random
        self._resolver = resolver
        self._core: Core | None = None
        self._sockets: Sockets | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._draining = False
        self._drain_due = False
        self._lookups: set[asyncio.Task[None]] = set()
        self._idle: asyncio.Event | None = None

    async def start(self) -> None:
        """Listen. AddressInUse, BadAddress, BadCertificate and MissingPackage say what to change."""
        self._loop = asyncio.get_running_loop()
        # The loop of a simulation brings its chance along, so that the same seed makes the same call.
        loop_random: random_module.Random | None = getattr(self._loop, "random", None)
        chance = self._random or loop_random or random_module.SystemRandom()
        sockets = Sockets(self.config, self)
        await sockets.start()
        self._sockets = sockets
        if self._resolver is None:
            self._resolver = SystemResolver(_family(sockets.local_address[0]))
        self._core = core = self.core_type(self.config, chance, self._loop.time, self._wake)
        if self.on_message is not None:
            core.on_framed = self._trace_framed

    @property
    def local_address(self) -> HostPort:
        """Host and port that we listen on: by UDP and TCP, or else by what there is."""
        return self._open_sockets().local_address

    def address_of(self, transport: str) -> HostPort | None:
        """Host and port that we listen on by this transport ("UDP", "TLS"...); None if we do not."""
        return self._open_sockets().address_of(transport)

    def address_towards(self, remote: HostPort) -> HostPort:
        """Our address as that peer sees it: listening on all addresses, the one that is routed there."""
        sockets = self._open_sockets()
        return sockets.host_towards(remote), sockets.local_address[1]

    def invite(
        self,
        target: str,
        *,
        from_: NameAddr | str,
        body: bytes | None,
        content_type: str = "application/sdp",
        headers: Iterable[tuple[str, str]] = (),
        held: bool = False,
    ) -> InviteUsage:
        """Call `target`; with `body` None the peer makes the offer, or, `held`, we do by `usage.start`."""
        return self._started().invite(
            target, from_=from_, body=body, content_type=content_type, headers=headers, held=held
        )

    def options(self, target: str, from_: NameAddr | str | None = None) -> None:
        """Ask `target` what it can do; OptionsAnswered tells."""
        core = self._started()
        core.options(
            target, from_=from_ or f"<sip:{self.config.user or 'anonymous'}@{self.local_address[0]}>"
        )

    def register(self, settings: RegistrationSettings) -> Registration:
        """Register an address-of-record and keep it registered; Registered or RegistrationFailed tells."""
        return self._started().register(settings)

    def authenticate(self, credentials_for: CredentialsFor) -> None:
        """Answer challenges with what this gives for a realm and the From URI of the request."""
        self._started().authentication.credentials_for = credentials_for

    def route(self, account: SipUri, proxies: Iterable[NameAddr] = (), home: SipUri | None = None) -> None:
        """Send an account's requests outside dialogs by `proxies`; without, those to its domain to `home`."""
        bindings = self._started().bindings
        bindings.set_routes(account, proxies)
        if home is not None:
            bindings.set_home(account, home)

    def network_changed(self) -> None:
        """Our addresses may be others now: find them out again, and leave the connections of those that are
        gone. Registrations have to be refreshed after it."""
        core, sockets = self._started(), self._open_sockets()
        sockets.network_changed()
        core.act()
        core.locator.forget_datagrams()
        for flow in list(core.connections):
            if flow.local[0] != sockets.host_towards(flow.remote):
                core.connections.close(flow, "our address has changed")

    @property
    def services(self) -> Services:
        """Messages, questions, subscriptions, transfers, publications."""
        return self._started().services

    async def wait_idle(self, timeout: float) -> bool:
        """Wait until every call is over (its BYE answered); False if some is not after `timeout` seconds."""
        core = self._started()
        self._idle = asyncio.Event()
        if core.calls == 0:
            return True
        try:
            await asyncio.wait_for(self._idle.wait(), timeout)
        except TimeoutError:
            return False
        return True

    async def aclose(self) -> None:
        """Send what is pending and close the sockets. Calls are not hung up. May be called twice."""
        core, self._core = self._core, None
        if core is not None:
            self._drain(core)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lookups = list(self._lookups)
        for task in lookups:
            task.cancel()
        await asyncio.gather(*lookups, return_exceptions=True)
        if self._sockets is not None:
            sockets, self._sockets = self._sockets, None
            await sockets.aclose()
            await asyncio.sleep(0)  # asyncio closes sockets in the next turn of the loop

    def _started(self) -> Core:
        if self._core is None:
            raise LocalProtocolError("the user agent is not started, or closed already")
        return self._core

    def _open_sockets(self) -> Sockets:
        if self._sockets is None:
            raise LocalProtocolError("the user agent is not started, or closed already")
        return self._sockets

    # Inputs: what the transports tell (`dialog.transport.stream.Hooks`).

    def on_data(self, flow: Flow, data: bytes) -> None:
        """A datagram, a WebSocket message or a piece of a stream came."""
        core = self._core
        if core is None:
            return
        now = self._loop.time()
        if self.on_message is not None and (not flow.connection or flow.transport in MESSAGE_TRANSPORTS):
            self._trace("received", flow, data)
        core.receive(flow, data, now)
        self._drain(core)

    def on_accepted(self, flow: Flow, names: frozenset[str]) -> None:
        """A peer made a connection."""
        if self._core is not None:
            self._core.flow_accepted(flow, self._loop.time(), names)
            self._wake()

    def on_opened(self, target: Target, flow: Flow) -> None:
        """A flow stands: often from inside the draining itself, while effects are carried out."""
        if self._core is not None:
            self._core.flow_opened(target, flow, self._loop.time())
            self._wake()

    def on_refused(self, target: Target, reason: str) -> None:
        """There is no way to a target."""
        if self._core is not None:
            self._core.flow_refused(target, self._loop.time(), reason)
            self._wake()

    def on_lost(self, flow: Flow, reason: str) -> None:
        """A flow broke, or a datagram could not be sent."""
        if self._core is not None:
            self._core.flow_lost(flow, self._loop.time(), reason)
            self._wake()

    def _on_timer(self) -> None:
        self._timer = None
        core = self._core
        if core is not None:
            core.handle_timer(self._loop.time())
            self._drain(core)

    def _wake(self) -> None:
        if not self._draining and not self._drain_due:
            self._drain_due = True
            self._loop.call_soon(self._drain_soon)

    def _drain_soon(self) -> None:
        self._drain_due = False
        if self._core is not None:
            self._drain(self._core)

    # Outputs.

    def _drain(self, core: Core) -> None:
        """Carry out effects and deliver events until there are none, then set the timer."""
        if self._draining:
            return
        self._draining = True
        try:
            while True:
                effects = core.take_effects()
                events = core.take_events()
                if not effects and not events:
                    break
                for effect in effects:
                    self._carry_out(core, effect)
                for event in events:
                    try:
                        self._on_event(event)
                    except Exception:
                        _log.exception("the handler of %s raised", type(event).__name__)
        finally:
            self._draining = False
        if self._idle is not None and core.calls == 0:
            self._idle.set()
        self._set_timer(core)

    def _carry_out(self, core: Core, effect: Effect) -> None:
        sockets = self._sockets
        if sockets is None:
            return
        if isinstance(effect, Send):
            if self.on_message is not None and not is_keepalive(effect.data):
                self._trace("sent", effect.flow, effect.data)
            sockets.send(effect.flow, effect.data)
        elif isinstance(effect, Open):
            sockets.open(effect.target)
        elif isinstance(effect, Close):
            sockets.close(effect.flow)
        else:
            self._look_up(core, effect.query)

    def _trace_framed(self, flow: Flow, data: bytes) -> None:
        self._trace("received", flow, data)

    def _trace(self, direction: Literal["sent", "received"], flow: Flow, data: bytes) -> None:
        assert self.on_message is not None
        try:
            shown = mask_credentials(data)
            self.on_message(
                TracedMessage(self._loop.time(), direction, flow.local, flow.remote, shown, flow.transport)
            )
        except Exception:
            _log.exception("the message hook raised")

    def _set_timer(self, core: Core) -> None:
        """Have the loop wake us at the core's deadline.

        A timer that is due too early is left alone: it costs one empty wake-up, and re-arming it for every
        message costs more.
        """
        deadline = core.next_deadline()
        if deadline is None or core is not self._core:
            return
        if self._timer is not None:
            if self._timer.when() <= deadline:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._on_timer)

    def _look_up(self, core: Core, query: Query) -> None:
        task = self._loop.create_task(self._resolve(core, query))
        self._lookups.add(task)
        task.add_done_callback(self._lookups.discard)

    async def _resolve(self, core: Core, query: Query) -> None:
        assert self._resolver is not None
        answer = await self._resolver.resolve(query)
        if answer.error:
            _log.info("%s", answer.error)
        core.resolved(query, answer, self._loop.time())
        self._wake()


def _family(host: str) -> socket.AddressFamily:
    """The addresses that sockets bound to this one can reach."""
    if host == "::":
        return socket.AF_UNSPEC
    return socket.AF_INET6 if ":" in host else socket.AF_INET
