"""Addresses for the parties of a call: each its own loopback address, so that no two ever collide."""

from __future__ import annotations

import itertools
import random
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Party:
    """Where one party lives: `host` is its alone, `sip_port` was free a moment ago."""

    host: str
    sip_port: int

    @property
    def bind(self) -> str:
        """`host:port`, as command lines take it; IPv6 in brackets."""
        return f"[{self.host}]:{self.sip_port}" if ":" in self.host else f"{self.host}:{self.sip_port}"

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.sip_port

    def uri(self, user: str) -> str:
        return f"sip:{user}@{self.bind}"


def free_port(host: str, kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """A port nobody holds on `host` now, UDP unless told otherwise."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def has_ipv6() -> bool:
    """Whether ::1 can be listened on."""
    try:
        free_port("::1")
    except OSError:
        return False
    return True


def listens(address: tuple[str, int]) -> bool:
    """Whether a program holds this UDP port, as Linux tells it; elsewhere after half a second, hopefully."""
    host, port = address
    family, table = (
        (socket.AF_INET6, Path("/proc/net/udp6")) if ":" in host else (socket.AF_INET, Path("/proc/net/udp"))
    )
    if not table.exists():
        time.sleep(0.5)
        return True
    packed = socket.inet_pton(family, host)
    words = (int.from_bytes(packed[i : i + 4], sys.byteorder) for i in range(0, len(packed), 4))
    entry = "".join(f"{word:08X}" for word in words) + f":{port:04X}"
    return any(line.split()[1] == entry for line in table.read_text().splitlines()[1:])


def parties() -> Iterator[Party]:
    """New parties without end, on 127.77.0.2 to 127.77.0.251, starting anywhere.

    Two test runs on one machine start at different places: peers such as baresip take fixed RTP ports.
    """
    first = random.SystemRandom().randrange(250)
    for number in itertools.count(first):
        host = f"127.77.0.{2 + number % 250}"
        yield Party(host, free_port(host))
