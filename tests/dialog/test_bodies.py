"""Finding the session description in a body, whole or in parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from dialog.bodies import Body, parts_of, session_description
from dialog.events import IncomingCall, SessionOffer
from dialog.message import Request

if TYPE_CHECKING:
    from tests.dialog.conftest import Stranger

SDP = "application/sdp"


def message(content_type: str, body: bytes, disposition: str | None = None) -> Request:
    headers = [("Content-Type", content_type)]
    if disposition is not None:
        headers.append(("Content-Disposition", disposition))
    return Request("INVITE", "sip:bob@example.com", headers, body)


def multipart(*parts: tuple[str, bytes], boundary: str = "b1", preamble: bytes = b"") -> bytes:
    lines = [preamble] if preamble else []
    for head, content in parts:
        lines += [f"--{boundary}".encode(), *head.encode().splitlines(), b"", content]
    return b"\r\n".join([*lines, f"--{boundary}--".encode(), b""])


ISUP = (
    "Content-Type: application/isup;version=nxv3\nContent-Disposition: signal;handling=optional",
    b"\x01\x10\x00",
)


@pytest.mark.parametrize("content_type", ["application/sdp", "Application/SDP ; charset=utf-8"])
def test_a_whole_body(content_type: str) -> None:
    assert session_description(message(content_type, b"v=0"), (SDP,)) == Body(SDP, "session", "", b"v=0")


def test_no_body_and_no_description() -> None:
    assert session_description(message(SDP, b""), (SDP,)) is None
    assert session_description(message("text/plain", b"hello"), (SDP,)) is None
    assert session_description(Request("INVITE", "sip:b@c", [], b"v=0"), (SDP,)) is None


def test_a_description_of_something_else_is_not_the_session() -> None:
    """RFC 3959: an early-session description is about other media."""
    assert session_description(message(SDP, b"v=0", "early-session"), (SDP,)) is None
    assert session_description(message(SDP, b"v=0", "Session ;handling=required"), (SDP,)) == Body(
        SDP, "session", "required", b"v=0"
    )


@pytest.mark.parametrize("boundary", ["b1", "=_b 1", "a'()+_,-./:=?b"])
def test_a_part_of_a_multipart(boundary: str) -> None:
    body = multipart(
        ISUP, ("Content-Type: application/sdp", b"v=0\r\ns=-\r\n"), boundary=boundary, preamble=b"Hi"
    )
    found = session_description(message(f'multipart/mixed; x=y ;Boundary="{boundary}"', body), (SDP,))
    assert found == Body(SDP, "session", "", b"v=0\r\ns=-\r\n")


def test_of_alternatives_the_last_is_taken() -> None:
    body = multipart(
        ("content-type: application/sdp", b"v=0 plain"), ("Content-Type:application/sdp", b"v=0 rich")
    )
    assert session_description(message("multipart/alternative;boundary=b1", body), (SDP,)) == Body(
        SDP, "session", "", b"v=0 rich"
    )


def test_a_multipart_in_a_multipart() -> None:
    inner = multipart(("Content-Type: application/sdp", b"v=0"), boundary="in")
    body = multipart(ISUP, ("Content-Type: multipart/alternative;\r\n boundary=in", inner))
    assert [part.content for part in parts_of(message("multipart/mixed;boundary=b1", body))] == [
        ISUP[1],
        b"v=0",
    ]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/mixed", b"--b1\r\n\r\nv=0\r\n--b1--"),
        ("multipart/mixed;boundary=b1", b"no boundary at all"),
        ("multipart/mixed;boundary=b1", b"--b1\r\nContent-Type: application/sdp\r\n\r\nv=0 never ended"),
        ("multipart/mixed;boundary=b1", b"--b1\r\nContent-Type: application/sdp\r\n--b1--\r\nv=0 epilogue"),
        ("multipart/mixed;boundary=b1", b"--b1\r\n\r\nv=0 without a type\r\n--b1--\r\n"),
    ],
)
def test_parts_that_hold_no_description(content_type: str, body: bytes) -> None:
    found = session_description(message(content_type, body), (SDP,))
    assert found is None or not found.content


def test_parts_and_their_nesting_are_bounded() -> None:
    part = ("Content-Type: application/sdp", b"v=0")
    assert len(parts_of(message("multipart/mixed;boundary=b1", multipart(*[part] * 1000)))) <= 32
    head, body = "Content-Type: application/sdp", b"v=0"
    for level in range(20):
        body = multipart((head, body), boundary=f"level{level}")
        head = f"Content-Type: multipart/mixed;boundary=level{level}"
    assert len(parts_of(message(head.partition(": ")[2], body))) == 1


Say = Callable[..., list[int]]


@pytest.fixture
def invite(stranger: Stranger) -> Say:
    def say(head: str, body: bytes) -> list[int]:
        text = stranger.request("INVITE", *head.splitlines()).replace(
            "Content-Length: 0", f"Content-Length: {len(body)}"
        )
        stranger.say(text.encode() + body)
        return stranger.statuses()

    return say


def test_a_call_offered_in_a_part(stranger: Stranger, invite: Say) -> None:
    body = multipart(ISUP, ("Content-Type: application/sdp", b"v=0 offer"))
    assert invite("Content-Type: multipart/mixed;boundary=b1\nMIME-Version: 1.0", body) == []
    assert stranger.peer.only(SessionOffer).body == b"v=0 offer"


def test_a_required_part_that_nobody_knows(stranger: Stranger, invite: Say) -> None:
    required = ("Content-Type: application/x-new\nContent-Disposition: x;handling=required", b"?")
    body = multipart(required, ("Content-Type: application/sdp", b"v=0 offer"))
    assert invite("Content-Type: multipart/mixed;boundary=b1", body) == [415]
    assert not stranger.peer.of(IncomingCall)


def test_parts_without_any_description_are_refused_unless_optional(stranger: Stranger, invite: Say) -> None:
    assert invite("Content-Type: multipart/mixed;boundary=b1", multipart(ISUP)) == []
    assert stranger.peer.of(IncomingCall)
    assert not stranger.peer.of(SessionOffer)
