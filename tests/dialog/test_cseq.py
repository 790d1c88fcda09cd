"""dialog/cseq.py"""

import pytest

from dialog.cseq import MAX_SEQUENCE, CSeq
from dialog.errors import ParseError


@pytest.mark.parametrize(
    ("text", "number", "method"),
    [
        ("1 INVITE", 1, "INVITE"),
        ("0 ACK", 0, "ACK"),
        ("0009   INVITE", 9, "INVITE"),
        ("0" * 5000 + "7 BYE", 7, "BYE"),
        (f"{MAX_SEQUENCE}\tOPTIONS", MAX_SEQUENCE, "OPTIONS"),
        ("8 !interesting-Method0123456789_*+`.%indeed'~", 8, "!interesting-Method0123456789_*+`.%indeed'~"),
    ],
)
def test_parse(text: str, number: int, method: str) -> None:
    assert CSeq.parse(text) == CSeq(number, method)


@pytest.mark.parametrize(
    "text", ["", "INVITE", "1", "1INVITE", "-1 INVITE", "1 IN VITE", "1 INVITE;x", "+1 A", "١ INVITE"]
)
def test_malformed(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        CSeq.parse(text)
    assert (caught.value.status, caught.value.reason, caught.value.field) == (400, "Bad CSeq", "CSeq")


@pytest.mark.parametrize("number", [str(2**31), "36893488147419103232", "9" * 5000])
def test_number_out_of_range(number: str) -> None:
    with pytest.raises(ParseError, match="Too Large") as caught:
        CSeq.parse(f"{number} INVITE")
    assert caught.value.status == 400


def test_written() -> None:
    assert str(CSeq(314159, "INVITE")) == "314159 INVITE"
