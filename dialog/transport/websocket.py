"""SIP over WebSockets (RFC 7118), client and server, framed by wsproto.

One message of SIP is one WebSocket message, text or binary. The opening handshake asks for, and insists on,
the subprotocol "sip".
"""

from __future__ import annotations

import asyncio
from typing import cast

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from dialog.flow import Target
from dialog.transport.stream import StreamConnection, StreamTransport
from dialog.uri import format_host

SUBPROTOCOL = "sip"

PING_INTERVAL_S = 25.0
"""Between pings on connections that we opened (RFC 7118 section 6); two without a sign of life end it."""
MESSAGE_TIMEOUT_S = 32.0
"""How long a message may take from its first byte to its last."""


class WebSocketConnection(StreamConnection):
    """One WebSocket. It carries messages once the opening handshake is over."""

    def __init__(self, owner: StreamTransport, target: Target | None) -> None:
        super().__init__(owner, target)
        self._protocol = WSConnection(ConnectionType.SERVER if target is None else ConnectionType.CLIENT)
        self._upgraded: asyncio.Future[None] | None = None
        self._message = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._slow: asyncio.TimerHandle | None = None
        self._unanswered = 0
        self._over = False

    def established(self) -> None:
        """TCP or TLS stands: the client asks for the upgrade."""
        if self.target is not None:
            host, port = self.target.address
            owner = cast(WebSocketTransport, self.owner)
            authority = f"{format_host(self.target.name or host)}:{port}"
            self._send(Request(host=authority, target=owner.path, subprotocols=[SUBPROTOCOL]))

    async def wait_ready(self) -> None:
        """Until the handshake is over; ConnectionRefusedError when the server does not agree to it."""
        if self.flow is None:
            self._upgraded = asyncio.get_running_loop().create_future()
            await self._upgraded

    def receive(self, data: bytes) -> None:
        """Bytes came: frames, or a piece of the handshake."""
        if self._over:
            return
        try:
            self._protocol.receive_data(data)
            for event in self._protocol.events():
                self._on_event(event)
                if self._over:
                    break
        except (RemoteProtocolError, LocalProtocolError) as error:
            self._refused(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._over = True
        for timer in (self._timer, self._slow):
            if timer is not None:
                timer.cancel()
        if self._upgraded is not None and not self._upgraded.done():
            self._upgraded.set_exception(exc or ConnectionResetError("closed during the handshake"))
        super().connection_lost(exc)

    def send(self, data: bytes) -> bool:
        """Send a message: as text if it is any."""
        try:
            return self._send(TextMessage(data.decode()))
        except UnicodeDecodeError:
            return self._send(BytesMessage(data))

    def close(self) -> None:
        """Say goodbye, and close."""
        if self.flow is not None and not self._over:
            self._send(CloseConnection(code=CloseReason.NORMAL_CLOSURE))
        self._over = True
        super().close()

    # Inside.

    def _send(self, event: Event) -> bool:
        try:
            data = self._protocol.send(event)
        except LocalProtocolError:  # the peer has begun to close
            return False
        return self.write(data)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, TextMessage | BytesMessage):
            self._on_piece(event)
        elif isinstance(event, Ping):
            self._send(event.response())
        elif isinstance(event, Pong):
            self._unanswered = 0
        elif isinstance(event, CloseConnection):
            self._send(event.response())
            self._over = True
            super().close()
        elif isinstance(event, Request):
            self._on_request(event)
        elif isinstance(event, AcceptConnection):
            if event.subprotocol == SUBPROTOCOL:
                self.ready()
                self._ping_later()
            else:
                self._refused("the server does not speak SIP over WebSockets")
        elif isinstance(event, RejectConnection):
            self._refused(f"the server refuses the WebSocket ({event.status_code})")
        else:
            assert isinstance(event, RejectData)  # the page that comes with the refusal

    def _on_request(self, request: Request) -> None:
        if SUBPROTOCOL not in request.subprotocols:
            self._send(RejectConnection(status_code=400))
            self._over = True
            super().close()
            return
        self._send(AcceptConnection(subprotocol=SUBPROTOCOL))
        self.ready()

    def _on_piece(self, piece: TextMessage | BytesMessage) -> None:
        data = piece.data.encode() if isinstance(piece, TextMessage) else bytes(piece.data)
        owner = cast(WebSocketTransport, self.owner)
        self._unanswered = 0
        self._message += data
        if len(self._message) > owner.max_message_bytes:
            self._send(CloseConnection(code=CloseReason.MESSAGE_TOO_BIG))
            self._refused("a message was too long")
        elif piece.message_finished:
            message = bytes(self._message)
            self._message.clear()
            if self._slow is not None:
                self._slow.cancel()
                self._slow = None
            if self.flow is not None:
                owner.hooks.on_data(self.flow, message)
        elif self._slow is None:
            self._slow = asyncio.get_running_loop().call_later(MESSAGE_TIMEOUT_S, self.abort)

    def _refused(self, reason: str) -> None:
        """Nothing more can come of this connection."""
        self._over = True
        if self._upgraded is not None and not self._upgraded.done():
            self._upgraded.set_exception(ConnectionError(reason))
        super().close()

    def _ping_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(PING_INTERVAL_S, self._ping)

    def _ping(self) -> None:
        if self._over:
            return
        if self._unanswered >= 2:
            self.abort()
            return
        self._unanswered += 1
        self._send(Ping())
        self._ping_later()


class WebSocketTransport(StreamTransport):
    """WS, or WSS with TLS contexts. `path` is asked for from servers; as a server we take any."""

    connection_class = WebSocketConnection
    path = "/"
    max_message_bytes = 65535
