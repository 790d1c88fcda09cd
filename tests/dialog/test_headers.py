"""dialog/headers.py"""

import pytest

from dialog.errors import LocalProtocolError, ParseError
from dialog.headers import Headers, field_key, split_list


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Via", "via"),
        ("VIA", "via"),
        ("vIa", "via"),
        ("v", "via"),
        ("V", "via"),
        ("x", "session-expires"),
        ("X-Custom", "x-custom"),
        ("Nonsense Name", None),
        ("", None),
        ("Via ", None),
    ],
)
def test_field_key(name: str, key: str | None) -> None:
    assert field_key(name) == key


def test_compact_forms_are_found_by_their_long_names() -> None:
    for compact, name in {
        "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition",
        "e": "Content-Encoding", "f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported",
        "l": "Content-Length", "m": "Contact", "n": "Identity-Info", "o": "Event", "r": "Refer-To",
        "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via", "x": "Session-Expires", "y": "Identity",
    }.items():  # fmt: skip
        headers = Headers([(compact, "1")])
        assert headers.get(name) == headers.get(compact.upper()) == "1"
        assert list(headers) == [(name, "1")]  # what we write has the long name


def test_order_and_unknown_fields_are_kept() -> None:
    fields = [("Via", "1"), ("X-One", "a"), ("Via", "2"), ("x-ONE", "b")]
    headers = Headers(fields)
    assert list(headers) == fields
    assert len(headers) == 4
    assert headers.get_all("VIA") == ["1", "2"]
    assert headers.get_all("X-one") == ["a", "b"]
    assert headers.count("v") == 2
    assert headers.get("nothing") is None
    assert headers.get("nothing", "x") == "x"
    assert headers.get("no name") is None
    assert "via" in headers
    assert "to" not in headers
    assert 5 not in headers


def test_changes() -> None:
    headers = Headers([("To", "t"), ("Via", "2"), ("Via", "3")])
    assert headers.get("Via") == "2"
    headers.insert("v", "1")
    assert headers.get_all("Via") == ["1", "2", "3"]
    headers.add("Subject", "s")
    headers.replace_first("via", "0")
    assert headers.get_all("Via") == ["0", "2", "3"]
    headers.set("Via", "9")
    assert list(headers) == [("Via", "9"), ("To", "t"), ("Subject", "s")]
    headers.set("Expires", "5")
    assert list(headers)[-1] == ("Expires", "5")
    headers.remove("To")
    headers.remove("To")
    assert "To" not in headers
    with pytest.raises(KeyError):
        headers.replace_first("To", "x")


def test_a_change_forgets_what_was_read() -> None:
    headers = Headers([("To", "t")])
    headers.parsed["To"] = "read"
    headers.add("From", "f")
    assert headers.parsed == {}


def test_a_copy_is_independent() -> None:
    headers = Headers([("To", "t")])
    copy = headers.copy()
    copy.add("From", "f")
    assert len(headers) == 1
    assert headers != copy
    assert headers == Headers([("t", "t")])
    assert headers != 5
    assert "'t'" in repr(headers)


@pytest.mark.parametrize("value", ["a\r\nVia: x", "a\nb", "a\rb"])
def test_no_line_end_gets_into_a_value(value: str) -> None:
    headers = Headers([("Subject", "s")])
    with pytest.raises(LocalProtocolError, match="line end"):
        headers.add("Subject", value)
    with pytest.raises(LocalProtocolError):
        Headers([("Subject", value)])


def test_names_are_tokens() -> None:
    with pytest.raises(LocalProtocolError, match="not a header field name"):
        Headers([("Sub ject", "s")])


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        ("", []),
        ("  ", []),
        ("a", ["a"]),
        (" a , b,c ", ["a", "b", "c"]),
        ("a,,b,", ["a", "b"]),
        ('"a,b" <sip:x>, <sip:y,z>;q=1', ['"a,b" <sip:x>', "<sip:y,z>;q=1"]),
        (r'"a\",b" <sip:x>,c', [r'"a\",b" <sip:x>', "c"]),
    ],
)
def test_split_list(value: str, elements: list[str]) -> None:
    assert split_list(value) == elements


@pytest.mark.parametrize("value", ['"a, b', "<a, b", 'x, "'])
def test_unbalanced_lists(value: str) -> None:
    with pytest.raises(ParseError):
        split_list(value)
    with pytest.raises(ParseError) as caught:
        Headers([("Route", value)]).split_all("Route")
    assert caught.value.field == "Route"


def test_split_all_goes_through_all_fields() -> None:
    assert Headers([("Allow", "A, B"), ("Allow", "C")]).split_all("allow") == ["A", "B", "C"]
    assert Headers().split_all("allow") == []


def test_first_repeated() -> None:
    assert Headers([("To", "a"), ("From", "b")]).first_repeated(["To"]) is None
    headers = Headers([("To", "a"), ("From", "b"), ("t", "c")])
    assert headers.first_repeated(["From", "To"]) == "To"
    assert headers.first_repeated(["From"]) is None


@pytest.mark.parametrize(
    ("fields", "written"),
    [
        ([], "Content-Length: 7\r\n"),
        ([("To", "t")], "To: t\r\nContent-Length: 7\r\n"),
        ([("l", "3"), ("To", "t")], "Content-Length: 7\r\nTo: t\r\n"),
        ([("Content-Length", "3"), ("Content-Length", "4")], "Content-Length: 7\r\n"),
    ],
)
def test_written_with_the_right_length(fields: list[tuple[str, str]], written: str) -> None:
    assert Headers(fields).write(7) == written


def test_credentials_are_not_shown() -> None:
    headers = Headers([("Authorization", 'Digest response="0123"'), ("To", "<sip:bob@b>")])
    assert "0123" not in repr(headers)
    assert "<sip:bob@b>" in repr(headers)
