"""Subscribing (RFC 6665 section 4.1): our SUBSCRIBE, the NOTIFYs that answer it, and their refreshing.

A SUBSCRIBE may fork, so one `Subscription` may have several dialogs, a `Watch` each. It is the NOTIFY that
makes a dialog, never the 2xx (section 4.4.1): it often comes first. A REFER in a call makes a `Watch` in the
call's dialog without any SUBSCRIBE.

    subscribe    NOTIFY ...           refresh before the expiry        unsubscribe, NOTIFY "terminated"
    |--Timer N-->|  Notified          |--Timer N-->|  Notified         |--Timer N-->|  SubscriptionEnded
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from dialog.address import NameAddr
from dialog.dialog import Dialog, next_hop
from dialog.errors import ParseError
from dialog.event_package import EventType, SubscriptionState
from dialog.incoming import IncomingRequest
from dialog.message import Request, Response
from dialog.service_events import Notified, SubscriptionEnded, SubscriptionEndedBy
from dialog.status import reason_phrase
from dialog.timers import Timer
from dialog.usage.asking import Asked, NoAnswer, outside_request
from dialog.usage.sharing import GoneCause, Host, OwnDialog

if TYPE_CHECKING:
    from dialog.core import Core

ENDS_SUBSCRIPTION = frozenset({404, 405, 410, 416, 489, 501, 604, *range(480, 486)})
"""Answers to a refresh after which there is no subscription (section 4.1.2.2); others change nothing."""

MAX_WATCHES = 32
"""Branches of one subscription that are followed."""

MAX_INTERVAL_RETRIES = 2
"""How often a 423 is answered with a longer interval."""


class WatchOwner(Protocol):
    """Who wants to know what a watch sees."""

    def notified(self, watch: Watch, state: SubscriptionState, request: Request) -> None:
        """A NOTIFY, already answered 200. When `state` is terminated the watch is over, and says no more."""

    def watch_over(self, watch: Watch, by: SubscriptionEndedBy, status: int, reason: str) -> None:
        """It is over without a NOTIFY that says so."""


class Watch:
    """The subscriber's side of one subscription in one dialog."""

    def __init__(self, core: Core, host: Host | None, event: EventType, owner: WatchOwner) -> None:
        """`host` None: the dialog is made later, by `open`."""
        self.event = event
        self.is_ours: Callable[[EventType], bool] = event.__eq__
        """Whether a NOTIFY of this event is for us; a REFER is less strict about the id."""
        self.host = host
        self._core = core
        self._owner = owner
        self._leaving = False
        self._over = False
        self._wanted = 0
        self._retries = 0
        self._accept: tuple[tuple[str, str], ...] = ()
        self._timer_n: Timer | None = None
        self._expiry: Timer | None = None
        self._refresh: Timer | None = None
        if host is not None:
            host.sharers.add(self)

    @property
    def remote_tag(self) -> str:
        """Which branch it is."""
        return "" if self.host is None else self.host.confirmed_dialog.key[2]

    def open(self, dialog: Dialog, wanted: int, accept: tuple[tuple[str, str], ...]) -> None:
        """A NOTIFY made this dialog; each refresh asks for `wanted` seconds, with the fields `accept`."""
        self._wanted = wanted
        self._accept = accept
        self.host = OwnDialog(self._core, dialog, self)

    def await_notify(self) -> None:
        """Start Timer N: without a NOTIFY in 64*T1 there is no subscription."""
        self._stop("_timer_n")
        self._timer_n = self._core.queue.start(self._core.config.timers.patience, self._nothing_came)

    def takes(self, request: Request) -> bool:
        """NOTIFYs of the same event."""
        if request.method != "NOTIFY":
            return False
        try:
            event = EventType.of(request)
        except ParseError:
            return False
        return self.is_ours(event)

    def receive_request(self, incoming: IncomingRequest) -> None:
        """A NOTIFY for us."""
        assert self.host is not None
        request = incoming.request
        try:
            state = SubscriptionState.of(request)
        except ParseError as error:
            incoming.respond(400, error.reason)
            return
        self._stop("_timer_n")
        self.host.confirmed_dialog.refresh_target(request)
        incoming.respond(200, None, (("Contact", incoming.contact),))
        if state.terminated:
            self.close()
        elif state.expires is not None:
            self.expires_in(state.expires)
        self._owner.notified(self, state, request)

    def expires_in(self, seconds: int) -> None:
        """The notifier keeps it up so long, if it is not refreshed."""
        self._stop("_expiry")
        self._stop("_refresh")
        if self._over or self._leaving:
            return
        self._expiry = self._core.queue.start(seconds, lambda: self._end("timeout", 0, "expired"))
        if self._wanted:
            self._refresh_after(max(seconds - min(32.0, seconds / 2), 0.5))

    def ask_again(self) -> None:
        """Refresh now: the NOTIFY that follows brings the whole state."""
        if not self._over and not self._leaving and self._wanted:
            self._stop("_refresh")
            self._send_subscribe(self._wanted)

    def unsubscribe(self) -> None:
        """Ask for the end; the NOTIFY that says "terminated" is the last of it."""
        if self._over or self._leaving:
            return
        self._leaving = True
        self._stop("_expiry")
        self._stop("_refresh")
        self._send_subscribe(0)

    def dialog_is_gone(self, status: int, cause: GoneCause) -> None:
        """The dialog is over for all its usages."""
        self._end("remote" if cause == "remote" else cause, status, reason_phrase(status))

    def close(self) -> None:
        """Forget it; nobody is told."""
        self._over = True
        for name in ("_timer_n", "_expiry", "_refresh"):
            self._stop(name)
        if self.host is not None:
            self.host.leave(self)

    def _refresh_after(self, seconds: float) -> None:
        self._stop("_refresh")
        self._refresh = self._core.queue.start(seconds, lambda: self._send_subscribe(self._wanted))

    def _send_subscribe(self, seconds: int) -> None:
        assert self.host is not None
        dialog = self.host.confirmed_dialog
        headers = [("Event", str(self.event)), ("Expires", str(seconds)), *self._accept]
        request = dialog.request("SUBSCRIBE", dialog.next_sequence(), headers)
        asked = Asked(lambda response, cause: self._answered(seconds, response, cause))
        self._core.send_request(request, asked, dialog.next_hop, contact=True, otherwise=dialog.flow)
        self.await_notify()

    def _answered(self, seconds: int, response: Response | None, cause: NoAnswer | None) -> None:
        """The answer to a refresh, or to the goodbye."""
        if self._over:
            return
        if response is None:
            status = 408 if cause == "timeout" else 503
            self._end(cause or "timeout", status, reason_phrase(status))
        elif response.status < 300:
            self._retries = 0
            assert self.host is not None
            self.host.confirmed_dialog.refresh_target(response)
            if not self._leaving:
                self.expires_in(granted(response, seconds))
        elif self._leaving or response.status in ENDS_SUBSCRIPTION:
            by: SubscriptionEndedBy = "local" if self._leaving else "remote"
            self._end(by, response.status, response.reason)
        else:
            self._refused(response)

    def _refused(self, response: Response) -> None:
        """The subscription goes on until it expires; meanwhile we ask again."""
        self._stop("_timer_n")
        minimum = min_expires(response)
        if response.status == 423 and minimum is not None and self._retries < MAX_INTERVAL_RETRIES:
            self._retries += 1
            self._wanted = max(minimum, self._wanted)
            self._send_subscribe(self._wanted)
        else:
            self._refresh_after(max(4.0, float(retry_after(response) or 0)))

    def _nothing_came(self) -> None:
        self._timer_n = None
        self._end("local" if self._leaving else "timeout", 0, "no NOTIFY came")

    def _end(self, by: SubscriptionEndedBy, status: int, reason: str) -> None:
        if not self._over:
            self.close()
            self._owner.watch_over(self, by, status, reason)

    def _stop(self, name: str) -> None:
        timer: Timer | None = getattr(self, name)
        if timer is not None:
            timer.cancel()
            setattr(self, name, None)


class Subscription:
    """Our subscription to one resource: what `Core.subscribe` gives, and the `source` of its events.

    Notified comes once for each NOTIFY, SubscriptionEnded once, last. `event` is what is subscribed to,
    `expires` how long is asked for (0 asks once for the state, and the first NOTIFY ends it).
    """

    def __init__(
        self,
        core: Core,
        target: str,
        from_: NameAddr | str,
        event: EventType,
        expires: int,
        accept: tuple[str, ...],
        headers: Iterable[tuple[str, str]] = (),
        *,
        forks: bool = True,
    ) -> None:
        self.target = target
        self.event = event
        self.expires = expires
        self._core = core
        self._forks = forks
        self._accept = (("Accept", ", ".join(accept)),) if accept else ()
        self._watches: list[Watch] = []
        self._leaving = False
        self._over = False
        self._retries = 0
        self._granted: int | None = None
        self._timer_n: Timer | None = None
        self._request = outside_request(
            core,
            "SUBSCRIBE",
            target,
            from_,
            (("Event", str(event)), ("Expires", str(expires)), *self._accept, *core.capabilities, *headers),
        )
        self._tag = self._request.from_.tag or ""

    @property
    def call_id(self) -> str:
        """The Call-ID of the subscription."""
        return self._request.call_id

    def start(self) -> None:
        """Send the SUBSCRIBE; called by the core."""
        self._core.dialogs.add_half(self.call_id, self._tag, self._receive_notify)
        self._timer_n = self._core.queue.start(self._core.config.timers.patience, self._forking_over)
        self._send()

    def refresh(self) -> None:
        """Have the whole state told again: refresh at once."""
        self._core.act()
        for watch in list(self._watches):
            watch.ask_again()

    def unsubscribe(self) -> None:
        """End it; SubscriptionEnded follows. Nothing happens when it is over or ending already."""
        if self._over or self._leaving:
            return
        self._core.act()
        self._leaving = True
        for watch in list(self._watches):
            watch.unsubscribe()

    def notified(self, watch: Watch, state: SubscriptionState, request: Request) -> None:
        """A NOTIFY came in one of the dialogs."""
        self._core.emit(Notified(self, watch.remote_tag, state, request.content_type or "", request.body))
        if state.terminated:
            self._without(watch, "local" if self._leaving else "remote", 0, state.reason, state.retry_after)

    def watch_over(self, watch: Watch, by: SubscriptionEndedBy, status: int, reason: str) -> None:
        """One of the dialogs has ended."""
        self._without(watch, by, status, reason)

    def _send(self) -> None:
        self._core.send_request(
            self._request, Asked(self._answered), next_hop(self._request), contact=True,
            contact_user=self._request.from_.uri,
        )  # fmt: skip

    def _answered(self, response: Response | None, cause: NoAnswer | None) -> None:
        """The answer to the first SUBSCRIBE."""
        if self._over:
            return
        if response is None:
            status = 408 if cause == "timeout" else 503
            self._failed(cause or "timeout", status, reason_phrase(status))
        elif response.status < 300:
            self._granted = granted(response, self.expires)
            for watch in self._watches:
                watch.expires_in(self._granted)
        else:
            minimum = min_expires(response)
            if response.status == 423 and minimum is not None and self._retries < MAX_INTERVAL_RETRIES:
                self._ask_longer(minimum)
            else:
                self._failed("rejected", response.status, response.reason, retry_after(response))

    def _failed(self, by: SubscriptionEndedBy, status: int, reason: str, after: int | None = None) -> None:
        """No final success. A NOTIFY that came all the same counts for more."""
        if not self._watches:
            self._finish(by, status, reason, after)

    def _ask_longer(self, minimum: int) -> None:
        self._retries += 1
        self.expires = max(minimum, self.expires)
        request = self._request
        headers = request.headers.copy()
        for name in ("Via", "Contact", "Authorization", "Proxy-Authorization"):
            headers.remove(name)
        headers.set("CSeq", f"{request.cseq.number + 1} SUBSCRIBE")
        headers.set("Expires", str(self.expires))
        self._request = Request("SUBSCRIBE", request.uri, headers)
        self._send()

    def _receive_notify(self, incoming: IncomingRequest) -> None:
        """A request to our tag, in no dialog yet."""
        request = incoming.request
        watch = Watch(self._core, None, self.event, self)
        if not watch.takes(request) or len(self._watches) >= (MAX_WATCHES if self._forks else 1):
            incoming.respond(481)
            return
        dialog = Dialog.from_notify(self._request, request)
        dialog.flow = incoming.flow
        watch.open(dialog, self.expires, self._accept)
        self._watches.append(watch)
        if self._granted is not None:
            watch.expires_in(self._granted)
        watch.receive_request(incoming)
        if self._leaving:
            watch.unsubscribe()

    def _forking_over(self) -> None:
        """Timer N: no more branches; and no subscription at all if there is none yet."""
        self._timer_n = None
        self._core.dialogs.remove_half(self.call_id, self._tag)
        if not self._watches:
            self._finish("local" if self._leaving else "timeout", 0, "no NOTIFY came")

    def _without(
        self, watch: Watch, by: SubscriptionEndedBy, status: int, reason: str, after: int | None = None
    ) -> None:
        if watch in self._watches:
            self._watches.remove(watch)
        if not self._watches:
            self._finish(by, status, reason, after)

    def _finish(self, by: SubscriptionEndedBy, status: int, reason: str, after: int | None = None) -> None:
        if self._over:
            return
        self._over = True
        if self._timer_n is not None:
            self._timer_n.cancel()
        self._core.dialogs.remove_half(self.call_id, self._tag)
        self._core.emit(SubscriptionEnded(self, by, status, reason, after))


def min_expires(response: Response) -> int | None:
    """The Min-Expires of a 423 (RFC 3261 section 20.23), if it can be read."""
    return _number(response, "Min-Expires")


def retry_after(response: Response) -> int | None:
    """The seconds of Retry-After (RFC 3261 section 20.33), if it can be read."""
    return _number(response, "Retry-After")


def granted(response: Response, wanted: int) -> int:
    """The seconds that a 2xx gives, never more than we asked for."""
    seconds = _number(response, "Expires")
    return wanted if seconds is None else min(seconds, wanted)


def _number(response: Response, name: str) -> int | None:
    digits = (response.headers.get(name) or "").partition(";")[0].partition("(")[0].strip(" \t")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else None
