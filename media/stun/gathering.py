"""Who asks the STUN server, from the very sockets that media will use: only their mapping is of any use."""

from __future__ import annotations

import asyncio
import logging
import socket
from random import Random
from typing import TYPE_CHECKING

from media.plan import Address
from media.stun.transaction import BindingTransaction, Mapped

if TYPE_CHECKING:
    from media.driver import StreamHandle

_log = logging.getLogger(__name__)

KEEP_ALIVE_S = 15.0
"""How often the mappings are refreshed until media does so (RFC 8445 section 11: Tr)."""


async def resolve(server: tuple[str, int], family: socket.AddressFamily) -> Address | None:
    """The server's IP address, or None."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(*server, family=family, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return None
    return (str(found[0][4][0]), server[1]) if found else None


async def gather(handle: StreamHandle, server: Address, random: Random, timeout_s: float) -> Mapped | None:
    """Ask for the addresses of RTP and RTCP at once; None when that of RTP is not known in time."""
    probe = _Probe(handle, server, random)
    try:
        await asyncio.wait_for(probe.done.wait(), timeout_s)
    except TimeoutError:
        pass
    finally:
        probe.stop()
    rtp, rtcp = probe.rtp, probe.rtcp
    if rtp.mapped is None:
        why = rtp.failed or f"the STUN server {server[0]}:{server[1]} does not answer"
        _log.warning("%s; the local address is used", why)
        return None
    return Mapped(rtp.mapped, None if rtcp is None else rtcp.mapped)


def keep_alive(handle: StreamHandle, server: Address, random: Random) -> None:
    """Refresh the mappings once. The answer is for nobody: that something went out is what matters."""
    data = BindingTransaction(random.randbytes(12), server, 0.0).poll(0.0)
    assert data is not None
    handle.send_datagram(data, server)
    handle.send_datagram(data, server, rtcp=True)


class _Probe:
    """Two transactions on the loop, fed from the media thread."""

    def __init__(self, handle: StreamHandle, server: Address, random: Random) -> None:
        self._handle = handle
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        now = self._loop.time()
        self.done = asyncio.Event()
        self.rtp = BindingTransaction(random.randbytes(12), server, now)
        self.rtcp = BindingTransaction(random.randbytes(12), server, now) if handle.has_rtcp_socket else None
        handle.set_stun_listener(self._from_media_thread)
        self._poll()

    def stop(self) -> None:
        """Send and hear nothing any more."""
        self._handle.set_stun_listener(None)
        if self._timer is not None:
            self._timer.cancel()

    def _transactions(self) -> list[BindingTransaction]:
        return [self.rtp] if self.rtcp is None else [self.rtp, self.rtcp]

    def _poll(self) -> None:
        now = self._loop.time()
        for transaction in self._transactions():
            data = transaction.poll(now)
            if data is not None:
                self._handle.send_datagram(data, transaction.server, rtcp=transaction is self.rtcp)
        waiting = [t.next_deadline for t in self._transactions() if not t.over]
        if waiting:
            self._timer = self._loop.call_at(min(waiting), self._poll)
        else:
            self.done.set()

    def _from_media_thread(self, data: bytes, source: Address) -> None:
        try:
            self._loop.call_soon_threadsafe(self._receive, data, source)
        except RuntimeError:  # the loop is closed
            pass

    def _receive(self, data: bytes, source: Address) -> None:
        for transaction in self._transactions():
            if transaction.receive(data, source):
                break
        if all(transaction.over for transaction in self._transactions()):
            self.done.set()
