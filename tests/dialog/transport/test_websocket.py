"""SIP over WebSockets on loopback (RFC 7118)."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, RejectConnection, Request, TextMessage
from wsproto.events import Event as WebSocketEvent

from dialog.config import UserAgentConfig
from dialog.errors import MissingPackage
from dialog.events import CallConfirmed, CallEnded, CallFailed, Event, IncomingCall, SessionAnswer
from dialog.timers import Timers
from dialog.tls_settings import TlsSettings
from dialog.transport import websocket
from dialog.user_agent import TracedMessage, UserAgent


class Phone:
    """A user agent that answers every call and keeps its events."""

    def __init__(self, *transports: str, **config: Any) -> None:
        self.events: list[Event] = []
        self.trace: list[TracedMessage] = []
        settings = {"bind": ("127.0.0.1", 0), "ws_port": 0, "timers": Timers(0.05, 0.2, 0.2), **config}
        self.agent = UserAgent(
            UserAgentConfig(transports=transports, **settings), self._on_event, on_message=self.trace.append
        )

    def _on_event(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, IncomingCall):
            event.usage.accept(b"v=0 answer \xff\xfe")

    async def __aenter__(self) -> Phone:
        await self.agent.start()
        return self

    async def __aexit__(self, *details: object) -> None:
        await self.agent.aclose()

    async def event(self, kind: type[Event]) -> Event:
        async with asyncio.timeout(5):
            while not any(isinstance(event, kind) for event in self.events):
                await asyncio.sleep(0.005)
        return next(event for event in self.events if isinstance(event, kind))

    def port(self, transport: str) -> int:
        address = self.agent.address_of(transport)
        assert address is not None
        return address[1]


class Browser:
    """Somebody at the other end of a WebSocket, one step at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.protocol = WSConnection(ConnectionType.CLIENT)
        self._reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, port: int, *subprotocols: str) -> Browser:
        browser = cls(*await asyncio.open_connection("127.0.0.1", port))
        browser.say(Request(host="127.0.0.1", target="/ws", subprotocols=list(subprotocols)))
        return browser

    def say(self, event: WebSocketEvent) -> None:
        self.writer.write(self.protocol.send(event))

    async def hear(self) -> list[WebSocketEvent]:
        async with asyncio.timeout(5):
            self.protocol.receive_data(await self._reader.read(65536) or None)
        return list(self.protocol.events())


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(bounded())


def secured(folder: Path) -> TlsSettings:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    return TlsSettings(folder / "server.pem", authorities=folder / "ca.pem")


@pytest.mark.parametrize("transport", ["WS", "WSS"])
def test_a_call(transport: str, tmp_path: Path) -> None:
    async def test() -> None:
        name, tls = transport.lower(), secured(tmp_path) if transport == "WSS" else TlsSettings()
        async with Phone("udp", name, tls=tls) as alice, Phone("udp", name, tls=tls) as bob:
            uri = f"{'sips' if name == 'wss' else 'sip'}:bob@127.0.0.1:{bob.port(transport)};transport=ws"
            call = alice.agent.invite(uri, from_="<sip:alice@example.com>", body=b"v=0 offer")
            answer = await alice.event(SessionAnswer)
            assert isinstance(answer, SessionAnswer)
            assert answer.body == b"v=0 answer \xff\xfe"  # no text: carried by a binary message
            await bob.event(CallConfirmed)
            call.bye()
            await bob.event(CallEnded)
            await alice.event(CallEnded)
            assert {message.transport for message in alice.trace} == {transport}
            assert f"Via: SIP/2.0/{transport} ".encode() in alice.trace[0].data

    run(test)


def test_only_those_that_speak_sip_are_taken() -> None:
    async def test() -> None:
        async with Phone("udp", "ws") as bob:
            chat = await Browser.connect(bob.port("WS"), "chat")
            (refusal,) = [e for e in await chat.hear() if isinstance(e, RejectConnection)]
            assert refusal.status_code == 400
            chat.writer.close()
            sip = await Browser.connect(bob.port("WS"), "chat", "sip")
            (accepted,) = await sip.hear()
            assert isinstance(accepted, AcceptConnection)
            assert accepted.subprotocol == "sip"
            sip.writer.close()

    run(test)


def test_a_message_in_pieces_and_one_that_is_too_long() -> None:
    async def test() -> None:
        async with Phone("udp", "ws", max_message_bytes=2000) as bob:
            browser = await Browser.connect(bob.port("WS"), "sip")
            await browser.hear()
            head = (
                "OPTIONS sip:bob@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\n"
                "From: <sip:a@a.invalid>;tag=1\r\nTo: <sip:bob@127.0.0.1>\r\nCall-ID: 1\r\n"
                "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n"
            )
            browser.say(TextMessage(head[:50], message_finished=False))
            browser.say(TextMessage(head[50:]))
            (answer,) = await browser.hear()
            assert isinstance(answer, TextMessage)
            assert answer.data.startswith("SIP/2.0 200 OK")
            browser.say(TextMessage("x" * 2001))
            (goodbye,) = await browser.hear()
            assert isinstance(goodbye, CloseConnection)
            assert goodbye.code == 1009
            browser.writer.close()

    run(test)


def test_what_is_no_websocket_is_closed() -> None:
    async def test() -> None:
        async with Phone("udp", "ws") as bob:
            reader, writer = await asyncio.open_connection("127.0.0.1", bob.port("WS"))
            writer.write(b"OPTIONS sip:bob@127.0.0.1 SIP/2.0\r\n\r\n")
            async with asyncio.timeout(5):
                await reader.read()
            writer.close()

    run(test)


async def serve(answer: bytes) -> asyncio.Server:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    return await asyncio.start_server(handle, "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", "refuses the WebSocket (404)"),
        (b"SSH-2.0-OpenSSH\r\n", "no WS connection"),
        (b"", "closed during the handshake"),
    ],
)
def test_why_a_server_cannot_be_used(answer: bytes, words: str) -> None:
    async def test() -> None:
        server = await serve(answer)
        port = server.sockets[0].getsockname()[1]
        async with Phone("udp", "ws") as alice:
            uri = f"sip:bob@127.0.0.1:{port};transport=ws"
            alice.agent.invite(uri, from_="<sip:alice@example.com>", body=b"v=0 offer")
            failed = await alice.event(CallFailed)
            assert isinstance(failed, CallFailed)
            assert words in failed.reason or "broke the connection off" in failed.reason
        server.close()
        await server.wait_closed()

    run(test)


def test_a_silent_connection_is_pinged_and_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "PING_INTERVAL_S", 0.05)

    async def test() -> None:
        async with Phone("udp", "ws") as alice, Phone("udp", "ws") as bob:
            uri = f"sip:bob@127.0.0.1:{bob.port('WS')};transport=ws"
            alice.agent.invite(uri, from_="<sip:alice@example.com>", body=b"v=0 offer")
            await bob.event(CallConfirmed)
            (connection,) = alice.agent._open_sockets()._streams["WS"]._connections.values()
            await asyncio.sleep(0.5)  # pings are answered: it lives
            assert connection.flow in alice.agent._open_sockets()._streams["WS"]._connections
            monkeypatch.setattr(connection, "receive", lambda data: None)  # from now on it hears nothing
            async with asyncio.timeout(5):
                while alice.agent._open_sockets()._streams["WS"]._connections:
                    await asyncio.sleep(0.02)

    run(test)


def test_without_the_package_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "dialog.transport.websocket":
            raise ImportError("No module named 'wsproto'")
        return real(name, *rest, **more)

    async def test() -> None:
        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(MissingPackage, match=r"pip install '\.\[ws\]'"):
            await Phone("udp", "ws").agent.start()
        monkeypatch.undo()

    run(test)
