"""401 and 407 answered inside the core: one outcome for the user, whatever was asked for on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialog.authentication import MAX_ATTEMPTS
from dialog.challenge import read_auth
from dialog.digest import Credentials, response_for
from dialog.events import (
    CallConfirmed,
    CallEnded,
    CallFailed,
    IncomingCall,
    ModifyAccepted,
    OptionsAnswered,
)
from dialog.message import Request, Response
from dialog.uri import Uri
from dialog.usage.invite import InviteUsage
from tests.dialog.conftest import Pair, Wire

if TYPE_CHECKING:
    from tests.dialog.conftest import Stranger

HERE = "192.0.2.50"
SDP = ("Content-Type", "application/sdp")
ALICE = Credentials("alice", "zanzibar")
Extra = tuple[tuple[str, str], ...]


def www(nonce: str, realm: str = "a.example", more: str = ', qop="auth"') -> tuple[str, str]:
    return "WWW-Authenticate", f'Digest realm="{realm}", nonce="{nonce}"{more}'


def proxy(nonce: str, realm: str = "p.example", more: str = ', qop="auth"') -> tuple[str, str]:
    return "Proxy-Authenticate", f'Digest realm="{realm}", nonce="{nonce}"{more}'


def why_of(response: Response | None) -> str:
    """The note that a challenge not answered was passed up with."""
    assert response is not None
    warning = response.headers.get("Warning") or ""
    assert warning.startswith("399 ")
    return warning.partition('"')[2].rstrip('"')


class Server:
    """What alice talks to: it answers when the test says so, and shows what it was asked."""

    def __init__(self, pair: Pair, find: Callable[[str, Uri], Credentials | None] | None = None) -> None:
        self.pair = pair
        self.core = pair.alice.core
        self.core.authentication.credentials_for = find or (lambda realm, account: ALICE)
        self.peer: Stranger = pair.wire.stranger((HERE, 5060), pair.alice)

    def invite(self) -> InviteUsage:
        usage = self.core.invite(f"sip:bob@{HERE}", from_="<sip:alice@a.example>", body=b"v=0 offer")
        self.pair.run(0.05)
        return usage

    def options(self) -> None:
        self.core.options(f"sip:bob@{HERE}", from_="<sip:alice@a.example>")
        self.pair.run(0.05)

    @property
    def last(self) -> Request:
        """The newest request that is no ACK."""
        requests = [m for m in self.peer.received if isinstance(m, Request) and m.method != "ACK"]
        return requests[-1]

    def answer(self, status: int, *headers: tuple[str, str], body: bytes = b"") -> None:
        response = Response.to_request(self.last, status, to_tag="srv", headers=headers, body=body)
        self.peer.say(bytes(response))

    def accept(self, *headers: tuple[str, str]) -> None:
        self.answer(200, ("Contact", f"<sip:bob@{HERE}:5060>"), SDP, *headers, body=b"v=0 answer")

    def credentials(
        self, name: str = "Authorization", request: Request | None = None
    ) -> list[dict[str, str]]:
        """The credentials in the newest request, each checked against the password."""
        request = request or self.last
        found = []
        for value in request.headers.get_all(name):
            read = read_auth(value)
            assert read is not None
            params = read[1]
            secret = ALICE.hash_for("MD5", params["realm"])
            assert secret is not None
            assert params["uri"] == request.request_uri
            assert params["response"] == response_for(
                secret,
                "MD5",
                method=request.method,
                uri=params["uri"],
                body=request.body,
                nonce=params["nonce"],
                qop=params.get("qop", ""),
                nc=params.get("nc", ""),
                cnonce=params.get("cnonce", ""),
            )
            found.append(params)
        return found


@pytest.fixture
def server(pair: Pair) -> Server:
    return Server(pair)


def test_an_invite_is_sent_again_with_credentials(pair: Pair, server: Server) -> None:
    """RFC 3665 section 3.3 in short: 407, ACK, INVITE again with the same Call-ID and From, next CSeq."""
    usage = server.invite()
    first = server.last
    server.answer(407, proxy("n1"))
    second = server.last
    (ack,) = pair.alice.requests("ACK")
    assert ack.via.branch == first.via.branch != second.via.branch
    assert ack.cseq.number == first.cseq.number == second.cseq.number - 1
    assert (second.call_id, second.from_) == (first.call_id, first.from_)
    assert second.to.tag is None
    assert second.body == first.body
    assert len(second.contacts) == 1
    assert len(second.vias) == 1
    assert server.credentials("Proxy-Authorization")[0]["realm"] == "p.example"
    server.answer(180)
    server.accept()
    assert pair.alice.kinds() == ["Progress", "SessionAnswer", "CallAnswered", "CallConfirmed"]
    # Section 22.1: the ACK of the 2xx carries the credentials of its INVITE, and its CSeq number.
    ack = pair.alice.requests("ACK")[-1]
    assert ack.headers.get("Proxy-Authorization") == second.headers.get("Proxy-Authorization")
    assert ack.cseq.number == second.cseq.number
    assert usage.confirmed_dialog.local_sequence == second.cseq.number
    # The BYE has the next number, and shows its credentials unasked.
    usage.bye()
    pair.run(0.05)
    assert server.last.method == "BYE"
    assert server.last.cseq.number == second.cseq.number + 1
    assert server.credentials("Proxy-Authorization")[0]["nc"] == "00000002"
    server.answer(200)
    assert pair.alice.of(CallEnded)
    pair.run(40)
    assert len(server.core.layer) == 0


def test_both_401_and_407_in_one_call(pair: Pair, server: Server) -> None:
    server.invite()
    server.answer(407, proxy("n1"))
    server.answer(401, www("n2"))
    assert [c["nonce"] for c in server.credentials()] == ["n2"]
    (of_proxy,) = server.credentials("Proxy-Authorization")
    assert (of_proxy["nonce"], of_proxy["nc"]) == ("n1", "00000002")
    server.accept()
    assert pair.alice.of(CallConfirmed)
    ack = pair.alice.requests("ACK")[-1]
    assert "Authorization" in ack.headers
    assert "Proxy-Authorization" in ack.headers


def test_challenges_gathered_by_a_forking_proxy_are_all_answered(server: Server) -> None:
    server.invite()
    server.answer(407, proxy("n1", "p"), proxy("n2", "q"), www("n3"))
    realms = [c["realm"] for c in server.credentials("Proxy-Authorization") + server.credentials()]
    assert realms == ["p", "q", "a.example"]


def test_a_late_copy_of_the_challenge_gets_the_ack_of_its_own(pair: Pair, server: Server) -> None:
    server.invite()
    first = server.last
    response = Response.to_request(first, 407, to_tag="srv", headers=[proxy("n1")])
    server.peer.say(bytes(response))
    server.peer.say(bytes(response))
    acks = pair.alice.requests("ACK")
    assert [ack.via.branch for ack in acks] == [first.via.branch] * 2
    assert len({request.cseq.number for request in pair.alice.requests("INVITE")}) == 2


def test_a_wrong_password_is_tried_once(pair: Pair, server: Server) -> None:
    server.invite()
    server.answer(401, www("n1"))
    server.answer(401, www("n2"))
    assert len(pair.alice.requests("INVITE")) == 2
    failed = pair.alice.only(CallFailed)
    assert why_of(failed.response) == "user name or password were refused by realm 'a.example'"
    assert (failed.status, failed.cause) == (401, "rejected")
    assert pair.alice.kinds() == ["CallFailed"]
    # What was refused is not shown to the next request unasked.
    server.options()
    assert "Authorization" not in server.last.headers


def test_a_stale_nonce_is_no_refusal(pair: Pair, server: Server) -> None:
    server.invite()
    server.answer(401, www("n1"))
    server.answer(401, www("n2", more=', qop="auth", stale=true'))
    assert server.credentials()[0]["nonce"] == "n2"
    server.accept()
    assert pair.alice.of(CallConfirmed)


def test_a_peer_that_says_stale_for_ever_is_left(pair: Pair, server: Server) -> None:
    server.invite()
    for number in range(20):
        if not pair.alice.of(CallFailed):
            server.answer(401, www(f"n{number}", more=', qop="auth", stale=true'))
    assert len(pair.alice.requests("INVITE")) == MAX_ATTEMPTS
    assert "after 6 attempts" in why_of(pair.alice.only(CallFailed).response)


def test_ever_new_realms_do_not_make_it_loop(pair: Pair, server: Server) -> None:
    server.options()
    for number in range(20):
        if not pair.alice.of(OptionsAnswered):
            server.answer(401, www("n", realm=f"r{number}"))
    assert len(pair.alice.requests("OPTIONS")) == MAX_ATTEMPTS


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ((), "the response holds no challenge"),
        ((("WWW-Authenticate", 'Digest realm="r'),), "a challenge of scheme Digest that cannot be read"),
        ((("WWW-Authenticate", 'Digest realm="r", nonce="n", algorithm=X'),), "the algorithm X of realm 'r'"),
        ((("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="x"'),), "the qop x of realm 'r'"),
        ((("Proxy-Authenticate", 'Basic realm="r"'),), "the scheme Basic"),
    ],
)
def test_a_bad_challenge_is_a_clear_outcome(pair: Pair, server: Server, headers: Extra, why: str) -> None:
    server.options()
    server.answer(401, *headers)
    response = pair.alice.only(OptionsAnswered).response
    assert why in why_of(response)
    assert response is not None
    assert response.status == 401


def test_the_application_decides_by_realm_and_account(pair: Pair) -> None:
    asked = []

    def find(realm: str, account: Uri) -> Credentials | None:
        asked.append((realm, str(account)))
        return ALICE if realm == "known" else None

    server = Server(pair, find)
    server.options()
    server.answer(401, www("n", "foreign"))
    assert asked == [("foreign", "sip:alice@a.example")]
    assert why_of(pair.alice.only(OptionsAnswered).response) == "there is no password for realm 'foreign'"
    server.options()
    server.answer(401, www("n", "foreign"), www("n", "known"))
    assert [c["realm"] for c in server.credentials()] == ["known"]


def test_without_credentials_a_challenge_is_a_response_as_any_other(pair: Pair, server: Server) -> None:
    server.core.authentication.credentials_for = None
    server.invite()
    server.answer(401, www("n1"))
    assert pair.alice.kinds() == ["CallFailed"]


def test_accepted_credentials_go_with_later_requests(pair: Pair, server: Server) -> None:
    server.options()
    server.answer(401, www("n1"))
    server.answer(200)
    server.options()
    (params,) = server.credentials()
    assert (params["nonce"], params["nc"]) == ("n1", "00000002")
    # They grew old meanwhile; not every server says stale then.
    server.answer(401, www("n2"))
    assert server.credentials()[0]["nonce"] == "n2"
    server.answer(200)
    assert len(pair.alice.of(OptionsAnswered)) == 2
    # Neither another account nor another peer is shown them, nor anybody else that is called.
    server.core.options(f"sip:eve@{HERE}", from_="<sip:alice@a.example>")
    pair.run(0.05)
    assert "Authorization" not in server.last.headers
    server.core.options(f"sip:bob@{HERE}", from_="<sip:carol@a.example>")
    pair.run(0.05)
    assert "Authorization" not in server.last.headers
    server.core.options("sip:bob@192.0.2.2", from_="<sip:alice@a.example>")
    pair.run(0.05)
    assert "Authorization" not in pair.alice.requests("OPTIONS")[-1].headers


def test_credentials_for_a_proxy_go_with_all_that_passes_it(pair: Pair, server: Server) -> None:
    server.options()
    server.answer(407, proxy("n1"))
    server.answer(200)
    server.core.options(f"sip:eve@{HERE}", from_="<sip:alice@a.example>")
    pair.run(0.05)
    assert server.credentials("Proxy-Authorization")[0]["nc"] == "00000002"


def test_the_next_nonce_is_taken(server: Server) -> None:
    server.options()
    server.answer(401, www("n1"))
    server.answer(200, ("Authentication-Info", 'nextnonce="n2", qop=auth'))
    server.options()
    (params,) = server.credentials()
    assert (params["nonce"], params["nc"]) == ("n2", "00000001")


@pytest.mark.parametrize("status", [401, 407])
def test_challenged_in_mid_dialog(pair: Pair, server: Server, status: int) -> None:
    """The dialog's counter moves with each try, so that the request after it is in order."""
    challenge, field = (www, "Authorization") if status == 401 else (proxy, "Proxy-Authorization")
    usage = server.invite()
    server.accept()
    usage.reinvite(b"v=0 hold")
    pair.run(0.05)
    first = server.last
    server.answer(status, challenge("n1"))
    second = server.last
    assert second.cseq.number == first.cseq.number + 1
    assert usage.confirmed_dialog.local_sequence == second.cseq.number
    assert len(second.contacts) == 1
    server.accept()
    assert pair.alice.of(ModifyAccepted)
    ack = pair.alice.requests("ACK")[-1]
    assert ack.cseq.number == second.cseq.number
    assert ack.headers.get(field) == second.headers.get(field)
    usage.bye()
    pair.run(0.05)
    assert server.last.cseq.number == second.cseq.number + 1
    server.answer(status, challenge("n2", more=', qop="auth", stale=true'))
    assert server.last.method == "BYE"
    (params,) = server.credentials(field)
    assert params["nonce"] == "n2"
    server.answer(200)
    assert pair.alice.of(CallEnded)


def test_a_proxy_in_the_way_of_the_call_challenges_both_sides(pair: Pair) -> None:
    """It recorded its route, so what the called one sends goes by it too, and is challenged."""
    server = Server(pair, lambda realm, account: Credentials(str(account), "zanzibar"))
    routed = "Record-Route", f"<sip:{HERE};lr>"
    server.peer.say(
        (
            f"INVITE sip:alice@{pair.alice.address[0]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {HERE};branch=z9hG4bK1\r\n{routed[0]}: {routed[1]}\r\nMax-Forwards: 69\r\n"
            "From: <sip:bob@b.example>;tag=bob\r\nTo: <sip:alice@a.example>\r\nCall-ID: in\r\n"
            "CSeq: 1 INVITE\r\nContact: <sip:bob@203.0.113.9>\r\nContent-Type: application/sdp\r\n"
            "Content-Length: 9\r\n\r\nv=0 offer"
        ).encode()
    )
    usage = pair.alice.only(IncomingCall).usage
    usage.accept(b"v=0 answer")
    pair.run(0.05)
    answer = [message for message in server.peer.received if isinstance(message, Response)][-1]
    ack = Request("ACK", f"sip:alice@{pair.alice.address[0]}", answer.headers.copy())
    ack.headers.set("CSeq", "1 ACK")
    ack.headers.replace_first("Via", f"SIP/2.0/UDP {HERE};branch=z9hG4bK2")
    server.peer.say(bytes(ack))
    usage.bye()
    pair.run(0.05)
    assert server.last.request_uri == "sip:bob@203.0.113.9"
    assert [str(route) for route in server.last.routes] == [routed[1]]
    server.answer(407, proxy("n1"))
    value = server.last.headers.get("Proxy-Authorization") or ""
    assert 'username="sip:alice@a.example"' in value
    assert 'uri="sip:bob@203.0.113.9"' in value
    server.answer(200)
    assert pair.alice.of(CallEnded)


def test_a_call_cancelled_before_the_challenge_is_not_tried_again(pair: Pair, server: Server) -> None:
    usage = server.invite()
    usage.cancel()
    pair.run(0.05)
    assert server.last.method == "INVITE"  # no provisional response: the CANCEL is held back
    server.answer(407, proxy("n1"))
    assert len(pair.alice.requests("INVITE")) == 1
    assert pair.alice.only(CallFailed).cause == "cancelled"


def test_a_cancel_is_of_the_newest_invite(pair: Pair, server: Server) -> None:
    usage = server.invite()
    server.answer(100)
    server.answer(407, proxy("n1"))
    second = server.last
    usage.cancel()
    pair.run(0.05)
    assert not pair.alice.requests("CANCEL")  # the 100 was of the first INVITE, not of this one
    server.answer(100)
    (cancel,) = {bytes(c): c for c in pair.alice.requests("CANCEL")}.values()
    assert cancel.via.branch == second.via.branch
    assert cancel.cseq.number == second.cseq.number
    assert "Proxy-Authorization" not in cancel.headers


def test_a_challenge_that_comes_after_the_cancel_ends_the_call(pair: Pair, server: Server) -> None:
    usage = server.invite()
    invite = server.last
    server.answer(100)
    usage.cancel()
    server.peer.say(bytes(Response.to_request(invite, 407, to_tag="srv", headers=[proxy("n1")])))
    assert len(pair.alice.requests("INVITE")) == 1
    assert pair.alice.only(CallFailed).cause == "cancelled"


def test_what_is_remembered_is_bounded(pair: Pair, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dialog.authentication._MAX_SESSIONS", 2)
    for name in ("ann", "ben", "cid"):
        server.core.options(f"sip:bob@{HERE}", from_=f"<sip:{name}@a.example>")
        pair.run(0.05)
        server.answer(401, www("n1"))
        server.answer(200)
    for name, expected in (("ann", False), ("cid", True)):
        server.core.options(f"sip:bob@{HERE}", from_=f"<sip:{name}@a.example>")
        pair.run(0.05)
        assert ("Authorization" in server.last.headers) is expected
        server.answer(200)


@given(st.text(alphabet='Digest realm="n,oc=qp\\\\;<> \t\u00e9', max_size=120), st.sampled_from([401, 407]))
def test_whatever_the_challenge_is_there_is_one_outcome(text: str, status: int) -> None:
    """Sent again, or passed on; the core neither raises nor forgets."""
    wire = Wire()
    pair = Pair(wire, wire.party(("192.0.2.1", 5060)), wire.party(("192.0.2.2", 5060)))
    server = Server(pair)
    server.options()
    for _ in range(MAX_ATTEMPTS + 1):
        if not pair.alice.of(OptionsAnswered):
            server.answer(status, ("WWW-Authenticate", text), ("Proxy-Authenticate", text))
    pair.run(40)
    assert len(pair.alice.of(OptionsAnswered)) == 1
    assert len(server.core.layer) == 0
