"""What the core asks of the domain name system, and what it keeps of the answers (RFC 3263, RFC 2782).

Asking is the driver's work. Here are the questions, the records, the order in which SRV records are to be
tried, and a cache, bounded in number and by the records' time to live.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Literal, NamedTuple

MAX_CACHED = 1024
"""Answers kept at once; the one asked for longest ago is forgotten first."""
LONGEST_TTL = 86400.0
"""No record is believed for longer than a day."""
NEGATIVE_TTL = 10.0
"""For how long it is believed that there is none of what was asked for."""


class Query(NamedTuple):
    """A question. "ADDRESS" is for A and AAAA records, whichever this host can reach."""

    kind: Literal["NAPTR", "SRV", "ADDRESS"]
    name: str


class Naptr(NamedTuple):
    """How a domain wants to be reached (RFC 3263 section 4.1): lowest order first, then preference."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(NamedTuple):
    """One server of a service: lowest priority first, within one by chance in the ratio of the weights."""

    priority: int
    weight: int
    port: int
    target: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a query: `Naptr`, `Srv` or addresses as texts, best first; empty when there is none.

    `ttl` is for how many seconds it holds. `error` says to a person why there is nothing, if it is known.
    """

    records: tuple[Naptr | Srv | str, ...] = ()
    ttl: float = NEGATIVE_TTL
    error: str = ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Those of an "ADDRESS" query."""
        return tuple(record for record in self.records if isinstance(record, str))

    @property
    def servers(self) -> tuple[Srv, ...]:
        """Those of an "SRV" query."""
        return tuple(record for record in self.records if isinstance(record, Srv))

    @property
    def pointers(self) -> tuple[Naptr, ...]:
        """Those of a "NAPTR" query."""
        return tuple(record for record in self.records if isinstance(record, Naptr))


def in_order(servers: Iterable[Srv], random: Random) -> list[Srv]:
    """Servers in the order in which to try them (RFC 2782, "Usage rules")."""
    by_priority: dict[int, list[Srv]] = {}
    for server in servers:
        by_priority.setdefault(server.priority, []).append(server)
    ordered: list[Srv] = []
    for priority in sorted(by_priority):
        # Those of weight 0 stand first, so that they have a small chance of being chosen.
        left = sorted(by_priority[priority], key=lambda server: server.weight > 0)
        while len(left) > 1:
            mark = random.randint(0, sum(server.weight for server in left))
            running = 0
            for index, server in enumerate(left):
                running += server.weight
                if running >= mark:
                    ordered.append(left.pop(index))
                    break
        ordered += left
    return ordered


class AnswerCache:
    """Answers until their time is over."""

    def __init__(self) -> None:
        self._answers: dict[Query, tuple[float, Answer]] = {}

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, query: Query, now: float) -> Answer | None:
        """The answer, if it still holds."""
        found = self._answers.get(query)
        if found is None:
            return None
        until, answer = found
        if until <= now:
            del self._answers[query]
            return None
        return answer

    def put(self, query: Query, answer: Answer, now: float) -> None:
        """Keep an answer. One with neither records nor time to live is no answer, and not kept."""
        if answer.ttl <= 0:
            return
        self._answers.pop(query, None)
        if len(self._answers) >= MAX_CACHED:
            del self._answers[next(iter(self._answers))]
        self._answers[query] = now + min(answer.ttl, LONGEST_TTL), answer
