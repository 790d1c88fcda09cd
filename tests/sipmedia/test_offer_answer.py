"""sipmedia/offer_answer.py: refusals of media as SIP says them."""

import pytest

from media import (
    BadAnswer,
    BadSdp,
    InvalidState,
    MediaError,
    MediaRefused,
    NoCommonCodec,
    PortsExhausted,
    UnknownCodec,
)
from sipmedia.offer_answer import refusal, warning_text


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NoCommonCodec(["PCMU"], ["G729"]), 488, 305),
        (MediaRefused(["line 1 is video"]), 488, 304),
        (BadSdp(3, 'x="', "no such line"), 488, 399),
        (BadAnswer("too many lines"), 488, 399),
        (PortsExhausted("127.0.0.1", 2, 3), 503, 399),
        (InvalidState("not now"), 491, 399),
        (UnknownCodec("x", []), 500, 399),
    ],
)
def test_each_error_has_its_status_and_warning(error: MediaError, status: int, code: int) -> None:
    refused = refusal(error)
    assert (refused.status, refused.warning_code) == (status, code)
    name, value = refused.warning("phone")
    assert name == "Warning"
    assert value.startswith(f"{code} phone ")
    assert warning_text(value) == refused.text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('305 host.example:5060 "Incompatible media format"', "Incompatible media format"),
        (r'399 a "say \"no\" \\ yes"', r'say "no" \ yes'),
        ("305 host", ""),
        ("", ""),
    ],
)
def test_texts_of_warnings(value: str, text: str) -> None:
    assert warning_text(value) == text
