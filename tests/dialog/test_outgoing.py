"""Requests that walk from server to server (RFC 3263 section 4.3), through a whole core."""

from __future__ import annotations

from random import Random

import pytest

from dialog.config import UserAgentConfig
from dialog.core import Core
from dialog.digest import Credentials
from dialog.dns import Answer, Query, Srv
from dialog.events import CallConfirmed, CallFailed, Event, OptionsAnswered, Redirected
from dialog.flow import Effect, Flow, Open, Resolve, Send, Target
from dialog.message import Request, Response
from dialog.parser import parse_datagram
from dialog.uri import Uri
from dialog.usage.invite import InviteUsage

HERE = ("192.0.2.1", 5060)
ONE, TWO, THREE = "192.0.2.11", "192.0.2.12", "192.0.2.13"


class Bench:
    """A caller, and servers of example.com that a test speaks for."""

    def __init__(self, transport: str = "UDP", servers: tuple[str, ...] = (ONE, TWO, THREE)) -> None:
        self.now = 1000.0
        self.core = Core(UserAgentConfig(bind=HERE), Random(1), lambda: self.now, lambda: None)
        self.transport = transport
        self.servers = servers
        self.refused: set[str] = set()
        """Hosts, or a transport and a host, that no connection can be made to."""
        self.holds: set[str] = set()
        """A transport and a host where connections are neither made nor refused."""
        self.sent: list[tuple[Flow, Request]] = []
        self.events: list[Event] = []
        self.count = 0

    def call(self) -> InviteUsage:
        usage = self.core.invite(
            f"sip:bob@example.com;transport={self.transport.lower()}",
            from_="<sip:alice@example.com>",
            body=b"v=0 offer",
        )
        self.serve()
        return usage

    def call_with_password(self, target: str, offer: int, challenge: str = "n1") -> InviteUsage:
        """A call with an offer so long, to who wants a password."""

        def find(realm: str, account: Uri) -> Credentials:
            return Credentials("alice", "zanzibar")

        self.core.authentication.credentials_for = find
        usage = self.core.invite(target, from_="<sip:alice@example.com>", body=b"v" * offer)
        self.serve()
        self.challenge(challenge)
        return usage

    def challenge(self, nonce: str) -> None:
        self.answer(407, ("Proxy-Authenticate", f'Digest realm="example.com", nonce="{nonce}"'))

    def ways(self) -> list[str]:
        """How each INVITE went."""
        return [f"{flow.transport} {flow.remote[0]}" for flow, _ in self.requests("INVITE")]

    def serve(self) -> None:
        while effects := self.core.take_effects():
            for effect in effects:
                self.carry_out(effect)
        self.events += self.core.take_events()

    def carry_out(self, effect: Effect) -> None:
        if isinstance(effect, Resolve):
            self.core.resolved(effect.query, self.look_up(effect.query), self.now)
        elif isinstance(effect, Send):
            message = parse_datagram(effect.data)
            assert isinstance(message, Request)
            self.sent.append((effect.flow, message))
        elif isinstance(effect, Open):
            self.open(effect.target)

    def look_up(self, query: Query) -> Answer:
        if query.kind == "SRV":
            return Answer(tuple(Srv(n, 1, 5060, f"s{n}.example.com") for n in range(len(self.servers))), 60.0)
        if query.kind == "NAPTR":
            return Answer((), 60.0)
        return Answer((self.servers[int(query.name[1])],), 60.0)

    def open(self, target: Target) -> None:
        if f"{target.transport} {target.address[0]}" in self.holds:
            return
        if {target.address[0], f"{target.transport} {target.address[0]}"} & self.refused:
            self.core.flow_refused(target, self.now, f"connection refused by {target.address[0]}")
            return
        self.count += target.transport != "UDP"
        flow = Flow(target.transport, HERE, target.address, 0 if target.transport == "UDP" else self.count)
        self.core.flow_opened(target, flow, self.now)

    def requests(self, method: str) -> list[tuple[Flow, Request]]:
        """Those sent so far, retransmissions not counted."""
        seen: dict[str, tuple[Flow, Request]] = {}
        for flow, request in self.sent:
            if request.method == method:
                seen.setdefault(request.via.branch or "", (flow, request))
        return list(seen.values())

    def asked(self, method: str = "INVITE") -> list[str]:
        return [flow.remote[0] for flow, _ in self.requests(method)]

    def answer(
        self, status: int, *headers: tuple[str, str], body: bytes = b"", method: str = "INVITE"
    ) -> None:
        """What the server asked last says."""
        flow, request = self.requests(method)[-1]
        fields = list(headers)
        if status < 300:
            fields.append(("Contact", f"<sip:bob@{flow.remote[0]}>"))
        if body:
            fields.append(("Content-Type", "application/sdp"))
        response = Response.to_request(
            request, status, to_tag=f"t{flow.remote[0]}", headers=fields, body=body
        )
        data = bytes(response)
        self.core.receive(flow, data, self.now)
        self.serve()

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (deadline := self.core.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.core.handle_timer(self.now)
            self.serve()
        self.now = end

    def failed(self) -> CallFailed:
        (event,) = [event for event in self.events if isinstance(event, CallFailed)]
        return event


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_503_sends_the_request_to_the_next_server(transport: str) -> None:
    bench = Bench(transport)
    bench.call()
    bench.answer(503)
    bench.answer(503)
    bench.answer(200, body=b"v=0 answer")
    assert bench.asked() == [ONE, TWO, THREE]
    branches = {request.via.branch for _, request in bench.requests("INVITE")}
    assert len(branches) == 3
    assert {request.call_id for _, request in bench.requests("INVITE")} == {bench.sent[0][1].call_id}
    assert [type(event) for event in bench.events][-1] is CallConfirmed
    # Each refusal was acknowledged to who gave it, with its own branch.
    acks = {(flow.remote[0], ack.via.branch) for flow, ack in bench.sent if ack.method == "ACK"}
    assert {(f.remote[0], r.via.branch) for f, r in bench.requests("INVITE")[:2]} <= acks


def test_the_last_503_is_the_answer() -> None:
    bench = Bench(servers=(ONE, TWO))
    bench.call()
    bench.answer(503)
    bench.answer(503, ("Retry-After", "120"))
    assert (bench.failed().status, bench.failed().cause) == (503, "rejected")
    assert not [event for event in bench.events if isinstance(event, Redirected)]


@pytest.mark.parametrize("status", [486, 500, 404, 600])
def test_any_other_refusal_is_an_answer(status: int) -> None:
    bench = Bench()
    bench.call()
    bench.answer(status)
    assert bench.failed().status == status
    assert bench.asked() == [ONE]


def test_silence_sends_the_request_on_after_timer_b() -> None:
    bench = Bench(servers=(ONE, TWO))
    bench.call()
    bench.wait(31)
    assert bench.asked() == [ONE]
    bench.wait(2)
    assert bench.asked() == [ONE, TWO]
    bench.wait(33)
    assert (bench.failed().status, bench.failed().cause) == (408, "timeout")


def test_refused_connections_are_passed_over_and_told_if_nothing_else_is_left() -> None:
    bench = Bench("TCP", (ONE, TWO))
    bench.refused = {ONE}
    bench.call()
    assert bench.asked() == [TWO]
    bench = Bench("TCP", (ONE, TWO))
    bench.refused = {ONE, TWO}
    bench.call()
    bench.wait(0.1)
    assert (bench.failed().status, bench.failed().cause) == (503, "transport")
    assert bench.failed().reason == f"connection refused by {ONE}; connection refused by {TWO}"


def test_a_server_that_rings_is_not_left_when_its_connection_breaks() -> None:
    bench = Bench("TCP")
    bench.call()
    bench.answer(180)
    bench.core.flow_lost(bench.sent[0][0], bench.now, "the connection broke: reset")
    bench.serve()
    assert bench.asked() == [ONE]
    assert bench.failed().reason == "the connection broke: reset"


def test_a_connection_that_was_dead_is_made_anew_once() -> None:
    bench = Bench("TCP", (ONE,))
    bench.call()
    bench.answer(486)
    bench.sent.clear()
    bench.events.clear()
    bench.call()  # on the same connection
    first = bench.sent[0][0]
    bench.core.flow_lost(first, bench.now, "reset")
    bench.serve()
    (_, _), (second, _) = bench.requests("INVITE")
    assert second.remote == first.remote
    assert second.connection != first.connection
    bench.core.flow_lost(second, bench.now, "reset again")
    bench.serve()
    assert bench.failed().reason == "reset again"


def test_a_server_that_failed_has_its_turn_last_for_a_while() -> None:
    bench = Bench(servers=(ONE, TWO))
    bench.call()
    bench.answer(503, ("Retry-After", "60"))
    bench.answer(486)
    bench.sent.clear()
    bench.wait(40)
    bench.call()
    bench.answer(486)
    assert bench.asked() == [TWO]
    bench.sent.clear()
    bench.wait(30)
    bench.call()
    assert bench.asked() == [ONE]


def test_a_cancelled_call_goes_to_no_other_server() -> None:
    bench = Bench()
    usage = bench.call()
    usage.cancel()
    bench.serve()
    bench.answer(503)
    assert bench.asked() == [ONE]
    assert bench.failed().cause == "cancelled"


def test_requests_outside_calls_walk_as_well() -> None:
    bench = Bench()
    bench.core.options("sip:bob@example.com;transport=udp", from_="<sip:alice@example.com>")
    bench.serve()
    bench.answer(503, method="OPTIONS")
    bench.answer(200, method="OPTIONS")
    assert bench.asked("OPTIONS") == [ONE, TWO]
    (answered,) = [event for event in bench.events if isinstance(event, OptionsAnswered)]
    assert answered.response is not None
    assert answered.response.status == 200


def test_nothing_is_left_over() -> None:
    bench = Bench()
    bench.call()
    bench.answer(503)
    bench.answer(486)
    bench.wait(100)
    assert len(bench.core.layer) == 0
    assert bench.core.calls == 0
    assert bench.core.next_deadline() is None


def test_the_next_server_has_nonces_of_its_own() -> None:
    bench = Bench()
    bench.call_with_password("sip:bob@example.com;transport=udp", 100)
    bench.answer(503)
    assert bench.asked() == [ONE, ONE, TWO]
    bench.challenge("n2")
    assert bench.asked() == [ONE, ONE, TWO, TWO]
    assert 'nonce="n2"' in (bench.requests("INVITE")[-1][1].headers.get("Proxy-Authorization") or "")
    bench.challenge("n3")  # now it is the password
    assert bench.asked() == [ONE, ONE, TWO, TWO]
    assert bench.failed().status == 407


class TestTooLongForUdp:
    """Section 18.1.1: over 1300 bytes a request goes by TCP, also when credentials have made it so long."""

    def test_credentials_make_the_difference(self) -> None:
        bench = Bench()
        bench.call_with_password(f"sip:bob@{ONE}", 620)
        (_, first), (_, second) = bench.requests("INVITE")
        assert len(bytes(first)) < 1300 < len(bytes(second))
        assert bench.ways() == [f"UDP {ONE}", f"TCP {ONE}"]
        assert second.via.transport == "TCP"
        assert [str(contact.uri) for contact in second.contacts] == ["sip:alice@192.0.2.1:5060;transport=tcp"]
        bench.answer(200, body=b"v=0 answer")
        assert [event for event in bench.events if isinstance(event, CallConfirmed)]
        # What was accepted goes along from now on, and is counted from the start.
        bench.core.invite(f"sip:bob@{ONE}", from_="<sip:alice@example.com>", body=b"v" * 620)
        bench.serve()
        assert bench.ways()[2:] == [f"TCP {ONE}"]

    def test_what_still_fits_stays(self) -> None:
        bench = Bench()
        bench.call_with_password(f"sip:bob@{ONE}", 300)
        assert [len(bytes(request)) < 1300 for _, request in bench.requests("INVITE")] == [True, True]
        assert bench.ways() == [f"UDP {ONE}", f"UDP {ONE}"]

    def test_who_insists_on_udp_gets_udp(self) -> None:
        bench = Bench()
        bench.call_with_password(f"sip:bob@{ONE};transport=udp", 620)
        assert bench.ways() == [f"UDP {ONE}", f"UDP {ONE}"]

    def test_udp_where_tcp_is_refused(self) -> None:
        bench = Bench()
        bench.refused.add(f"TCP {ONE}")
        bench.call_with_password(f"sip:bob@{ONE}", 620)
        assert bench.ways() == [f"UDP {ONE}", f"UDP {ONE}"]
        assert [str(contact.uri) for contact in bench.requests("INVITE")[-1][1].contacts] == [
            "sip:alice@192.0.2.1:5060"
        ]
        bench.challenge("n2")  # not by TCP again
        assert bench.ways()[2:] == []  # refused twice in the same realm

    def test_a_nonce_gone_stale_does_not_ask_for_tcp_again(self) -> None:
        bench = Bench()
        bench.refused.add(f"TCP {ONE}")
        bench.call_with_password(f"sip:bob@{ONE}", 620)
        bench.answer(407, ("Proxy-Authenticate", 'Digest realm="example.com", nonce="n2", stale=true'))
        assert bench.ways() == [f"UDP {ONE}"] * 3

    def test_the_next_server_is_asked_by_tcp_too(self) -> None:
        bench = Bench()
        bench.call_with_password("sip:bob@example.com", 620)
        bench.answer(503)
        bench.answer(503)
        assert bench.ways() == [f"UDP {ONE}", f"TCP {ONE}", f"UDP {ONE}", f"TCP {TWO}"]

    def test_given_up_while_the_connection_is_made(self) -> None:
        bench = Bench()
        bench.holds.add(f"TCP {ONE}")
        usage = bench.call_with_password(f"sip:bob@{ONE}", 620)
        usage.cancel()
        bench.wait(5)
        assert bench.ways() == [f"UDP {ONE}"]
        assert bench.failed().cause == "cancelled"
        assert bench.requests("CANCEL") == []
