"""UDP sockets for the media thread that never block and, on Linux, never let the GIL go.

Every `sendto` and `recvfrom` of the socket module releases the GIL, as they might block, and takes it back
afterwards. Beside one Python thread that computes, getting it back takes a switch interval (5 ms) each
time: with 100 calls packets left up to 731 ms late (p99). Calls through `ctypes.PyDLL` keep the GIL;
with `MSG_DONTWAIT` they take a few microseconds. That brings it to 18 ms, at no cost when idle.

Further care on Linux, each measured:
- `recvmmsg` takes all that has come in one call, where `recvfrom` needs a second one to learn there is
  no more (1.3 us a packet);
- the kernel stamps arrivals (SO_TIMESTAMPNS), so that one wake-up a tick for all sockets is enough and
  jitter is still measured in microseconds;
- addresses are looked up by their raw bytes, so that the same sender is the same object;
- `sendto` and `recvmmsg` have no `argtypes`: ctypes' own guess is right for what they get here, small
  numbers, bytes and pointers, and takes 0.4 us less a call. What came is unpacked in one step a datagram.

Elsewhere plain sockets do the same with the time of the tick as time of arrival: playout is up to a
tick later, and jitter is measured in ticks.
"""

import ctypes
import errno
import ipaddress
import platform
import select
import selectors
import socket
import struct
import sys
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

from media.errors import AddressInUse, BadAddress, PortError
from media.plan import Address

BATCH = 16
"""Datagrams taken from one socket in one call; the rest waits in the kernel."""
MAX_DATAGRAM = 4096
"""60 ms of 16-bit samples at 32 kHz; anything longer is no audio packet and is dropped."""
RECEIVE_BUFFER = 208 * 1024
"""The most that Linux gives unless told otherwise; it doubles it. A tick of 27,000 packets a second fits."""
SEND_BUFFER = 128 * 1024
_ADDRESS_CACHE = 4096
_OLDEST_ARRIVAL_S = 2.0

Datagram = tuple[bytes, Address, float]


class Poller(Protocol):
    """Knows which of its sockets hold datagrams."""

    def watch(self, socket: Any, tag: object) -> None:
        """Name `tag` in `ready()` while `socket` holds datagrams."""
        ...

    def unwatch(self, socket: Any) -> None:
        """Forget `socket`."""
        ...

    def ready(self) -> Sequence[Any]:
        """The tags of readable sockets; never waits."""
        ...

    def close(self) -> None:
        """Give the system's resources back."""
        ...


def bind_datagram(host: str, port: int) -> "PlainSocket | LinuxSocket":
    """A UDP socket of the system's best kind on an IP address and port (0: any free one).

    Raises `BadAddress`, `AddressInUse`, or `PortError` when the process has too many files open.
    """
    family = _family(host)
    try:
        raw = socket.socket(family, socket.SOCK_DGRAM)
    except OSError as error:
        raise PortError(
            f"cannot open a UDP socket: {error.strerror}. Each session takes two; raise `ulimit -n`."
        ) from error
    try:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        raw.bind((host, port))
    except OSError as error:
        raw.close()
        # Windows answers WSAEACCES for a port that another program holds exclusively.
        if error.errno == errno.EADDRINUSE or (sys.platform == "win32" and error.errno == errno.EACCES):
            raise AddressInUse(host, port) from None
        raise BadAddress(host, f"port {port}: {error.strerror}") from error
    return LinuxSocket(raw) if KEEPS_GIL else PlainSocket(raw)


@lru_cache(maxsize=64)
def _family(host: str) -> socket.AddressFamily:
    try:
        return socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        raise BadAddress(host) from None


def make_poller() -> Poller:
    """A poller for the sockets that `bind_datagram` makes."""
    return LinuxPoller() if KEEPS_GIL else PlainPoller()


class PlainSocket:
    """A UDP socket by way of the socket module; works on every system."""

    __slots__ = ("_socket", "address", "send_errors")

    def __init__(self, raw: socket.socket) -> None:
        raw.setblocking(False)
        self._socket = raw
        self.address: Address = raw.getsockname()[:2]
        self.send_errors = 0

    def fileno(self) -> int:
        """For the poller; -1 when closed."""
        return self._socket.fileno()

    def send(self, data: bytes, destination: Address) -> bool:
        """Send, or count why not."""
        try:
            self._socket.sendto(data, destination)
        except OSError:  # full buffer, an ICMP error of an earlier datagram, no route: media goes on
            self.send_errors += 1
            return False
        return True

    def receive(self, now: float) -> Sequence[Datagram]:
        """Up to `BATCH` datagrams, `now` being their time of arrival."""
        received: list[Datagram] = []
        for _ in range(BATCH):
            try:
                data, source = self._socket.recvfrom(MAX_DATAGRAM)
            except BlockingIOError:
                break
            except OSError:  # Windows reports the ICMP error of an earlier send here
                continue
            received.append((data, source[:2], now))
        return received

    def close(self) -> None:
        """Close; harmless when closed already."""
        self._socket.close()


class PlainPoller:
    """`selectors` with a timeout of zero."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def watch(self, socket: PlainSocket, tag: object) -> None:
        """Name `tag` while `socket` is readable."""
        self._selector.register(socket, selectors.EVENT_READ, tag)

    def unwatch(self, socket: PlainSocket) -> None:
        """Forget `socket`."""
        self._selector.unregister(socket)

    def ready(self) -> Sequence[Any]:
        """The tags of readable sockets."""
        if not self._selector.get_map():  # select() on nothing is an error on Windows
            return ()
        return [key.data for key, _ in self._selector.select(0)]

    def close(self) -> None:
        """Close the selector."""
        self._selector.close()


# --- Linux, 64 bit ---

KEEPS_GIL = sys.platform == "linux" and ctypes.sizeof(ctypes.c_void_p) == 8
"""Whether this system gets `LinuxSocket`."""

_SO_TIMESTAMPNS = 35
_EPOLL_CTL_ADD, _EPOLL_CTL_DEL = 1, 2
_EVENT = struct.Struct("=IQ" if platform.machine() == "x86_64" else "=I4xQ")  # epoll_event is packed on x86
_MAX_EVENTS = 4096


def _load() -> tuple[Any, Any, Any, Any, Any]:
    """The five calls of libc, with the GIL kept."""
    libc = ctypes.PyDLL(None)
    pointer, number = ctypes.c_void_p, ctypes.c_int
    libc.epoll_ctl.argtypes = (number, number, number, pointer)
    libc.epoll_wait.argtypes = (number, pointer, number, number)
    libc.close.argtypes = (number,)
    return libc.recvmmsg, libc.sendto, libc.epoll_ctl, libc.epoll_wait, libc.close


_calls: tuple[Any, ...] = _load() if KEEPS_GIL else (None,) * 5
_recvmmsg, _sendto, _epoll_ctl, _epoll_wait, _close = _calls
_DONTWAIT = int(getattr(socket, "MSG_DONTWAIT", 0))


class _Batch:
    """Room for `BATCH` messages of one address family.

    First the array of `struct mmsghdr` that the system call wants, then for each message its address,
    its control message (a `struct timespec`) and its data, side by side.
    """

    HEADER, NAME, CONTROL = 64, 32, 32
    STRIDE = NAME + CONTROL + MAX_DATAGRAM

    def __init__(self, family: int) -> None:
        name_size = 16 if family == socket.AF_INET else 28
        first = BATCH * self.HEADER
        self.memory: Any = (ctypes.c_char * (first + BATCH * self.STRIDE))()  # slices are bytes
        vectors = (ctypes.c_char * (16 * BATCH))()
        self._vectors = vectors  # the kernel reads them at every call
        start, vector_start = ctypes.addressof(self.memory), ctypes.addressof(vectors)
        for index in range(BATCH):
            name = start + first + index * self.STRIDE
            vector = vector_start + 16 * index
            struct.pack_into("=QQ", vectors, 16 * index, name + self.NAME + self.CONTROL, MAX_DATAGRAM)
            struct.pack_into(
                "=QI4xQQQQ", self.memory, index * self.HEADER,
                name, name_size, vector, 1, name + self.NAME, self.CONTROL,
            )  # fmt: skip
        self.pointer = ctypes.c_void_p(start)
        rest = self.NAME - name_size + 16
        self.messages = [
            (
                # its length; the address; past the control message's header seconds and nanoseconds
                struct.Struct(
                    f"={index * self.HEADER + 56}xI{first + index * self.STRIDE - index * self.HEADER - 60}x"
                    f"{name_size}s{rest}xqq"
                ).unpack_from,
                first + index * self.STRIDE + self.NAME + self.CONTROL,
            )
            for index in range(BATCH)
        ]
        """For each message how to unpack all but its data from `memory`, and where its data begins."""
        self.addresses: dict[bytes, Address] = {}
        self.to_monotonic = time.monotonic() - time.time()

    def address(self, name: bytes) -> Address:
        """The address of a `sockaddr`; the same object for the same address, so `is` often answers."""
        if len(self.addresses) >= _ADDRESS_CACHE:
            self.addresses.clear()
        found = self.addresses[name] = _from_sockaddr(name)
        return found


def _from_sockaddr(name: bytes) -> Address:
    port = int.from_bytes(name[2:4], "big")
    if len(name) == 16:
        return socket.inet_ntop(socket.AF_INET, name[4:8]), port
    host = socket.inet_ntop(socket.AF_INET6, name[8:24])
    scope = int.from_bytes(name[24:28], sys.byteorder)
    return (f"{host}%{scope}" if scope else host), port


def _to_sockaddr(family: int, address: Address) -> bytes:
    """Raises `OSError` or `ValueError` for what is no address of this family."""
    host, _, scope = address[0].partition("%")
    start = struct.pack("=H", family) + struct.pack("!H", address[1])
    if family == socket.AF_INET:
        return start + socket.inet_pton(family, host) + bytes(8)
    index = int(scope) if scope.isdigit() else socket.if_nametoindex(scope) if scope else 0
    return start + bytes(4) + socket.inet_pton(family, host) + struct.pack("=I", index)


class LinuxSocket:
    """A UDP socket whose calls keep the GIL; one thread at a time may use it."""

    __slots__ = ("_batch", "_destination", "_family", "_fd", "_stamped", "_target", "address", "send_errors")

    def __init__(self, raw: socket.socket) -> None:
        self.address: Address = raw.getsockname()[:2]
        self.send_errors = 0
        self._family = raw.family
        try:
            raw.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            self._stamped = True
        except OSError:  # some containers' kernels do not know it
            self._stamped = False
        self._fd = raw.detach()
        self._batch: _Batch | None = None
        self._destination: Address | None = None
        self._target = b""

    def fileno(self) -> int:
        """For the poller; -1 when closed."""
        return self._fd

    def share(self, batch: _Batch) -> None:
        """Receive into `batch`, which the sockets of one thread share."""
        self._batch = batch

    @property
    def family(self) -> int:
        """AF_INET or AF_INET6."""
        return self._family

    def send(self, data: bytes, destination: Address) -> bool:
        """Send, or count that it was refused."""
        if destination is not self._destination:
            try:
                self._target = _to_sockaddr(self._family, destination)
            except (OSError, ValueError):  # not of our family
                self.send_errors += 1
                return False
            self._destination = destination
        target = self._target
        if _sendto(self._fd, data, len(data), _DONTWAIT, target, len(target)) < 0:
            self.send_errors += 1
            return False
        return True

    def receive(self, now: float) -> Sequence[Datagram]:
        """Up to `BATCH` datagrams with the times the kernel saw them."""
        batch = self._batch
        if batch is None:
            batch = self._batch = _Batch(self._family)
        count = _recvmmsg(self._fd, batch.pointer, BATCH, _DONTWAIT, None)
        if count <= 0:
            return ()
        memory, addresses, received = batch.memory, batch.addresses, []
        for unpack, start in batch.messages[:count]:
            length, name, seconds, nanoseconds = unpack(memory)
            source = addresses.get(name) or batch.address(name)
            arrival = now
            if self._stamped:
                arrival = seconds + nanoseconds * 1e-9 + batch.to_monotonic
                if not now - _OLDEST_ARRIVAL_S <= arrival <= now:  # the wall clock was set meanwhile
                    arrival = now
            if length < MAX_DATAGRAM:
                received.append((memory[start : start + length], source, arrival))
        return received

    def close(self) -> None:
        """Close; harmless when closed already."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            _close(fd)


class LinuxPoller:
    """epoll, asked without waiting."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._fd = self._epoll.fileno()
        self._tags: dict[int, object] = {}
        self._events = (ctypes.c_char * (_EVENT.size * _MAX_EVENTS))()
        self._view = memoryview(self._events).cast("B")
        self._batches: dict[int, _Batch] = {}

    def watch(self, socket: LinuxSocket, tag: object) -> None:
        """Name `tag` while `socket` is readable; from now on it receives into this thread's batch."""
        fd = socket.fileno()
        batch = self._batches.get(socket.family)
        if batch is None:
            batch = self._batches[socket.family] = _Batch(socket.family)
        socket.share(batch)
        self._tags[fd] = tag
        event = ctypes.create_string_buffer(_EVENT.pack(select.EPOLLIN, fd), _EVENT.size)
        _epoll_ctl(self._fd, _EPOLL_CTL_ADD, fd, event)

    def unwatch(self, socket: LinuxSocket) -> None:
        """Forget `socket`."""
        fd = socket.fileno()
        if self._tags.pop(fd, None) is not None:
            event = ctypes.create_string_buffer(_EVENT.size)
            _epoll_ctl(self._fd, _EPOLL_CTL_DEL, fd, event)

    def ready(self) -> Sequence[Any]:
        """The tags of readable sockets; also sets the offset between the kernel's stamps and our clock."""
        to_monotonic = time.monotonic() - time.time()
        for batch in self._batches.values():
            batch.to_monotonic = to_monotonic
        if not self._tags:
            return ()
        count = _epoll_wait(self._fd, self._events, _MAX_EVENTS, 0)
        if count <= 0:
            return ()
        tags = self._tags
        return [tags[fd] for _, fd in _EVENT.iter_unpack(self._view[: count * _EVENT.size]) if fd in tags]

    def close(self) -> None:
        """Close the epoll descriptor."""
        self._epoll.close()
