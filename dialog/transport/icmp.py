"""What the network says about datagrams already sent: "nobody listens there" (RFC 3261 section 18.4).

On Linux an unconnected UDP socket can be asked to keep these reports, each with the address that the datagram
was sent to (IP_RECVERR, `man 7 ip`). Elsewhere there are none, and timers B and F find out.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from asyncio import DatagramTransport

from dialog.flow import HostPort

# Not in the socket module: <linux/in.h>, <linux/in6.h>, <linux/errqueue.h>.
_IP_RECVERR = 11
_IPV6_RECVERR = 25
_MSG_ERRQUEUE = 0x2000
_EXTENDED_ERROR = struct.Struct("=IBBBBII")  # errno, origin, type, code, padding, info, data
_FROM_ICMP = (2, 3)  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6
_UNREACHABLE = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH)

_MOST_AT_ONCE = 1000


class UnreachableReports:
    """The reports of one socket. `close` it with the socket."""

    def __init__(self, reader: socket.socket) -> None:
        self._reader = reader

    @classmethod
    def of(cls, transport: DatagramTransport) -> UnreachableReports | None:
        """Ask for reports; None where there are none (another system, a loop without real sockets)."""
        own = transport.get_extra_info("socket")
        if own is None or not sys.platform.startswith("linux"):
            return None
        try:
            if own.family == socket.AF_INET6:
                own.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
            else:
                own.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            # asyncio shows its socket without recvmsg: another handle of the same socket has it.
            return cls(socket.socket(fileno=os.dup(own.fileno())))
        except OSError:
            return None

    def take(self) -> list[HostPort]:
        """The addresses that datagrams could not be delivered to, since the last time."""
        addresses: list[HostPort] = []
        for _ in range(_MOST_AT_ONCE):
            try:
                _, reports, _, address = self._reader.recvmsg(0, 512, _MSG_ERRQUEUE | socket.MSG_DONTWAIT)
            except OSError:  # mostly BlockingIOError: no more of them
                break
            for _, _, report in reports:
                if len(report) < _EXTENDED_ERROR.size:
                    continue
                number, origin, *_ = _EXTENDED_ERROR.unpack_from(report)
                if origin in _FROM_ICMP and number in _UNREACHABLE:
                    addresses.append((address[0], address[1]))
        return addresses

    def close(self) -> None:
        """Let go of the socket."""
        self._reader.close()
