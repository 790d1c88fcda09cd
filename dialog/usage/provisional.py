"""The provisional responses of a callee, reliable ones (RFC 3262 section 3) and others.

    progress() --> reliable? --no--> sent, and again each minute
                      | yes
                      v
               one at a time: sent with the next RSeq, again after T1, 2*T1, 4*T1 ... until its PRACK
                      |                                         |
                   PRACK: 200, then the next one             64*T1: the INVITE gets 504

A 2xx waits until no session description is left unacknowledged.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

from dialog.bodies import session_description
from dialog.events import SessionAnswer, SessionOffer
from dialog.incoming import IncomingRequest
from dialog.timers import Timer
from dialog.usage.exchange import Exchange
from dialog.usage.prack import OPTION

if TYPE_CHECKING:
    from dialog.usage.branch import Branch
    from dialog.usage.invite import InviteUsage

ReliableProvisional = Literal["off", "supported", "required"]
"""Never; when the caller requires it, or can do it and there is a session description; whenever it can."""

PROVISIONAL_EVERY = 60.0
"""An unreliable one is repeated each minute, or proxies give the call up (RFC 3261 section 13.3.1.1)."""

_RACK = re.compile(r"[ \t]*([0-9]{1,10})[ \t]+([0-9]{1,10})[ \t]+(\S+)[ \t]*\Z")


class _Reliable(NamedTuple):
    status: int
    body: bytes


class Provisionals:
    """What a callee sends before its final response."""

    def __init__(
        self,
        usage: InviteUsage,
        branch: Branch,
        incoming: IncomingRequest,
        unacknowledged: Callable[[], None],
    ) -> None:
        self._usage = usage
        self._core = usage.core
        self._branch = branch
        self._incoming = incoming
        self._unacknowledged = unacknowledged
        self._waiting: deque[_Reliable] = deque()
        self._sent: _Reliable | None = None
        self._sequence = 0
        self._resending: Timer | None = None
        self._patience: Timer | None = None
        self._reminder: Timer | None = None
        self._on_acknowledged: Callable[[], None] | None = None

    @property
    def required(self) -> bool:
        """Whether the caller wants every one of them to be reliable."""
        return _has_option(self._incoming.request.require)

    @property
    def possible(self) -> bool:
        """Whether the caller can acknowledge them."""
        if self._core.config.reliable_provisional == "off":
            return False
        return self.required or _has_option(self._incoming.request.supported)

    def send(self, status: int, body: bytes) -> None:
        """Send one, reliably where that is wanted."""
        wanted = bool(body) or self._core.config.reliable_provisional == "required"
        if self.required or (self.possible and wanted):
            self._waiting.append(_Reliable(status, body))
            self._send_next()
            return
        data = self._incoming.respond(status, None, self._fields(body), body, record_route=True)
        self._remind(status, data)

    def when_acknowledged(self, act: Callable[[], None]) -> None:
        """Call `act` when no session description waits for its PRACK: now, or later."""
        if self._holds_description:
            self._on_acknowledged = act
        else:
            self.stop()
            act()

    @property
    def holds_final(self) -> bool:
        """The 2xx waits for a PRACK."""
        return self._on_acknowledged is not None

    def on_prack(self, incoming: IncomingRequest) -> None:
        """A PRACK of the peer: for the one that waits for it, or (again) for an earlier one."""
        match = _RACK.match(incoming.request.headers.get("RAck") or "")
        invite = self._incoming.request.cseq.number
        if match is None or int(match[2]) != invite or match[3] != "INVITE":
            incoming.respond(481)
            return
        sequence = int(match[1])
        if self._sent is None or sequence != self._sequence:
            incoming.respond(481)
            return
        self._stop_resending()
        self._sent = None
        if self._take_body(incoming):
            incoming.respond(200)
        self._go_on()

    def stop(self) -> None:
        """The INVITE has its final response: nothing is repeated, a late PRACK is still answered."""
        self._stop_resending()
        self._waiting.clear()
        if self._reminder is not None:
            self._reminder.cancel()
            self._reminder = None

    def release(self) -> None:
        """The call is over."""
        self.stop()
        self._on_acknowledged = None

    @property
    def _holds_description(self) -> bool:
        unacknowledged = (*self._waiting, *(() if self._sent is None else (self._sent,)))
        asked = isinstance(self._branch.asker, _PrackOffer)
        return asked or any(response.body for response in unacknowledged)

    def _take_body(self, prack: IncomingRequest) -> bool:
        """What a PRACK brings: the answer to our offer, or an offer (then False: it is answered later)."""
        usage, branch = self._usage, self._branch
        body = session_description(prack.request, self._core.config.accept)
        if branch.exchange is Exchange.OURS:
            branch.exchange = Exchange.AGREED if body is not None else Exchange.NOTHING
            if body is not None:
                self._core.emit(SessionAnswer(usage, body.content, branch.tag))
            return True
        if body is None:
            return True
        if not branch.quiet:
            prack.respond(488)
            return False
        branch.ask(_PrackOffer(branch, prack, self._core.config.accept[0], self._go_on))
        self._core.emit(SessionOffer(usage, body.content, body.content_type, branch.tag))
        return False

    def _go_on(self) -> None:
        self._send_next()
        if self._on_acknowledged is not None and not self._holds_description:
            act, self._on_acknowledged = self._on_acknowledged, None
            self.stop()
            act()

    def _send_next(self) -> None:
        if self._sent is not None or not self._waiting or self._incoming.transaction.answered:
            return
        self._sent = response = self._waiting.popleft()
        # Below 2**31 at first (section 3), so that it can grow by one each time.
        self._sequence = self._sequence + 1 if self._sequence else self._core.random.randrange(1, 1 << 16)
        fields = [*self._fields(response.body), ("Require", OPTION), ("RSeq", str(self._sequence))]
        if self._reminder is not None:
            self._reminder.cancel()
        data = self._incoming.respond(response.status, None, fields, response.body, record_route=True)
        self._resend_after(self._core.config.timers.T1, response.status, data)
        self._patience = self._core.queue.start(self._core.config.timers.patience, self._give_up)

    def _resend_after(self, interval: float, status: int, data: bytes) -> None:
        def again() -> None:
            self._incoming.transaction.respond(status, data)
            self._resend_after(interval * 2, status, data)

        self._resending = self._core.queue.start(interval, again)

    def _give_up(self) -> None:
        self.stop()
        self._unacknowledged()

    def _stop_resending(self) -> None:
        for timer in (self._resending, self._patience):
            if timer is not None:
                timer.cancel()
        self._resending = self._patience = None

    def _fields(self, body: bytes) -> list[tuple[str, str]]:
        fields = [("Contact", self._incoming.contact)]
        if self.possible:
            fields += self._core.capabilities  # so that the caller may send UPDATE before the answer
        if body:
            fields.append(("Content-Type", self._core.config.accept[0]))
        return fields

    def _remind(self, status: int, data: bytes) -> None:
        if self._reminder is not None:
            self._reminder.cancel()

        def again() -> None:
            self._incoming.transaction.respond(status, data)
            self._remind(status, data)

        self._reminder = self._core.queue.start(PROVISIONAL_EVERY, again)


class _PrackOffer:
    """An offer in a PRACK, which waits for our answer in its 2xx."""

    def __init__(
        self, branch: Branch, prack: IncomingRequest, content_type: str, done: Callable[[], None]
    ) -> None:
        self._branch = branch
        self._prack = prack
        self._content_type = content_type
        self._done = done

    def accept(self, body: bytes) -> None:
        """200 with our answer."""
        self._branch.answered()
        self._prack.respond(200, None, (("Content-Type", self._content_type),), body)
        self._done()

    def reject(self, status: int) -> None:
        """The offer is refused; the response it came for is acknowledged all the same."""
        self._branch.answered()
        self._prack.respond(status)
        self._done()


def _has_option(tags: tuple[str, ...]) -> bool:
    return any(tag.lower() == OPTION for tag in tags)
