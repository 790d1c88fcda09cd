"""Whose word counts about who somebody is: the trust domain of RFC 3325, as far as one phone knows it.

Servers of ours belong to it: those where an account is registered, and those that its settings name. One that
we use by TLS is believed by TLS only, for anybody can write its address on a datagram. Others are believed
when the application names their networks.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from dialog.flow import Flow
from dialog.server_selection import is_ip_address
from dialog.uri import SipUri, Uri

_MAX_SERVERS = 1024


class Trust:
    """Believes in flows. ValueError for `networks` that are none, such as "10.0.0.0/33"."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks = tuple(ipaddress.ip_network(text, strict=False) for text in networks)
        self._names: set[str] = set()
        self._servers: dict[str, bool] = {}

    def name(self, server: Uri) -> None:
        """The settings of an account name this server, or its domain."""
        if not isinstance(server, SipUri):
            return
        host = server.host.lower()
        if is_ip_address(host):
            self._remember(host, server.scheme == "sips" or server.transport in ("tls", "wss"))
        else:
            self._names.add(host)

    def sent(self, hop: Uri, flow: Flow) -> None:
        """A request to `hop` goes on this flow: if it is a server of ours, this is where it is."""
        if self._names and isinstance(hop, SipUri) and hop.host.lower() in self._names:
            self.add(flow)

    def add(self, flow: Flow) -> None:
        """A server of ours is on this flow."""
        self._remember(flow.remote[0], flow.secure)

    def believes(self, flow: Flow) -> bool:
        """Whether what comes on this flow may say who somebody is."""
        host = flow.remote[0]
        secure = self._servers.get(host)
        if secure is not None and (flow.secure or not secure):
            return True
        if not self._networks or not is_ip_address(host):
            return False
        address = ipaddress.ip_address(host)
        return any(address in network for network in self._networks)

    def _remember(self, host: str, secure: bool) -> None:
        if host not in self._servers and len(self._servers) >= _MAX_SERVERS:
            del self._servers[next(iter(self._servers))]
        # Whoever uses it in the clear must be able to go on doing so.
        self._servers[host] = secure and self._servers.get(host, True)
