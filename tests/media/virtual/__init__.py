"""A world in one hand: a `Runtime` whose clock moves when told to and whose network is a dictionary."""

import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from media.errors import AddressInUse, BadAddress
from media.plan import Address
from media.runtime import Steppable

Datagram = tuple[bytes, Address, float]


class VirtualSocket:
    """Delivers at once to the socket bound where it sends, as if there were no network between."""

    def __init__(self, runtime: "VirtualRuntime", address: Address) -> None:
        self._runtime = runtime
        self.address = address
        self.send_errors = 0
        self.inbox: deque[Datagram] = deque()
        self.sent: list[tuple[bytes, Address]] = []

    def send(self, data: bytes, destination: Address) -> bool:
        self.sent.append((bytes(data), destination))
        target = self._runtime.sockets.get(destination)
        if target is not None:
            target.inbox.append((bytes(data), self.address, self._runtime.now))
        return True

    def receive(self, now: float) -> Sequence[Datagram]:
        received = list(self.inbox)
        self.inbox.clear()
        return received

    def close(self) -> None:
        self._runtime.sockets.pop(self.address, None)


class VirtualTicker:
    """Holds the driver until the runtime steps it."""

    def __init__(self, runtime: "VirtualRuntime", driver: Steppable) -> None:
        self._runtime = runtime
        self.driver = driver
        self._tags: dict[Any, object] = {}

    def watch(self, socket: Any, tag: object) -> None:
        self._tags[socket] = tag

    def unwatch(self, socket: Any) -> None:
        self._tags.pop(socket, None)

    def ready(self) -> Sequence[Any]:
        return [tag for socket, tag in self._tags.items() if socket.inbox]

    def wake(self) -> None:
        """Nothing waits: `run` steps anyway."""

    def stop(self) -> None:
        self.driver.step(self._runtime.now)
        self._runtime.tickers.remove(self)


class VirtualRuntime:
    """`run(seconds)` is the only way for time to pass."""

    def __init__(self, seed: int = 1, taken: Sequence[Address] = ()) -> None:
        self.random = random.Random(seed)
        self.now = 100.0
        self.sockets: dict[Address, VirtualSocket] = {}
        self.taken = set(taken)
        """Addresses that another program holds."""
        self.tickers: list[VirtualTicker] = []

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_700_000_000.0 + self.now

    def bind_datagram(self, host: str, port: int) -> VirtualSocket:
        if host not in ("127.0.0.1", "::1", "0.0.0.0"):
            raise BadAddress(host, "it is not an address of this machine")
        if (host, port) in self.taken or (host, port) in self.sockets:
            raise AddressInUse(host, port)
        socket = self.sockets[host, port] = VirtualSocket(self, (host, port))
        return socket

    def start_ticker(self, driver: Steppable) -> VirtualTicker:
        ticker = VirtualTicker(self, driver)
        self.tickers.append(ticker)
        return ticker

    def run_file_work(self, function: Callable[[], object]) -> None:
        function()

    def run(self, seconds: float) -> None:
        """Let time pass, all drivers being stepped when they are due."""
        end = self.now + seconds
        while True:
            due = [
                deadline for ticker in self.tickers if (deadline := ticker.driver.step(self.now)) is not None
            ]
            after = min(due, default=end)
            if after >= end:
                break
            self.now = max(after, self.now)
        self.now = end
