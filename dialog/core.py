"""The sans-I/O core of a SIP user agent.

Bytes and the time go in; effects, events and the next deadline come out. The driver calls one of the inputs
(`receive`, `flow_opened`, `flow_refused`, `flow_lost`, `resolved`, `handle_timer`), carries out what
`take_effects` gives, delivers what `take_events` gives, and calls `handle_timer` at `next_deadline()`. The
application may act on a call at any time, also while it is given an event: the core then asks `clock`, handed
in by the driver, for the time, and calls `wake` so that the driver comes back for effects and events.

Nothing that a peer sends makes an input raise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from dialog.authentication import Authentication
from dialog.bindings import Bindings
from dialog.config import UserAgentConfig
from dialog.connections import Connections
from dialog.dialogs import Dialogs, Handler
from dialog.dns import Answer, Query
from dialog.errors import LocalProtocolError
from dialog.events import Event
from dialog.flow import Effect, Flow, HostPort, Send, Target
from dialog.identity import secret_identity
from dialog.incoming import IncomingRequest
from dialog.inspection import Refusal
from dialog.locating import Locator
from dialog.message import Request
from dialog.outgoing import Outgoing, instead, is_large, is_no_place
from dialog.reception import Reception
from dialog.registration import Registration, RegistrationSettings
from dialog.response_way import send_elsewhere
from dialog.services import Services
from dialog.timers import TimerQueue
from dialog.transaction.client import ClientUser
from dialog.transaction.layer import TransactionLayer
from dialog.trust import Trust
from dialog.uri import SipUri, Uri, format_host
from dialog.usage.invite import InviteUsage
from dialog.usage.options import OptionsQuery, answer_options
from dialog.usage.replacing import find_replaced
from dialog.via import MAGIC_COOKIE

if TYPE_CHECKING:
    from dialog.address import NameAddr

MAX_DATAGRAM = 65507
"""The longest payload of a UDP datagram over IPv4."""


CallHandler = Callable[[InviteUsage, IncomingRequest], None]
"""Takes a request in the dialog of a call."""

_CONTACT_PARAMS: dict[bool, dict[str, dict[str, str | None]]] = {
    False: {name: {"transport": name.lower()} for name in ("TCP", "TLS", "WS", "WSS")},
    # In a SIPS URI the transport below TLS is named (section 26.2.2); TCP goes without saying.
    True: {"WS": {"transport": "ws"}, "WSS": {"transport": "ws"}},
}
"""The parameters of our Contact by whether it is a SIPS URI and by transport."""

_BUSY = (("Retry-After", "5"),)


class Core:
    """One user agent: its transactions, its calls, and the way to the wire."""

    def __init__(
        self,
        config: UserAgentConfig,
        random: Random,
        clock: Callable[[], float],
        wake: Callable[[], None],
    ) -> None:
        self.config = config
        self.random = random
        self.queue = TimerQueue()
        self.layer = TransactionLayer(config.timers, self.queue, self.send, partial(send_elsewhere, self))
        self.locator = Locator(
            self.queue,
            config.timers.patience,
            self._emit_effect,
            random,
            tuple(name.upper() for name in config.transports),
        )
        self.lost_because = ""
        """Why the flow was lost whose transactions are just being told."""
        self.authentication = Authentication(self)
        self.connections = Connections(config, self.queue, self._emit_effect, self._lose, self._in_use)
        self.trust = Trust(config.trusted)
        self.bindings = Bindings(self)
        agent = config.user_agent
        self.server_headers: tuple[tuple[str, str], ...] = (("Server", agent),) if agent else ()
        self.client_headers: tuple[tuple[str, str], ...] = (("User-Agent", agent),) if agent else ()
        self.capabilities: tuple[tuple[str, str], ...] = (
            ("Allow", ", ".join(config.allow)),
            ("Supported", ", ".join(config.option_tags)),
            ("Allow-Events", ", ".join(config.allow_events)),
        )
        self.handlers: dict[str, Handler] = {
            "INVITE": lambda incoming: _start_call(self, incoming),
            "OPTIONS": lambda incoming: answer_options(config, self.capabilities, incoming),
        }
        """Who takes a request outside a dialog, by method; a method that nobody takes is answered 481."""
        self.call_handlers: dict[str, CallHandler] = {
            "OPTIONS": lambda usage, incoming: answer_options(config, self.capabilities, incoming),
        }
        """Who takes a request in a call's dialog that neither the call nor a sharer of its dialog takes."""
        self.on_framed: Callable[[Flow, bytes], None] | None = None
        """Told of each message that a stream was cut into, for traces."""
        self.services = Services(self)
        """Messages, questions, subscriptions, transfers, publications."""
        self.dialogs = Dialogs()
        self._clock = clock
        self._wake = wake
        self._effects: list[Effect] = []
        self._events: list[Event] = []
        self._reception = Reception(self)
        self._too_long = 0
        self._usages: set[InviteUsage] = set()

    # What the driver calls.

    def receive(self, flow: Flow, data: bytes, now: float) -> None:
        """A datagram, a WebSocket message, or the next bytes of a stream came on this flow."""
        self.queue.now = now
        self._reception.receive(flow, data)

    def flow_opened(self, target: Target, flow: Flow, now: float) -> None:
        """The flow that an Open effect asked for is there."""
        self.queue.now = now
        if flow.connection and not self.connections.add(flow, target):
            self.locator.refused(target, "there are too many connections")
        else:
            self.locator.opened(target, flow)

    def flow_accepted(self, flow: Flow, now: float, names: frozenset[str] = frozenset()) -> None:
        """A peer made this connection to us; `names` are those of its certificate, if it was verified."""
        self.queue.now = now
        if self.connections.add(flow, None, names):
            self.locator.learn(self.connections.targets(flow)[0], flow)

    def flow_refused(self, target: Target, now: float, reason: str = "") -> None:
        """No flow can be made to the target of an Open effect; `reason` says why to a person."""
        self.queue.now = now
        self.locator.refused(target, reason)

    def flow_lost(self, flow: Flow, now: float, reason: str = "") -> None:
        """This flow cannot send (any more): its transactions fail."""
        self.queue.now = now
        self._lose(flow, reason)

    def resolved(self, query: Query, answer: Answer, now: float) -> None:
        """What the domain name system says to the query of a Resolve effect."""
        self.queue.now = now
        self.locator.resolved(query, answer)

    def handle_timer(self, now: float) -> None:
        """Fire the timers that are due."""
        self.queue.now = now
        self.queue.run()

    def next_deadline(self) -> float | None:
        """When `handle_timer` is due next."""
        return self.queue.next_deadline()

    def take_effects(self) -> list[Effect]:
        """What to do now, in order; each is given once."""
        effects, self._effects = self._effects, []
        return effects

    def take_events(self) -> list[Event]:
        """What happened, in order; each is given once."""
        events, self._events = self._events, []
        return events

    # What the application calls.

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
        """Start a call; `body` None lets the peer make the offer. LocalProtocolError for an unusable URI.

        `held`: nothing is sent before `usage.start(offer)`.
        """
        self.act()
        return InviteUsage.calling(self, target, from_, body, content_type, tuple(headers), held)

    def options(self, target: str, *, from_: NameAddr | str) -> None:
        """Ask what `target` can do; OptionsAnswered tells."""
        self.act()
        OptionsQuery(self, target, from_).start()

    def register(self, settings: RegistrationSettings) -> Registration:
        """Register an address-of-record and keep it registered; Registered or RegistrationFailed tells."""
        self.act()
        return Registration(self, settings)

    @property
    def dropped(self) -> int:
        """Messages that could neither be used nor answered."""
        return self._reception.dropped + self._too_long

    @property
    def calls(self) -> int:
        """Calls not over yet."""
        return len(self._usages)

    # What usages call.

    @property
    def now(self) -> float:
        """The time of the input being handled."""
        return self.queue.now

    def act(self) -> None:
        """The application acts: take the time, and have the driver come for what follows."""
        self.queue.now = self._clock()
        self._wake()

    def emit(self, event: Event) -> None:
        """Tell the application."""
        self._events.append(event)

    def new_tag(self) -> str:
        """A tag: 32 random bits or more (section 19.3)."""
        return f"{self.random.getrandbits(48):012x}"

    def new_call_id(self) -> str:
        """A Call-ID nobody else has."""
        return f"{self.random.getrandbits(128):032x}"

    def new_branch(self, request: Request) -> str:
        """A branch nobody else has, for this request (section 8.1.1.7)."""
        return f"{MAGIC_COOKIE}{self.random.getrandbits(64):016x}"

    def new_sequence(self) -> int:
        """A first CSeq number, well under 2**31 (section 8.1.1.5)."""
        return self.random.randrange(1, 1 << 16)

    def contact_for(self, flow: Flow, uri: Uri | None = None, *, secure: bool = False) -> str:
        """Our Contact on this flow; `uri` gives the user part if it has one.

        `secure` is for requests to a SIPS URI, whose Contact must be one, too (section 8.1.1.8).
        """
        registered = None if secure else self.bindings.contact_for(flow, uri)
        if registered is not None:
            return registered
        user = (uri.user if isinstance(uri, SipUri) else None) or self.config.user or None
        scheme = "sips" if secure else "sip"
        params = _CONTACT_PARAMS[secure].get(flow.transport, {})
        host, port = self.public_address(flow)
        return f"<{SipUri(user, host, port, params, scheme=scheme)}>"

    def public_address(self, flow: Flow) -> HostPort:
        """Where we tell a peer on this flow to reach us."""
        return self.bindings.public_address(flow) or (self._host(flow), flow.local[1])

    def send_request(
        self,
        request: Request,
        user: ClientUser,
        hop: Uri,
        *,
        contact: bool = False,
        contact_user: Uri | None = None,
        otherwise: Flow | None = None,
        prepare: Callable[[Flow], None] | None = None,
    ) -> Outgoing:
        """Send a request without Via to `hop` by a new transaction; what becomes of it is told to `user`.

        `otherwise` is where it goes when there is no way to `hop`; `prepare` is called when the way is found,
        for what a request says about it; again with each server that it is tried at.
        """
        hop = self.bindings.route(request, hop)
        secret = secret_identity(request)

        def ready(flow: Flow) -> None:
            self.trust.sent(hop, flow)
            if secret is not None:  # for those only who will keep it
                request.headers.remove("P-Preferred-Identity")
                if self.trust.believes(flow):
                    request.headers.add("P-Preferred-Identity", secret)
            if contact:
                secure = _is_sips(request.uri) or _is_sips(hop)
                request.headers.set("Contact", self.contact_for(flow, contact_user, secure=secure))
            if prepare is not None:
                prepare(flow)

        outgoing = Outgoing(self, request, hop, ready, otherwise)
        outgoing.user = self.authentication.follow(request, user, hop, outgoing)
        outgoing.start()
        return outgoing

    def send_ack(
        self, ack: Request, hop: Uri, sent: Callable[[Flow, bytes], None], otherwise: Flow | None = None
    ) -> None:
        """Send the ACK of a 2xx, which has no transaction; `sent` gets what to repeat."""

        def found(flow: Flow | None) -> None:
            flow = flow or instead(hop, otherwise, self)
            if flow is not None:
                self.add_via(ack, flow)
                data = bytes(ack)
                self.send(flow, data)
                sent(flow, data)

        if otherwise is not None and is_no_place(hop):
            found(None)
        else:
            self.locator.way(hop, large=is_large(ack)).next(found)

    def send(self, flow: Flow, data: bytes) -> None:
        """Send a message that has no transaction."""
        if len(data) > MAX_DATAGRAM and not flow.reliable:
            # Only an answer that echoes a peer's giant headers can be this long: our own were checked.
            self._too_long += 1
            return
        if flow.connection and not self.connections.note_sent(flow):
            return  # its transactions were told when it was lost
        self._effects.append(Send(flow, data))

    def check_length(self, body: bytes) -> None:
        """LocalProtocolError if a message with this body cannot be sent in a datagram."""
        room = min(self.config.max_message_bytes, MAX_DATAGRAM) - 4096
        if len(body) > room:
            raise LocalProtocolError(
                f"a body of {len(body)} bytes does not fit in a UDP datagram with its headers: at most {room}"
            )

    def add_usage(self, usage: InviteUsage) -> None:
        """A call has begun."""
        self._usages.add(usage)

    def remove_usage(self, usage: InviteUsage) -> None:
        """A call is over; its dialogs must have been removed."""
        self._usages.discard(usage)

    # The way to the wire.

    def add_via(self, request: Request, flow: Flow) -> None:
        """Write our Via, with a new branch, into a request that is to go on this flow."""
        branch = self.new_branch(request)
        sent_by = f"{format_host(self._host(flow))}:{flow.local[1]}"
        alias = ";alias" if flow.secure and self.config.tls.certificate is not None else ""  # RFC 5923
        request.headers.insert("Via", f"SIP/2.0/{flow.transport} {sent_by};branch={branch};rport{alias}")

    def _host(self, flow: Flow) -> str:
        return self.config.advertised_host or flow.local[0]

    def _emit_effect(self, effect: Effect) -> None:
        self._effects.append(effect)

    def _lose(self, flow: Flow, reason: str) -> None:
        self.locator.lost(flow, self.connections.targets(flow))
        self.connections.remove(flow)
        self.lost_because = reason
        self.layer.flow_lost(flow)
        self.lost_because = ""
        self.bindings.flow_lost(flow)

    def _in_use(self, flow: Flow) -> bool:
        """Whether a transaction, a registration or a call needs this flow."""
        if self.layer.uses(flow) or self.bindings.uses(flow):
            return True
        return any(usage.dialog is not None and usage.dialog.flow == flow for usage in self._usages)


def _start_call(core: Core, incoming: IncomingRequest) -> None:
    if core.calls >= core.config.max_usages:
        incoming.respond(503, None, _BUSY)
        return
    replaced = find_replaced(core, incoming.request)
    if isinstance(replaced, Refusal):
        incoming.respond(replaced.status, replaced.reason)
    else:
        InviteUsage.called(core, incoming, replaced)


def _is_sips(uri: Uri) -> bool:
    return isinstance(uri, SipUri) and uri.scheme == "sips"
