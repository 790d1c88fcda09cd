"""What the core makes of requests that are no call: strays, the unsupported, the malformed, the too many."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialog.config import ALLOWED_METHODS, UserAgentConfig
from dialog.core import Core
from dialog.events import IncomingCall, OptionsAnswered, SessionOffer
from dialog.flow import Flow, Send
from dialog.message import Request, Response
from dialog.parser import parse_datagram

if TYPE_CHECKING:
    from tests.dialog.conftest import Pair, Stranger, Wire

SDP = "v=0"


def only(messages: list[Request | Response]) -> Response:
    (message,) = messages
    assert isinstance(message, Response)
    return message


@pytest.mark.parametrize("method", ["REGISTER", "PUBLISH"])
def test_a_known_method_that_is_not_allowed_is_405_with_allow(stranger: Stranger, method: str) -> None:
    response = only(stranger.say(stranger.request(method)))
    assert response.status == 405
    assert response.headers.get("Allow") == ", ".join(ALLOWED_METHODS)


def test_an_unknown_method_is_501_with_allow(stranger: Stranger) -> None:
    response = only(stranger.say(stranger.request("JUGGLE")))
    assert response.status == 501
    assert "Allow" in response.headers


@pytest.mark.parametrize("method", ["BYE", "INFO"])
def test_a_request_of_no_dialog_is_481(stranger: Stranger, method: str) -> None:
    assert only(stranger.say(stranger.request(method))).status == 481
    tagged = stranger.request(method, to="<sip:bob@192.0.2.2>;tag=gone", branch="z9hG4bK2")
    assert only(stranger.say(tagged)).status == 481


def test_a_stray_ack_is_dropped(pair: Pair, stranger: Stranger) -> None:
    assert stranger.say(stranger.request("ACK", to="<sip:bob@192.0.2.2>;tag=gone")) == []
    assert pair.bob.core.dropped == 1


def test_options_says_what_we_can(wire: Wire) -> None:
    config = UserAgentConfig(options_body=lambda: b"v=0 capabilities", supported=("timer",))
    bob = wire.party(("192.0.2.2", 5060), config)
    stranger = wire.stranger(("192.0.2.66", 5066), bob)
    response = only(stranger.say(stranger.request("OPTIONS")))
    assert response.status == 200
    assert response.headers.get("Allow") == ", ".join(ALLOWED_METHODS)
    assert response.headers.get("Accept") == "application/sdp"
    assert response.headers.get("Supported") == "timer"
    assert (response.body, response.content_type) == (b"v=0 capabilities", "application/sdp")


@pytest.mark.parametrize(
    ("accept", "told"),
    [
        ("text/plain", False),
        ("", False),
        ("application/sdp;level=1, text/plain", True),
        ("application/*", True),
        ("*/*", True),
        ('"text/plain, application/sdp', True),  # unreadable: as if it were not there
    ],
)
def test_options_answers_with_a_description_to_who_takes_it(wire: Wire, accept: str, told: bool) -> None:
    bob = wire.party(("192.0.2.2", 5060), UserAgentConfig(options_body=lambda: b"v=0"))
    stranger = wire.stranger(("192.0.2.66", 5066), bob)
    response = only(stranger.say(stranger.request("OPTIONS", f"Accept: {accept}")))
    assert (response.status, response.body) == (200, b"v=0" if told else b"")
    assert (response.content_type == "application/sdp") is told
    assert response.headers.get("Accept") == "application/sdp"


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "BYE"])
def test_a_require_that_cannot_be_read_is_answered_400(pair: Pair, stranger: Stranger, method: str) -> None:
    response = only(stranger.say(stranger.request(method, 'Require: "x, y')))
    assert (response.status, response.reason) == (400, "Unbalanced Quotes Or Brackets")


def test_options_is_answered_500_when_the_application_cannot_say(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    bob = wire.party(("192.0.2.2", 5060), UserAgentConfig(options_body=lambda: bytes(1 // 0)))
    stranger = wire.stranger(("192.0.2.66", 5066), bob)
    assert only(stranger.say(stranger.request("OPTIONS"))).status == 500
    assert "options_body raised" in caplog.text


def test_our_options_is_answered_or_not(pair: Pair) -> None:
    pair.alice.core.options(pair.bob.uri, from_="<sip:alice@example.com>")
    pair.run()
    answered = pair.alice.only(OptionsAnswered)
    assert answered.target == pair.bob.uri
    assert answered.response is not None
    assert answered.response.status == 200
    pair.wire.loss = 1.0
    pair.alice.core.options(pair.bob.uri, from_="<sip:alice@example.com>")
    pair.run(33)
    assert pair.alice.of(OptionsAnswered)[-1].response is None


def test_an_unknown_extension_is_420_and_named(stranger: Stranger) -> None:
    response = only(
        stranger.say(
            stranger.request("INVITE", "Require: 100rel, nothingSupportsThis, alsoUnknown", body=SDP)
        )
    )
    assert response.status == 420
    assert response.headers.get("Unsupported") == "nothingSupportsThis, alsoUnknown"


def test_an_unknown_scheme_is_416(stranger: Stranger) -> None:
    assert only(stranger.say(stranger.request("OPTIONS", uri="nobody:knows"))).status == 416


def test_a_tel_uri_is_a_call(pair: Pair, stranger: Stranger) -> None:
    stranger.say(
        stranger.request("INVITE", uri="tel:+358-555-1234567", to="<tel:+358-555-1234567>", body=SDP)
    )
    assert pair.bob.of(IncomingCall)


@pytest.mark.parametrize(
    ("lines", "status", "header"),
    [
        (["Content-Type: application/unknown"], 415, "Accept"),
        (["Content-Type: application/sdp", "Content-Encoding: gzip"], 415, "Accept-Encoding"),
        (["Content-Type: text/plain", "Content-Disposition: render;handling=required"], 415, "Accept"),
        ([], 415, "Accept"),
    ],
)
def test_a_body_that_we_cannot_read_is_415(
    stranger: Stranger, lines: list[str], status: int, header: str
) -> None:
    text = stranger.request("INVITE", *lines, body=SDP).replace("Content-Type: application/sdp\r\n", "", 1)
    if "Content-Type: application/sdp" in lines:
        text = stranger.request("INVITE", *lines[1:], body=SDP)
    response = only(stranger.say(text))
    assert response.status == status
    assert header in response.headers


def test_an_optional_body_is_ignored(pair: Pair, stranger: Stranger) -> None:
    text = stranger.request("INVITE", "Content-Disposition: render;handling=optional", body="hello")
    stranger.say(text.replace("application/sdp", "text/plain"))
    assert pair.bob.of(IncomingCall)
    assert not pair.bob.of(SessionOffer)


def test_a_request_that_came_by_two_ways_is_one_call_and_482(pair: Pair, stranger: Stranger) -> None:
    stranger.say(stranger.request("INVITE", body=SDP))
    assert only(stranger.say(stranger.request("INVITE", branch="z9hG4bKway2", body=SDP))).status == 482
    assert len(pair.bob.of(IncomingCall)) == 1


def test_a_request_for_version_3_is_505(stranger: Stranger) -> None:
    text = stranger.request("OPTIONS").replace(" SIP/2.0\r\nVia", " SIP/3.0\r\nVia")
    assert only(stranger.say(text)).status == 505


def test_a_request_that_is_too_long_is_513(wire: Wire) -> None:
    bob = wire.party(("192.0.2.2", 5060), UserAgentConfig(max_message_bytes=2000))
    stranger = wire.stranger(("192.0.2.66", 5066), bob)
    assert only(stranger.say(stranger.request("OPTIONS", "X: " + "y" * 3000))).status == 513


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("CSeq: 1 OPTIONS\r\n", ""),
        ("CSeq: 1 OPTIONS", "CSeq: 99999999999 OPTIONS"),
        ("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"),
        ("Call-ID: stranger-call-1\r\n", ""),
        ("To: <sip:bob@192.0.2.2>", 'To: "unbalanced <sip:bob@192.0.2.2>'),
        ("Content-Length: 0", "Content-Length: 10"),
        ("Content-Length: 0", "Content-Length: -1"),
        ("Max-Forwards: 70", "Max-Forwards: many"),
    ],
)
def test_a_malformed_request_is_400_always_alike(stranger: Stranger, old: str, new: str) -> None:
    text = stranger.request("OPTIONS")
    assert old in text
    first = only(stranger.say(text.replace(old, new)))
    assert first.status == 400
    assert bytes(only(stranger.say(text.replace(old, new)))) == bytes(first)
    assert only(stranger.say(text)).status == 200


@pytest.mark.parametrize(
    "data",
    [b"", b"\r\n\r\n", b"\0", b"\xff" * 100, b"GET / HTTP/1.0\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n", b"INVITE"],
)
def test_what_cannot_be_answered_is_dropped(pair: Pair, stranger: Stranger, data: bytes) -> None:
    assert stranger.say(data) == []
    assert pair.bob.kinds() == []


def test_a_malformed_ack_is_never_answered(stranger: Stranger) -> None:
    assert stranger.say(stranger.request("ACK").replace("CSeq: 1 ACK\r\n", "")) == []


def test_a_stray_response_is_dropped(pair: Pair, stranger: Stranger) -> None:
    request = parse_datagram(stranger.request("OPTIONS").encode())
    assert isinstance(request, Request)
    assert stranger.say(bytes(Response.to_request(request, 200, to_tag="x"))) == []
    assert pair.bob.core.dropped == 1


@pytest.mark.parametrize(
    ("via_extra", "port", "noted"),
    [
        (";rport", 5066, "received=192.0.2.66"),
        ("", 5099, None),
    ],
)
def test_where_a_response_goes(
    pair: Pair, via_extra: str, port: int, noted: str | None, stranger: Stranger
) -> None:
    elsewhere = pair.wire.stranger(("192.0.2.66", 5099), pair.bob)
    text = stranger.request("OPTIONS", via_extra=via_extra).replace(":5066;branch", ":5099;branch")
    stranger.say(text)
    got = stranger.received if port == 5066 else elsewhere.received
    response = only(got)
    assert response.via.received == (None if noted is None else "192.0.2.66")
    assert response.via.rport == (5066 if noted else None)


def test_a_sent_by_that_is_not_the_source_is_noted(stranger: Stranger) -> None:
    text = stranger.request("OPTIONS", via_extra="").replace("UDP 192.0.2.66:5066", "UDP pc.example.com:5066")
    response = only(stranger.say(text))
    assert response.via.received == "192.0.2.66"
    assert response.via.host == "pc.example.com"


def test_ipv6(wire: Wire) -> None:
    bob = wire.party(("2001:db8::2", 5060))
    stranger = wire.stranger(("2001:db8::66", 5066), bob)
    text = stranger.request("INVITE", body=SDP, uri="sip:bob@[2001:db8::2]").replace(
        "2001:db8::66:5066", "[2001:db8::66]:5066"
    )
    stranger.say(text)
    bob.call.accept(b"v=0")
    wire.run(0.05)
    response = only(stranger.received)
    assert response.via.received == "2001:db8::66"
    assert str(response.contacts[0].uri) == "sip:bob@[2001:db8::2]:5060"
    bob.call.bye()


def test_calls_beyond_the_limit_are_503_and_the_others_unharmed(wire: Wire) -> None:
    bob = wire.party(("192.0.2.2", 5060), UserAgentConfig(max_usages=2))
    stranger = wire.stranger(("192.0.2.66", 5066), bob)
    for number in range(4):
        stranger.say(stranger.request("INVITE", branch=f"z9hG4bK{number}", call_id=str(number), body=SDP))
    assert stranger.statuses() == [503, 503]
    for event in bob.of(IncomingCall):
        event.usage.accept(b"v=0")
    wire.run(0.05)
    assert stranger.statuses() == [503, 503, 200, 200]


def test_transactions_beyond_the_limit_are_503_and_leave_nothing(wire: Wire) -> None:
    bob = wire.party(("192.0.2.2", 5060), UserAgentConfig(max_transactions=10))
    stranger = wire.stranger(("192.0.2.66", 5066), bob)
    for number in range(30):
        stranger.say(stranger.request("OPTIONS", branch=f"z9hG4bK{number}", call_id=str(number)))
    assert stranger.statuses() == [200] * 10 + [503] * 20
    assert len(bob.core.layer) == 10
    wire.run(40)
    assert len(bob.core.layer) == 0
    assert only(stranger.say(stranger.request("OPTIONS", branch="z9hG4bKlater"))).status == 200


def test_headers_too_long_to_echo_are_not_echoed(stranger: Stranger) -> None:
    text = stranger.request("OPTIONS")
    text = text.replace(";rport", ";rport;x=" + "y" * (65_490 - len(text)), 1)
    assert stranger.say(text) == []


@pytest.mark.parametrize(
    ("accept", "taken"),
    [
        ("application/sdp", True),
        ("text/plain, application/*;q=0.5", True),
        ("*/*", True),
        ("text/plain", False),
    ],
)
def test_a_caller_that_takes_no_session_description_is_406(
    pair: Pair, stranger: Stranger, accept: str, taken: bool
) -> None:
    stranger.say(stranger.request("INVITE", f"Accept: {accept}", body=SDP))
    assert bool(pair.bob.of(IncomingCall)) is taken
    assert stranger.statuses() == ([] if taken else [406])


def test_keep_alives_are_no_messages(pair: Pair, stranger: Stranger) -> None:
    stranger.say(b"\r\n\r\n")
    assert pair.bob.core.dropped == 0


def core() -> Core:
    return Core(UserAgentConfig(), Random(1), lambda: 0.0, lambda: None)


FLOW = Flow("UDP", ("192.0.2.2", 5060), ("192.0.2.66", 5066))
INVITE = (
    b"INVITE sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.66:5066;branch=z9hG4bKa;rport\r\n"
    b"Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:bob@192.0.2.2>\r\nCall-ID: c\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Contact: <sip:a@192.0.2.66:5066>\r\nRecord-Route: <sip:p;lr>\r\nRequire: x\r\n"
    b"Content-Type: application/sdp\r\nContent-Disposition: session\r\nContent-Length: 3\r\n\r\nv=0"
)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_survived(data: bytes) -> None:
    subject = core()
    subject.receive(FLOW, data, 1.0)
    subject.handle_timer(100.0)


@settings(max_examples=1000, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(INVITE) - 1), st.integers(0, 12), st.binary(max_size=12)),
        min_size=1,
        max_size=4,
    )
)
def test_any_change_to_an_invite_is_survived(changes: list[tuple[int, int, bytes]]) -> None:
    data = INVITE.replace(b"Require: x\r\n", b"")
    for start, length, new in changes:
        data = data[:start] + new + data[start + length :]
    subject = core()
    subject.receive(FLOW, data, 1.0)
    for event in subject.take_events():
        if isinstance(event, IncomingCall):
            event.usage.ring()
            event.usage.accept(b"v=0")
            event.usage.bye()
    subject.handle_timer(200.0)
    subject.take_effects()
    subject.receive(
        FLOW, INVITE.replace(b"Call-ID: c", b"Call-ID: good").replace(b"z9hG4bKa", b"z9hG4bKgood"), 201.0
    )
    (answer,) = [effect for effect in subject.take_effects() if isinstance(effect, Send)]
    assert answer.data.startswith(b"SIP/2.0 420"), "a good one is still answered"
