"""Session timers (RFC 4028): a call whose peer has vanished ends by itself.

Both sides agree in each 2xx to an INVITE or UPDATE on an interval and on who refreshes. The refresher sends
an UPDATE or a re-INVITE at half of it; whoever has seen no refresh shortly before its end sends BYE.

    our request:  Session-Expires, and ;refresher once that is settled      422: ask again for Min-SE or more
    their 2xx:    what was agreed; without Session-Expires there is no timer (the peer does not know it)
    our 2xx:      their interval, or ours if they asked for none; Require: timer if they know it
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

from dialog.errors import ParseError
from dialog.message import Message, Request, Response
from dialog.timers import Timer

if TYPE_CHECKING:
    from dialog.usage.invite import InviteUsage

OPTION = "timer"
DEFAULT_MIN_SE = 90
"""The least Min-SE there may be, and what holds where none is given (section 5)."""
MAX_TOO_SMALL = 4
"""How often a 422 is answered by asking for more: each proxy on the way may want another minimum."""

_DELTA = re.compile(r"[ \t]*(?P<seconds>[0-9]{1,10})[ \t]*(?:;(?P<params>.*))?\Z", re.DOTALL)
_REFRESHER = re.compile(r"(?:^|;)[ \t]*refresher[ \t]*=[ \t]*(?P<who>uac|uas)[ \t]*(?:;|\Z)", re.IGNORECASE)

Refresher = Literal["uac", "uas"]


class SessionExpires(NamedTuple):
    """A Session-Expires header field."""

    interval: int
    """Seconds."""
    refresher: Refresher | None


def session_expires(message: Message) -> SessionExpires | None:
    """The Session-Expires of a message; ParseError (400) when it is no number of seconds."""
    value = message.headers.get("Session-Expires")
    if value is None:
        return None
    match = _DELTA.match(value)
    if match is None:
        raise ParseError(400, "Bad Session-Expires", "Session-Expires")
    who = _REFRESHER.search(match["params"] or "")
    refresher: Refresher | None = None
    if who is not None:
        refresher = "uac" if who["who"].lower() == "uac" else "uas"
    return SessionExpires(int(match["seconds"]), refresher)


def min_se(message: Message) -> int:
    """The Min-SE of a message, never less than 90; ParseError (400) when it is no number of seconds."""
    value = message.headers.get("Min-SE")
    if value is None:
        return DEFAULT_MIN_SE
    match = _DELTA.match(value)
    if match is None:
        raise ParseError(400, "Bad Min-SE", "Min-SE")
    return max(int(match["seconds"]), DEFAULT_MIN_SE)


def knows_timer(request: Request) -> bool:
    """Whether the sender supports session timers."""
    tags = request.supported + request.require
    return OPTION in tags or OPTION in [tag.lower() for tag in tags]


class SessionTimer:
    """The session timer of one call."""

    __slots__ = (
        "_core",
        "_deadline",
        "_min_se",
        "_preferred",
        "_refusals",
        "_timer",
        "_usage",
        "_wanted",
        "interval",
        "we_refresh",
    )

    def __init__(self, usage: InviteUsage) -> None:
        config = usage.core.config
        self._core = usage.core
        self._usage: InviteUsage | None = usage
        self._wanted = config.session_expires
        self._min_se = max(config.min_se, DEFAULT_MIN_SE)
        self._preferred = config.session_refresher
        self._refusals = 0
        self._deadline = 0.0
        self._timer: Timer | None = None
        self.interval: int | None = None
        """The agreed interval in seconds; None while there is no session timer."""
        self.we_refresh = False
        """Whether refreshing is our part."""

    def request_fields(self) -> list[tuple[str, str]]:
        """What an INVITE or UPDATE of ours says."""
        if self._wanted is None:
            return []
        value = str(self.interval or self._wanted)
        if self.interval is not None:
            value += f";refresher={'uac' if self.we_refresh else 'uas'}"
        elif self._preferred != "any":
            value += f";refresher={'uac' if self._preferred == 'us' else 'uas'}"
        fields = [("Session-Expires", value)]
        if self._min_se > DEFAULT_MIN_SE:
            fields.append(("Min-SE", str(self._min_se)))
        return fields

    def ask_for_more(self, response: Response) -> bool:
        """A 422 came; True if the request is to be sent again, with the interval that was asked for."""
        self._refusals += 1
        if self._wanted is None or self._refusals > MAX_TOO_SMALL or "Min-SE" not in response.headers:
            return False
        try:
            wanted = min_se(response)
        except ParseError:
            return False
        self._min_se = max(self._min_se, wanted)
        self._wanted = max(self._wanted, self._min_se)
        if self.interval is not None:
            self.interval = max(self.interval, self._min_se)
        return True

    def agreed(self, response: Response) -> None:
        """A 2xx to our INVITE or UPDATE: the timer starts anew (section 7.2)."""
        self._refusals = 0
        if self._wanted is None:
            return
        try:
            theirs = session_expires(response)
        except ParseError:
            theirs = None
        if theirs is None:
            self.stop()
        else:
            self._start(max(theirs.interval, DEFAULT_MIN_SE), theirs.refresher != "uas")

    def answer_fields(self, request: Request) -> list[tuple[str, str]]:
        """What our 2xx to their INVITE or UPDATE says; the timer starts anew (section 9).

        The request was inspected: its Session-Expires can be read and is not too small.
        """
        if self._wanted is None:
            return []
        theirs = session_expires(request)
        known = knows_timer(request)
        if theirs is None and not known:
            self.stop()
            return []
        ours = self.interval or self._wanted
        interval = ours if theirs is None else min(theirs.interval, self._wanted)
        interval = max(interval, min_se(request), self._min_se)
        if theirs is not None:
            interval = min(interval, max(theirs.interval, DEFAULT_MIN_SE))  # it must not grow on its way
        who = self._refresher(theirs, known)
        self._start(interval, who == "uas")
        fields = [("Session-Expires", f"{interval};refresher={who}")]
        if known:
            fields.append(("Require", OPTION))
        return fields

    def refresh_failed(self) -> None:
        """A refresh came to nothing, and the call goes on: try again before the session expires."""
        if self.interval is not None and self.we_refresh:
            left = self._deadline - self._core.now
            self._arm(max(1.0, min(left, self.interval / 16)), self._refresh)

    def stop(self) -> None:
        """There is no session timer (any more)."""
        self.interval = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def release(self) -> None:
        """The call is over: stop, and let it go (see `Branch.release`)."""
        self.stop()
        self._usage = None

    def _refresher(self, theirs: SessionExpires | None, known: bool) -> Refresher:
        """Who refreshes, in the words of the request being answered (table 2)."""
        if not known:
            return "uas"
        if theirs is not None and theirs.refresher is not None:
            return theirs.refresher
        if self.interval is not None:
            return "uas" if self.we_refresh else "uac"
        return "uas" if self._preferred == "us" else "uac"

    def _start(self, interval: int, we_refresh: bool) -> None:
        self.interval = interval
        self.we_refresh = we_refresh
        self._deadline = self._core.now + interval - min(32.0, interval / 3)
        if we_refresh:
            self._arm(interval / 2, self._refresh)
        else:
            self._arm(self._deadline - self._core.now, self._expire)

    def _refresh(self) -> None:
        assert self.interval is not None
        left = self._deadline - self._core.now
        if left <= 0:
            self._expire()
            return
        self._arm(left, self._expire)
        if self._usage is not None:
            self._usage.refresh_session()

    def _expire(self) -> None:
        """Section 10: BYE a little before the end, so that it arrives while both still know the session."""
        self.stop()
        if self._usage is not None:
            self._usage.session_expired()

    def _arm(self, delay: float, action: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._core.queue.start(delay, action)
