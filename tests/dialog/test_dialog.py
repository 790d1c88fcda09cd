"""What a dialog remembers, and the requests it makes."""

from __future__ import annotations

import pytest

from dialog.dialog import Dialog, next_hop
from dialog.message import Request, Response


def invite(**extra: str) -> Request:
    fields = [
        ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
        ("From", '"Alice" <sip:alice@example.com>;tag=a'),
        ("To", "<sip:bob@example.com>"),
        ("Call-ID", "call"),
        ("CSeq", "10 INVITE"),
        ("Contact", "<sip:alice@192.0.2.1>"),
    ]
    fields += [(name.replace("_", "-"), value) for name, value in extra.items()]
    return Request("INVITE", "sip:bob@example.com", fields)


def answer(request: Request, *extra: tuple[str, str]) -> Response:
    return Response.to_request(request, 200, to_tag="b", headers=[("Contact", "<sip:bob@192.0.2.2>"), *extra])


def test_the_callee() -> None:
    dialog = Dialog.from_request(invite(Record_Route="<sip:p1;lr>, <sip:p2;lr>"), "b", 100)
    assert dialog.key == ("call", "b", "a")
    assert str(dialog.remote_target) == "sip:alice@192.0.2.1"
    assert [str(route) for route in dialog.route_set] == ["<sip:p1;lr>", "<sip:p2;lr>"]
    bye = dialog.request("BYE", dialog.next_sequence())
    assert bye.request_uri == "sip:alice@192.0.2.1"
    assert bye.headers.get("From") == "<sip:bob@example.com>;tag=b"
    assert bye.headers.get("To") == '"Alice" <sip:alice@example.com>;tag=a'
    assert str(bye.cseq) == "101 BYE"
    assert bye.max_forwards == 70


def test_the_caller_reverses_the_route() -> None:
    dialog = Dialog.from_response(invite(), answer(invite(), ("Record-Route", "<sip:p2;lr>, <sip:p1;lr>")))
    assert dialog.key == ("call", "a", "b")
    ack = dialog.request("ACK", 10)
    assert ack.request_uri == "sip:bob@192.0.2.2"
    assert [str(route) for route in ack.routes] == ["<sip:p1;lr>", "<sip:p2;lr>"]
    assert str(dialog.next_hop) == "sip:p1;lr"
    assert str(dialog.request("BYE", dialog.next_sequence()).cseq) == "11 BYE"


def test_a_contact_of_ours_that_is_sent_back_is_no_target() -> None:
    """Some servers copy the Contact of the INVITE into their 200: ACK and BYE would come back to us."""
    request = invite()
    echoed = answer(request)
    echoed.headers.set("Contact", request.headers.get("Contact") or "")
    dialog = Dialog.from_response(request, echoed)
    assert dialog.request("ACK", 10).request_uri == "sip:bob@example.com"
    dialog.confirm(echoed)
    assert dialog.request("BYE", 11).request_uri == "sip:bob@example.com"
    dialog.confirm(answer(request))
    assert dialog.request("BYE", 12).request_uri == "sip:bob@192.0.2.2"


def test_a_2xx_replaces_the_route_set_of_its_early_dialog() -> None:
    dialog = Dialog.from_response(invite(), answer(invite(), ("Record-Route", "<sip:early;lr>")))
    dialog.confirm(answer(invite(), ("Record-Route", "<sip:final;lr>")))
    assert [str(route) for route in dialog.route_set] == ["<sip:final;lr>"]


def test_a_strict_router_is_written_into_the_request_uri() -> None:
    route = "<sip:strict.example.com;method=INVITE?x=y>, <sip:p2;lr>"
    dialog = Dialog.from_request(invite(Record_Route=route), "b", 1)
    bye = dialog.request("BYE", 2)
    assert bye.request_uri == "sip:strict.example.com", "neither method nor headers may stand there"
    assert [str(route) for route in bye.routes] == ["<sip:p2;lr>", "<sip:alice@192.0.2.1>"]
    assert str(dialog.next_hop) == "sip:strict.example.com;method=INVITE?x=y"


def test_the_target_is_refreshed_only_by_a_contact() -> None:
    dialog = Dialog.from_request(invite(), "b", 1)
    moved = invite()
    moved.headers.set("Contact", "<sip:alice@192.0.2.9>")
    dialog.refresh_target(moved)
    moved.headers.remove("Contact")
    dialog.refresh_target(moved)
    assert str(dialog.remote_target) == "sip:alice@192.0.2.9"


def test_without_contact_the_from_uri_is_the_target() -> None:
    request = invite()
    request.headers.remove("Contact")
    assert str(Dialog.from_request(request, "b", 1).remote_target) == "sip:alice@example.com"


@pytest.mark.parametrize(("number", "accepted"), [(9, False), (10, True), (11, True), (4000, True)])
def test_the_remote_sequence(number: int, accepted: bool) -> None:
    dialog = Dialog.from_request(invite(), "b", 1)
    request = invite()
    request.headers.set("CSeq", f"{number} INVITE")
    assert dialog.accepts_sequence(request) is accepted
    assert dialog.remote_sequence == (number if accepted else 10)


def test_the_next_hop_of_a_request_outside_dialogs() -> None:
    assert str(next_hop(invite())) == "sip:bob@example.com"
    assert str(next_hop(invite(Route="<sip:proxy;lr>, <sip:other;lr>"))) == "sip:proxy;lr"
    assert str(next_hop(invite(Route="<sip:strict>"))) == "sip:bob@example.com"
