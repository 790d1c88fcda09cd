"""dialog/uri.py"""

import pytest

from dialog.errors import ParseError
from dialog.uri import OpaqueUri, SipUri, format_host, parse_uri


def test_all_parts() -> None:
    uri = SipUri.parse("sips:alice:secret@Example.com:5061;Transport=TCP;lr?Subject=hi%20there&x=")
    assert uri.scheme == "sips"
    assert (uri.user, uri.password, uri.host, uri.port) == ("alice", "secret", "Example.com", 5061)
    assert uri.params == {"transport": "TCP", "lr": None}
    assert uri.headers == (("Subject", "hi there"), ("x", ""))
    assert uri.transport == "tcp"
    assert uri.is_loose_router


def test_least() -> None:
    uri = SipUri.parse("SIP:h")
    assert uri == SipUri(None, "h")
    assert (uri.user, uri.password, uri.port, uri.transport) == (None, None, None, None)
    assert not uri.is_loose_router


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("sip:[2001:db8::10]", "2001:db8::10", None),
        ("sip:a@[2001:db8::10]:5070", "2001:db8::10", 5070),
        ("sip:[2001:db8::10:5070]", "2001:db8::10:5070", None),
        ("sip:[::ffff:192.0.2.1]", "::ffff:192.0.2.1", None),
        ("sip:a@[fe80::1%eth0]:5060", "fe80::1%eth0", 5060),
        ("sip:a@[fe80::1%25eth0]", "fe80::1%25eth0", None),
        ("sip:my_host", "my_host", None),
    ],
)
def test_hosts(text: str, host: str, port: int | None) -> None:
    uri = SipUri.parse(text)
    assert (uri.host, uri.port) == (host, port)
    assert str(uri) == text
    assert str(SipUri(uri.user, host, port)) == text


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("sip:user;par=u%40example.net@example.com", "user;par=u@example.net"),
        ("sip:sips%3Auser%40example.com@example.net", "sips:user@example.com"),
        ("sip:%75se%72@example.com", "user"),
        ("sip:null-%00-null@example.com", "null-\0-null"),
        ("sip:I%20have%20spaces@example.net", "I have spaces"),
        ("sip:*98#@pbx", "*98#"),
        ("sip:+1-212-555@gw;user=phone", "+1-212-555"),
        ("sip:%FF@h", "\udcff"),
        ("sip:%25%34%31@h", "%41"),
        (
            "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@h",
            "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*",
        ),
    ],
)
def test_users_are_decoded_once_and_written_as_they_came(text: str, user: str) -> None:
    uri = SipUri.parse(text)
    assert uri.user == user
    assert str(uri) == text


def test_parameters_are_decoded() -> None:
    uri = SipUri.parse("sip:cal%6Cer@host5.example.net;%6C%72;n%61me=v%61lue%25%34%31")
    assert uri.params == {"lr": None, "name": "value%41"}


def test_what_is_built_is_escaped() -> None:
    uri = SipUri("I have @ and ü", "h", 5062, {"lr": None, "x": "a;b"}, (("Subject", "a&b"),), password="p:w")
    text = str(uri)
    assert text == "sip:I%20have%20%40%20and%20%C3%BC:p%3Aw@h:5062;lr;x=a%3Bb?Subject=a%26b"
    again = SipUri.parse(text)
    assert again == uri
    assert (again.user, again.password, again.params, again.headers) == (
        uri.user,
        uri.password,
        uri.params,
        uri.headers,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "sip",
        "alice@h",
        "sip:@h",
        "sip:alice@",
        "sip:alice@h:",
        "sip:alice@h:65536",
        "sip:alice@h:123456",
        "sip:a b@h",
        "sip:a@b@c",
        "sip:a@h;",
        "sip:a@h;;lr",
        "sip:a@h;lr;LR",
        "sip:a@h;=x",
        "sip:a@h?",
        "sip:a@h?x",
        "sip:a@h?=x",
        "sip:a%4@h",
        "sip:a%zz@h",
        "<sip:a@h>",
        "sip:[::1",
        "sip:[1:2]",
        "sip:[]",
        "sip:h\r\n",
        "9abc:x",
        "http:",
        "http://a b",
    ],
)
def test_malformed(text: str) -> None:
    for _ in range(2):  # errors are not remembered as results
        with pytest.raises(ParseError) as caught:
            parse_uri(text)
        assert caught.value.status == 400


# RFC 3261 section 19.1.4 prints these pairs.
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
    ],
)
def test_equal(one: str, other: str) -> None:
    assert SipUri.parse(one) == SipUri.parse(other)
    assert hash(SipUri.parse(one)) == hash(SipUri.parse(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a@h", "sips:a@h"),
        ("sip:a@h", "sip:h"),
        ("sip:a:pw@h", "sip:a@h"),
        ("sip:a%3Bb@h", "sip:a;b@h"),
    ],
)
def test_not_equal(one: str, other: str) -> None:
    assert SipUri.parse(one) != SipUri.parse(other)


def test_equality_is_not_transitive() -> None:
    on, off, plain = (
        SipUri.parse(f"sip:carol@chicago.com{x}") for x in (";security=on", ";security=off", "")
    )
    assert on == plain == off
    assert on != off


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("tel:+1-201-555-0123;phone-context=x", "tel"),
        ("http://www.example.com/?a=b", "http"),
        ("nobodyKnowsThisScheme:totallyopaquecontent", "nobodyknowsthisscheme"),
        ("urn:service:sos", "urn"),
    ],
)
def test_other_schemes_are_opaque(text: str, scheme: str) -> None:
    uri = parse_uri(text)
    assert isinstance(uri, OpaqueUri)
    assert uri.scheme == scheme
    assert str(uri).lower() == text.lower()
    with pytest.raises(ParseError) as caught:
        SipUri.parse(text)
    assert caught.value.status == 416
    assert uri != SipUri(None, "h")


def test_long_ones_are_read_too() -> None:
    user = "u" * 5000
    assert SipUri.parse(f"sip:{user}@h").user == user


def test_format_host() -> None:
    assert format_host("::1") == "[::1]"
    assert format_host("192.0.2.1") == "192.0.2.1"
