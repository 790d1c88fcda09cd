"""Looking names up: by name servers, by the system, or in a table.

Names that are no business of name servers (`localhost`, what the hosts file has, `.local`) are looked up by
the system, as every other program does it, and have no NAPTR and SRV records.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dialog.dns import NEGATIVE_TTL, Answer, Naptr, Query, Srv

if TYPE_CHECKING:
    from dialog.transport.resolver import NameServers

LOOKUP_TIMEOUT_S = 5.0
"""How long the system may take."""
SYSTEM_TTL = 60.0
"""Seconds for which addresses are believed that the system gave, which does not say."""


class Resolver(Protocol):
    """Answers queries."""

    async def resolve(self, query: Query) -> Answer:
        """The answer; an empty one, with the reason in words, when there is none. Raises nothing."""


class TableResolver:
    """Answers from a table: for tests, and for networks without name servers."""

    def __init__(self, records: Mapping[Query, Iterable[Naptr | Srv | str]]) -> None:
        self._records = {
            Query(query.kind, query.name.lower().rstrip(".")): tuple(found)
            for query, found in records.items()
        }
        self.asked: list[Query] = []
        """What was asked, in order."""

    async def resolve(self, query: Query) -> Answer:
        """Look into the table."""
        self.asked.append(query)
        records = self._records.get(query, ())
        missing = "" if records or query.kind != "ADDRESS" else f"there is no host {query.name}"
        return Answer(records, SYSTEM_TTL if records else NEGATIVE_TTL, missing)


class SystemResolver:
    """Asks the name servers of this machine.

    `family` restricts addresses to those that our sockets can reach. On a loop with a world of its own, such
    as a simulation's, addresses are the loop's, and `service_records(kind, name)` of the loop gives the rest.
    """

    def __init__(self, family: socket.AddressFamily = socket.AF_UNSPEC) -> None:
        self._family = family
        self._servers: NameServers | None = None

    async def resolve(self, query: Query) -> Answer:
        """Ask."""
        loop = asyncio.get_running_loop()
        own = getattr(loop, "service_records", None)
        if query.kind != "ADDRESS":
            if own is not None:
                records = tuple(own(query.kind, query.name))
                return Answer(records, SYSTEM_TTL if records else NEGATIVE_TTL)
            return Answer() if is_local_name(query.name) else await self._ask(query.name, query.kind)
        if own is not None or is_local_name(query.name):
            return await self._ask_system(loop, query.name)
        return await self._ask_addresses(loop, query)

    async def _ask_addresses(self, loop: asyncio.AbstractEventLoop, query: Query) -> Answer:
        kinds = [kind for kind, family in _ADDRESS_KINDS if self._family in (socket.AF_UNSPEC, family)]
        answers = await asyncio.gather(*(self._ask(query.name, kind) for kind in kinds))
        records = tuple(record for answer in answers for record in answer.records)
        if records:
            return Answer(records, min(answer.ttl for answer in answers if answer.records))
        # The name servers say that there is nothing: that is so. Silent or without, the system may know more.
        if any(answer.ttl for answer in answers):
            return Answer(error=f"there is no host {query.name}")
        found = await self._ask_system(loop, query.name)
        return found if found.records else answers[0]

    async def _ask(self, name: str, kind: str) -> Answer:
        if self._servers is None:
            from dialog.transport.resolver import NameServers  # a quarter of our own start-up time

            self._servers = NameServers()
        return await self._servers.ask(name, kind)

    async def _ask_system(self, loop: asyncio.AbstractEventLoop, name: str) -> Answer:
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT_S):
                found = await loop.getaddrinfo(name, 0, family=self._family, type=socket.SOCK_DGRAM)
        except TimeoutError:
            return Answer(ttl=0.0, error=f"the name servers do not answer (asked for {name})")
        except (OSError, UnicodeError):
            return Answer(error=f"there is no host {name}")
        return Answer(tuple(dict.fromkeys(str(entry[4][0]) for entry in found)), SYSTEM_TTL)


_ADDRESS_KINDS = (("A", socket.AF_INET), ("AAAA", socket.AF_INET6))


def is_local_name(name: str) -> bool:
    """Whether name servers need not be asked: RFC 6761 and 6762, and the hosts file."""
    name = name.rstrip(".").lower()
    if "." not in name or name.endswith((".localhost", ".local", ".invalid")):
        return True
    return name in _hosts_file(_hosts_path(), _changed(_hosts_path()))


def _hosts_path() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "drivers" / "etc" / "hosts"
    return Path("/etc/hosts")


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


@lru_cache(maxsize=2)
def _hosts_file(path: Path, changed: float) -> frozenset[str]:
    """The names in the hosts file, read anew when it has changed."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(name.lower() for line in lines for name in line.partition("#")[0].split()[1:])
