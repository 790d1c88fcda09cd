"""Flows, and what a core asks of its driver.

A flow is the way a message travels: a UDP socket and a peer address, or one connection. The core only ever
names flows and targets; opening sockets and looking up names is the driver's work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from dialog.dns import Query

HostPort = tuple[str, int]
"""A host (IPv6 without brackets) and a port."""

SECURE_TRANSPORTS = frozenset({"TLS", "WSS"})
"""The transports whose flows keep what a `sips:` URI promises (section 26.2.2)."""

MESSAGE_TRANSPORTS = frozenset({"UDP", "WS", "WSS"})
"""The transports that tell messages apart by themselves (RFC 7118 section 5.2)."""


class Flow(NamedTuple):
    """One way to one peer. `local` is our address as that peer sees it or may be told it.

    So on a connection `local` has the port where we listen for that transport, if we do. `connection` tells
    two connections to one peer apart; it is 0 for UDP, and never used twice by one driver.
    """

    transport: str
    local: HostPort
    remote: HostPort
    connection: int = 0

    @property
    def reliable(self) -> bool:
        """True when the transport itself resends: then the transactions do not (RFC 3261 section 17)."""
        return self.transport != "UDP"

    @property
    def secure(self) -> bool:
        """Whether nobody on the way can read along."""
        return self.transport in SECURE_TRANSPORTS


class Target(NamedTuple):
    """Where a request is to go, after names were looked up: an IP address.

    `name` is the host of the URI that led here: what a TLS certificate is to be for (RFC 5922 section 7.3).
    """

    transport: str
    address: HostPort
    name: str = ""


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
class Close:
    """Close this connection once what was sent on it is gone; `Core.flow_lost` is not called for it."""

    flow: Flow


@dataclass(frozen=True, slots=True)
class Resolve:
    """Look this up; `Core.resolved` is the reply."""

    query: Query


Effect = Send | Open | Close | Resolve
