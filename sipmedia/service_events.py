"""What phones tell of besides calls, and calls of being transferred: one frozen dataclass an event.

phone.on("message", handler)              MessageReceived: outside a call, and in one (``event.call``)
phone.on("transfer_requested", handler)   TransferRequested: by somebody we have no call with
phone.on("subscription", handler)         SubscriptionRequested: somebody wants to be told of a state of ours

call.on("message", handler)               MessageReceived
call.on("info", handler)                  InfoReceived: any INFO in the call, keys too
call.on("transfer_requested", handler)    TransferRequested: the far end wants us to call somebody else
call.on("transfer_progress", handler)     TransferProgress: how the transfer that we asked for fares
call.on("transferred", handler)           Transferred: the call that the far end wanted is up
call.on("replaced", handler)              Replaced: another call took the place of this one (RFC 3891)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipmedia.call import Call
    from sipmedia.serving import Watcher
    from sipmedia.transfer import TransferRequest


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message (RFC 3428). ``text`` is the body of a text type, "" for others; ``call`` is the call it came
    in, ``None`` outside one. ``sender`` is the URI in its From."""

    call: Call | None
    sender: str
    sender_name: str
    content_type: str
    body: bytes
    text: str


@dataclass(frozen=True, slots=True)
class InfoReceived:
    """An INFO of the far end (RFC 6086, without a package). Keys in it are told by ``dtmf``, too."""

    call: Call
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class TransferRequested:
    """The far end wants us to call ``request.target``: ``request.accept()`` or ``request.reject()``.

    In a call that nobody decides on at once the phone decides (``PhoneConfig.accept_transfers``); outside
    one it says no.
    """

    call: Call | None
    request: TransferRequest


@dataclass(frozen=True, slots=True)
class TransferProgress:
    """What the far end tells of the call it places for us: 100, 180, ... and the outcome, at last."""

    call: Call
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Transferred:
    """The call we were asked for is up: ``successor``. What was played and listened to in ``call`` goes on
    there; the far end ends ``call``, or we do."""

    call: Call
    successor: Call


@dataclass(frozen=True, slots=True)
class Replaced:
    """``successor`` took the place of ``call``, with what was played and listened to; ``call`` ends now."""

    call: Call
    successor: Call


@dataclass(frozen=True, slots=True)
class SubscriptionRequested:
    """Somebody wants to be told of a state of ours: ``watcher.accept(...)`` or ``watcher.reject()``.

    Nobody who decides at once: 480.
    """

    watcher: Watcher
