"""Flows, and what a core asks of its driver.

A flow is the way a message travels: a UDP socket and a peer address, or (one day) one connection. The core
only ever names flows and targets; opening sockets and looking up names is the driver's work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

HostPort = tuple[str, int]
"""A host (IPv6 without brackets) and a port."""


class Flow(NamedTuple):
    """One way to one peer. `local` is our address as that peer sees it or may be told it."""

    transport: str
    local: HostPort
    remote: HostPort

    @property
    def reliable(self) -> bool:
        """True when the transport itself resends: then the transactions do not (RFC 3261 section 17)."""
        return self.transport != "UDP"


class Target(NamedTuple):
    """Where a request is to go, after names were looked up: an IP address."""

    transport: str
    address: HostPort


@dataclass(frozen=True, slots=True)
class Query:
    """A host name to look up for a port and transport."""

    transport: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes on this flow; a failure comes back as `Core.flow_lost`."""

    flow: Flow
    data: bytes


@dataclass(frozen=True, slots=True)
class Open:
    """Make a flow to this target; `Core.flow_opened` or `Core.flow_refused` is the reply."""

    target: Target


@dataclass(frozen=True, slots=True)
class Resolve:
    """Look this name up; `Core.resolved` is the reply, with no addresses when there are none."""

    query: Query


Effect = Send | Open | Resolve
