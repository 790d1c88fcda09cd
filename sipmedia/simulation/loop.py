"""An asyncio event loop whose time is virtual and whose network is simulated.

It is asyncio's own `BaseEventLoop` with another heart: where the real one waits for sockets until the next
timer, this one sets its clock to the next thing that is due, a timer or the network's, and goes on. So
time passes only while nobody has anything to do, and nothing ever waits in reality. There is no thread,
no selector, no socket: what cannot be simulated raises `NotSimulated` and says what to use.

Timers of the same moment run in the order they were set.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import socket
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import Any, NoReturn, TypeVar, TypeVarTuple, Unpack
from weakref import WeakKeyDictionary

from dialog.dns import Naptr, Srv
from sipmedia.simulation.clock import START
from sipmedia.simulation.connecting import StreamServer, connect, listen
from sipmedia.simulation.diagnosis import calls_in_words, tasks_in_words
from sipmedia.simulation.errors import (
    Deadlock,
    NotSimulated,
    SimulationError,
    TimeLimitReached,
    TimeStandsStill,
)
from sipmedia.simulation.host import is_address, normal
from sipmedia.simulation.link import Address
from sipmedia.simulation.media import VirtualRuntime
from sipmedia.simulation.network import Network
from sipmedia.simulation.stream import StreamTransport
from sipmedia.simulation.udp import DatagramTransport
from sipmedia.simulation.unsimulated import OnlyReal

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
MAX_TURNS = 100_000
"""Turns of the loop at one moment of virtual time that cannot be meant."""
_MANY_TIMERS = 100


class _Timer(asyncio.TimerHandle):
    """A timer that knows its place among those of the same moment."""

    __slots__ = ("number",)
    number: int
    _when: float

    def __lt__(self, other: Any) -> bool:
        return (self._when, self.number) < (other._when, other.number)


class VirtualLoop(OnlyReal, asyncio.BaseEventLoop):
    """The loop of one simulation.

    `media_runtime` is what a `MediaManager` made inside runs on, and `random` what code of ours that needs
    chance takes. `wall()` is virtual too.
    """

    # Of BaseEventLoop, stable since Python 3.4 and relied on by other loops too.
    _ready: deque[Any]
    _scheduled: list[Any]
    _stopping: bool
    _timer_cancelled_count: int
    _current_handle: Any
    _debug: bool

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.random = network.random("program")
        self.media_runtime = VirtualRuntime(network)
        self.limit = math.inf
        """The virtual time that may not be passed."""
        self.streams: dict[StreamTransport, None] = {}
        """Open connections, in the order they were made."""
        self._clock = network.clock
        self._turns = 0
        self._fatal: SimulationError | None = None
        self._tasks: WeakKeyDictionary[asyncio.Task[Any], int] = WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"<VirtualLoop at {self._clock.elapsed:.3f} s of seed {self.network.seed}>"

    # --- time and turns ---

    def time(self) -> float:
        """Virtual monotonic time, in seconds."""
        return self._clock.now

    def wall(self) -> float:
        """Virtual seconds since 1970."""
        return self._clock.wall

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """See asyncio."""
        if when is None:
            raise TypeError("when cannot be None")
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        timer = _Timer(when, callback, args, self, context)
        timer.number = self._clock.next_number()
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def fail(self, error: SimulationError) -> None:
        """End the run with this error, whoever may catch it on its way."""
        self._fatal = self._fatal or error

    def _run_once(self) -> None:
        """One turn: move time if nobody is ready, then run what is due and what was ready."""
        self._raise_fatal()
        ready = self._ready
        self._drop_cancelled()
        if not ready and not self._stopping:
            self._advance()
        self._turns += 1
        if self._turns > MAX_TURNS:
            self._complain_of_turning()
        self._clock.run_due()
        timers, now = self._scheduled, self._clock.now
        while timers and timers[0]._when <= now:
            timer = heapq.heappop(timers)
            timer._scheduled = False
            ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                self._current_handle = handle if self._debug else None
                handle._run()
        self._current_handle = None
        self._raise_fatal()

    def _advance(self) -> None:
        due = self._clock.next_due()
        when = math.inf if due is None else due
        if self._scheduled and self._scheduled[0]._when < when:
            when = self._scheduled[0]._when
        if when == math.inf:
            raise Deadlock(
                f"deadlock at {self._clock.elapsed:.3f} s: nothing is ready and nothing is due, so these "
                f"wait for ever:\n{tasks_in_words(self.tasks())}"
            )
        if when > self.limit:
            self._clock.advance(self.limit)
            raise TimeLimitReached(
                f"virtual time reached the limit of {self.limit - START:g} s. Pending:\n"
                f"{tasks_in_words(self.tasks())}\nkept going by:\n{calls_in_words(self._calls())}"
            )
        if when > self._clock.now:
            self._clock.advance(when)
            self._turns = 0
            self.network.capture.flush(when)

    def _drop_cancelled(self) -> None:
        timers = self._scheduled
        if len(timers) > _MANY_TIMERS and self._timer_cancelled_count > len(timers) / 2:
            self._scheduled = timers = [timer for timer in timers if not timer._cancelled]
            heapq.heapify(timers)
            self._timer_cancelled_count = 0
        while timers and timers[0]._cancelled:
            self._timer_cancelled_count -= 1
            heapq.heappop(timers)._scheduled = False

    def _raise_fatal(self) -> None:
        error, self._fatal = self._fatal, None
        if error is not None:
            raise error

    def _complain_of_turning(self) -> NoReturn:
        self._turns = 0
        busy = [(self._clock.elapsed, handle._callback) for handle in self._ready if not handle._cancelled]
        raise TimeStandsStill(
            f"virtual time stands still at {self._clock.elapsed:.3f} s: after {MAX_TURNS} turns of the loop "
            f"there is always somebody ready (asyncio.sleep(0) in a loop?):\n{calls_in_words(busy)}\n"
            f"{tasks_in_words(self.tasks())}"
        )

    def _calls(self) -> list[tuple[float, Callable[..., object]]]:
        timers = [(timer._when, timer._callback) for timer in sorted(self._scheduled) if not timer._cancelled]
        calls = sorted(timers + self._clock.entries(), key=lambda call: call[0])
        return [(when - START, function) for when, function in calls]

    def close(self) -> None:
        """See asyncio; open connections vanish without a word."""
        for stream in self.streams:
            stream.vanish()
        super().close()

    def _write_to_self(self) -> None:
        """Nobody sleeps, so nobody needs to be woken."""

    # --- tasks ---

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        """See asyncio."""
        task = super().create_task(coro, **options)
        self._tasks[task] = self._clock.next_number()
        return task

    def tasks(self) -> list[asyncio.Task[Any]]:
        """All that are not done, in the order they were made."""
        numbered = [(number, task) for task, number in self._tasks.items() if not task.done()]
        return [task for _, task in sorted(numbered, key=lambda entry: entry[0])]

    def run_in_executor(
        self, executor: Any, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Call `func` here, in the next turn; virtual time does not pass meanwhile."""
        future: asyncio.Future[T] = self.create_future()
        self.call_soon(self._run_inline, future, func, args)
        return future

    @staticmethod
    def _run_inline(future: asyncio.Future[T], func: Callable[..., T], args: tuple[Any, ...]) -> None:
        if future.cancelled():
            return
        try:
            result = func(*args)
        except Exception as error:  # it belongs to who awaits the future
            future.set_exception(error)
        else:
            future.set_result(result)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """There is none."""

    # --- names ---

    def look_up(self, name: str) -> list[str]:
        """The addresses of a name; `socket.gaierror` when the network's table has none."""
        found = self.network.names.get(name.lower().rstrip("."))
        if not found:
            known = ", ".join(self.network.names) or "none"
            raise socket.gaierror(
                socket.EAI_NONAME,
                f"{name!r} is not a name of the simulated network (names: {known}); add it with "
                f"network.name({name!r}, ADDRESS)",
            )
        return found

    def service_records(self, kind: str, name: str) -> list[Srv | Naptr]:
        """SRV and NAPTR records, for `dialog.transport.resolver`."""
        return [] if self.network.names_hang else self.network.services.get((kind, name), [])

    async def getaddrinfo(
        self, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[tuple[Any, ...]]:
        """Look a name up in the network's table; see `socket.getaddrinfo`."""
        if isinstance(host, bytes):
            host = host.decode("ascii")
        if not host:
            addresses = ["0.0.0.0", "::"] if flags & socket.AI_PASSIVE else ["127.0.0.1", "::1"]
        elif is_address(host):
            addresses = [normal(host)]
        else:
            if self.network.names_hang:
                await self.create_future()
            addresses = self.look_up(host)
        kinds = [(type, proto)] if type else [(socket.SOCK_STREAM, 6), (socket.SOCK_DGRAM, 17)]
        found: list[tuple[Any, ...]] = []
        for address in addresses:
            of = socket.AF_INET6 if ":" in address else socket.AF_INET
            if family not in (0, of):
                continue
            where = (address, int(port or 0), 0, 0) if ":" in address else (address, int(port or 0))
            found.extend((of, socket.SocketKind(kind), protocol, "", where) for kind, protocol in kinds)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, f"{host!r} has no address of the family asked for")
        return found

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
        """The name of an address in the network's table."""
        address = normal(sockaddr[0])
        if not flags & socket.NI_NUMERICHOST:
            for name, addresses in self.network.names.items():
                if address in addresses and not is_address(name):
                    return name, str(sockaddr[1])
        return address, str(sockaddr[1])

    async def resolve(self, address: Sequence[Any], like: str = "") -> Address:
        """An address whose host may be a name, of the family of `like` if that is given."""
        host = address[0] or "0.0.0.0"
        if is_address(host):
            return normal(host), int(address[1])
        family = 0 if not like else socket.AF_INET6 if ":" in like else socket.AF_INET
        found = await self.getaddrinfo(host, address[1], family=family, type=socket.SOCK_DGRAM)
        return found[0][4][0], int(address[1])

    # --- endpoints ---

    async def create_datagram_endpoint(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.DatagramProtocol],
        local_addr: Sequence[Any] | None = None,
        remote_addr: Sequence[Any] | None = None,
        *,
        family: int = 0,
        sock: Any = None,
        **options: Any,
    ) -> tuple[DatagramTransport, asyncio.DatagramProtocol]:
        """A UDP endpoint on the simulated network; see asyncio."""
        self._refuse_socket(sock)
        remote = None if remote_addr is None else await self.resolve(remote_addr)
        any_address = "::" if family == socket.AF_INET6 else "0.0.0.0"
        local = (any_address, 0) if local_addr is None else await self.resolve(local_addr)
        if remote is not None and local[0] in ("0.0.0.0", "::"):  # connecting chooses the address
            local = self.network.host_for(local[0]).address_towards(remote[0]), local[1]
        protocol = protocol_factory()
        transport = DatagramTransport(self, protocol, local, remote)
        self.call_soon(protocol.connection_made, transport)
        await asyncio.sleep(0)
        return transport, protocol

    async def create_connection(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: Any = None,
        port: Any = None,
        *,
        local_addr: Sequence[Any] | None = None,
        sock: Any = None,
        ssl: Any = None,
        **options: Any,
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """A stream to a server of the simulated network; see asyncio."""
        self._refuse_socket(sock)
        self._refuse_tls(ssl)
        remote = await self.resolve((host, port))
        local = None if local_addr is None else await self.resolve(local_addr, remote[0])
        return await connect(self, protocol_factory, remote, local)

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: Any = None,
        port: Any = None,
        *,
        sock: Any = None,
        ssl: Any = None,
        start_serving: bool = True,
        **options: Any,
    ) -> StreamServer:
        """A server on the simulated network; see asyncio."""
        self._refuse_socket(sock)
        self._refuse_tls(ssl)
        hosts = [host] if host is None or isinstance(host, str) else list(host)
        addresses = [await self.resolve((one, port or 0)) for one in hosts]
        return listen(self, protocol_factory, addresses, start_serving)

    def _refuse_socket(self, sock: Any) -> None:
        if sock is not None:
            raise NotSimulated(
                f"sock={sock!r} is a real socket, which has no place in a simulation: give addresses instead"
            )

    def _refuse_tls(self, ssl: Any) -> None:
        if ssl:
            raise NotSimulated("TLS is not simulated: its records would not be the same in every run")

    # --- signals ---

    def add_signal_handler(self, sig: int, callback: Callable[[Unpack[Ts]], object], *args: *Ts) -> None:
        """Accepted and never called: no signal comes in virtual time."""

    def remove_signal_handler(self, sig: int) -> bool:
        """There is none."""
        return False
