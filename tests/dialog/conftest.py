"""Two real cores joined by a wire that loses, doubles and reorders, in virtual time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from random import Random
from typing import Any, TypeVar

import pytest

from dialog.config import UserAgentConfig
from dialog.core import Core
from dialog.dns import Answer, Query
from dialog.events import Event, IncomingCall, UsageEvent
from dialog.flow import Flow, HostPort, Open, Resolve, Send
from dialog.message import Request, Response
from dialog.parser import is_keepalive, parse_datagram
from dialog.usage.invite import InviteUsage

EventT = TypeVar("EventT")

OFFER = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=offer\r\n"
ANSWER = b"v=0\r\no=- 2 2 IN IP4 192.0.2.2\r\ns=answer\r\n"

Drop = Callable[[Request | Response, "Party"], bool]


class Party:
    """One core, the events it gave, and the messages it sent (with their times)."""

    def __init__(self, wire: Wire, address: HostPort, seed: int, config: UserAgentConfig) -> None:
        self.wire = wire
        self.address = address
        self.core = Core(config, Random(seed), lambda: wire.now, lambda: None)
        self.events: list[Event] = []
        self.sent: list[tuple[float, Request | Response]] = []
        self.keep_alives: list[float] = []
        self.on_event: Callable[[Event], None] = lambda event: None

    @property
    def uri(self) -> str:
        host = f"[{self.address[0]}]" if ":" in self.address[0] else self.address[0]
        return f"sip:{host}:{self.address[1]}"

    def drain(self) -> None:
        """Carry out effects and deliver events, as a driver does."""
        while True:
            effects, events = self.core.take_effects(), self.core.take_events()
            if not effects and not events:
                return
            for effect in effects:
                if isinstance(effect, Send) and is_keepalive(effect.data):
                    self.keep_alives.append(self.wire.now)
                elif isinstance(effect, Send):
                    self.sent.append((self.wire.now, parse_datagram(effect.data)))
                    self.wire.carry(self, effect.flow, effect.data)
                elif isinstance(effect, Open):
                    if effect.target.transport == "UDP":
                        flow = Flow("UDP", self.address, effect.target.address)
                        self.core.flow_opened(effect.target, flow, self.wire.now)
                    else:
                        self.core.flow_refused(effect.target, self.wire.now, "connection refused")
                elif isinstance(effect, Resolve):
                    self.core.resolved(effect.query, self.wire.answer(effect.query), self.wire.now)
            for event in events:
                self.events.append(event)
                self.on_event(event)

    def of(self, kind: type[EventT]) -> list[EventT]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def only(self, kind: type[EventT]) -> EventT:
        """The one event of that kind."""
        (event,) = self.of(kind)
        return event

    def kinds(self) -> list[str]:
        """The names of all events so far."""
        return [type(event).__name__ for event in self.events]

    @property
    def call(self) -> InviteUsage:
        """The usage of the one incoming call."""
        return self.only(IncomingCall).usage

    def requests(self, method: str) -> list[Request]:
        """The requests of that method sent so far, repeats included."""
        return [
            message for _, message in self.sent if isinstance(message, Request) and message.method == method
        ]

    def statuses(self, method: str) -> list[int]:
        """The status codes sent so far to requests of that method, repeats included."""
        return [
            message.status
            for _, message in self.sent
            if isinstance(message, Response) and message.cseq.method == method
        ]


class Stranger:
    """A peer that is no core: it says what a test writes and keeps what it is sent."""

    def __init__(self, wire: Wire, address: HostPort, peer: Party) -> None:
        self.wire = wire
        self.address = address
        self.peer = peer
        self.received: list[Request | Response] = []

    def say(self, text: str | bytes) -> list[Request | Response]:
        """Send this message; gives what has come back 50 ms later."""
        data = text if isinstance(text, bytes) else text.encode()
        before = len(self.received)
        self.wire.inject(self.address, self.peer.address, data)
        self.wire.run(0.05)
        return self.received[before:]

    def request(self, method: str, *extra: str, body: str = "", **fields: str) -> str:
        """The text of a request that lacks nothing; `fields` replace its parts, `extra` are header lines."""
        values = {
            "uri": "sip:bob@192.0.2.2",
            "branch": "z9hG4bKstranger1",
            "from_": "<sip:stranger@example.com>;tag=st1",
            "to": "<sip:bob@192.0.2.2>",
            "call_id": "stranger-call-1",
            "cseq": "1",
            "via_extra": ";rport",
            **fields,
        }
        here = f"{self.address[0]}:{self.address[1]}"
        lines = [
            f"{method} {values['uri']} SIP/2.0",
            f"Via: SIP/2.0/UDP {here};branch={values['branch']}{values['via_extra']}",
            "Max-Forwards: 70",
            f"From: {values['from_']}",
            f"To: {values['to']}",
            f"Call-ID: {values['call_id']}",
            f"CSeq: {values['cseq']} {method}",
            f"Contact: <sip:stranger@{here}>",
            *extra,
        ]
        if body:
            lines.append("Content-Type: application/sdp")
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])

    def statuses(self) -> list[int]:
        """Status codes of the responses so far."""
        return [message.status for message in self.received if isinstance(message, Response)]


class Wire:
    """Everything between the parties. `drop` decides on each message; the rates act at random."""

    delay = 0.01

    def __init__(self, seed: int = 1) -> None:
        self.now = 1000.0
        self.random = Random(seed)
        self.loss = self.duplication = self.reordering = 0.0
        self.garble: Callable[[bytes], bytes] = lambda data: data
        self.drop: Drop = lambda message, sender: False
        self.names: dict[str, tuple[str, ...]] = {}
        self.parties: dict[HostPort, Party] = {}
        self.strangers: dict[HostPort, Stranger] = {}
        self._flying: list[tuple[float, int, HostPort, HostPort, bytes]] = []
        self._count = 0

    def answer(self, query: Query) -> Answer:
        """What the name server says: addresses, and no NAPTR and SRV records."""
        return Answer(self.names.get(query.name, ()) if query.kind == "ADDRESS" else ())

    def party(self, address: HostPort, config: UserAgentConfig | None = None) -> Party:
        """A new party at this address."""
        party = Party(self, address, len(self.parties) + 7, config or UserAgentConfig(bind=address))
        self.parties[address] = party
        return party

    def stranger(self, address: HostPort, peer: Party) -> Stranger:
        """Somebody who talks to `peer`."""
        stranger = self.strangers[address] = Stranger(self, address, peer)
        return stranger

    def carry(self, sender: Party, flow: Flow, data: bytes) -> None:
        """A datagram leaves a party."""
        if self.drop(parse_datagram(data), sender) or self.random.random() < self.loss:
            return
        copies = 2 if self.random.random() < self.duplication else 1
        for _ in range(copies):
            late = self.random.random() * 0.3 if self.random.random() < self.reordering else 0.0
            self.inject(flow.local, flow.remote, self.garble(data), self.delay + late)

    def inject(self, source: HostPort, destination: HostPort, data: bytes, delay: float = 0.0) -> None:
        """Let a datagram arrive, as from anywhere."""
        self._count += 1
        heapq.heappush(self._flying, (self.now + delay, self._count, source, destination, data))

    def run(self, seconds: float = 0.15) -> None:
        """Let that much time pass."""
        end = self.now + seconds
        self._drain()
        while True:
            deadlines = [
                d for party in self.parties.values() if (d := party.core.next_deadline()) is not None
            ]
            if self._flying:
                deadlines.append(self._flying[0][0])
            when = min(deadlines, default=end + 1)
            if when > end:
                break
            self.now = max(self.now, when)
            while self._flying and self._flying[0][0] <= self.now:
                _, _, source, destination, data = heapq.heappop(self._flying)
                party = self.parties.get(destination)
                if destination in self.strangers:
                    self.strangers[destination].received.append(parse_datagram(data))
                if party is not None:
                    party.core.receive(Flow("UDP", destination, source), data, self.now)
                    party.drain()
            for party in self.parties.values():
                party.core.handle_timer(self.now)
            self._drain()
        self.now = end

    def _drain(self) -> None:
        for party in self.parties.values():
            party.drain()


class Pair:
    """Alice and Bob. `call` places a call and lets Bob ring."""

    def __init__(self, wire: Wire, alice: Party, bob: Party) -> None:
        self.wire = wire
        self.alice = alice
        self.bob = bob
        self.offer = OFFER
        self.answer = ANSWER

    def invite(self, body: bytes | None = OFFER) -> InviteUsage:
        """Alice calls Bob; nothing has travelled yet."""
        return self.alice.core.invite(
            f"sip:bob@{self.bob.uri[4:]}", from_="<sip:alice@example.com>", body=body
        )

    def established(self, body: bytes | None = OFFER) -> tuple[InviteUsage, InviteUsage]:
        """A confirmed call: Alice's side and Bob's."""
        mine = self.invite(body)
        self.wire.run()
        theirs = self.bob.call
        theirs.ring()
        self.wire.run()
        theirs.accept(ANSWER)
        self.wire.run()
        if body is None:
            mine.answer_offer(OFFER)
            self.wire.run()
        return mine, theirs

    def run(self, seconds: float = 0.15) -> None:
        """Let time pass."""
        self.wire.run(seconds)

    def calls(self) -> list[InviteUsage]:
        """Every call that either side was told of, in a fixed order."""
        usages = {e.usage for p in (self.alice, self.bob) for e in p.events if isinstance(e, UsageEvent)}
        return sorted(usages, key=lambda usage: (usage.call_id, usage.role.name))

    def nothing_left(self) -> bool:
        """After a long silence neither side remembers anything."""
        self.wire.run(200)
        return all(
            len(party.core.layer) == 0
            and party.core.calls == 0
            and party.core.next_deadline() is None
            and not party.core.dialogs
            for party in (self.alice, self.bob)
        )


@pytest.fixture
def wire() -> Wire:
    """An empty wire."""
    return Wire()


@pytest.fixture
def pair(wire: Wire) -> Pair:
    """Alice and Bob on a clean wire."""
    return Pair(wire, wire.party(("192.0.2.1", 5060)), wire.party(("192.0.2.2", 5060)))


@pytest.fixture
def pair_with(wire: Wire) -> Callable[..., Pair]:
    """Makes Alice and Bob with settings of their own: of both (`both`), of `alice`, of `bob`."""

    def make(alice: dict[str, Any] | None = None, bob: dict[str, Any] | None = None, **both: Any) -> Pair:
        parties = [
            wire.party((host, 5060), UserAgentConfig(bind=(host, 5060), **{**both, **(own or {})}))
            for host, own in (("192.0.2.1", alice), ("192.0.2.2", bob))
        ]
        return Pair(wire, *parties)

    return make


@pytest.fixture
def stranger(pair: Pair) -> Stranger:
    """Somebody who talks to Bob."""
    return pair.wire.stranger(("192.0.2.66", 5066), pair.bob)


@pytest.fixture
def pair_of() -> Callable[[Wire], Pair]:
    """Makes Alice and Bob on a given wire."""
    return lambda wire: Pair(wire, wire.party(("192.0.2.1", 5060)), wire.party(("192.0.2.2", 5060)))
