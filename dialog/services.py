"""What a user agent does besides calls: messages, questions, subscriptions, transfers, publications.

`core.services` is one of these. What it starts is told of by the events of `dialog.service_events`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dialog.address import NameAddr
from dialog.errors import LocalProtocolError, ParseError
from dialog.event_package import EventType
from dialog.grammar import TOKEN
from dialog.replaces import Replaces
from dialog.uri import SipUri, Uri, parse_uri
from dialog.usage.message import receive_message
from dialog.usage.notifier import Notifier, receive_subscribe
from dialog.usage.publish import Publication
from dialog.usage.question import Question
from dialog.usage.refer import Refer, receive_refer
from dialog.usage.subscriber import Subscription

if TYPE_CHECKING:
    from dialog.core import Core
    from dialog.usage.invite import InviteUsage

Fields = Sequence[tuple[str, str]]


class Services:
    """The verbs, and the peers' subscriptions. Every verb raises LocalProtocolError for unusable values."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._notifiers: dict[Notifier, None] = {}
        core.handlers["MESSAGE"] = lambda incoming: receive_message(core, incoming)
        core.handlers["REFER"] = lambda incoming: receive_refer(core, incoming)
        core.handlers["SUBSCRIBE"] = lambda incoming: receive_subscribe(core, incoming)
        core.call_handlers["MESSAGE"] = lambda usage, incoming: receive_message(core, incoming, usage)
        core.call_handlers["REFER"] = lambda usage, incoming: receive_refer(core, incoming, usage)
        core.call_handlers["SUBSCRIBE"] = lambda usage, incoming: receive_subscribe(core, incoming, usage)

    @property
    def notifiers(self) -> int:
        """Subscriptions of peers that are not over."""
        return len(self._notifiers)

    def ask(
        self,
        method: str,
        target: str,
        *,
        from_: NameAddr | str,
        headers: Fields = (),
        content_type: str = "",
        body: bytes = b"",
    ) -> Question:
        """Send a request that has an answer and nothing else (OPTIONS, MESSAGE); Answered tells it."""
        self._core.act()
        fields = _with_body(headers, content_type, body)
        return Question.outside(self._core, method, target, from_, fields, body)

    def ask_in_call(
        self,
        usage: InviteUsage,
        method: str,
        *,
        headers: Fields = (),
        content_type: str = "",
        body: bytes = b"",
    ) -> Question:
        """The same in the dialog of a call."""
        self._core.act()
        return Question.inside(self._core, usage, method, _with_body(headers, content_type, body), body)

    def subscribe(
        self,
        target: str,
        event: str,
        *,
        from_: NameAddr | str,
        expires: int = 3600,
        accept: Sequence[str] = (),
        headers: Fields = (),
        forks: bool = True,
    ) -> Subscription:
        """Subscribe to an event package; Notified tells each state, SubscriptionEnded the end."""
        if not TOKEN.fullmatch(event):
            raise LocalProtocolError(f"{event!r} names no event package")
        self._core.act()
        subscription = Subscription(
            self._core, target, from_, EventType(event.lower()), expires, tuple(accept), headers, forks=forks
        )
        subscription.start()
        return subscription

    def refer(
        self,
        usage: InviteUsage,
        refer_to: str,
        *,
        replaces: Replaces | None = None,
        referred_by: NameAddr | str | None = None,
        followed: bool = True,
    ) -> Refer:
        """Ask the other side of a call to call somebody (in the place of another call); ReferEnded tells."""
        fields = _refer_fields(refer_to, replaces, referred_by, followed=followed)
        self._core.act()
        return Refer.inside(self._core, usage, fields, followed=followed)

    def refer_outside(
        self,
        target: str,
        refer_to: str,
        *,
        from_: NameAddr | str,
        replaces: Replaces | None = None,
        referred_by: NameAddr | str | None = None,
        followed: bool = True,
        headers: Fields = (),
    ) -> Refer:
        """Ask somebody we have no call with."""
        fields = _refer_fields(refer_to, replaces, referred_by, followed=followed)
        self._core.act()
        return Refer.outside(self._core, target, from_, (*fields, *headers), followed=followed)

    def publish(
        self,
        target: str,
        event: str,
        content_type: str,
        body: bytes,
        *,
        from_: NameAddr | str,
        expires: int = 3600,
    ) -> Publication:
        """Publish a state; PublicationChanged tells that it is there, PublicationEnded that it is gone."""
        self._core.act()
        publication = Publication(
            self._core, target, from_, EventType(event.lower()), expires, content_type, body
        )
        publication.start()
        return publication

    # What notifiers call.

    def add_notifier(self, notifier: Notifier) -> None:
        """A peer has subscribed."""
        self._notifiers[notifier] = None

    def remove_notifier(self, notifier: Notifier) -> bool:
        """It is over; False if that was known."""
        if notifier not in self._notifiers:
            return False
        del self._notifiers[notifier]
        return True


def _with_body(headers: Fields, content_type: str, body: bytes) -> Fields:
    return (*headers, ("Content-Type", content_type)) if body else headers


def _refer_fields(
    refer_to: str, replaces: Replaces | None, referred_by: NameAddr | str | None, *, followed: bool
) -> Fields:
    try:
        uri: Uri = parse_uri(refer_to)
    except ParseError as error:
        raise LocalProtocolError(f"cannot refer to {refer_to!r}: {error.reason}") from error
    if replaces is not None:
        if not isinstance(uri, SipUri):
            raise LocalProtocolError(f"only a SIP URI can carry the call to replace, not {refer_to!r}")
        headers = (*uri.headers, ("Replaces", str(replaces)))
        uri = SipUri(uri.user, uri.host, uri.port, uri.params, headers, uri.scheme, uri.password)
    fields = [("Refer-To", f"<{uri}>")]
    if referred_by is not None:
        fields.append(("Referred-By", str(referred_by)))
    if not followed:
        fields.append(("Refer-Sub", "false"))
    return fields
