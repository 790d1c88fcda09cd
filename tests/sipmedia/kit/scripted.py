"""A SIP peer that sends just what a test tells it, for what a real phone of ours would never do."""

import asyncio
from collections.abc import Sequence
from typing import Self

from dialog.message import Request, Response
from dialog.parser import parse_datagram

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP {formats}\r\n"
)


class ScriptedPeer(asyncio.DatagramProtocol):
    """A UDP socket that parses what comes into a queue."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[Request | Response] = asyncio.Queue()
        self._transport: asyncio.DatagramTransport | None = None
        self._peer: tuple[str, int] = ("", 0)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._transport is not None
        self._transport.close()
        await asyncio.sleep(0)

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._transport is not None
        port: int = self._transport.get_extra_info("sockname")[1]
        return port

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._peer = addr
        self.received.put_nowait(parse_datagram(data, 65535))

    async def expect(self, method: str) -> Request:
        """The next request of that method; others are passed over."""
        while True:
            message = await asyncio.wait_for(self.received.get(), 5)
            if isinstance(message, Request) and message.method == method:
                return message

    async def expect_status(self, status: int) -> Response:
        """The next response of that status; other messages are passed over."""
        while True:
            message = await asyncio.wait_for(self.received.get(), 5)
            if isinstance(message, Response) and message.status == status:
                return message

    def respond(
        self,
        request: Request,
        status: int,
        tag: str = "peer",
        sdp: str = "",
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Answer a request, with a session description if there is one, and more headers."""
        headers = [("Contact", f"<sip:peer@127.0.0.1:{self.port}>"), *headers]
        if sdp:
            headers.append(("Content-Type", "application/sdp"))
        response = Response.to_request(request, status, to_tag=tag, headers=headers, body=sdp.encode())
        self.send(bytes(response), self._peer)

    def send(self, data: bytes, peer: tuple[str, int]) -> None:
        """Send any bytes."""
        assert self._transport is not None
        self._transport.sendto(data, peer)

    def request_like(
        self, invite: Request, method: str, number: int, body: str = "", tag: str = "peer"
    ) -> None:
        """Send a request inside the dialog that answering ``invite`` with ``tag`` has made."""
        content = "Content-Type: application/sdp\r\n" if body else ""
        text = (
            f"{method} {invite.contacts[0].uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{method}{number}\r\n"
            f"Max-Forwards: 70\r\nFrom: {invite.to};tag={tag}\r\nTo: {invite.from_}\r\n"
            f"Call-ID: {invite.call_id}\r\nCSeq: {number} {method}\r\n"
            f"Contact: <sip:peer@127.0.0.1:{self.port}>\r\n{content}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )
        self.send(text.encode(), self._peer)

    def acknowledge(self, answer: Response) -> None:
        """Send the ACK for the answer to our INVITE."""
        self.request_after(answer, "ACK", 1)

    def request_after(self, answer: Response, method: str, number: int, body: str = "") -> None:
        """Send a request inside the dialog that the answer to our INVITE has made."""
        content = "Content-Type: application/sdp\r\n" if body else ""
        text = (
            f"{method} {answer.contacts[0].uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{method}{number}\r\n"
            f"Max-Forwards: 70\r\nFrom: {answer.from_}\r\nTo: {answer.to}\r\n"
            f"Call-ID: {answer.call_id}\r\nCSeq: {number} {method}\r\n"
            f"Contact: <sip:peer@127.0.0.1:{self.port}>\r\n{content}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )
        self.send(text.encode(), self._peer)

    def invite(
        self, peer: tuple[str, int], body: str, call_id: str = "scripted-1", headers: Sequence[str] = ()
    ) -> None:
        """Send an INVITE with that body, and more header lines."""
        self._peer = peer
        text = (
            f"INVITE sip:phone@{peer[0]}:{peer[1]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{call_id}\r\n"
            "Max-Forwards: 70\r\nFrom: <sip:peer@127.0.0.1>;tag=1\r\nTo: <sip:phone@127.0.0.1>\r\n"
            f"Call-ID: {call_id}\r\nCSeq: 1 INVITE\r\nContact: <sip:peer@127.0.0.1:{self.port}>\r\n"
            + "".join(f"{line}\r\n" for line in headers)
            + ("Content-Type: application/sdp\r\n" if body else "")
            + f"Content-Length: {len(body)}\r\n\r\n{body}"
        )
        self.send(text.encode(), peer)


def sdp(port: int = 30000, formats: str = "0", direction: str = "") -> str:
    """A description with one audio line."""
    line = f"a={direction}\r\n" if direction else ""
    return SDP.format(port=port, formats=formats) + line
