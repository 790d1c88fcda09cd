"""The seam between the media engine and the world: time, chance, sockets, and who calls the driver.

`MediaManager(config, runtime=None)` takes a `Runtime`; `RealRuntime` is the one with system
sockets and a thread. A simulation supplies its own: its `start_ticker` calls `driver.step(now)` from
its virtual loop at the deadlines `step` returns, and its sockets hold what its network delivered.
"""

import asyncio
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from media.datagram import Poller, bind_datagram, make_poller
from media.plan import Address

_log = logging.getLogger(__name__)


class DatagramSocket(Protocol):
    """A bound UDP socket that never blocks."""

    @property
    def address(self) -> Address:
        """Where it is bound."""
        ...

    @property
    def send_errors(self) -> int:
        """Datagrams the system refused to send (full buffer, ICMP errors, no route)."""
        ...

    def send(self, data: bytes, destination: Address) -> bool:
        """Send one datagram, or count an error and return False; never raises for the network's faults."""
        ...

    def receive(self, now: float) -> Sequence[tuple[bytes, Address, float]]:
        """What has come, up to a bounded number: data, source, and monotonic time of arrival (<= now)."""
        ...

    def close(self) -> None:
        """Give the port back; may be called twice."""
        ...


class Steppable(Protocol):
    """What a ticker drives."""

    def step(self, now: float) -> float | None:
        """Do what is due; returns when to call again (monotonic), None for not before `wake`."""
        ...


class Ticker(Protocol):
    """Calls `driver.step` when it is due, and knows which sockets have something to read."""

    def watch(self, socket: Any, tag: object) -> None:
        """From now on `ready()` names `tag` while `socket` holds datagrams. On the ticker's thread."""
        ...

    def unwatch(self, socket: Any) -> None:
        """Forget the socket (before it is closed). On the ticker's thread."""
        ...

    def ready(self) -> Sequence[Any]:
        """The tags of the sockets that hold datagrams now; never waits. On the ticker's thread."""
        ...

    def wake(self) -> None:
        """Have `step` called soon. From any thread, never waits."""
        ...

    def stop(self) -> None:
        """Call `step` once more and never again; waits for that unless called from within `step`."""
        ...


class Runtime(Protocol):
    """Everything the media layer takes from outside."""

    @property
    def random(self) -> random.Random:
        """The source of SSRCs, first sequence numbers and RTCP's randomised intervals."""
        ...

    def monotonic(self) -> float:
        """Seconds, never going back."""
        ...

    def wall(self) -> float:
        """Seconds since 1970, for NTP timestamps and file names."""
        ...

    def bind_datagram(self, host: str, port: int) -> DatagramSocket:
        """A UDP socket on `host` and `port` (0: any). Raises `AddressInUse` and `BadAddress`."""
        ...

    def start_ticker(self, driver: Steppable) -> Ticker:
        """Begin to drive `driver`, first as soon as it is woken."""
        ...

    def run_file_work(self, function: Callable[[], object]) -> None:
        """Run `function` where it may wait for a disk, in order with what was handed in before."""
        ...


def current_runtime() -> Runtime:
    """The runtime of a manager that was given none.

    Inside a simulation it is the one that the running event loop brings along, as `loop.media_runtime`;
    everywhere else a `RealRuntime`.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return RealRuntime()
    runtime: Runtime | None = getattr(loop, "media_runtime", None)
    return RealRuntime() if runtime is None else runtime


class RealRuntime:
    """System clock, system sockets, one media thread a driver, and one file thread."""

    def __init__(self, seed: int | None = None) -> None:
        self.random = random.Random(seed) if seed is not None else random.SystemRandom()
        self._files: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def bind_datagram(self, host: str, port: int) -> DatagramSocket:
        """A system UDP socket."""
        return bind_datagram(host, port)

    def start_ticker(self, driver: Steppable) -> Ticker:
        """Start a media thread for `driver`."""
        return ThreadTicker(driver)

    def run_file_work(self, function: Callable[[], object]) -> None:
        """Queue `function` for the file thread, which starts with the first of them."""
        with self._lock:
            if self._files is None:
                self._files = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sipmedia-files")
            self._files.submit(function)


class ThreadTicker:
    """The media thread.

    It sleeps on a lock with a timeout, not in the poller: sockets that fill up meanwhile shall not
    wake it, one wake-up a tick serves all of them (their arrival times come from the kernel). A lock's
    timeout has microsecond resolution where `epoll_wait` has milliseconds, and this is the
    only place where the thread lets the GIL go.
    """

    def __init__(self, driver: Steppable) -> None:
        self._driver = driver
        self._poller: Poller = make_poller()
        self._alarm = threading.Lock()
        self._alarm.acquire()
        self._stopping = False
        self.watch = self._poller.watch
        self.unwatch = self._poller.unwatch
        self.ready = self._poller.ready
        self._thread = threading.Thread(target=self._run, name="sipmedia-media", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Have `step` called soon."""
        try:
            self._alarm.release()
        except RuntimeError:
            pass  # rung already and not yet heard: once is enough

    def stop(self) -> None:
        """End the thread after one more step."""
        self._stopping = True
        self.wake()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _run(self) -> None:
        step, monotonic, alarm = self._driver.step, time.monotonic, self._alarm
        deadline: float | None = None
        while not self._stopping:
            if deadline is None:
                alarm.acquire()
            elif (wait := deadline - monotonic()) > 0:
                alarm.acquire(timeout=wait)
            try:
                deadline = step(monotonic())
            except Exception:  # the edge of the thread: the calls of a process hang on it
                _log.exception("the media driver failed; it goes on with the next tick")
                deadline = monotonic() + 0.02
        try:
            step(monotonic())
        except Exception:
            _log.exception("the media driver failed in its last step")
        finally:
            self._poller.close()
