"""dialog/message.py"""

import pytest

from dialog.address import NameAddr
from dialog.cseq import CSeq
from dialog.errors import LocalProtocolError, ParseError
from dialog.headers import Headers
from dialog.message import Message, Request, Response
from dialog.parser import parse_datagram
from dialog.uri import OpaqueUri, SipUri
from dialog.via import Via

FIELDS = [
    ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa;rport"),
    ("Via", "SIP/2.0/TCP b;branch=z9hG4bKb, SIP/2.0/UDP c"),
    ("Max-Forwards", "70"),
    ("From", '"Alice" <sip:alice@a>;tag=88sja8x'),
    ("To", "<sip:bob@b>"),
    ("Call-ID", "987asjd97y7atg"),
    ("CSeq", "986759 INVITE"),
    ("Contact", "<sip:alice@192.0.2.1>, sip:alice@192.0.2.2;q=0.5"),
    ("Route", "<sip:p1;lr>, <sip:p2;lr>"),
    ("Record-Route", "<sip:p3;lr>"),
    ("Require", "100rel, timer"),
    ("k", "replaces"),
    ("Timestamp", "54"),
    ("Expires", "120"),
    ("Content-Type", "Application/SDP ; charset=utf-8"),
]


def make() -> Request:
    return Request("INVITE", "sip:bob@b", FIELDS, b"v=0\r\n")


def test_accessors() -> None:
    request = make()
    assert request.uri == SipUri("bob", "b")
    assert request.via.branch == "z9hG4bKa"
    assert [via.host for via in request.vias] == ["192.0.2.1", "b", "c"]
    assert request.from_ == NameAddr(SipUri("alice", "a"), "Alice", {"tag": "88sja8x"})
    assert request.to.tag is None
    assert request.call_id == "987asjd97y7atg"
    assert request.cseq == CSeq(986759, "INVITE")
    assert [str(contact.uri) for contact in request.contacts] == [
        "sip:alice@192.0.2.1",
        "sip:alice@192.0.2.2",
    ]
    assert [str(route.uri) for route in request.routes] == ["sip:p1;lr", "sip:p2;lr"]
    assert [str(route.uri) for route in request.record_routes] == ["sip:p3;lr"]
    assert (request.max_forwards, request.expires) == (70, 120)
    assert (request.require, request.supported) == (("100rel", "timer"), ("replaces",))
    assert request.content_type == "application/sdp"
    assert request.via is request.via  # read once
    assert request.contacts is request.contacts


def test_what_may_be_missing() -> None:
    request = Request("OPTIONS", "sip:h")
    assert (request.max_forwards, request.expires, request.content_type) == (None, None, None)
    assert request.require == request.supported == ()
    assert request.contacts == request.routes == request.record_routes == ()
    assert request.vias == ()


@pytest.mark.parametrize(
    ("accessor", "field"),
    [("via", "Via"), ("from_", "From"), ("to", "To"), ("call_id", "Call-ID"), ("cseq", "CSeq")],
)
def test_what_may_not(accessor: str, field: str) -> None:
    with pytest.raises(ParseError) as caught:
        getattr(Request("OPTIONS", "sip:h"), accessor)
    assert (caught.value.status, caught.value.reason) == (400, f"Missing {field}")


@pytest.mark.parametrize(
    ("name", "value", "accessor"),
    [
        ("Max-Forwards", "300", "max_forwards"),
        ("Max-Forwards", "-1", "max_forwards"),
        ("Max-Forwards", "", "max_forwards"),
        ("Max-Forwards", "٣", "max_forwards"),
        ("Expires", "9" * 30, "expires"),
        ("Expires", str(2**32), "expires"),
        ("Via", ",", "via"),
        ("Via", '"', "via"),
        ("Contact", "<sip:a", "contacts"),
        ("Record-Route", "<sip:a>, x", "record_routes"),
    ],
)
def test_malformed_fields(name: str, value: str, accessor: str) -> None:
    with pytest.raises(ParseError) as caught:
        getattr(Request("OPTIONS", "sip:h", [(name, value)]), accessor)
    assert (caught.value.status, caught.value.field) == (400, name)


def test_leading_zeros() -> None:
    assert Request("OPTIONS", "sip:h", [("Max-Forwards", "0068")]).max_forwards == 68


def test_the_star_contact_is_no_address() -> None:
    assert Request("REGISTER", "sip:h", [("Contact", "*")]).contacts == ()


def test_a_changed_field_is_read_again() -> None:
    request = make()
    assert request.to.tag is None
    request.headers.set("To", "<sip:bob@b>;tag=x")
    assert request.to.tag == "x"


@pytest.mark.parametrize("first", ["SIP/2.0/UDP a;rport", "SIP/2.0/UDP a;rport, SIP/2.0/UDP b"])
def test_replace_via(first: str) -> None:
    request = Request("OPTIONS", "sip:h", [("Via", first), ("Via", "SIP/2.0/UDP c")])
    request.replace_via(request.via.with_params(rport="5062", received="192.0.2.7"))
    assert request.via.received == "192.0.2.7"
    assert request.vias[0] == Via("UDP", "a", None, {"rport": "5062", "received": "192.0.2.7"})
    assert [via.host for via in request.vias][-1] == "c"
    assert len(request.vias) == first.count("/UDP") + 1


def test_written() -> None:
    request = Request("OPTIONS", SipUri("bob", "b"), [("To", "<sip:bob@b>"), ("X-Y", "ü\udcff")], b"\x00b")
    assert bytes(request) == (
        b"OPTIONS sip:bob@b SIP/2.0\r\nTo: <sip:bob@b>\r\nX-Y: \xc3\xbc\xff\r\nContent-Length: 2\r\n\r\n\x00b"
    )
    assert parse_datagram(bytes(request)).headers.get("X-Y") == "ü\udcff"
    assert bytes(Response(200)) == b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"
    assert bytes(Response(200, "")) == b"SIP/2.0 200 \r\nContent-Length: 0\r\n\r\n"


def test_a_round_trip_is_exact() -> None:
    data = bytes(make())
    assert bytes(parse_datagram(data)) == data
    data = bytes(Response.to_request(make(), 183, "Прогресс", body=b"x"))
    assert bytes(parse_datagram(data)) == data


def test_a_body_of_the_peer_gets_the_length_it_has() -> None:
    message = parse_datagram(b"OPTIONS sip:h SIP/2.0\r\nl: 3\r\n\r\nabc")
    message.body = b"abcd"
    assert bytes(message) == b"OPTIONS sip:h SIP/2.0\r\nl: 4\r\n\r\nabcd"


def test_response_to_request() -> None:
    response = Response.to_request(
        make(), 200, to_tag="314", record_route=True, headers=[("Contact", "<sip:bob@b2>")], body=b"v=0"
    )
    assert (response.status, response.reason, response.body) == (200, "OK", b"v=0")
    assert list(response.headers) == [
        *[field for field in FIELDS if field[0] in ("Via", "From")],
        ("To", "<sip:bob@b>;tag=314"),
        *[field for field in FIELDS if field[0] in ("Call-ID", "CSeq", "Record-Route")],
        ("Contact", "<sip:bob@b2>"),
    ]
    assert response.to.tag == "314"


def test_only_a_100_repeats_the_timestamp() -> None:
    assert Response.to_request(make(), 100).headers.get("Timestamp") == "54"
    assert "Timestamp" not in Response.to_request(make(), 180).headers
    assert "Record-Route" not in Response.to_request(make(), 180).headers


def test_a_tag_that_is_there_stays() -> None:
    request = make()
    request.headers.set("To", "sip:bob@b;tag=there")
    assert Response.to_request(request, 200, to_tag="x").headers.get("To") == "sip:bob@b;tag=there"


@pytest.mark.parametrize("to", [None, '"Mr. J. User <sip:j.user@example.com>', ";;;"])
def test_an_unreadable_to_is_copied_as_it_came(to: str | None) -> None:
    request = Request("INVITE", "sip:h", [] if to is None else [("To", to)])
    assert Response.to_request(request, 400, to_tag="x").headers.get("To") == to


def test_other_uri_schemes() -> None:
    assert Request("OPTIONS", "tel:123").uri == OpaqueUri("tel", "123")
    with pytest.raises(ParseError):
        _ = Request("OPTIONS", "<sip:a>").uri


@pytest.mark.parametrize(
    ("method", "uri"),
    [("IN VITE", "sip:h"), ("", "sip:h"), ("A", ""), ("A", "sip:h x"), ("A", "sip:h\r\nX: y")],
)
def test_a_request_line_that_cannot_be(method: str, uri: str) -> None:
    with pytest.raises(LocalProtocolError):
        Request(method, uri)


@pytest.mark.parametrize(("status", "reason"), [(99, None), (700, None), (200, "a\r\nb"), (200, "a\nb")])
def test_a_status_line_that_cannot_be(status: int, reason: str | None) -> None:
    with pytest.raises(LocalProtocolError):
        Response(status, reason)


def test_equality_and_repr() -> None:
    assert make() == make()
    assert make() != Request("INVITE", "sip:bob@b", FIELDS)
    assert make() != Response(200)
    assert make() != 5
    assert repr(make()) == "<Request 'INVITE sip:bob@b SIP/2.0'>"
    assert repr(Response(200)) == "<Response 'SIP/2.0 200 OK'>"


def test_headers_are_taken_over() -> None:
    headers = Headers(FIELDS)
    assert Request("INVITE", "sip:h", headers).headers is headers


def test_a_bare_message_has_no_start_line() -> None:
    with pytest.raises(NotImplementedError):
        _ = Message().start_line
