"""The phone: it listens on one address, places calls, takes calls, and ends all of them when it closes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakValueDictionary

from dialog import events as sip
from dialog.config import UserAgentConfig
from dialog.errors import AddressInUse as SipAddressInUse
from dialog.errors import BadAddress, LocalProtocolError, ParseError, SipError
from dialog.registration_events import RegistrationEvent
from dialog.service_events import ServiceEvent
from dialog.services import Services
from dialog.tls_settings import TlsSettings
from dialog.usage.invite import InviteUsage
from dialog.user_agent import TracedMessage, UserAgent
from media import ManagerConfig, MediaManager, SessionConstraints
from sipmedia.account import Account
from sipmedia.async_with import AsyncWith
from sipmedia.call import Call
from sipmedia.config import DEFAULT_PORT, PhoneConfig, format_address, parse_bind
from sipmedia.errors import AddressInUse, InvalidAddress, PhoneClosed, TransportUnavailable
from sipmedia.events import CallCreated, IncomingCall
from sipmedia.identity import anonymous_headers
from sipmedia.offer_answer import OfferAnswer
from sipmedia.outside import ask_before_ringing, call_from_outside
from sipmedia.parties import CallState
from sipmedia.registration import RegisteringPhone
from sipmedia.several_calls import SeveralCalls
from sipmedia.targets import check_transport, host_of, why_not
from sipmedia.trace import CallTrace, call_id_of
from sipmedia.transferee import TransferringPhone

_WILDCARDS = ("0.0.0.0", "::")

_MEDIA_CLOSES_IN = 0.5
"""Far longer than the media thread takes to close a session, and a recording to be finished."""

_TRACES_WITHOUT_CALL = 64
"""How many calls may have been traced before anybody takes them up (a trace lives on with its call)."""


class Softphone(RegisteringPhone, SeveralCalls, TransferringPhone, AsyncWith):
    """A SIP phone on one address; an async context manager.

        async with Softphone(Account("sip:alice@127.0.0.1"), bind="127.0.0.1:5060") as phone:
            call = await phone.call("sip:bob@127.0.0.1:5062")

    The first account is the one calls are placed with; those with ``register=True`` register. ``bind`` is
    HOST:PORT, port 0 takes a free one. It speaks ``transports``, of "udp", "tcp", "tls", "ws" and "wss", and
    those that the accounts name; ``tls`` says which certificates to show and trust (docs/transports.md).
    ``media`` is a running :class:`media.MediaManager` to share, or the settings of one that the phone makes
    and closes itself. Events: ``incoming_call``, ``call_created``, ``registered``, ``registration_failed``,
    ``unregistered``, ``error`` (:mod:`sipmedia.events`). A call that no ``incoming_call`` handler is there
    for is answered 480, one whose handler raised 500 (or BYE, when the handler had answered it).
    """

    def __init__(
        self,
        *accounts: Account,
        bind: str = "127.0.0.1:5060",
        transports: Sequence[str] = ("udp", "tcp", "tls"),
        tls: TlsSettings | None = None,
        media: MediaManager | ManagerConfig | None = None,
        config: PhoneConfig | None = None,
    ) -> None:
        super().__init__()
        self.config = config or PhoneConfig()
        self._bind = parse_bind(bind)
        self._transports = tuple(
            dict.fromkeys([*transports, *(name for account in accounts for name in account.transports)])
        )
        self._tls = tls or TlsSettings()
        self._accounts = accounts
        self._shared = media if isinstance(media, MediaManager) else None
        self._settings = media if isinstance(media, ManagerConfig) else None
        self._manager: MediaManager | None = None
        self._agent: UserAgent | None = None
        self._calls: dict[InviteUsage, Call] = {}
        self._traces: WeakValueDictionary[str, CallTrace] = WeakValueDictionary()
        self._recent: deque[CallTrace] = deque(maxlen=_TRACES_WITHOUT_CALL)
        self._closing: asyncio.Task[None] | None = None
        self._closers: list[asyncio.Task[Any]] = []

    # --- what it is ---

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on, the real port when 0 was asked for. :raises PhoneClosed:"""
        return self._open_agent().local_address

    @property
    def accounts(self) -> Sequence[Account]:
        """Its identities, the one calls are placed with first; one made up when none was given."""
        if self._accounts:
            return self._accounts
        return (_made_up(self._agent.local_address if self._agent is not None else self._bind),)

    @property
    def media(self) -> MediaManager:
        """Its media manager. :raises PhoneClosed:"""
        if self._manager is None:
            raise PhoneClosed("the phone is not open: use `async with Softphone(...) as phone:`")
        return self._manager

    # --- life ---

    async def start(self) -> None:
        """Listen; ``async with`` does it.

        :raises AddressInUse: naming what to change. :raises TransportUnavailable: for a certificate that
            cannot be used, or a package that is missing. :raises media.UnknownCodec: for a default of
            ``media``.
        """
        if self._agent is not None or self._closing is not None:
            raise PhoneClosed("a phone is opened once; make another one")
        host, port = self._bind
        agent = UserAgent(
            UserAgentConfig(
                bind=(host, port),
                transports=self._transports,
                tls=self._tls,
                tls_port=self.config.tls_port,
                ws_port=self.config.ws_port,
                advertised_host=self.config.advertised_host,
                user=self._accounts[0].user if self._accounts else "",
                trusted=self.config.trusted_networks,
                user_agent=self.config.user_agent,
                options_body=self._capabilities,
                max_usages=self.config.max_calls,
                allow_events=self._event_packages(),
                session_expires=self.config.session_expires,
                reliable_provisional=self.config.reliable_provisional,
                max_redirects=self.config.follow_redirects,
            ),
            self._on_event,
            on_message=self._on_message if self.config.traced_messages else None,
        )
        try:
            await agent.start()
        except (SipAddressInUse, BadAddress) as error:
            raise AddressInUse(host, port, str(error)) from error
        except SipError as error:  # a certificate, a package that is missing, a transport nobody knows
            raise TransportUnavailable(str(error)) from error
        try:
            self._manager = self._shared or self._make_manager(agent.local_address[0])
        except BaseException:
            await agent.aclose()
            raise
        self._agent = agent
        if self._manager is not self._shared:
            self._manager.start()
        self._open_accounts(agent)

    async def aclose(self) -> None:
        """End all calls, unregister, stop: new calls get 503, the others BYE or CANCEL and at most a second.

        May be called twice, also at the same time; returns when all is closed.
        """
        closer = asyncio.current_task()
        if closer is not None:
            self._closers.append(closer)
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        if self._agent is None:
            return
        leaving = asyncio.ensure_future(self._close_accounts(self.config.close_timeout))
        self.close_services()
        calls = list(self._calls.values())
        for call in calls:
            call.close()
        ends = [asyncio.ensure_future(call.over()) for call in calls]
        if ends:
            await asyncio.wait(ends, timeout=self.config.close_timeout)
            for call in calls:
                call.drop()
            await asyncio.wait(ends, timeout=_MEDIA_CLOSES_IN)
        await leaving
        await self.close_handlers(self._closers)
        if self._manager is not None and self._manager is not self._shared:
            self._manager.stop()
        await self._agent.aclose()

    # --- calls ---

    def dial(
        self,
        target: str,
        account: Account | None = None,
        *,
        codecs: Sequence[str] | None = None,
        late_offer: bool = False,
        headers: Sequence[tuple[str, str]] = (),
        anonymous: bool = False,
    ) -> Call:
        """Place a call to a SIP URI; returns at once, before anything is sent. With a STUN server, that is
        asked for our address outside first.

        ``codecs``: for this call, best first. ``headers``: more header fields for the INVITE. ``late_offer``:
        leave the offer to the far end (RFC 3261 s13.2.1), for gateways that want it so. ``anonymous``: do not
        tell the far end who calls (RFC 3323).

        :raises InvalidAddress: for a URI that cannot be called. :raises PhoneClosed: when the phone is not
            open. May raise :class:`media.MediaError` (no free port, no such codec).
        """
        agent = self._open_agent()
        check_transport(target, self._transports)
        media = self._offer_answer(codecs, lambda: host_of(target))
        account = account or self._account_towards(host_of(target))
        self._know(account, agent)
        asks = media.must_ask()
        body = None if late_offer or asks else media.offer()
        try:
            caller, named = anonymous_headers(account) if anonymous else (account.address, [])
            usage = agent.invite(target, from_=caller, body=body, headers=[*headers, *named], held=asks)
        except (ParseError, LocalProtocolError, BadAddress) as error:
            media.close()
            raise InvalidAddress(f"cannot call {target!r}: {why_not(error)}") from error
        call = self._adopt(usage, media, incoming=False)
        call.give_up_after(self.config.no_answer_timeout)
        if asks:
            self.spawn(call_from_outside(call, media, late_offer), "asking a STUN server before a call")
        return call

    async def call(
        self,
        target: str,
        account: Account | None = None,
        *,
        codecs: Sequence[str] | None = None,
        late_offer: bool = False,
        headers: Sequence[tuple[str, str]] = (),
        anonymous: bool = False,
    ) -> Call:
        """Place a call and wait until it is answered; raises as :meth:`dial`, and :class:`CallFailed`.

        Cancelling it cancels the call.
        """
        call = self.dial(
            target, account, codecs=codecs, late_offer=late_offer, headers=headers, anonymous=anonymous
        )
        await call.answered()
        return call

    # --- from the user agent ---

    def _on_event(self, event: sip.Event) -> None:
        try:
            if isinstance(event, sip.IncomingCall):
                self._on_incoming(event.usage, event.replaces)
            elif isinstance(event, RegistrationEvent):
                self._on_registration(event)
            elif isinstance(event, sip.UsageEvent):
                call = self._calls.get(event.usage)
                if call is not None:
                    call.handle(event)
            elif isinstance(event, ServiceEvent):
                self.handle_service(event)
        except Exception as error:  # the edge between the protocol and what is built on it
            self.report(error, f"handling {type(event).__name__}")

    def _on_incoming(self, usage: InviteUsage, replaces: InviteUsage | None) -> None:
        disturbs = self.do_not_disturb and replaces is None
        if self._closing is not None or disturbs:
            usage.reject(503 if self._closing is not None else self.config.do_not_disturb_status)
            return
        via = usage.request.via
        media = self._offer_answer(None, lambda: via.received or via.host)
        call = self._adopt(usage, media, incoming=True)
        # Whether there is an offer, and a usable one, is known when the core's events are all delivered.
        asyncio.get_running_loop().call_soon(self._present, call, media, replaces)

    def _present(self, call: Call, media: OfferAnswer, replaces: InviteUsage | None) -> None:
        """An incoming call that media can do: let the application decide, unless it was decided before."""
        if call.state is CallState.ENDED:
            return
        if replaces is not None:
            self.take_place(replaces, call)
            return
        if not self.has_listeners("incoming_call"):
            call.refuse(480)
        elif media.asks and media.session is not None:
            self.spawn(ask_before_ringing(call, media, self._announce), "asking a STUN server")
        else:
            self._announce(call)

    def _announce(self, call: Call) -> None:
        call.give_up_after(self.config.ring_timeout)
        self.emit("incoming_call", IncomingCall(call))
        if self.config.automatic_ringing:
            # After the first step of coroutine handlers: whoever answers at once need not ring before.
            asyncio.get_running_loop().call_soon(call.ring_unless_taken)

    def handler_failed(self, event: object, error: Exception) -> None:
        """A handler of ours raised: a caller must not wait for it."""
        if isinstance(event, IncomingCall):
            event.call.abandon()

    def _on_message(self, message: TracedMessage) -> None:
        call_id = call_id_of(message.data)
        if call_id is None:
            return
        trace = self._traces.get(call_id)
        if trace is None:
            if not message.data.lstrip(b"\r\n").startswith(b"INVITE "):
                return
            trace = self._new_trace(call_id)
        trace.between(format_address(*message.local), format_address(*message.remote))
        trace.message(message.time, message.direction, message.data)

    # --- inside ---

    @property
    def is_open(self) -> bool:
        """Whether it is started and not closed, or closing."""
        return self._agent is not None and self._closing is None

    def _services(self) -> Services:
        return self._open_agent().services

    def _call_of(self, usage: InviteUsage) -> Call | None:
        return self._calls.get(usage)

    def _open_agent(self) -> UserAgent:
        if self._agent is None or self._closing is not None:
            raise PhoneClosed("the phone is not open: use `async with Softphone(...) as phone:`")
        return self._agent

    def _make_manager(self, host: str) -> MediaManager:
        settings = self._settings or ManagerConfig(
            advertised_ip=self.config.advertised_host,
            stun_server=self.config.stun_server,
            stun_timeout_s=self.config.stun_timeout,
        )
        if settings.default_local_ip == ManagerConfig().default_local_ip:  # not asked for: as SIP does
            settings = replace(settings, default_local_ip=host)
        return MediaManager(replace(settings, idle="silence"))

    def _address_towards(self, host: str) -> tuple[str, int]:
        return self._open_agent().address_towards((host, DEFAULT_PORT))

    def _account_towards(self, host: str) -> Account:
        """The first account, or one made up for somebody at this host."""
        return self._accounts[0] if self._accounts else _made_up(self._address_towards(host))

    def _offer_answer(self, codecs: Sequence[str] | None, peer: Callable[[], str]) -> OfferAnswer:
        names = tuple(codecs) if codecs else self.config.codecs
        settings = self.media.config
        advertised = None
        if settings.advertised_ip is None and settings.default_local_ip in _WILDCARDS:
            # Listening everywhere, our description names the address that is routed to this peer.
            advertised = self._address_towards(peer())[0]
        return OfferAnswer(self.media, SessionConstraints(audio_codecs=names, advertised_ip=advertised))

    def _adopt(self, usage: InviteUsage, media: OfferAnswer, *, incoming: bool) -> Call:
        trace = self._traces.get(usage.call_id) or self._new_trace(usage.call_id)
        call = Call(usage, media, self.config, trace, incoming=incoming, owner=self, on_over=self._forget)
        trace.name(call.local_name, call.remote_name)
        call.services = self
        self._calls[usage] = call
        self.follow_for_lamps(call)
        self.emit("call_created", CallCreated(call))
        return call

    def _forget(self, call: Call) -> None:
        self._calls.pop(call.usage, None)

    def _new_trace(self, call_id: str) -> CallTrace:
        trace = self._traces[call_id] = CallTrace(self.config.traced_messages)
        self._recent.append(trace)
        return trace

    def _event_packages(self) -> tuple[str, ...]:
        lamp = ("dialog",) if self.config.busy_lamp else ()
        return ("refer", *lamp, *self.config.event_packages)

    def _capabilities(self) -> bytes:
        """What we can do, for the 200 to OPTIONS (RFC 3261 s11.2)."""
        return self.media.capabilities().encode()


def _made_up(address: tuple[str, int]) -> Account:
    """The account of a phone that was given none."""
    return Account(f"sip:anonymous@{format_address(*address)}")
