"""Being told of states of others (RFC 6665), and publishing our own (RFC 3903)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dialog import service_events as sip
from dialog.errors import LocalProtocolError
from dialog.usage.publish import Publication
from dialog.usage.subscriber import Subscription
from sipmedia.changing import settled
from sipmedia.emitter import Emitter
from sipmedia.errors import BadBody, InvalidAddress, SubscriptionFailed
from sipmedia.serving import ServingPhone

if TYPE_CHECKING:
    from sipmedia.account import Account
    from sipmedia.packages import Content, DialogInfo

RETRY_AFTER = 30.0
"""Seconds before we subscribe again, when the notifier does not say how long."""

SHORTEST_RETRY = 0.5
"""Seconds that we wait even if told to come back at once."""

GOODBYE_WITHIN = 1.0


@dataclass(frozen=True, slots=True)
class StateNotified:
    """The state of what is subscribed to, or of one of its branches if the subscription forked.

    ``state`` is the subscription's ("active", "pending", "terminated"); ``content`` is what the body says, if
    it is of a kind that is known here (:mod:`sipmedia.packages`); of dialogs always all, also where only
    changes were told, and ``None`` if one of those got lost: the whole is asked for then.
    """

    subscription: PhoneSubscription
    branch: str
    state: str
    content_type: str
    body: bytes
    content: Content | None


@dataclass(frozen=True, slots=True)
class SubscriptionOver:
    """It is over, and is not tried again. ``status`` is that of a refusal, 0 otherwise."""

    subscription: PhoneSubscription
    by: sip.SubscriptionEndedBy
    status: int
    reason: str


class PhoneSubscription(Emitter):
    """A subscription of ours: what ``phone.subscribe`` gives. Refreshed, and made anew when it must be.

    Events: ``notify`` (:class:`StateNotified`), ``ended`` (:class:`SubscriptionOver`), ``error``.
    """

    def __init__(
        self, phone: SubscribingPhone, begin: Callable[[], Subscription], target: str, event: str
    ) -> None:
        super().__init__()
        self.target = target
        self.event = event
        self.latest: StateNotified | None = None
        """The latest state, of any branch."""
        self._phone = phone
        self._begin = begin
        self._loop = asyncio.get_running_loop()
        self._there: asyncio.Future[StateNotified] = self._loop.create_future()
        self._over: asyncio.Future[SubscriptionOver] = self._loop.create_future()
        self._began = 0.0
        self._leaving = False
        self._again: asyncio.TimerHandle | None = None
        self._usage: Subscription | None = None
        self._subscribe()
        phone.watch(self, self._take, self._close)

    @property
    def over(self) -> bool:
        """Whether it has ended for good."""
        return self._over.done()

    async def established(self) -> StateNotified:
        """Wait for the first state. :raises SubscriptionFailed: when there will be none."""
        await settled(self._there)
        return self._there.result()

    async def ended(self) -> SubscriptionOver:
        """Wait for the end."""
        await settled(self._over)
        return self._over.result()

    async def unsubscribe(self) -> None:
        """End it; waits a second for the notifier's goodbye. Harmless when it is over."""
        self._leaving = True
        if self._again is not None:
            self._again.cancel()
        if self._usage is None:
            self._end("local", 0, "")
        else:
            self._usage.unsubscribe()
            await asyncio.wait([self._over], timeout=GOODBYE_WITHIN)

    def _subscribe(self) -> None:
        self._again = None
        self._calls: dict[str, DialogInfo] = {}
        self._asked_whole: set[str] = set()
        self._began = self._loop.time()
        self._usage = self._begin()
        self._phone.watch(self._usage, self._take)

    def _close(self) -> None:
        """The phone closes."""
        self._leaving = True
        if self._again is not None:
            self._again.cancel()
        if self._usage is not None:
            self._usage.unsubscribe()
        self._end("local", 0, "the phone is closing")

    def _take(self, event: sip.ServiceEvent) -> None:
        match event:
            case sip.Notified():
                self._on_notified(event)
            case sip.SubscriptionEnded():
                self._phone.forget(event.source)
                self._usage = None
                self._on_ended(event)

    def _on_notified(self, event: sip.Notified) -> None:
        content: Content | None = None
        if event.body:
            try:
                content = self._read(event)
            except BadBody as error:
                self.report(error, f"reading a state of {self.target}")
        told = StateNotified(self, event.branch, event.state.state, event.content_type, event.body, content)
        self.latest = told
        if not self._there.done():
            self._there.set_result(told)
        self.emit("notify", told)

    def _read(self, event: sip.Notified) -> Content | None:
        # XML and its readers are loaded with the first state: most phones never see one.
        from sipmedia.packages import DialogInfo, read

        content = read(event.content_type, event.body)
        return self._merged(event.branch, content) if isinstance(content, DialogInfo) else content

    def _merged(self, branch: str, info: DialogInfo) -> DialogInfo | None:
        """All calls of that place, also when only those that changed are told (RFC 4235 section 4.3)."""
        whole = info.after(self._calls.get(branch))
        if whole is not None:
            self._calls[branch] = whole
            self._asked_whole.discard(branch)
        elif self._usage is not None and branch not in self._asked_whole:
            self._asked_whole.add(branch)  # once: it may not know better
            self._usage.refresh()
        return whole

    def _on_ended(self, event: sip.SubscriptionEnded) -> None:
        delay = None
        if not self._leaving and self._there.done() and self._phone.is_open:
            delay = again_after(event)
        if delay is None:
            self._end(event.by, event.status, event.reason)
            return
        if event.retry_after is None and self._loop.time() - self._began < RETRY_AFTER:
            delay = max(delay, RETRY_AFTER)  # one that ends as soon as it begins must not make us spin
        delay = max(delay, SHORTEST_RETRY)
        self._again = self._loop.call_later(delay, self._subscribe)

    def _end(self, by: sip.SubscriptionEndedBy, status: int, reason: str) -> None:
        if self._over.done():
            return
        self._phone.forget(self)
        over = SubscriptionOver(self, by, status, reason)
        self._over.set_result(over)
        if not self._there.done():
            self._there.set_exception(SubscriptionFailed(status or 408, reason))
            self._there.exception()  # nobody need wait for it
        self.emit("ended", over)


def again_after(event: sip.SubscriptionEnded) -> float | None:
    """Seconds to wait before subscribing again, ``None`` not to (RFC 6665 section 4.1.3).

    An answer of 481 says that the notifier has forgotten us: it is told anew.
    """
    after = None if event.retry_after is None else float(event.retry_after)
    if event.by in ("local", "rejected"):
        return None
    if event.by in ("timeout", "transport"):
        return after or RETRY_AFTER
    if event.status:
        return 0.0 if event.status == 481 else None
    if event.reason in ("rejected", "noresource", "invariant"):
        return None
    if event.reason in ("deactivated", "timeout"):
        return after or 0.0
    return after or RETRY_AFTER


class PhonePublication(Emitter):
    """Something published: what ``phone.publish`` gives. Refreshed until it is taken back.

    Events: ``ended`` (the :class:`dialog.service_events.PublicationEnded`), ``error``.
    """

    def __init__(self, phone: SubscribingPhone, publication: Publication) -> None:
        super().__init__()
        self._phone = phone
        self._publication = publication
        loop = asyncio.get_running_loop()
        self._there: asyncio.Future[None] = loop.create_future()
        self._over: asyncio.Future[None] = loop.create_future()
        phone.watch(publication, self._take, publication.remove)

    async def established(self) -> None:
        """Wait until it is published. :raises SubscriptionFailed: when it is refused."""
        await settled(self._there)
        self._there.result()

    def update(self, content_type: str, body: bytes) -> None:
        """Publish this in its place."""
        self._publication.modify(content_type, body)

    async def remove(self) -> None:
        """Take it back."""
        self._publication.remove()
        await asyncio.wait([self._over], timeout=GOODBYE_WITHIN)

    def _take(self, event: sip.ServiceEvent) -> None:
        if isinstance(event, sip.PublicationChanged) and not self._there.done():
            self._there.set_result(None)
        elif isinstance(event, sip.PublicationEnded):
            self._phone.forget(event.source)
            if not self._there.done():
                self._there.set_exception(SubscriptionFailed(event.status, event.reason))
                self._there.exception()  # nobody need wait for it
            self._over.set_result(None)
            self.emit("ended", event)


class SubscribingPhone(ServingPhone):
    """The part of a :class:`~sipmedia.Softphone` that subscribes and publishes."""

    @property
    def is_open(self) -> bool:
        """Whether requests can be sent."""
        raise NotImplementedError

    def subscribe(
        self,
        target: str,
        event: str,
        *,
        expires: int = 3600,
        accept: Sequence[str] | None = None,
        account: Account | None = None,
        forks: bool = True,
    ) -> PhoneSubscription:
        """Subscribe to a state of ``target``: "message-summary", "dialog", "presence" or any other package.

        ``accept``: content types, if they are not the package's usual one. ``forks`` False takes the state of
        only one of several places that answer. :raises InvalidAddress: for a URI that cannot be used.
        """
        from sipmedia.packages.contents import ACCEPTED

        services = self._services()
        usual = ACCEPTED.get(event)
        types = tuple(accept) if accept is not None else (usual,) if usual else ()
        sender = (account or self.accounts[0]).address

        def begin() -> Subscription:
            return services.subscribe(target, event, from_=sender, expires=expires, accept=types, forks=forks)

        try:
            return PhoneSubscription(self, begin, target, event)
        except LocalProtocolError as error:
            raise InvalidAddress(str(error)) from error

    def publish(
        self,
        event: str,
        content_type: str,
        body: bytes,
        *,
        target: str | None = None,
        expires: int = 3600,
        account: Account | None = None,
    ) -> PhonePublication:
        """Publish a state, of our own account unless ``target`` names another."""
        sender = account or self.accounts[0]
        try:
            publication = self._services().publish(
                target or sender.uri, event, content_type, body, from_=sender.address, expires=expires
            )
        except LocalProtocolError as error:
            raise InvalidAddress(str(error)) from error
        return PhonePublication(self, publication)
