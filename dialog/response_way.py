"""The way of a response whose connection is gone (RFC 3261 section 18.2.2, RFC 3263 section 5).

A new connection is made to where the request came from, at the port where its sender says it listens, or
else to the name it gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dialog.flow import Flow
from dialog.transaction.server import ServerTransaction
from dialog.uri import SipUri
from dialog.via import Via

if TYPE_CHECKING:
    from dialog.core import Core


def send_elsewhere(core: Core, transaction: ServerTransaction, data: bytes) -> None:
    """Find a way for a response and send it (b"": only find it); without one the transaction is told."""
    via = transaction.via
    assert via is not None
    places = _places(via, transaction.flow)

    def look() -> None:
        if not transaction.lost:
            arrived(transaction.flow)
        elif places:
            core.locator.way(places.pop(0)).next(found)
        else:
            transaction.transport_error()

    def found(flow: Flow | None) -> None:
        if flow is None:
            look()
            return
        if transaction.lost:
            core.layer.move(transaction, flow)
        arrived(transaction.flow)

    def arrived(flow: Flow) -> None:
        if data:
            core.send(flow, data)

    look()


def _places(via: Via, flow: Flow) -> list[SipUri]:
    """Where to look for the sender of a request, the likeliest place first."""
    params: dict[str, str | None] = {"transport": flow.transport.lower()}
    places = [SipUri(None, via.received or flow.remote[0], via.port or _default_port(flow), params)]
    if via.host != places[0].host:
        places.append(SipUri(None, via.host, via.port, params))
    return places


def _default_port(flow: Flow) -> int:
    return 5061 if flow.secure else 5060
