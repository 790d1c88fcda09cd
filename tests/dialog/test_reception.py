"""What comes for no call, and what cannot be read; the rest is in test_core.py and the call flows."""

import random

import pytest

from dialog.config import UserAgentConfig
from dialog.core import Core
from dialog.flow import Flow, Send

FLOW = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.2", 5070))


def request(method: str, *more: str, to: str = "<sip:us@192.0.2.1>", via: str = ";rport") -> bytes:
    lines = [
        f"{method} sip:us@192.0.2.1 SIP/2.0",
        f"Via: SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bKx{via}",
        "From: <sip:them@192.0.2.2>;tag=t",
        f"To: {to}",
        "Call-ID: c",
        f"CSeq: 1 {method}",
        "Max-Forwards: 70",
        *more,
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def receive(data: bytes) -> tuple[Core, list[bytes]]:
    core = Core(UserAgentConfig(bind=("192.0.2.1", 5060)), random.Random(1), lambda: 0.0, lambda: None)
    core.receive(FLOW, data, 1.0)
    return core, [effect.data for effect in core.take_effects() if isinstance(effect, Send)]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("OPTIONS"), b"200"),
        (request("INFO"), b"481"),
        (request("CANCEL"), b"481"),
        (request("BYE", to="<sip:us@192.0.2.1>;tag=gone"), b"481"),
        (request("OPTIONS", "Content-Length: many"), b"400"),
    ],
)
def test_answered_without_a_call(data: bytes, status: bytes) -> None:
    core, sent = receive(data)
    assert [answer.split()[1] for answer in sent] == [status]
    assert b"received=192.0.2.2;rport=5070" in sent[0] or b"rport=5070;received=192.0.2.2" in sent[0]
    assert core.take_events() == []
    assert core.dropped == (status == b"400")


@pytest.mark.parametrize("data", [b"\r\n\r\n", b"garbage", request("ACK"), b"SIP/2.0 200 OK\r\n\r\n"])
def test_passed_over_in_silence(data: bytes) -> None:
    core, sent = receive(data)
    assert sent == []
    assert core.dropped == (data != b"\r\n\r\n")


def test_the_same_malformed_bytes_get_the_same_answer() -> None:
    data = request("OPTIONS", "Content-Length: many")
    assert receive(data)[1] == receive(data)[1]
