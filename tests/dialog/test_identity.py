"""Identity, privacy, diversion and history, as headers tell them."""

from __future__ import annotations

import pytest

from dialog.identity import ANONYMOUS, Diversion, asserted_identities, diversions, history, privacy, sender_of
from dialog.message import Request, Response


def invite(*headers: tuple[str, str]) -> Request:
    return Request("INVITE", "sip:bob@example.com", headers)


def test_nothing_is_said() -> None:
    plain = invite()
    assert (asserted_identities(plain), diversions(plain), history(plain)) == ([], [], [])
    assert privacy(plain) == frozenset()


def test_asserted_identities() -> None:
    """RFC 3325 section 10.1."""
    message = invite(("P-Asserted-Identity", '"Cullen Jennings" <sip:fluffy@cisco.com>, <tel:+14085264000>'))
    sip, tel = asserted_identities(message)
    assert (sip.display_name, str(sip.uri), str(tel.uri)) == (
        "Cullen Jennings",
        "sip:fluffy@cisco.com",
        "tel:+14085264000",
    )


def test_the_header_of_older_servers() -> None:
    value = '"Reception" <sip:100@pbx.example>;party=calling;screen=yes;privacy=off'
    (party,) = asserted_identities(invite(("Remote-Party-ID", value)))
    assert str(party) == "Reception <sip:100@pbx.example>"
    assert privacy(invite(("Remote-Party-ID", value))) == frozenset()
    assert privacy(invite(("Remote-Party-ID", value.replace("off", "full")))) == {"id"}
    both = invite(("Remote-Party-ID", value), ("P-Asserted-Identity", "<sip:1@a>"))
    assert [str(one) for one in asserted_identities(both)] == ["<sip:1@a>"]


def test_older_servers_tell_of_both_parties() -> None:
    of_both = ("Remote-Party-ID", "<sip:1@a>;party=calling, <sip:2@a>;party=called, <sip:3@a>;id-type=term")
    assert [str(one) for one in asserted_identities(invite(of_both))] == ["<sip:1@a>"]
    answer = Response(180, None, [of_both])
    assert [str(one) for one in asserted_identities(answer)] == ["<sip:2@a>"]


@pytest.mark.parametrize("value", ["", "<<", '"open', "sip:a@b, <sip:", "sip:a@b?x=y"])
def test_what_cannot_be_read_is_left_out(value: str) -> None:
    message = invite(("P-Asserted-Identity", value), ("Diversion", value), ("History-Info", value))
    assert len(asserted_identities(message)) <= 1
    assert len(diversions(message)) <= 1
    assert len(history(message)) <= 1


def test_privacy_in_any_spelling() -> None:
    assert privacy(invite(("Privacy", "Id;critical"), ("Privacy", "header, user"))) == {
        "id",
        "critical",
        "header",
        "user",
    }


def test_diversions_latest_first() -> None:
    """RFC 5806 section 8: each diverting element adds itself on top."""
    message = invite(
        (
            "Diversion",
            '<sip:bob@example.com>;reason=no-answer;counter=1, <sip:ann@example.com>;reason="user-busy"',
        ),
        ("Diversion", "<tel:+1>"),
    )
    assert [(str(d.address.uri), d.reason) for d in diversions(message)] == [
        ("sip:bob@example.com", "no-answer"),
        ("sip:ann@example.com", "user-busy"),
        ("tel:+1", "unknown"),
    ]
    assert isinstance(diversions(message)[0], Diversion)


def test_history() -> None:
    """RFC 7044 section 5.1, with the Reason escaped into the URI, and the cause of RFC 4458."""
    message = invite(
        (
            "History-Info",
            "<sip:UserA@ims.example.com?Reason=SIP%3Bcause%3D302>;index=1;foo=bar, "
            "<sip:UserB@example.com;cause=486?Privacy=history>;index=1.1;rc=1,"
            "<sip:45432@192.168.0.3>;index=1.1.1;mp=1.1",
        )
    )
    entries = history(message)
    assert [(str(e.uri), e.index, e.cause) for e in entries] == [
        ("sip:UserA@ims.example.com", "1", 302),
        ("sip:UserB@example.com;cause=486", "1.1", 486),
        ("sip:45432@192.168.0.3", "1.1.1", None),
    ]


def test_long_lists_are_cut() -> None:
    message = invite(("P-Asserted-Identity", ", ".join(["<sip:a@b>"] * 1000)))
    assert len(asserted_identities(message)) == 50


def test_whose_request_it_is() -> None:
    """An anonymous call takes the routes and the password of the account it is placed with."""
    named = ("From", "<sip:alice@example.org>;tag=1")
    hidden = ("From", f"{ANONYMOUS};tag=1")
    preferred = ("P-Preferred-Identity", "<sip:alice@example.org>")
    assert str(sender_of(invite(named, ("P-Preferred-Identity", "<sip:x@y>")))) == "sip:alice@example.org"
    assert str(sender_of(invite(hidden, preferred))) == "sip:alice@example.org"
    assert str(sender_of(invite(hidden))) == "sip:anonymous@anonymous.invalid"


def test_nobody() -> None:
    assert str(ANONYMOUS) == "Anonymous <sip:anonymous@anonymous.invalid>"
