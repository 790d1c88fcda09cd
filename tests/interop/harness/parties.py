"""Addresses for the parties of a call: each its own loopback address, so that no two ever collide."""

from __future__ import annotations

import itertools
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Party:
    """Where one party lives: `host` is its alone, `sip_port` was free a moment ago."""

    host: str
    sip_port: int

    @property
    def bind(self) -> str:
        """`host:port`, as command lines take it."""
        return f"{self.host}:{self.sip_port}"

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.sip_port

    def uri(self, user: str) -> str:
        return f"sip:{user}@{self.host}:{self.sip_port}"


def free_port(host: str, kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """A port nobody holds on `host` now, UDP unless told otherwise."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def parties() -> Iterator[Party]:
    """New parties without end, on 127.77.0.2 to 127.77.0.251, starting anywhere.

    Two test runs on one machine start at different places: peers such as baresip take fixed RTP ports.
    """
    first = random.SystemRandom().randrange(250)
    for number in itertools.count(first):
        host = f"127.77.0.{2 + number % 250}"
        yield Party(host, free_port(host))
