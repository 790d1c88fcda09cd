"""Registering an address-of-record (RFC 3261 section 10.2), and keeping it registered.

    REGISTERING --2xx--> REGISTERED --time to refresh--> REGISTERING     (as often as it works)
         |                    |
         +--anything else--> WAITING --back-off--> REGISTERING           (FAILED when a retry cannot help)
    unregister(), from any of them: UNREGISTERING --any answer, or none--> ENDED

One Call-ID and a growing CSeq for all requests of one registration (section 10.2.4), at most one of them in
progress. What the registrar sees of us, in `received` and `rport` of our Via, is taken as our Contact when it
differs (RFC 3581 section 9): behind a NAT nobody could reach the other one. With `instance` a GRUU is asked
for (RFC 5627), with `reg_id` too the binding is one flow of RFC 5626. Failed attempts are spaced as RFC 5626
section 4.5 has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from dialog.back_off import back_off, refresh_after, retry_after
from dialog.errors import LocalProtocolError
from dialog.flow import Flow, HostPort
from dialog.grammar import delta_seconds
from dialog.message import Request, Response
from dialog.registration_events import Registered, RegistrationFailed, Unregistered
from dialog.registration_grant import Grant
from dialog.registration_settings import RegistrationSettings, RegistrationState
from dialog.server_selection import ip_address_text
from dialog.status import reason_phrase
from dialog.timers import Timer
from dialog.transaction.client import ClientTransaction
from dialog.uri import SipUri, Uri

if TYPE_CHECKING:
    from dialog.core import Core
    from dialog.outgoing import Outgoing

__all__ = ["MAX_EXPIRES", "Registration", "RegistrationSettings", "RegistrationState"]

MAX_EXPIRES = 7 * 24 * 3600
"""A registrar that wants a longer registration than this (423) is not followed."""

_MAX_MOVES = 3
"""How often in a row the Contact may follow our address as the registrar sees it."""

# Nothing changes by asking again: the request itself, or who asks, is refused.
_FINAL = frozenset({400, 401, 402, 403, 404, 405, 406, 407, 410, 413, 414, 415, 416, 420, 421, 422, 423}) | {
    439, 484, 485, 493, 501, 505, 513, 600, 603, 604, 606
}  # fmt: skip


class Registration:
    """One address-of-record at one registrar, from `Core.register` to `Unregistered`.

    `expires_at` and `retry_at` are times of the core's clock, None when there is nothing to wait for.
    """

    def __init__(self, core: Core, settings: RegistrationSettings) -> None:
        if not settings.address_of_record.uri or not isinstance(settings.address_of_record.uri, SipUri):
            raise LocalProtocolError("an address of record is a sip: or sips: URI")
        if not 0 < settings.expires < 2**31:
            raise LocalProtocolError(f"{settings.expires} s cannot be registered for: 1 or more")
        if settings.reg_id and not settings.instance:
            raise LocalProtocolError("reg-id needs an instance: it numbers the flows of one")
        self._core = core
        self.settings = settings
        self.call_id = core.new_call_id()
        self.state = RegistrationState.REGISTERING
        self.flow: Flow | None = None
        """The way to the registrar; what comes for us comes on it."""
        self.contact: SipUri | None = None
        """The URI that is registered, or about to be."""
        self.grant = Grant()
        """What the registrar granted last."""
        self.expires_at: float | None = None
        self.retry_at: float | None = None
        self._from = str(settings.address_of_record.with_tag(core.new_tag()))
        self._sequence = core.new_sequence()
        self._expires = settings.expires
        self._failures = 0
        self._moves = 0
        self._old_contact: SipUri | None = None
        self._timer: Timer | None = None
        self._outgoing: Outgoing | None = None
        self._request: Request | None = None
        self._closing = False
        core.bindings.add(self)
        self._start()

    @property
    def account(self) -> SipUri:
        """The address-of-record as a URI."""
        uri = self.settings.address_of_record.uri
        assert isinstance(uri, SipUri)
        return uri

    # What the application does.

    def refresh(self) -> None:
        """Register again now: after a change of network, or because the cause of a failure is gone."""
        if self._closing:
            raise LocalProtocolError("this registration is over: make another one")
        self._core.act()
        self._failures = 0
        self._renew()

    def unregister(self) -> None:
        """Take the binding back; Unregistered follows when the registrar has said so, or will not."""
        if self._closing:
            return
        self._core.act()
        self._closing = True
        self._stop_waiting()
        if self._outgoing is None:
            self._leave()
        elif not self._is_bound:
            # Nobody ever answered: nothing is there to be taken back.
            self._give_up_request()
            self._end(0, "")

    def abandon(self) -> None:
        """End it without a word to the registrar, and without an event."""
        self._closing = True
        self._stop_waiting()
        self._give_up_request()
        self.state = RegistrationState.ENDED
        self._core.bindings.remove(self)

    # What the core does.

    def flow_lost(self) -> None:
        """The connection is gone: nothing can reach us until we have registered over another one."""
        if self.state is RegistrationState.REGISTERED:
            # Not all accounts in the same moment, when a proxy has restarted.
            self._schedule(self._core.random.random() * 2.0, self._start)

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        """The registrar's answer."""
        if response.status < 200:
            return
        self._finished()
        accepted = response.status < 300
        if self.state is RegistrationState.UNREGISTERING:
            self._end(response.status, response.reason)
        elif accepted:
            self._accepted(response)
        elif self._closing:
            self._leave()
        elif response.status == 423 and self._take_longer(response):
            self._start()
        else:
            self._failed(response.status, response.reason, retry_after(response), response)

    def on_failure(
        self, transaction: ClientTransaction | None, cause: Literal["timeout", "transport"]
    ) -> None:
        """The registrar does not answer, or cannot be reached."""
        why = self._outgoing.why if self._outgoing is not None else ""
        self._finished()
        status = 408 if cause == "timeout" else 503
        if self._closing:
            self._end(status, reason_phrase(status))
        else:
            self._failed(status, reason_phrase(status), None, why=why)

    # Sending.

    @property
    def _is_bound(self) -> bool:
        """The registrar may hold a binding of ours."""
        return self.expires_at is not None and self._core.now < self.expires_at

    def _start(self) -> None:
        """Send a REGISTER as soon as it is this registration's turn."""
        self._stop_waiting()
        self.state = RegistrationState.REGISTERING
        self._core.bindings.in_turn(self, lambda: self._send(self._expires))

    def _renew(self) -> None:
        if self._outgoing is None:
            self._start()

    def _leave(self) -> None:
        self.state = RegistrationState.UNREGISTERING
        if self._is_bound:
            self._core.bindings.in_turn(self, lambda: self._send(0))
        else:
            self._end(0, "")

    def _send(self, expires: int) -> None:
        settings, core = self.settings, self._core
        self._sequence += 1
        supported = ["path"]
        if settings.instance:
            supported.append("gruu")
        if settings.reg_id:
            supported.append("outbound")
        fields = [
            ("Max-Forwards", "70"),
            *[("Route", str(route)) for route in settings.route_set],
            ("From", self._from),
            ("To", str(settings.address_of_record)),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self._sequence} REGISTER"),
            *core.client_headers,
            ("Allow", ", ".join(core.config.allow)),
            ("Supported", ", ".join([*supported, *core.config.supported])),
            ("Expires", str(expires)),
        ]
        request = self._request = Request("REGISTER", settings.registrar, fields)
        hop: Uri = settings.route_set[0].uri if settings.route_set else settings.hop or settings.registrar
        self._outgoing = core.send_request(
            request, self, hop, prepare=lambda flow: self._add_contacts(request, flow, expires)
        )

    def _add_contacts(self, request: Request, flow: Flow, expires: int) -> None:
        """The way is found: say where we are. An address that we have left is taken back at once."""
        if flow != self.flow:
            self.flow = flow
            self._core.bindings.moved(self)
        host, port = self._core.public_address(flow)
        request.headers.remove("Contact")  # what it said on the way to another server
        scheme, transport = self.account.scheme, flow.transport.lower()
        params: dict[str, str | None] = {}
        # In a SIPS URI TLS goes without saying, and what is below it is named (section 26.2.2).
        if scheme == "sips":
            if transport in ("ws", "wss"):
                params["transport"] = "ws"
        elif transport != "udp":
            params["transport"] = transport
        if self.settings.reg_id:
            params["ob"] = None
        contact = SipUri(self.account.user, host, port, params, scheme=scheme)
        before = self.contact if self._is_bound else None
        self.contact = contact
        value = f"<{contact}>"
        if self.settings.instance:
            value += f';+sip.instance="<{self.settings.instance}>"'
        if self.settings.reg_id:
            value += f";reg-id={self.settings.reg_id}"
        request.headers.add("Contact", f"{value};expires={expires}")
        if before is not None and before != contact:
            # After the one that counts: there are registrars that read the first only.
            request.headers.add("Contact", f"<{before}>;expires=0")
        for other in self.settings.contacts:
            request.headers.add("Contact", other if expires else f"{other};expires=0")

    def _finished(self) -> None:
        """The request is over; challenges may have used up more CSeq numbers than ours."""
        if self._request is not None:
            self._sequence = self._request.cseq.number
        self._request = self._outgoing = None
        self._core.bindings.turn_over(self)

    def _give_up_request(self) -> None:
        outgoing = self._outgoing
        self._finished()
        if outgoing is not None:
            outgoing.abandoned = True
            if outgoing.transaction is not None:
                outgoing.transaction.give_up()

    # Outcomes.

    def _accepted(self, response: Response) -> None:
        now, renewal = self._core.now, self.expires_at is not None and self._failures == 0
        self._failures = 0
        self.grant = grant = Grant.read(response, self.settings, self.contact, self._expires)
        if not grant.expires:
            self.expires_at = None
            self._failed(500, "The registrar keeps no binding of ours", None)
            return
        self.expires_at = now + grant.expires
        self._core.bindings.moved(self)
        if self._closing:
            self._leave()
            return
        if self._moves < _MAX_MOVES and self._learn_address(response):
            self._moves += 1
            self._start()
            return
        self._moves = 0
        self.state = RegistrationState.REGISTERED
        self._schedule(refresh_after(grant.expires, self._core.random.random()), self._start)
        self._core.emit(Registered(self, grant.expires, renewal))

    def _learn_address(self, response: Response) -> bool:
        """Take our address as the registrar sees it; whether it is another one than we told."""
        flow, core = self.flow, self._core
        if flow is None or self.contact is None or core.config.advertised_host is not None:
            return False
        via = response.via
        host, port = ip_address_text(via.received or via.host), via.rport
        if host is None:
            return False
        told: HostPort = (self.contact.host, self.contact.port or 5060)
        if host == told[0] and (flow.reliable or port is None or port == told[1]):
            return False  # a connection has a port of its own: only another host tells of a NAT
        core.bindings.learn(flow, (host, port or told[1]))
        return True

    def _take_longer(self, response: Response) -> bool:
        """Section 10.2.8: 423 names the shortest time that is allowed."""
        shortest = delta_seconds(response.headers.get("Min-Expires")) or 0
        if not self._expires < shortest <= MAX_EXPIRES:
            return False
        self._expires = shortest
        return True

    def _failed(
        self,
        status: int,
        reason: str,
        wait: float | None,
        response: Response | None = None,
        why: str = "",
    ) -> None:
        self._failures += 1
        retry_in: float | None = None
        if status in _FINAL and wait is None:
            self.state = RegistrationState.FAILED
        else:
            self.state = RegistrationState.WAITING
            retry_in = back_off(self._failures, self._core.random.random())
            if wait is not None:
                # Somewhat later than asked for, and not everybody at once.
                retry_in = wait * (1.0 + 0.1 * self._core.random.random())
            self._schedule(retry_in, self._start)
        self._core.emit(RegistrationFailed(self, status, reason, retry_in, response, why))

    def _end(self, status: int, reason: str) -> None:
        self.state = RegistrationState.ENDED
        self.expires_at = None
        self._core.bindings.remove(self)
        self._core.emit(Unregistered(self, status, reason))

    def _schedule(self, delay: float, action: Callable[[], None]) -> None:
        self._stop_waiting()
        self.retry_at = self._core.now + delay
        self._timer = self._core.queue.start(delay, action)

    def _stop_waiting(self) -> None:
        self.retry_at = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
