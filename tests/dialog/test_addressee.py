"""What of a dialled URI goes into the request, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dialog.addressee import addressee
from dialog.events import IncomingCall, OptionsAnswered
from dialog.message import Request
from dialog.service_events import IncomingMessage
from dialog.uri import parse_uri

if TYPE_CHECKING:
    from tests.dialog.conftest import Pair

ALICE = "<sip:alice@example.com>"


@pytest.mark.parametrize(
    ("dialled", "request_uri", "to"),
    [
        ("sip:bob@h", "sip:bob@h", "<sip:bob@h>"),
        ("sips:b@h:5071", "sips:b@h:5071", "<sips:b@h>"),
        (
            "sip:bob@h:5070;transport=tcp;maddr=192.0.2.9;ttl=1;lr;user=phone;x=1",
            "sip:bob@h:5070;transport=tcp;maddr=192.0.2.9;ttl=1;lr;user=phone;x=1",
            "<sip:bob@h;user=phone;x=1>",
        ),
        ("sip:bob@h;method=REGISTER", "sip:bob@h", "<sip:bob@h>"),
        ("sip:b\xf6b@h", "sip:b%C3%B6b@h", "<sip:b%C3%B6b@h>"),
        ("sip:b%f6b%40@h;x=\xf6", "sip:b%F6b%40@h;x=%C3%B6", "<sip:b%F6b%40@h;x=%C3%B6>"),
        ("tel:+49301", "tel:+49301", "<tel:+49301>"),
    ],
)
def test_what_stands_where(dialled: str, request_uri: str, to: str) -> None:
    whom = addressee(parse_uri(dialled))
    assert (str(whom.uri), whom.to, whom.fields) == (request_uri, to, ())


def test_the_harmless_headers_are_fields_of_the_request(caplog: pytest.LogCaptureFixture) -> None:
    dialled = "sip:bob@h?subject=Hello%20there&Priority=urgent&In-Reply-To=a%40b&Priority=normal"
    whom = addressee(parse_uri(dialled), (("Priority", "emergency"),))
    assert whom.fields == (("subject", "Hello there"), ("In-Reply-To", "a@b"))
    assert (str(whom.uri), whom.to) == ("sip:bob@h", "<sip:bob@h>")
    assert "'Priority'" in caplog.text


@pytest.mark.parametrize(
    "header",
    [
        "From=sip:eve%40h", "Call-ID=1", "CSeq=1%20BYE", "Via=x", "Record-Route=x", "Route=%3Csip:eve%40h%3E",
        "Contact=x", "Replaces=x", "Accept=x", "Require=x", "Authorization=x", "body=v=0", "Content-Type=x",
        "Subject=x%0D%0ARoute:%20%3Csip:eve%40h%3E", "Subject=%00", "Subject=%FF",
    ],
)  # fmt: skip
def test_the_dangerous_ones_are_left_out_and_logged(header: str, caplog: pytest.LogCaptureFixture) -> None:
    assert addressee(parse_uri(f"sip:bob@h?{header}")).fields == ()
    assert f"'{header.partition('=')[0]}'" in caplog.text


def test_every_request_outside_a_dialog(pair: Pair) -> None:
    target = "sip:b\xf6b@192.0.2.2:5060;transport=udp;method=REGISTER?Subject=hi&Replaces=x"
    core = pair.alice.core
    usage = core.invite(target, from_=ALICE, body=pair.offer)
    core.options(target, from_=ALICE)
    core.services.ask("MESSAGE", target, from_=ALICE, content_type="text/plain", body=b"hello")
    pair.run()
    sent = [message for _, message in pair.alice.sent if isinstance(message, Request)]
    assert {request.method for request in sent} == {"INVITE", "OPTIONS", "MESSAGE"}
    for request in sent:
        assert request.request_uri == "sip:b%C3%B6b@192.0.2.2:5060;transport=udp"
        assert request.headers.get("To") == "<sip:b%C3%B6b@192.0.2.2>"
        assert request.headers.get("Subject") == "hi"
        assert "Replaces" not in request.headers
    assert pair.bob.only(IncomingCall)
    assert pair.bob.only(IncomingMessage)
    assert pair.alice.only(OptionsAnswered).target == target
    # By this it can be called again, or be transferred to.
    assert str(usage.remote_uri) == "<sip:b%C3%B6b@192.0.2.2:5060;transport=udp>"
