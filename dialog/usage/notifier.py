"""Notifying (RFC 6665 section 4.2): a peer's subscription to something of ours.

The first state is WAITING: the application is asked by IncomingSubscription and says `accept` or `reject`.
NOTIFYs leave one at a time, so that they arrive in order whatever is lost on the way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING

from dialog.dialog import Dialog
from dialog.errors import LocalProtocolError, ParseError
from dialog.event_package import EventType, SubscriptionState
from dialog.incoming import IncomingRequest
from dialog.message import Request, Response
from dialog.service_events import IncomingSubscription, NotifierEnded
from dialog.timers import Timer
from dialog.usage.asking import Asked, NoAnswer
from dialog.usage.sharing import GoneCause, Host, OwnDialog
from dialog.usage.subscriber import retry_after

if TYPE_CHECKING:
    from dialog.core import Core
    from dialog.usage.invite import InviteUsage

MAX_QUEUED = 32
"""NOTIFYs that wait for the one on its way; the oldest of more is left out."""

DEFAULT_EXPIRES = 3600
"""Seconds, when a SUBSCRIBE names none."""


class NotifierState(Enum):
    """Where a peer's subscription stands: WAITING -> PENDING -> ACTIVE -> TERMINATED, forward only."""

    WAITING = "waiting"
    PENDING = "pending"
    ACTIVE = "active"
    TERMINATED = "terminated"


class Notifier:
    """A peer's subscription: the `source` of IncomingSubscription and NotifierEnded.

    `request` is what made it: a SUBSCRIBE, or the REFER whose outcome it tells.
    """

    def __init__(self, core: Core, incoming: IncomingRequest, event: EventType, host: Host | None) -> None:
        """`host` None: the request is outside a dialog and makes its own."""
        self.event = event
        self.request = incoming.request
        self.state = NotifierState.WAITING
        self._core = core
        self._incoming: IncomingRequest | None = incoming
        self._body: tuple[str, bytes] = ("", b"")
        self._queue: deque[tuple[str, bytes]] = deque(maxlen=MAX_QUEUED)
        self._sending = False
        self._last: SubscriptionState | None = None
        self._longest = DEFAULT_EXPIRES
        self._expires_at = 0.0
        self._expiry: Timer | None = None
        self._retry: Timer | None = None
        if host is None:
            dialog = Dialog.from_request(incoming.request, incoming.to_tag, core.new_sequence())
            dialog.flow = incoming.flow
            self._host: Host = OwnDialog(core, dialog, self)
        else:
            self._host = host
            host.sharers.add(self)
        core.services.add_notifier(self)
        # An application that never says anything must not keep the request for ever.
        self._patience: Timer | None = core.queue.start(
            core.config.timers.patience, lambda: self._refuse(480)
        )

    # What the application does.

    def accept(
        self, content_type: str = "", body: bytes = b"", *, expires: int | None = None, pending: bool = False
    ) -> None:
        """Take the SUBSCRIBE: 200, and a first NOTIFY with this state.

        `expires` may shorten what was asked for. `pending`: whether it is allowed is decided later; the first
        `notify` then makes it active.
        """
        incoming = self._waiting()
        self._core.act()
        self._longest = DEFAULT_EXPIRES if expires is None else expires
        granted = _asked_for(incoming.request, self._longest)
        self.answer(200, (("Expires", str(granted)),))
        self.begin(granted, content_type, body, pending=pending)

    def reject(self, status: int = 403, headers: Sequence[tuple[str, str]] = ()) -> None:
        """Refuse it; no event follows."""
        self._waiting()
        if not 300 <= status <= 699:
            raise LocalProtocolError(f"{status} does not refuse a subscription: use 300 to 699")
        self._core.act()
        self._refuse(status, headers)

    def notify(self, content_type: str, body: bytes) -> None:
        """Tell the peer a new state. Nothing happens when the subscription is over."""
        if self.state is NotifierState.WAITING:
            raise LocalProtocolError("the subscription is not accepted yet: call accept() first")
        if self.state is not NotifierState.TERMINATED:
            self._core.check_length(body)
            self._core.act()
            self.state = NotifierState.ACTIVE
            self._enqueue(content_type, body)

    def terminate(
        self,
        reason: str = "deactivated",
        *,
        retry_after: int | None = None,
        content_type: str = "",
        body: bytes = b"",
    ) -> None:
        """End it by a last NOTIFY, with this state or the latest. `reason` is a word of RFC 6665 4.1.3.

        Nothing happens when it is over; NotifierEnded follows.
        """
        if self.state is NotifierState.WAITING:
            raise LocalProtocolError("the subscription is not accepted yet: call reject()")
        if self.state is not NotifierState.TERMINATED:
            self._core.act()
            if content_type:
                self._body = (content_type, body)
            self._finish(SubscriptionState("terminated", None, reason, retry_after))

    # What the dialog gives.

    def takes(self, request: Request) -> bool:
        """SUBSCRIBEs of the same event."""
        if request.method != "SUBSCRIBE":
            return False
        try:
            return EventType.of(request) == self.event
        except ParseError:
            return False

    def receive_request(self, incoming: IncomingRequest) -> None:
        """A SUBSCRIBE in the dialog: a refresh, or (Expires: 0) the goodbye."""
        if self.state is NotifierState.TERMINATED:
            incoming.respond(481)
            return
        if self.state is NotifierState.WAITING:
            incoming.respond(500, "Not Answered Yet", (("Retry-After", "1"),))
            return
        try:
            granted = _asked_for(incoming.request, self._longest)
        except ParseError as error:
            incoming.respond(400, error.reason)
            return
        self._host.confirmed_dialog.refresh_target(incoming.request)
        incoming.respond(200, None, (("Expires", str(granted)), ("Contact", incoming.contact)))
        if granted == 0:
            self._finish(SubscriptionState("terminated", None, "timeout"))
        else:
            self._expires_in(granted)
            self._enqueue(*self._body)

    def dialog_is_gone(self, status: int, cause: GoneCause) -> None:
        """The dialog is over for all its usages."""
        self._close(cause)

    # What a REFER shares.

    def answer(self, status: int, headers: Sequence[tuple[str, str]] = ()) -> None:
        """The 2xx to the request that made it."""
        incoming = self._waiting()
        incoming.respond(status, None, (*headers, ("Contact", incoming.contact)), record_route=True)
        self._incoming = None
        self._stop_patience()

    def begin(self, seconds: int, content_type: str, body: bytes, *, pending: bool = False) -> None:
        """It is accepted: tell the first state."""
        self.state = NotifierState.PENDING if pending else NotifierState.ACTIVE
        self._body = (content_type, body)
        if seconds == 0:
            self._finish(SubscriptionState("terminated", None, "timeout"))
        else:
            self._expires_in(seconds)
            self._enqueue(content_type, body)

    # Inside.

    def _waiting(self) -> IncomingRequest:
        if self._incoming is None:
            raise LocalProtocolError("the subscription was accepted or refused already")
        return self._incoming

    def _refuse(self, status: int, headers: Sequence[tuple[str, str]] = ()) -> None:
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.respond(status, None, headers)
        self._close(None)

    def _expires_in(self, seconds: int) -> None:
        self._expires_at = self._core.now + seconds
        if self._expiry is not None:
            self._expiry.cancel()
        over = SubscriptionState("terminated", None, "timeout")
        self._expiry = self._core.queue.start(seconds, lambda: self._finish(over))

    def _enqueue(self, content_type: str, body: bytes) -> None:
        self._body = (content_type, body)
        self._queue.append(self._body)
        self._send_next()

    def _finish(self, last: SubscriptionState) -> None:
        """No more but the last NOTIFY, after those that wait."""
        self.state = NotifierState.TERMINATED
        self._last = last
        if self._expiry is not None:
            self._expiry.cancel()
        # What waits already says the latest state: the last NOTIFY repeats it rather than none.
        if self._queue and self._queue[-1] == self._body:
            self._queue.pop()
        self._queue.append(self._body)
        self._send_next()

    def _send_next(self) -> None:
        if self._sending or not self._queue:
            return
        content_type, body = self._queue.popleft()
        last = self._last is not None and not self._queue
        if last:
            assert self._last is not None
            state = self._last
        else:
            word = "pending" if self.state is NotifierState.PENDING else "active"
            state = SubscriptionState(word, max(0, round(self._expires_at - self._core.now)))
        headers = [("Event", str(self.event)), ("Subscription-State", str(state))]
        headers += self._core.client_headers
        if body:
            headers.append(("Content-Type", content_type))
        dialog = self._host.confirmed_dialog
        request = dialog.request("NOTIFY", dialog.next_sequence(), headers, body)
        self._sending = True
        asked = Asked(lambda response, cause: self._answered(response, cause, (content_type, body), last))
        self._core.send_request(request, asked, dialog.next_hop, contact=True, otherwise=dialog.flow)

    def _answered(
        self, response: Response | None, cause: NoAnswer | None, sent: tuple[str, bytes], last: bool
    ) -> None:
        self._sending = False
        if response is None:
            self._close(cause)
        elif response.status < 300:
            if last:
                self._close(None)
            else:
                self._host.confirmed_dialog.refresh_target(response)
                self._send_next()
        elif (after := retry_after(response)) is not None and response.status != 481 and not last:
            # Section 4.2.2: the peer is busy, not gone.
            self._queue.appendleft(sent)
            self._sending = True
            self._retry = self._core.queue.start(min(after, 600), self._try_again)
        else:
            self._close("remote")

    def _try_again(self) -> None:
        self._sending = False
        self._send_next()

    def _close(self, cause: GoneCause | None) -> None:
        """Nothing more is sent. `cause` None: it ended as it should."""
        began = self.state is not NotifierState.WAITING
        self.state = NotifierState.TERMINATED
        self._queue.clear()
        self._stop_patience()
        for timer in (self._expiry, self._retry):
            if timer is not None:
                timer.cancel()
        if self._core.services.remove_notifier(self):
            self._host.leave(self)
            if began:
                self._core.emit(NotifierEnded(self, self._last.reason if self._last else cause or ""))

    def _stop_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


def receive_subscribe(core: Core, incoming: IncomingRequest, usage: InviteUsage | None = None) -> None:
    """A SUBSCRIBE that makes a new subscription, outside a dialog or in that of a call."""
    known = (("Allow-Events", ", ".join(core.config.allow_events)),)
    try:
        event = EventType.of(incoming.request)
        _asked_for(incoming.request, DEFAULT_EXPIRES)
    except ParseError as error:
        if error.status == 489:
            incoming.respond(489, None, known)
        else:
            incoming.respond(error.status or 400, error.reason)
        return
    if event.package not in core.config.allow_events:
        incoming.respond(489, None, known)
    elif core.services.notifiers >= core.config.max_usages:
        incoming.respond(503, None, (("Retry-After", "5"),))
    else:
        notifier = Notifier(core, incoming, event, usage)
        core.emit(IncomingSubscription(notifier, event, usage, incoming.request))


def _asked_for(request: Request, longest: int) -> int:
    """The seconds a SUBSCRIBE asks for, at most `longest`."""
    wanted = request.expires
    return min(DEFAULT_EXPIRES if wanted is None else wanted, longest)
