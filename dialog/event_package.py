"""The header fields of event notification: Event and Subscription-State (RFC 6665 section 8.2)."""

from __future__ import annotations

from dataclasses import dataclass

from dialog.errors import ParseError
from dialog.grammar import TOKEN, parse_params
from dialog.message import Message

__all__ = ["EventType", "SubscriptionState"]

MAX_SECONDS = 2**32 - 1


@dataclass(frozen=True, slots=True)
class EventType:
    """What is subscribed to: the event package, and an id that tells two such subscriptions apart."""

    package: str
    id: str | None = None

    @classmethod
    def of(cls, message: Message) -> EventType:
        """The Event (or ``o``) field of a message; ParseError (400, or 489 when there is none)."""
        value = message.headers.get("Event")
        if value is None:
            raise ParseError(489, "No Event Header Field", "Event")
        name, semicolon, rest = value.partition(";")
        name = name.strip(" \t")
        if not TOKEN.fullmatch(name):
            raise ParseError(400, "Bad Event", "Event")
        params = parse_params(semicolon + rest, "Event") if rest else {}
        return cls(name.lower(), params.get("id"))

    def __str__(self) -> str:
        return self.package if self.id is None else f"{self.package};id={self.id}"


@dataclass(frozen=True, slots=True)
class SubscriptionState:
    """What a NOTIFY says of the subscription itself.

    `state` is "active", "pending", "terminated" or a word of an extension; `expires` and `retry_after` are in
    seconds; `reason` is why it is terminated.
    """

    state: str
    expires: int | None = None
    reason: str = ""
    retry_after: int | None = None

    @classmethod
    def of(cls, message: Message) -> SubscriptionState:
        """The Subscription-State field of a NOTIFY; ParseError (400). Without one the state is "active":
        notifiers of RFC 3265's drafts (voice mail systems) leave it out."""
        value = message.headers.get("Subscription-State")
        if value is None:
            return cls("active")
        name, semicolon, rest = value.partition(";")
        name = name.strip(" \t").lower()
        if not TOKEN.fullmatch(name):
            raise ParseError(400, "Bad Subscription-State", "Subscription-State")
        params = parse_params(semicolon + rest, "Subscription-State") if rest else {}
        return cls(
            name,
            _seconds(params.get("expires")),
            (params.get("reason") or "").lower(),
            _seconds(params.get("retry-after")),
        )

    @property
    def terminated(self) -> bool:
        """The subscription is over."""
        return self.state == "terminated"

    def __str__(self) -> str:
        text = self.state
        if self.reason:
            text += f";reason={self.reason}"
        if self.expires is not None:
            text += f";expires={self.expires}"
        if self.retry_after is not None:
            text += f";retry-after={self.retry_after}"
        return text


def _seconds(text: str | None) -> int | None:
    """A count of seconds; one that cannot be read is as good as none."""
    if text is None or len(text) > 20 or not (text.isascii() and text.isdigit()):
        return None
    return min(int(text), MAX_SECONDS)
