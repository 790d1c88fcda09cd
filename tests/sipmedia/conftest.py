"""A call as it might have been recorded, for the tests of the trace."""

import pytest

from sipmedia.trace import CallTrace, Lane

_OFFER = b"v=0\r\nm=audio 10000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
_ANSWER = b"v=0\r\nm=audio 10002 RTP/AVP 0\r\n"


def request(method: str, number: int = 1, body: bytes = b"") -> bytes:
    head = f"{method} sip:bob@127.0.0.1 SIP/2.0\r\nCall-ID: a1\r\nCSeq: {number} {method}\r\n\r\n"
    return head.encode() + body


def response(status: str, method: str, number: int = 1, body: bytes = b"") -> bytes:
    return f"SIP/2.0 {status}\r\ni: a1\r\nCSeq: {number} {method}\r\n\r\n".encode() + body


@pytest.fixture
def trace() -> CallTrace:
    """alice calls bob, her INVITE is lost once, they talk for two seconds, she holds, bob hangs up."""
    trace = CallTrace()
    trace.local = Lane("alice", "127.0.0.1:5060")
    trace.remote = Lane("bob", "127.0.0.1:5062")
    invite = request("INVITE", 1, _OFFER)
    trace.message(100.0, "sent", invite)
    trace.message(100.5, "sent", invite)
    trace.message(100.501, "received", response("180 Ringing", "INVITE"))
    trace.message(101.0, "received", response("200 OK", "INVITE", 1, _ANSWER))
    trace.message(101.001, "sent", request("ACK"))
    trace.media_started(101.01, "PCMU")
    trace.milestone(101.02, "received", "first sound heard", "PCMU from 127.0.0.1:10002")
    trace.message(102.0, "sent", request("INVITE", 2, _ANSWER + b"a=sendonly\r\n"))
    trace.message(102.01, "received", response("200 OK", "INVITE", 2, _ANSWER + b"a=recvonly\r\n"))
    trace.message(102.011, "sent", request("ACK", 2))
    trace.message(103.0, "received", request("BYE", 1))
    trace.message(103.001, "sent", response("200 OK", "BYE"))
    trace.media_ended(103.002, 100, 99)
    return trace
