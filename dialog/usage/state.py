"""Where a call stands, and which side we are."""

from __future__ import annotations

from enum import Enum


class Role(Enum):
    """Which side of the call's INVITE we are; it never changes."""

    UAC = "caller"
    UAS = "callee"


class UsageState(Enum):
    """The states of a call.

    CALLING -> RINGING -> ANSWERED -> CONFIRMED -> ENDING -> ENDED, and from each to ENDING or ENDED.
    """

    CALLING = "calling"
    """The INVITE is out (or in), nothing else was said than 100."""
    RINGING = "ringing"
    """A provisional response came (or was sent)."""
    ANSWERED = "answered"
    """A 2xx came whose late offer we have to answer; or ours was sent and waits for its ACK."""
    CONFIRMED = "confirmed"
    """The ACK was sent, or came."""
    ENDING = "ending"
    """We said CANCEL or BYE, or will as soon as we may."""
    ENDED = "ended"
