"""Questions and messages, in calls and outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dialog.errors import LocalProtocolError
from dialog.message import Request
from dialog.service_events import Answered, IncomingMessage

if TYPE_CHECKING:
    from tests.dialog.conftest import Pair

ALICE = "<sip:alice@example.com>"


def test_a_message_outside_a_call(pair: Pair) -> None:
    question = pair.alice.core.services.ask(
        "MESSAGE", "sip:bob@192.0.2.2", from_=ALICE, content_type="text/plain", body=b"hello"
    )
    pair.run()
    incoming = pair.bob.only(IncomingMessage)
    assert incoming.usage is None
    assert incoming.request.body == b"hello"
    assert "Contact" not in incoming.request.headers  # RFC 3428 section 4
    incoming.source.accept()
    pair.run()
    answered = pair.alice.only(Answered)
    assert answered.source is question
    assert answered.response is not None
    assert answered.response.status == 200
    with pytest.raises(LocalProtocolError):
        incoming.source.accept()
    assert pair.nothing_left()


def test_a_message_in_a_call(pair: Pair) -> None:
    mine, theirs = pair.established()
    pair.bob.core.services.ask_in_call(theirs, "MESSAGE", content_type="text/plain", body=b"psst")
    pair.run()
    incoming = pair.alice.only(IncomingMessage)
    assert incoming.usage is mine
    with pytest.raises(LocalProtocolError):
        incoming.source.reject(200)
    incoming.source.reject(415, (("Accept", "text/html"),))
    pair.run()
    response = pair.bob.only(Answered).response
    assert response is not None
    assert (response.status, response.headers.get("Accept")) == (415, "text/html")


def test_options(pair: Pair) -> None:
    pair.alice.core.services.ask("OPTIONS", "sip:bob@192.0.2.2", from_=ALICE)
    pair.run()
    response = pair.alice.only(Answered).response
    assert response is not None
    assert {"REFER", "MESSAGE"} <= response.allowed_methods
    assert "replaces" in response.supported
    assert response.headers.get("Allow-Events") == "refer"


def test_nobody_there(pair: Pair) -> None:
    pair.wire.drop = lambda message, sender: True
    pair.alice.core.services.ask("OPTIONS", "sip:bob@192.0.2.2", from_=ALICE)
    pair.run(33)
    assert pair.alice.only(Answered).cause == "timeout"


@pytest.mark.parametrize("gone", ["unknown", "silent"])
def test_a_peer_that_forgot_the_call(pair: Pair, gone: str) -> None:
    mine, theirs = pair.established()
    pair.bob.core.dialogs.remove(theirs.confirmed_dialog.key)
    if gone == "silent":
        pair.wire.drop = lambda message, sender: isinstance(message, Request) and message.method == "MESSAGE"
    pair.alice.core.services.ask_in_call(mine, "MESSAGE", content_type="text/plain", body=b"psst")
    pair.run(40)
    assert "CallEnded" in pair.alice.kinds()


def test_not_before_the_call_is_up(pair: Pair) -> None:
    mine = pair.invite()
    with pytest.raises(LocalProtocolError):
        pair.alice.core.services.ask_in_call(mine, "MESSAGE", content_type="text/plain", body=b"psst")


@pytest.mark.parametrize(("target", "from_"), [("nobody", ALICE), ("sip:bob@192.0.2.2", "<nobody>")])
def test_addresses_that_cannot_be_read(pair: Pair, target: str, from_: str) -> None:
    with pytest.raises(LocalProtocolError):
        pair.alice.core.services.ask("MESSAGE", target, from_=from_)
