"""Replaces (RFC 3891)."""

from __future__ import annotations

import pytest

from dialog.dialog import Dialog
from dialog.errors import ParseError
from dialog.message import Request
from dialog.replaces import Replaces
from dialog.uri import SipUri


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            "98732@a.example;from-tag=r33th4x0r;to-tag=ff87ff",
            Replaces("98732@a.example", "ff87ff", "r33th4x0r"),
        ),
        ("425928@b.example;to-tag=7743;from-tag=6472", Replaces("425928@b.example", "7743", "6472")),
        ("12adf2f34;to-tag=12345;from-tag=54321;early-only", Replaces("12adf2f34", "12345", "54321", True)),
        ("87134@192.0.2.23;to-tag=24796;from-tag=0", Replaces("87134@192.0.2.23", "24796", "")),
    ],
)
def test_the_examples_of_the_rfc(text: str, value: Replaces) -> None:
    assert Replaces.parse(text) == value
    assert Replaces.parse(str(value)) == value


@pytest.mark.parametrize(
    "text", ["", "a", "a;to-tag=1", "a;from-tag=1", ";to-tag=1;from-tag=2", "a;to-tag=1;;"]
)
def test_what_names_no_dialog(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        Replaces.parse(text)
    assert caught.value.status == 400


def test_of_an_invite() -> None:
    value = ("Replaces", "a;to-tag=1;from-tag=2")
    assert Replaces.of(Request("INVITE", "sip:a@b", [])) is None
    assert Replaces.of(Request("INVITE", "sip:a@b", [value])) == Replaces("a", "1", "2")
    for more in (value, ("Join", "a;to-tag=1;from-tag=2")):
        with pytest.raises(ParseError):
            Replaces.of(Request("INVITE", "sip:a@b", [value, more]))


def test_the_peer_knows_the_dialog_the_other_way_round() -> None:
    local, remote = "<sip:a@b>;tag=ours", "<sip:c@d>;tag=theirs"
    dialog = Dialog("call", local, "ours", remote, "theirs", SipUri("c", "d"), (), 1, None)
    value = Replaces.naming(dialog)
    assert value == Replaces("call", "theirs", "ours")
    assert value.key == ("call", "theirs", "ours")
