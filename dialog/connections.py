"""The connections of one core: what comes on them is cut into messages, and none may cost too much.

Everybody can open connections to us and then say nothing, or a byte a minute, or a header without end. So a
message must be complete within 64*T1 of its first byte (the first one, of the connection's beginning), the
number of connections is bounded, and so are the bytes of incomplete messages, of one connection and of all.
When there are too many, those that never said anything go first, the oldest of them before the others; those
that carry a transaction or a dialog stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from dialog.config import UserAgentConfig
from dialog.errors import ParseError
from dialog.flow import MESSAGE_TRANSPORTS, Close, Effect, Flow, Send, Target
from dialog.message import Request, Response
from dialog.parser import StreamParser
from dialog.timers import Timer, TimerQueue
from dialog.via import Via

PING = b"\r\n\r\n"
"""The keep-alive of a stream (RFC 5626 section 3.5.1)."""
PONG = b"\r\n"
"""The answer to it."""


_MAX_TARGETS = 8


class Connection:
    """One connection.

    `used` is when something last came or went, `heard` when something came;
    `waiting_since` when an incomplete message (or the silence before the first) began, None between messages.
    """

    __slots__ = (
        "_pings",
        "_pings_sent",
        "accepted",
        "answers",
        "flow",
        "heard",
        "names",
        "parser",
        "spoke",
        "targets",
        "used",
        "waiting_since",
        "watch",
    )

    def __init__(
        self, flow: Flow, target: Target | None, now: float, limit: int, names: frozenset[str]
    ) -> None:
        self.flow = flow
        self.accepted = target is None
        self.targets = [target or _very_address(flow)]
        """What the connection serves: first the one it was made to, or the peer's very address."""
        self.names = names
        """Who the peer is, by a certificate that was verified."""
        self.parser = None if flow.transport in MESSAGE_TRANSPORTS else StreamParser(limit, limit)
        self.spoke = False
        self.used = self.heard = now
        self.waiting_since: float | None = now if self.accepted else None
        self.watch: Timer | None = None
        self.answers = False
        """Whether the far end has answered a ping."""
        self._pings = self._pings_sent = 0

    def pinged(self) -> int:
        """We send a ping; gives its number."""
        self._pings += 1
        self._pings_sent += 1
        return self._pings_sent

    def unanswered(self, number: int) -> None:
        """No answer to that ping, or to any before it, is expected any more."""
        self._pings = min(self._pings, self._pings_sent - number)

    def take_pongs(self, line_ends: int) -> int:
        """Of so many single line ends those that answer our pings."""
        pongs = min(self._pings, line_ends)
        self._pings -= pongs
        self.answers = self.answers or pongs > 0
        return pongs

    @property
    def held(self) -> int:
        """Bytes of an incomplete message."""
        return 0 if self.parser is None else self.parser.held

    @property
    def failed(self) -> bool:
        """Nothing that comes can be read any more (section 18.3)."""
        return self.parser is not None and self.parser.failed


class Connections:
    """All of them. `lose` is called with each that is closed from here, and why; `in_use` says whether
    somebody still needs a flow."""

    def __init__(
        self,
        config: UserAgentConfig,
        queue: TimerQueue,
        emit: Callable[[Effect], None],
        lose: Callable[[Flow, str], None],
        in_use: Callable[[Flow], bool],
    ) -> None:
        self._config = config
        self._queue = queue
        self._emit = emit
        self._lose = lose
        self._in_use = in_use
        self._all: dict[Flow, Connection] = {}
        self._held = 0

    def __contains__(self, flow: Flow) -> bool:
        return flow in self._all

    def __len__(self) -> int:
        return len(self._all)

    @property
    def held(self) -> int:
        """Bytes of incomplete messages, of all connections."""
        return self._held

    def __iter__(self) -> Iterator[Flow]:
        return iter(self._all)

    def get(self, flow: Flow) -> Connection | None:
        """The connection of a flow, while there is one."""
        return self._all.get(flow)

    def add(self, flow: Flow, target: Target | None, names: frozenset[str] = frozenset()) -> bool:
        """A connection stands: to the target we opened it to, or (None) one that a peer opened.

        `names` are those of the peer's certificate. False when there are too many connections already; it is
        closed then.
        """
        config = self._config
        if len(self._all) >= config.max_connections and not self._make_room():
            self._emit(Close(flow))
            return False
        connection = Connection(flow, target, self._queue.now, config.max_message_bytes, names)
        self._all[flow] = connection
        self._look_again(connection)
        return True

    def receive(self, flow: Flow, data: bytes) -> list[Request | Response | ParseError]:
        """Bytes came on a stream: the messages that they complete. Pings are answered."""
        connection = self._all.get(flow)
        if connection is None or connection.parser is None:
            return []
        parser = connection.parser
        connection.used = connection.heard = now = self._queue.now
        before = parser.held
        items = parser.receive(data)
        self._held += parser.held - before
        if parser.line_ends:
            self._note_keep_alives(connection)
        if items:
            connection.spoke = True
        if not parser.held:
            if connection.spoke:
                connection.waiting_since = None
        elif items or not before:
            connection.waiting_since = now
            self._look_again(connection)
        if self._held > self._config.max_buffered_bytes:
            self._relieve()
        return items

    def note_message(self, flow: Flow) -> None:
        """A whole message came on a connection that tells messages apart by itself."""
        connection = self._all.get(flow)
        if connection is not None:
            connection.spoke = True
            connection.used = connection.heard = self._queue.now
            connection.waiting_since = None

    def note_sent(self, flow: Flow) -> bool:
        """Something is to be sent on a connection; False when it is gone."""
        connection = self._all.get(flow)
        if connection is None:
            return False
        connection.used = self._queue.now
        return True

    def targets(self, flow: Flow) -> Sequence[Target]:
        """What a flow serves."""
        connection = self._all.get(flow)
        return (Target(flow.transport, flow.remote),) if connection is None else connection.targets

    def remove(self, flow: Flow) -> None:
        """A connection is gone."""
        connection = self._all.pop(flow, None)
        if connection is not None:
            self._held -= connection.held
            if connection.watch is not None:
                connection.watch.cancel()

    def close(self, flow: Flow, reason: str) -> None:
        """Close a connection; who used it is told the reason."""
        if flow in self._all:
            self._emit(Close(flow))
            self._lose(flow, reason)

    def alias_of(self, flow: Flow, via: Via) -> Target | None:
        """What a connection that a peer made serves besides, as the `alias` of its request asks (RFC 5923).

        Only where a certificate shows that the name in the Via is the peer's: on the word of anybody, calls
        for others could be drawn to oneself. None when there is nothing new.
        """
        connection = self._all.get(flow)
        if connection is None or not connection.accepted or via.host.lower() not in connection.names:
            return None
        target = Target(flow.transport, (flow.remote[0], via.port or 5061), via.host.lower())
        if target in connection.targets or len(connection.targets) >= _MAX_TARGETS:
            return None
        connection.targets.append(target)
        return target

    # Inside.

    def _note_keep_alives(self, connection: Connection) -> None:
        """Answer each ping, a double line end; a single one is the pong to ours (RFC 5626 section 3.5.1)."""
        parser = connection.parser
        assert parser is not None
        pongs = connection.take_pongs(parser.line_ends)
        pings, half = divmod(parser.line_ends - pongs, 2)
        parser.line_ends = 0 if parser.held else half
        if pings:
            self._emit(Send(connection.flow, PONG * min(pings, 8)))

    def _deadline(self, connection: Connection) -> float:
        if connection.waiting_since is not None:
            return connection.waiting_since + self._config.timers.patience
        return connection.used + self._config.connection_idle

    def _look_again(self, connection: Connection) -> None:
        """Have the timer look at a connection when it may have to be closed, and no sooner."""
        if connection.watch is not None:
            connection.watch.cancel()
        delay = max(1.0, self._deadline(connection) - self._queue.now)
        connection.watch = self._queue.start_cleanup(delay, lambda: self._look(connection))

    def _look(self, connection: Connection) -> None:
        if self._queue.now < self._deadline(connection):
            self._look_again(connection)
        elif connection.waiting_since is not None:
            self.close(connection.flow, "no complete message came in time")
        elif self._in_use(connection.flow):
            connection.used = self._queue.now
            self._look_again(connection)
        else:
            self.close(connection.flow, "nothing was sent for a long time")

    def _make_room(self) -> bool:
        """Close the connection that is missed least, if there is one that may be closed."""
        silent = (one for one in self._all.values() if one.accepted and not one.spoke)
        victim = min(silent, key=lambda one: one.used, default=None)
        if victim is None:
            idle = (one for one in self._all.values() if not self._in_use(one.flow))
            victim = min(idle, key=lambda one: one.used, default=None)
        if victim is None:
            return False
        self.close(victim.flow, "there are too many connections")
        return True

    def _relieve(self) -> None:
        """Too many bytes of incomplete messages: the longest wait ends."""
        waiting = [one for one in self._all.values() if one.held]
        victim = min(waiting, key=lambda one: one.waiting_since or 0.0)
        self.close(victim.flow, "too much of incomplete messages is kept")


def _very_address(flow: Flow) -> Target:
    return Target(flow.transport, flow.remote, flow.remote[0] if flow.secure else "")
