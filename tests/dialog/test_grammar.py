"""dialog/grammar.py"""

import re
import time

import pytest

from dialog import grammar
from dialog.errors import ParseError
from dialog.grammar import format_params, parse_params, quote, unquote


@pytest.mark.parametrize(
    ("text", "params"),
    [
        (";tag=a", {"tag": "a"}),
        (";lr", {"lr": None}),
        (" ; TAG = a ; q=0.5 ", {"tag": "a", "q": "0.5"}),
        (';x="a;b,c"', {"x": "a;b,c"}),
        (r';x="a\"b\\"', {"x": 'a"b\\'}),
        (";received=[2001:db8::9]", {"received": "[2001:db8::9]"}),
        (";received=2001:db8::9", {"received": "2001:db8::9"}),
        (";tag=a@b=c", {"tag": "a@b=c"}),
        (";rport=", {"rport": None}),
        ("", {}),
    ],
)
def test_params(text: str, params: dict[str, str | None]) -> None:
    assert parse_params(text, "To") == params


@pytest.mark.parametrize(
    "text", [";", ";;", ";;,;,,", "tag=a", ";tag=", ";tag=a b", ';x="a', ";a=1;A=2", ";a,b", ";=x", "; x = "]
)
def test_bad_params_name_the_field(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_params(text, "Contact")
    assert (caught.value.status, caught.value.field) == (400, "Contact")


def test_params_are_written_with_the_quotes_they_need() -> None:
    params = {"tag": "a", "lr": None, "x": 'two "words"', "received": "[::1]", "empty": ""}
    text = format_params(params)
    assert text == ';tag=a;lr;x="two \\"words\\"";received=[::1];empty=""'
    assert parse_params(text, "To") == params


@pytest.mark.parametrize("text", ["", "plain", 'a "b"', "back\\slash", "\\", "ключ\n"])
def test_quoting_is_undone(text: str) -> None:
    assert unquote(quote(text)) == text


def test_folding_is_one_space() -> None:
    assert grammar.FOLD.sub(" ", "a\r\n \t b\r\nc") == "a b\r\nc"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("4294967295", 2**32 - 1),
        ("", None),
        (None, None),
        ("-1", None),
        ("٣", None),
        ("1" * 11, None),
    ],
)
def test_delta_seconds(text: str | None, seconds: int | None) -> None:
    assert grammar.delta_seconds(text) == seconds


HOSTILE = [
    " " * 60000,
    "\t" * 60000 + ";",
    "a" * 60000,
    '"' + "\\" * 60001,
    '"' + 'a"' * 30000,
    "<" * 60000,
    ";a" * 30000,
    ";a=" * 20000,
    "," * 60000,
    "%41" * 20000,
    "%" * 60000,
    "0" * 60000,
    "sip:" + "a:" * 30000,
    "sip:" + "a" * 30000 + "@" * 30000,
    "SIP/2.0/UDP " + "h" * 60000 + ";" * 10,
    "SIP" + " " * 30000 + "/" + " " * 30000,
    "[" + ":" * 60000,
    "\r\n " * 20000,
    "\r\n" + " " * 60000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_pattern_backtracks_without_bound(text: str) -> None:
    patterns = [value for value in vars(grammar).values() if isinstance(value, re.Pattern)]
    began = time.process_time()
    for pattern in patterns:
        subject = text.encode() if isinstance(pattern.pattern, bytes) else text
        pattern.fullmatch(subject)
        pattern.match(subject)
    grammar.FOLD.sub(" ", text)
    assert time.process_time() - began < 1.0  # milliseconds when linear, minutes when not
