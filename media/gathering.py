"""What the ports of a session look like from outside, found out before its first description."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING

from media.config import SessionConstraints, SessionState
from media.driver import StreamHandle
from media.plan import Address
from media.session_audio import SessionAudio
from media.stun.gathering import KEEP_ALIVE_S, gather, keep_alive, resolve

if TYPE_CHECKING:
    from media.manager import MediaManager
    from media.session import MediaSession
    from media.wishes import Wishes


_log = logging.getLogger(__name__)


class GatheringSession(SessionAudio):
    """The part of a `MediaSession` that asks a STUN server."""

    _manager: MediaManager
    _wishes: Wishes

    @property
    def state(self) -> SessionState:
        """Where it stands."""
        raise NotImplementedError

    @property
    def itself(self) -> MediaSession:
        """This session, whole."""
        raise NotImplementedError

    def take_ports(self, constraints: SessionConstraints | None = None) -> None:
        """Take the ports now, for a `gather` that is to wait for nothing else. Raises what `create_offer`
        does for that."""
        with self._lock:
            self._check_open()
            self._bind(constraints)

    async def gather(self, constraints: SessionConstraints | None = None) -> bool:
        """Find out what our ports look like from outside, before the first offer or answer.

        Asks the manager's `stun_server`, if there is one, from the RTP and the RTCP socket; what it says goes
        into our descriptions from then on. False, and local addresses, if nothing was found out within
        `stun_timeout_s`, the time to look its name up included. Takes the ports; raises what `create_offer`
        does for that. Harmless when done already.
        """
        config, runtime = self._manager.config, self._manager.runtime
        if config.stun_server is None or self._path.mapped is not None:
            return self._path.mapped is not None
        with self._lock:
            self._check_open()
            if config.advertised_ip is not None:
                return False
            host, _ = self._bind(constraints)
            handle = self._path.open_silent(self.itself, self._manager.open_stream)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        loop = asyncio.get_running_loop()
        until = loop.time() + config.stun_timeout_s
        try:
            server = await asyncio.wait_for(resolve(config.stun_server, family), config.stun_timeout_s)
        except TimeoutError:
            server = None
        if server is None:
            _log.warning("the STUN server %s:%d is not known; the local address is used", *config.stun_server)
        if server is None or self._closed:
            return False
        self._path.mapped = await gather(handle, server, runtime.random, until - loop.time())
        if self._path.mapped is not None:
            self._keep_mapped(handle, server)
        return self._path.mapped is not None

    def _bind(self, constraints: SessionConstraints | None) -> Address:
        wishes = self._wishes.changed(constraints)
        return self._path.bind(self._manager.ports, wishes.local_ip, wishes.local_port)

    def _keep_mapped(self, handle: StreamHandle, server: Address) -> None:
        """Until media flows, the NAT is kept from forgetting us."""

        def again() -> None:
            if self.state in (SessionState.IDLE, SessionState.NEGOTIATING):
                keep_alive(handle, server, self._manager.runtime.random)
                loop.call_later(KEEP_ALIVE_S, again)

        loop = asyncio.get_running_loop()
        loop.call_later(KEEP_ALIVE_S, again)
