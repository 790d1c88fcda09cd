"""dialog/parser.py"""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialog.errors import ParseError
from dialog.message import Request, Response
from dialog.parser import StreamParser, is_keepalive, parse_datagram
from dialog.validation import validate_request, validate_response

OPTIONS = (
    b"OPTIONS sip:bob@b SIP/2.0\r\n"
    b"Via: SIP/2.0/TCP a;branch=z9hG4bKa\r\n"
    b"From: <sip:alice@a>;tag=1\r\n"
    b"To: <sip:bob@b>\r\n"
    b"Call-ID: c1\r\n"
    b"CSeq: 1 OPTIONS\r\n"
)
RESPONSE = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP a;branch=z9hG4bKa\r\nCall-ID: c1\r\n"


def refused(data: bytes, max_bytes: int = 65535) -> ParseError:
    with pytest.raises(ParseError) as caught:
        parse_datagram(data, max_bytes)
    return caught.value


def test_request() -> None:
    request = parse_datagram(OPTIONS + b"Content-Length: 3\r\n\r\nabcdef")
    assert isinstance(request, Request)
    assert (request.method, request.request_uri) == ("OPTIONS", "sip:bob@b")
    assert request.call_id == "c1"
    assert request.body == b"abc"  # what comes after is ignored (section 18.3)
    assert len(request.headers) == 6


def test_response() -> None:
    response = parse_datagram(RESPONSE + b"\r\n")
    assert isinstance(response, Response)
    assert (response.status, response.reason, response.body) == (200, "OK", b"")


def test_without_a_length_the_body_goes_to_the_end() -> None:
    assert parse_datagram(OPTIONS + b"\r\n\x00\xff\r\n\r\n").body == b"\x00\xff\r\n\r\n"


@pytest.mark.parametrize(
    ("line", "status", "reason"),
    [
        (b"SIP/2.0 100 Trying", 100, "Trying"),
        (b"SIP/2.0 100 ", 100, ""),
        (b"SIP/2.0 100", 100, ""),
        (b"sip/2.0 200 = 2**3 * 5**2 = \xd0\xbf", 200, "= 2**3 * 5**2 = п"),
    ],
)
def test_status_lines(line: bytes, status: int, reason: str) -> None:
    response = parse_datagram(line + b"\r\n\r\n")
    assert isinstance(response, Response)
    assert (response.status, response.reason) == (status, reason)


@pytest.mark.parametrize(
    "line",
    [
        b"SIP/2.0 4294967301 better not break the receiver",
        b"SIP/2.0 099 x",
        b"SIP/2.0 700 x",
        b"SIP/2.0 ",
        b"SIP/2.0",
        b"SIP/2.0  200 OK",
        b"SIP/7.0 200 OK",
        b"SIP/2.0 20\xd9\xa3 x",
    ],
)
def test_a_bad_status_line_is_dropped(line: bytes) -> None:
    error = refused(line + b"\r\n\r\n")
    assert (error.status, error.message) == (None, None)


@pytest.mark.parametrize("line", [b"A  sip:h  SIP/2.0", b"A sip:h SIP/2.0  ", b"A sip:h sip/2.0"])
def test_request_lines_that_are_forgiven(line: bytes) -> None:
    request = parse_datagram(line + b"\r\n\r\n")
    assert isinstance(request, Request)
    assert (request.method, request.request_uri) == ("A", "sip:h")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"INVITE sip:user@example.com; lr SIP/2.0", 400),
        (b"INVITE SIP/2.0", 400),
        (b"SIP/2.0 SIP/2.0", None),
        (b"IN{VITE sip:h SIP/2.0", 400),
        (b"INVITE sip:h SIP/7.0", 505),
        (b"INVITE sip:h SIP/2.00", 505),
        (b"GET / HTTP/1.1", None),
        (b"INVITE sip:h SIP/", None),
        (b"INVITE SIP/7.0", None),
        (b"INVITE", None),
        (b"INVITE sip:h", None),
        (b"INVITE\tsip:h\tSIP/2.0", None),
        (b"\x00", None),
        (b"", None),
    ],
)
def test_request_lines_that_are_not(line: bytes, status: int | None) -> None:
    error = refused(line + b"\r\nVia: v\r\n\r\n" if line else line)
    assert error.status == status
    assert (error.message is None) == (status is None)


def test_what_could_be_read_comes_with_the_error() -> None:
    error = refused(OPTIONS.replace(b"2.0\r\nV", b"9.1\r\nV") + b"no colon\r\nSubject: s\r\n\r\n")
    assert (error.status, error.reason) == (505, "Version Not Supported")
    assert isinstance(error.message, Request)
    assert error.message.method == "OPTIONS"
    assert error.message.headers.get("Subject") == "s"
    response = Response.to_request(error.message, 505, to_tag="x")
    assert response.cseq == (1, "OPTIONS")
    assert response.to.tag == "x"


@pytest.mark.parametrize(
    "line", [b"no colon", b": no name", b"two words: x", b"n\xc3\xa4me: x", b"X: a\rb", b"X: a\nTo: b"]
)
def test_bad_header_lines(line: bytes) -> None:
    error = refused(OPTIONS + line + b"\r\n\r\n")
    assert error.status == 400
    assert error.message is not None
    # The bad line is left out, so that no answer repeats a line end in a value.
    assert len(error.message.headers) == 5
    assert refused(RESPONSE + line + b"\r\n\r\n").status is None


def test_folding_and_white_space() -> None:
    message = parse_datagram(
        b"A sip:h SIP/2.0\r\nSubject  : \t one\r\n two\r\n\t  three  \r\n"
        b"To :\r\n sip:a@h ;   tag    = 1\r\nX:\r\n\r\n"
    )
    assert list(message.headers) == [
        ("Subject", "one two three"),
        ("To", "sip:a@h ;   tag    = 1"),
        ("X", ""),
    ]
    assert message.to.tag == "1"


def test_folding_after_the_start_line() -> None:
    assert refused(b"A sip:h SIP/2.0\r\n Via: x\r\n\r\n").status is None
    assert refused(b"SIP/2.0 200\r\n 300\r\n\r\n" + b"x", 5).status is None


@pytest.mark.parametrize("before", [b"\r\n", b"\r\n\r\n", b"\n", b"\r\n\n"])
def test_line_ends_before_the_message(before: bytes) -> None:
    assert parse_datagram(before + OPTIONS + b"\r\n").call_id == "c1"


def test_a_missing_blank_line_is_forgiven() -> None:
    assert parse_datagram(OPTIONS).call_id == "c1"
    assert parse_datagram(OPTIONS + b"l: 0\r\n").body == b""
    assert refused(OPTIONS + b"l: 5\r\n").status == 400
    assert refused(OPTIONS + b"Conte").status == 400


def test_lf_throughout_is_forgiven() -> None:
    data = (OPTIONS + b"Subject: a\r\n b\r\nl: 4\r\n\r\n").replace(b"\r\n", b"\n") + b"a\nb\n"
    message = parse_datagram(data)
    assert message.headers.get("Subject") == "a b"
    assert message.body == b"a\nb\n"
    assert parse_datagram(OPTIONS.replace(b"\r\n", b"\n")).call_id == "c1"
    assert refused(OPTIONS.replace(b"\r\nTo", b"\nTo") + b"\r\n").status == 400


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (b"Content-Length: 9999\r\n", "Body Shorter Than Content-Length"),
        (b"Content-Length: -999\r\n", "Bad Content-Length"),
        (b"Content-Length: 1e3\r\n", "Bad Content-Length"),
        (b"Content-Length: \r\n", "Bad Content-Length"),
        (b"Content-Length: \xc2\xb2\r\n", "Bad Content-Length"),
        (b"Content-Length: " + b"9" * 5000 + b"\r\n", "Body Shorter Than Content-Length"),
        (b"Content-Length: 13\r\nl: 5\r\n", "Repeated Content-Length"),
    ],
)
def test_bad_content_length(fields: bytes, reason: str) -> None:
    error = refused(OPTIONS + fields + b"\r\nabcde")
    assert (error.status, error.reason, error.field) == (400, reason, "Content-Length")
    assert error.message is not None
    assert refused(RESPONSE + fields + b"\r\nabcde").status is None


def test_many_leading_zeros() -> None:
    assert parse_datagram(OPTIONS + b"l: " + b"0" * 5000 + b"\r\n\r\nabc").body == b""
    assert parse_datagram(OPTIONS + b"l: " + b"0" * 5000 + b"2\r\n\r\nabc").body == b"ab"


def test_too_large() -> None:
    error = refused(OPTIONS + b"\r\n" + b"x" * 1000, 500)
    assert error.status == 513
    assert error.message is not None
    assert error.message.call_id == "c1"
    error = refused(OPTIONS + b"X: " + b"x" * 1000 + b"\r\n\r\n", 500)
    assert error.status == 513
    assert error.message is not None
    assert error.message.call_id == "c1"
    assert refused(RESPONSE + b"\r\n" + b"x" * 1000, 500).status is None


@pytest.mark.parametrize(
    ("data", "alive"),
    [(b"", True), (b"\r\n", True), (b"\r\n\r\n", True), (b"\0\0", True), (b"x", False), (OPTIONS, False)],
)
def test_keepalives(data: bytes, alive: bool) -> None:
    assert is_keepalive(data) is alive


# --- streams


def describe(items: list[Request | Response | ParseError]) -> list[object]:
    return [
        (item.status, item.reason, item.field, item.message and bytes(item.message))
        if isinstance(item, ParseError)
        else bytes(item)
        for item in items
    ]


def both_ways(data: bytes, max_head_bytes: int = 65535, max_body_bytes: int = 65535) -> list[object]:
    """What a stream gives, having checked that the pieces it comes in make no difference."""
    whole = StreamParser(max_head_bytes, max_body_bytes)
    expected = describe(whole.receive(data))
    for size in (1, 2, 7):
        pieces = StreamParser(max_head_bytes, max_body_bytes)
        received = []
        for start in range(0, len(data), size):
            received += pieces.receive(data[start : start + size])
        assert describe(received) == expected
        assert pieces.failed == whole.failed
    return expected


LENGTH_0 = b"Content-Length: 0\r\n\r\n"


def test_messages_in_order() -> None:
    data = (
        OPTIONS
        + b"l: 4\r\n\r\n\r\n\r\n"
        + RESPONSE
        + LENGTH_0
        + b"\r\n\r\n\r\n"
        + OPTIONS
        + LENGTH_0
        + b"OPT"
    )
    items = both_ways(data)
    assert len(items) == 3
    assert isinstance(items[0], bytes)
    assert items[0].endswith(b"l: 4\r\n\r\n\r\n\r\n")


def test_a_bad_message_with_a_known_end_costs_only_itself() -> None:
    bad = OPTIONS.replace(b"OPTIONS sip:bob@b SIP/2.0", b"OPTIONS sip:bob@b SIP/7.0")
    parser = StreamParser()
    items = parser.receive(bad + b"l: 3\r\n\r\nabc" + OPTIONS + LENGTH_0)
    assert isinstance(items[0], ParseError)
    assert items[0].status == 505
    assert isinstance(items[1], Request)
    assert not parser.failed
    both_ways(bad + b"l: 3\r\n\r\nabc" + OPTIONS + LENGTH_0)


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        (b"\r\n", 400),  # no length
        (b"no colon\r\n\r\n", 400),
        (b"l: x\r\n\r\n", 400),
        (b"l: 1\r\nl: 1\r\n\r\n", 400),
        (b"l: 70000\r\n\r\n", 513),
        (b"l: " + b"9" * 5000 + b"\r\n\r\n", 513),
        (b"X: " + b"x" * 70000, 513),
        (b"X: " + b"x" * 70000 + b"\r\n\r\n", 513),
    ],
)
def test_without_a_known_end_the_stream_is_lost(bad: bytes, status: int) -> None:
    parser = StreamParser(max_body_bytes=65535)
    data = OPTIONS + LENGTH_0 + OPTIONS + bad
    items = parser.receive(data + OPTIONS + LENGTH_0)
    assert len(items) == 2
    assert isinstance(items[0], Request)
    error = items[1]
    assert isinstance(error, ParseError)
    assert error.status == status
    assert error.message is not None
    assert error.message.call_id == "c1"
    assert parser.failed
    assert parser.receive(OPTIONS + LENGTH_0) == []


def test_garbage_on_a_stream() -> None:
    parser = StreamParser()
    (error,) = parser.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert isinstance(error, ParseError)
    assert error.status is None
    assert parser.failed


@pytest.mark.parametrize("extra", [-1, 0, 1, 2])
def test_the_limits_are_exact(extra: int) -> None:
    head = OPTIONS + b"l: 0"
    assert isinstance(both_ways(head + b"\r\n\r\n", max_head_bytes=len(head) + extra)[0], tuple) == (
        extra < 0
    )
    body = OPTIONS + b"l: 5\r\n\r\nabcde"
    assert isinstance(both_ways(body, max_body_bytes=5 + extra)[0], tuple) == (extra < 0)


def test_a_slow_stream_takes_linear_time() -> None:
    parser = StreamParser()
    data = OPTIONS + b"X: " + b"\r" * 40000
    began = time.process_time()
    for position in range(len(data)):
        parser.receive(data[position : position + 1])
    for _ in range(20000):
        parser.receive(b"")
    assert time.process_time() - began < 2.0


# --- any bytes

LINES = st.sampled_from(
    [
        b"INVITE sip:bob@b SIP/2.0\r\n",
        b"SIP/2.0 200 OK\r\n",
        b"ACK sip:b SIP/7.0\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"Via: SIP/2.0/UDP a;branch=z9hG4bKa\r\n",
        b"v: SIP/2.0/UDP [::1]:5060, SIP/2.0/UDP b\r\n",
        b" folded\r\n",
        b"From: <sip:a@b>;tag=1\r\n",
        b'To: "x" <sip:a@b>\r\n',
        b"CSeq: 1 INVITE\r\n",
        b"CSeq: 99999999999 A\r\n",
        b"Call-ID: c\r\n",
        b"Content-Length: 0\r\n",
        b"l: 5\r\n",
        b"l: 99999\r\n",
        b"abcde",
        b"Contact: *\r\n",
        b"Contact: <sip:[::1>;;\r\n",
        b"Max-Forwards: 300\r\n",
        b'Record-Route: <sip:a;lr>, "\r\n',
        b":\r\n",
    ]
)
MESSAGES = st.one_of(
    st.binary(max_size=300), st.lists(st.one_of(LINES, st.binary(max_size=8)), max_size=16).map(b"".join)
)


def check(message: Request | Response) -> None:
    """Whatever was parsed can be checked, written, and read again as the same."""
    again = parse_datagram(bytes(message))
    assert bytes(again) == bytes(message)
    assert again.body == message.body
    try:
        if isinstance(message, Request):
            validate_request(message)
            Response.to_request(message, 200, to_tag="t", record_route=True)
        else:
            validate_response(message)
    except ParseError as error:
        check_refusal(error)


def check_refusal(error: ParseError) -> None:
    """There is a message exactly when it is to be answered, and then it can be."""
    assert (error.message is None) == (error.status is None)
    if error.message is not None and error.status is not None:
        assert error.status in (400, 505, 513)
        parse_datagram(bytes(Response.to_request(error.message, error.status, to_tag="t")))


@settings(max_examples=400, deadline=None)
@given(MESSAGES)
def test_any_datagram_gives_a_message_or_a_parse_error(data: bytes) -> None:
    try:
        message = parse_datagram(data)
    except ParseError as error:
        check_refusal(error)
    else:
        check(message)


@settings(max_examples=400, deadline=None)
@given(MESSAGES, st.integers(0, 200), st.integers(0, 50))
def test_any_stream_gives_the_same_whole_and_in_pieces(data: bytes, head: int, body: int) -> None:
    both_ways(data, head, body)


HEADER_NAMES = st.from_regex(r"[A-Za-z0-9\-.!%*_+`'~]{1,12}", fullmatch=True)
# No surrogates: those of undecodable bytes stand for bytes, and other ones have no UTF-8.
VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=30).map(
    lambda value: value.strip(" \t")
)


@settings(deadline=None)
@given(st.lists(st.tuples(HEADER_NAMES, VALUES), max_size=8), st.binary(max_size=50))
def test_what_we_write_we_read(fields: list[tuple[str, str]], body: bytes) -> None:
    fields = [field for field in fields if field[0].lower() not in ("l", "content-length")]
    request = Request("OPTIONS", "sip:h", [*fields, ("Content-Length", "0")], body)
    again = parse_datagram(bytes(request))
    assert bytes(again) == bytes(request)
    assert list(again.headers)[:-1] == list(request.headers)[:-1]
    assert again.body == body
