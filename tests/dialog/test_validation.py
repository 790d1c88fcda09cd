"""dialog/validation.py"""

import pytest

from dialog.errors import ParseError
from dialog.message import Request, Response
from dialog.validation import validate_request, validate_response

FIELDS = {
    "Via": "SIP/2.0/UDP a;branch=z9hG4bKa",
    "Max-Forwards": "70",
    "From": "<sip:alice@a>;tag=1",
    "To": "<sip:bob@b>",
    "Call-ID": "c1",
    "CSeq": "1 INVITE",
    "Contact": "<sip:alice@a>",
}


def request(**changes: str | None) -> Request:
    fields = {**FIELDS, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return Request(
        "INVITE", "sip:bob@b", [(name, value) for name, value in fields.items() if value is not None]
    )


def response(**changes: str | None) -> Response:
    return Response(200, None, request(**changes).headers)


def test_good_ones() -> None:
    validate_request(request())
    validate_response(response())


@pytest.mark.parametrize(
    "changes",
    [
        {"Max_Forwards": None},
        {"From": "sip:a@b"},
        {"Via": "SIP/2.0/UDP a"},
        {"Via": "SIP/2.0/UDP a;branch=1"},
        {"Via": "SIP/2.0/UDP a, SIP/2.0/UNKNOWN b"},
        {"Contact": None},
        {"Contact": "*"},
        {"Date": "Fri, 01 Jan 2010 16:00:00 EST"},
        {"From": "Bell, Alexander <sip:a.g.bell@example.com>;tag=43"},
    ],
)
def test_what_is_accepted(changes: dict[str, str | None]) -> None:
    validate_request(request(**changes))


BAD_IN_BOTH = [
    ({"Via": None}, "Via"),
    ({"Via": "SIP/2.0/UDP 192.0.2.15;;,;,,"}, "Via"),
    ({"Via": "SIP/7.0/UDP a"}, "Via"),
    ({"Via": "SIP/2.0/UDP a;branch=z9hG4bK"}, "Via"),
    ({"From": None}, "From"),
    ({"To": None}, "To"),
    ({"To": '"Mr. J. User <sip:j.user@example.com>'}, "To"),
    ({"Call-ID": None}, "Call-ID"),
    ({"Call-ID": ""}, "Call-ID"),
    ({"CSeq": None}, "CSeq"),
    ({"CSeq": "36893488147419103232 INVITE"}, "CSeq"),
    ({"Contact": '"Joe" <sip:joe@example.org>;;;;'}, "Contact"),
    ({"Record-Route": "<sip:a"}, "Record-Route"),
]


@pytest.mark.parametrize(("changes", "field"), BAD_IN_BOTH)
def test_bad_in_both(changes: dict[str, str | None], field: str) -> None:
    bad = request(**changes)
    with pytest.raises(ParseError) as caught:
        validate_request(bad)
    assert (caught.value.status, caught.value.field) == (400, field)
    assert caught.value.message is bad
    with pytest.raises(ParseError) as caught:
        validate_response(response(**changes))
    assert (caught.value.status, caught.value.message) == (None, None)


@pytest.mark.parametrize("changes", [{"Max-Forwards": "300"}, {"CSeq": "1 OPTIONS"}, {"CSeq": "1 invite"}])
def test_bad_in_requests(changes: dict[str, str | None]) -> None:
    with pytest.raises(ParseError) as caught:
        validate_request(request(**changes))
    assert caught.value.status == 400
    assert isinstance(caught.value.message, Request)


def test_bad_request_uri() -> None:
    bad = Request("INVITE", "<sip:user@example.com>", FIELDS.items())
    with pytest.raises(ParseError) as caught:
        validate_request(bad)
    assert caught.value.status == 400
    validate_request(Request("INVITE", "nobodyKnowsThisScheme:totallyopaquecontent", FIELDS.items()))


@pytest.mark.parametrize("name", ["Call-ID", "CSeq", "From", "To", "Max-Forwards", "Content-Type"])
def test_fields_that_stand_once(name: str) -> None:
    bad = request(**{"Content-Type": "text/plain"})
    bad.headers.add(name, bad.headers.get(name) or "")
    with pytest.raises(ParseError) as caught:
        validate_request(bad)
    assert (caught.value.status, caught.value.reason) == (400, f"Repeated {name}")


@pytest.mark.parametrize("extra", [True, False])
def test_a_response_with_two_vias_was_for_another(extra: bool) -> None:
    stray = response()
    if extra:
        stray.headers.add("Via", "SIP/2.0/UDP b")
    else:
        stray.headers.set("Via", "SIP/2.0/UDP a;branch=z9hG4bKa, SIP/2.0/UDP b")
    with pytest.raises(ParseError, match="More Than One Via") as caught:
        validate_response(stray)
    assert caught.value.status is None


def test_a_registrar_may_tell_of_phones_that_write_nonsense() -> None:
    validate_response(response(CSeq="1 REGISTER", Contact="<sip:no body@x y>, <sip:alice@a>"))
