"""dialog/address.py"""

import pytest

from dialog.address import NameAddr
from dialog.errors import ParseError
from dialog.uri import OpaqueUri, SipUri


@pytest.mark.parametrize(
    ("text", "name", "uri", "params"),
    [
        ("<sip:a@h>", "", "sip:a@h", {}),
        ("sip:a@h", "", "sip:a@h", {}),
        ("sip:a@h;tag=x", "", "sip:a@h", {"tag": "x"}),
        (" sip:a@h ; tag = x ", "", "sip:a@h", {"tag": "x"}),
        ("<sip:a@h;lr>;tag=x", "", "sip:a@h;lr", {"tag": "x"}),
        ('"Alice" <sip:a@h>', "Alice", "sip:a@h", {}),
        ("Alice Liddell   <sip:a@h>;tag=x", "Alice Liddell", "sip:a@h", {"tag": "x"}),
        ("caller<sip:a@h>", "caller", "sip:a@h", {}),
        (r'"J Rosenberg \\\""   <sip:a@h> ; tag = 98', 'J Rosenberg \\"', "sip:a@h", {"tag": "98"}),
        ('"<sip:b@g>, x" <sip:a@h>', "<sip:b@g>, x", "sip:a@h", {}),
        ('"Watson, Thomas" < sip:t.watson@example.org >', "Watson, Thomas", "sip:t.watson@example.org", {}),
        (
            "Bell, Alexander <sip:a.g.bell@example.com>;tag=43",
            "Bell, Alexander",
            "sip:a.g.bell@example.com",
            {"tag": "43"},
        ),
        ('"BEL:\\\x07 NUL:\\\x00" <sip:a@h>', "BEL:\x07 NUL:\x00", "sip:a@h", {}),
        ('sip:a@h;x="<y>"', "", "sip:a@h", {"x": "<y>"}),
        ('<sip:a@h>;+sip.instance="<urn:uuid:0>"', "", "sip:a@h", {"+sip.instance": "<urn:uuid:0>"}),
        ("<tel:+12125551212;ext=5>", "", "tel:+12125551212;ext=5", {}),
        ("<sip:a@h?Route=%3Csip:g%3E>", "", "sip:a@h?Route=%3Csip:g%3E", {}),
    ],
)
def test_parse(text: str, name: str, uri: str, params: dict[str, str | None]) -> None:
    address = NameAddr.parse(text, "To")
    assert (address.display_name, str(address.uri), address.params) == (name, uri, params)
    assert NameAddr.parse(str(address), "To") == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<>",
        "alice",
        '"Mr. J. User <sip:j.user@example.com>',
        '"Joe" <sip:joe@example.org>;;;;',
        "<sip:a@h",
        "sip:a@h>",
        "<sip:a@h> x",
        "<sip:a b@h>",
        "sip:user@example.com?Route=%3Csip:sip.example.com%3E",
        "sip:a@h, sip:b@h",
        "<sip:a@h>, <sip:b@h>",
        "<<sip:a@h>>",
        "*",
    ],
)
def test_malformed(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        NameAddr.parse(text, "Contact")
    assert (caught.value.status, caught.value.field) == (400, "Contact")
    assert "Contact" in caught.value.reason


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("", "<sip:a@h>"),
        ("Alice", "Alice <sip:a@h>"),
        ("Alice Liddell", "Alice Liddell <sip:a@h>"),
        ("Анна", '"Анна" <sip:a@h>'),
        ('say "hi"', '"say \\"hi\\"" <sip:a@h>'),
        ("two  spaces", '"two  spaces" <sip:a@h>'),
    ],
)
def test_display_names_are_quoted_where_needed(name: str, written: str) -> None:
    address = NameAddr(SipUri("a", "h"), name)
    assert str(address) == written
    assert NameAddr.parse(written).display_name == name


def test_tags() -> None:
    address = NameAddr.parse("<sip:a@h>;x=1")
    assert address.tag is None
    tagged = address.with_tag("t1")
    assert (tagged.tag, str(tagged)) == ("t1", "<sip:a@h>;x=1;tag=t1")
    assert tagged.with_tag("t2").tag == "t2"
    assert tagged.with_tag(None) == address


def test_other_schemes() -> None:
    assert NameAddr.parse("isbn:2983792873").uri == OpaqueUri("isbn", "2983792873")


def test_of_two_tags_in_a_to_the_first_is_meant() -> None:
    """Scripted peers append theirs to a To that has one; no other field and no other parameter may repeat."""
    assert NameAddr.parse("<sip:bob@example.com>;tag=one;tag=two", "To").tag == "one"
    assert NameAddr.parse("<sip:bob@example.com>;tag=one;tag=one", "From").tag == "one"
    for field, params in (("From", "tag=one;tag=two"), ("To", "x=1;x=2"), ("Contact", "q=0.1;q=0.2")):
        with pytest.raises(ParseError, match="Repeated"):
            NameAddr.parse(f"<sip:bob@example.com>;{params}", field)
