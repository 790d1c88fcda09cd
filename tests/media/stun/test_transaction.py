"""One Binding request in time, and who answers it."""

from __future__ import annotations

import pytest

from media.stun.message import BINDING, Attribute, MessageClass, StunMessage, binding_request
from media.stun.responder import respond
from media.stun.transaction import BindingTransaction

ID = bytes(range(12))
SERVER = ("192.0.2.3", 3478)
US = ("198.51.100.9", 40000)


def test_the_times_of_rfc_8489() -> None:
    """Section 6.2.1: with an RTO of 500 ms requests at 0, 500 ... 31500 ms, failure at 39500 ms."""
    transaction = BindingTransaction(ID, SERVER, 0.0)
    sent = []
    while not transaction.over:
        now = transaction.next_deadline
        if transaction.poll(now) is not None:
            sent.append(now)
    assert sent == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert transaction.next_deadline == 39.5
    assert "does not answer" in (transaction.failed or "")
    assert transaction.poll(50.0) is None


def test_answered() -> None:
    transaction = BindingTransaction(ID, SERVER, 0.0)
    request = transaction.poll(0.0)
    assert request is not None
    assert transaction.poll(0.1) is None
    answer = respond(request, US)
    assert answer is not None
    assert not transaction.receive(answer, ("192.0.2.66", 3478))  # a stranger's
    assert not transaction.receive(b"\x80" + answer[1:], SERVER)
    assert not transaction.receive(request, SERVER)  # our own, sent back
    assert transaction.receive(answer, SERVER)
    assert transaction.mapped == US
    assert transaction.over
    assert not transaction.receive(answer, SERVER)


def test_an_answer_to_somebody_else() -> None:
    transaction = BindingTransaction(ID, SERVER, 0.0)
    answer = respond(bytes(binding_request(bytes(12))), US)
    assert answer is not None
    assert not transaction.receive(answer, SERVER)
    assert not transaction.over


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (
            StunMessage(
                BINDING, MessageClass.ERROR, ID, ((Attribute.ERROR_CODE, b"\x00\x00\x04\x01Unauthorized"),)
            ),
            "refused: 401 Unauthorized",
        ),
        (StunMessage(BINDING, MessageClass.ERROR, ID), "refused"),
        (StunMessage(BINDING, MessageClass.SUCCESS, ID), "without an address"),
    ],
)
def test_refused(message: StunMessage, why: str) -> None:
    transaction = BindingTransaction(ID, SERVER, 0.0)
    assert transaction.receive(bytes(message), SERVER)
    assert why in (transaction.failed or "")


def test_the_responder_answers_requests_and_nothing_else() -> None:
    assert respond(b"hello", US) is None
    assert respond(bytes(StunMessage(BINDING, MessageClass.INDICATION, ID)), US) is None
    assert respond(bytes(StunMessage(0x003, MessageClass.REQUEST, ID)), US) is None
    strange = respond(bytes(binding_request(ID, [(0x7777, b"")])), US)
    assert strange is not None
    answer = StunMessage.parse(strange)
    assert answer.error == (420, "Unknown Attribute")
    assert answer.get(Attribute.UNKNOWN_ATTRIBUTES) == b"\x77\x77"
