"""What the core tells its application besides calls: messages, subscriptions, transfers, publications.

Each event has a `source`: the object that the request of ours gave, or (the Incoming ones) the one to answer
with. Bodies are opaque bytes.

    ask          Answered, once
    subscribe    Notified*  SubscriptionEnded
    refer        ReferAnswered  ReferProgress*  ReferEnded, or ReferEnded at once when it is refused
    publish      PublicationChanged*  PublicationEnded
    from peers   IncomingMessage    IncomingSubscription ... NotifierEnded    IncomingRefer
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from dialog.event_package import EventType, SubscriptionState
    from dialog.message import Request, Response
    from dialog.usage.invite import InviteUsage
    from dialog.usage.message import ReceivedMessage
    from dialog.usage.notifier import Notifier
    from dialog.usage.publish import Publication
    from dialog.usage.question import Question
    from dialog.usage.refer import Refer, Referral
    from dialog.usage.subscriber import Subscription

SubscriptionEndedBy = Literal["local", "remote", "rejected", "timeout", "transport"]
"""Whose doing the end of a subscription is: we unsubscribed, a NOTIFY (or an answer) said so, the SUBSCRIBE
was refused, no NOTIFY or answer came, or the peer is out of reach."""


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """An event of something other than a call; `source` is what."""

    source: object


@dataclass(frozen=True, slots=True)
class Answered(ServiceEvent):
    """The outcome of a request; `response` is None when nobody answered, and `cause` then says why."""

    source: Question
    response: Response | None
    cause: Literal["timeout", "transport"] | None = None


@dataclass(frozen=True, slots=True)
class Notified(ServiceEvent):
    """A NOTIFY came. `branch` is the remote tag: each answers for one place that a SUBSCRIBE forked to."""

    source: Subscription
    branch: str
    state: SubscriptionState
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class SubscriptionEnded(ServiceEvent):
    """Our subscription is over, or was never there.

    `status` is that of the refusal, 0 when a NOTIFY (or its absence) ended it; `reason` is then the word of
    RFC 6665 section 4.1.3, and `retry_after` the seconds the notifier wants to be left alone.
    """

    source: Subscription
    by: SubscriptionEndedBy
    status: int
    reason: str
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class IncomingSubscription(ServiceEvent):
    """A peer subscribes: `source.accept` or `source.reject`. `usage` is the call in whose dialog it came."""

    source: Notifier
    event: EventType
    usage: InviteUsage | None
    request: Request


@dataclass(frozen=True, slots=True)
class NotifierEnded(ServiceEvent):
    """A peer's subscription is over: "timeout" (expired or unsubscribed), "remote", "transport", or the word
    that it was terminated with."""

    source: Notifier
    reason: str


@dataclass(frozen=True, slots=True)
class IncomingMessage(ServiceEvent):
    """A MESSAGE: `source.accept` or `source.reject`. `usage` is the call in whose dialog it came."""

    source: ReceivedMessage
    usage: InviteUsage | None
    request: Request


@dataclass(frozen=True, slots=True)
class IncomingRefer(ServiceEvent):
    """We are asked to call somebody: `source.accept` or `source.reject`. `usage` is the call it came in."""

    source: Referral
    usage: InviteUsage | None
    request: Request


@dataclass(frozen=True, slots=True)
class ReferAnswered(ServiceEvent):
    """The peer takes our REFER. `followed`: it will tell what becomes of it."""

    source: Refer
    status: int
    followed: bool


@dataclass(frozen=True, slots=True)
class ReferProgress(ServiceEvent):
    """The peer tells a provisional response to the request that it was asked for."""

    source: Refer
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReferEnded(ServiceEvent):
    """The outcome of our REFER.

    "done": `status` is the final response to the request that the peer was asked for, a 2xx or not.
    "refused": the peer did not take the REFER, which got `status`. "untold": the peer took it and tells
    nothing more, as was agreed. "unknown": the peer took it, and its subscription ended without an outcome.
    "timeout" and "transport": nobody answered the REFER.
    """

    source: Refer
    outcome: Literal["done", "refused", "untold", "unknown", "timeout", "transport"]
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class PublicationChanged(ServiceEvent):
    """What we published is there (again); it will be refreshed."""

    source: Publication
    expires: int


@dataclass(frozen=True, slots=True)
class PublicationEnded(ServiceEvent):
    """What we published is gone; `status` is that of the refusal, 0 when we took it back."""

    source: Publication
    status: int
    reason: str
