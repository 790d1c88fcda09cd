"""The media engine's world in virtual time: clock, chance, sockets, and who steps the driver."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import Any

from media.errors import AddressInUse, BadAddress
from media.runtime import Steppable
from sipmedia.simulation.errors import OutsideNetwork, SimulationError
from sipmedia.simulation.host import is_address, normal
from sipmedia.simulation.network import Network
from sipmedia.simulation.udp import MediaSocket

_log = logging.getLogger(__name__)
_AFTER_FAILURE_S = 0.02


class VirtualRuntime:
    """A `media.runtime.Runtime` on a simulated network.

    There is no media thread: the driver is stepped from the loop, at the moments it asked for. File work
    is done at once, as it takes no virtual time.
    """

    def __init__(self, network: Network) -> None:
        self.random = network.random("media")
        self._network = network
        self._clock = network.clock
        self._file_work: deque[Callable[[], object]] = deque()
        self._doing_file_work = False

    def monotonic(self) -> float:
        """Virtual seconds."""
        return self._clock.now

    def wall(self) -> float:
        """Virtual seconds since 1970."""
        return self._clock.wall

    def bind_datagram(self, host: str, port: int) -> MediaSocket:
        """A socket on a simulated host. Raises `AddressInUse` and `BadAddress`."""
        if not is_address(host):
            raise BadAddress(host)
        try:
            return MediaSocket(self._network, normal(host), port)
        except OutsideNetwork as error:
            raise BadAddress(host, str(error)) from None
        except SimulationError:
            raise
        except OSError:
            raise AddressInUse(host, port) from None

    def start_ticker(self, driver: Steppable) -> "VirtualTicker":
        """Step `driver` from now on."""
        return VirtualTicker(self._network, driver)

    def run_file_work(self, function: Callable[[], object]) -> None:
        """Do it now, or after the file work that this is called from."""
        self._file_work.append(function)
        if self._doing_file_work:
            return
        self._doing_file_work = True
        try:
            while self._file_work:
                try:
                    self._file_work.popleft()()
                except Exception:  # on the file thread of the real runtime it would end there too
                    _log.exception("file work failed")
        finally:
            self._doing_file_work = False


class VirtualTicker:
    """Steps one driver at its deadlines, on the network's agenda."""

    def __init__(self, network: Network, driver: Steppable) -> None:
        self._clock = network.clock
        self._driver = driver
        self._context = copy_context()  # events belong to who started it, and to the host that runs on
        self._watched: dict[MediaSocket, Any] = {}
        self._due: float | None = None
        self._number = 0  # of the entry on the agenda that counts; older ones do nothing
        self._stepping = False
        self._stopped = False

    def __repr__(self) -> str:
        return f"<media ticker with {len(self._watched)} sockets>"

    def watch(self, socket: MediaSocket, tag: object) -> None:
        """See `media.runtime.Ticker`."""
        self._watched[socket] = tag

    def unwatch(self, socket: MediaSocket) -> None:
        """See `media.runtime.Ticker`."""
        self._watched.pop(socket, None)

    def ready(self) -> Sequence[Any]:
        """See `media.runtime.Ticker`."""
        now = self._clock.now
        return [
            tag for socket, tag in self._watched.items() if (queue := socket.queue) and queue[0][0] <= now
        ]

    def wake(self) -> None:
        """See `media.runtime.Ticker`."""
        if not self._stopped:
            self._schedule(self._clock.now)

    def stop(self) -> None:
        """See `media.runtime.Ticker`."""
        if self._stopped:
            return
        self._stopped = True
        if not self._stepping:
            self._driver.step(self._clock.now)

    def step(self, number: int) -> None:
        """The agenda's turn."""
        if number != self._number or self._stopped:
            return
        self._due = None
        self._stepping = True
        now = self._clock.now
        deadline: float | None
        try:
            deadline = self._context.run(self._driver.step, now)
        except Exception:  # as at the edge of the real media thread
            _log.exception("the media driver failed; it goes on with the next tick")
            deadline = now + _AFTER_FAILURE_S
        self._stepping = False
        if self._stopped:  # by what the step brought about: the last step is still owed
            self._driver.step(now)
        elif deadline is not None:
            self._schedule(deadline)

    def _schedule(self, when: float) -> None:
        if self._due is None or when < self._due:
            self._due = when
            self._number += 1
            self._clock.at(when, self.step, self._number)
