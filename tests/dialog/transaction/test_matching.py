"""Which messages belong together."""

from __future__ import annotations

from dialog.message import Request
from dialog.transaction.matching import merge_key, server_key


def request(method: str = "INVITE", **changes: str) -> Request:
    fields = {
        "Via": "SIP/2.0/UDP host.example.com:5060;branch=z9hG4bKabc",
        "From": "<sip:a@example.com>;tag=a",
        "To": "<sip:b@example.com>",
        "Call-ID": "call",
        "CSeq": f"1 {method}",
    }
    fields.update({name.replace("_", "-"): value for name, value in changes.items()})
    return Request(method, "sip:b@example.com", fields.items())


OLD = "SIP/2.0/UDP host.example.com;branch=1"


def test_a_new_branch_is_another_transaction() -> None:
    assert server_key(request()) == server_key(request(Call_ID="other")), "branch, sent-by and method suffice"
    assert server_key(request()) != server_key(
        request(Via="SIP/2.0/UDP host.example.com;branch=z9hG4bKother")
    )
    assert server_key(request()) != server_key(request("BYE"))


def test_sent_by_tells_clients_with_the_same_branch_apart() -> None:
    assert server_key(request()) != server_key(request(Via="SIP/2.0/UDP evil.example.com;branch=z9hG4bKabc"))
    assert server_key(request()) != server_key(
        request(Via="SIP/2.0/UDP host.example.com:5;branch=z9hG4bKabc")
    )
    assert server_key(request()) == server_key(request(Via="SIP/2.0/UDP HOST.example.com;branch=z9hG4bKabc"))


def test_an_ack_and_by_request_a_cancel_have_the_key_of_their_invite() -> None:
    for via in (OLD, request().headers.get("Via") or ""):
        invite = request(Via=via)
        assert server_key(request("ACK", Via=via, To="<sip:b@example.com>;tag=b")) == server_key(invite)
        assert server_key(request("CANCEL", Via=via), "INVITE") == server_key(invite)
        assert server_key(request("CANCEL", Via=via)) != server_key(invite)


def test_without_the_magic_cookie_the_rules_of_rfc_2543_hold() -> None:
    assert server_key(request(Via=OLD)) == server_key(request(Via=OLD))
    for change in (
        {"Call_ID": "other"},
        {"From": "<sip:a@example.com>;tag=other"},
        {"CSeq": "2 INVITE"},
    ):
        assert server_key(request(Via=OLD)) != server_key(request(Via=OLD, **change))
    noted = f"{OLD};received=192.0.2.9"
    assert server_key(request(Via=noted)) == server_key(request(Via=f"{OLD};received=192.0.2.9"))


def test_merged_are_equal_requests_outside_dialogs() -> None:
    other_way = request(Via="SIP/2.0/UDP other.example.com;branch=z9hG4bKother")
    assert merge_key(request()) == merge_key(other_way)
    assert merge_key(request(CSeq="2 INVITE")) != merge_key(request())
    assert merge_key(request(To="<sip:b@example.com>;tag=b")) is None
    assert merge_key(request("ACK")) is None
    assert merge_key(request("CANCEL")) is None
