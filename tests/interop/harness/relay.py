"""A UDP relay that loses or repeats what the test tells it to.

It stands where a SIP peer's outbound proxy would: whatever comes from the far party (`upstream`) goes
to the near one, whose address is learned from its first datagram, and the other way round. Messages
are not changed, so it needs a near party that asks for symmetric answers (`;rport`, RFC 3581) or that
answers to the source address.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

Address = tuple[str, int]
Copies = Callable[["Relayed"], int]


@dataclass(frozen=True)
class Relayed:
    """One datagram as the relay sees it."""

    data: bytes
    from_upstream: bool
    number: int
    """How many with the same start line and direction came, this one included."""

    @property
    def start_line(self) -> str:
        return self.data.split(b"\r\n", 1)[0].decode("latin-1")

    @property
    def cseq(self) -> str:
        for line in self.data.split(b"\r\n"):
            if line.lower().startswith(b"cseq:"):
                return line[5:].strip().decode("latin-1")
        return ""


def pass_all(_: Relayed) -> int:
    """A link that neither loses nor repeats."""
    return 1


def lose_first(start: str, count: int = 1, *, cseq: str = "", from_upstream: bool | None = None) -> Copies:
    """Lose the first `count` datagrams whose start line begins with `start` (and CSeq contains `cseq`)."""

    def copies(datagram: Relayed) -> int:
        wanted = datagram.start_line.startswith(start) and cseq in datagram.cseq
        if from_upstream is not None and datagram.from_upstream != from_upstream:
            wanted = False
        return 0 if wanted and datagram.number <= count else 1

    return copies


def repeat(start: str, copies: int) -> Copies:
    """Deliver `copies` of each datagram whose start line begins with `start`."""
    return lambda datagram: copies if datagram.start_line.startswith(start) else 1


class Relay:
    """The relay, running in its own thread while the `with` block lasts; `seen` keeps all datagrams."""

    def __init__(self, address: Address, upstream: Address, copies: Copies = pass_all) -> None:
        self.address = address
        self.upstream = upstream
        self.seen: list[Relayed] = []
        self._copies = copies
        self._near: Address | None = None
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(0.1)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def count(self, start: str, *, from_upstream: bool, cseq: str = "") -> int:
        """How many such datagrams reached the relay, lost ones included."""
        return sum(
            d.start_line.startswith(start) and d.from_upstream == from_upstream and cseq in d.cseq
            for d in self.seen
        )

    def _run(self) -> None:
        numbers: dict[tuple[str, str, bool], int] = {}
        while not self._stopping.is_set():
            try:
                data, source = self._socket.recvfrom(65535)
            except TimeoutError:
                continue
            from_upstream = source == self.upstream
            if not from_upstream:
                self._near = source
            target = self._near if from_upstream else self.upstream
            datagram = Relayed(data, from_upstream, 0)
            key = (datagram.start_line, datagram.cseq, from_upstream)
            numbers[key] = numbers.get(key, 0) + 1
            datagram = Relayed(data, from_upstream, numbers[key])
            self.seen.append(datagram)
            for _ in range(self._copies(datagram)):
                if target is not None:
                    self._socket.sendto(data, target)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(2)
        self._socket.close()
