"""Client transactions: what they send, and when."""

from __future__ import annotations

from typing import Literal

import pytest

from dialog.flow import Flow
from dialog.message import Request, Response
from dialog.parser import parse_datagram
from dialog.timers import TimerQueue, Timers
from dialog.transaction.client import ClientTransaction
from dialog.transaction.layer import TransactionLayer
from dialog.transaction.server import ServerTransaction
from dialog.transaction.tables import State

UDP = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.2", 5060))
TCP = UDP._replace(transport="TCP")


class User:
    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.failures: list[str] = []

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        self.statuses.append(response.status)

    def on_failure(
        self, transaction: ClientTransaction | None, cause: Literal["timeout", "transport"]
    ) -> None:
        self.failures.append(cause)


class Bench:
    """A layer, its clock, and the times at which things were sent."""

    def __init__(self, method: str, flow: Flow = UDP) -> None:
        self.queue = TimerQueue()
        self.sent: list[tuple[float, str]] = []
        self.raw: list[bytes] = []
        self.layer = TransactionLayer(Timers(), self.queue, self._send, self._elsewhere)
        self.user = User()
        self.request = Request(
            method,
            "sip:bob@192.0.2.2",
            [
                ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc;rport"),
                ("Max-Forwards", "70"),
                ("Route", "<sip:proxy.example.com;lr>"),
                ("From", "<sip:alice@example.com>;tag=a"),
                ("To", "<sip:bob@192.0.2.2>"),
                ("Call-ID", "call"),
                ("CSeq", f"7 {method}"),
            ],
        )
        self.transaction = self.layer.request(self.request, flow, self.user)
        self.transaction.start()

    def _send(self, flow: Flow, data: bytes) -> None:
        message = parse_datagram(data)
        assert isinstance(message, Request)
        self.sent.append((self.queue.now, message.method))
        self.raw.append(data)

    def _elsewhere(self, transaction: ServerTransaction, data: bytes) -> None:
        raise AssertionError("no connection was lost")

    def run(self, until: float) -> None:
        while (deadline := self.queue.next_deadline()) is not None and deadline <= until:
            self.queue.now = deadline
            self.queue.run()
        self.queue.now = until

    def respond(self, status: int) -> None:
        self.layer.receive_response(Response.to_request(self.request, status, to_tag="b"))

    @property
    def times(self) -> list[float]:
        return [time for time, _ in self.sent]


def test_timer_a_doubles_until_timer_b() -> None:
    bench = Bench("INVITE")
    bench.run(100)
    assert bench.times == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert bench.user.failures == ["timeout"]
    assert len(bench.layer) == 0


def test_timer_e_doubles_up_to_t2_until_timer_f() -> None:
    bench = Bench("OPTIONS")
    bench.run(100)
    assert bench.times == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.user.failures == ["timeout"]


def test_timer_e_is_t2_in_proceeding() -> None:
    bench = Bench("OPTIONS")
    bench.run(0.2)
    bench.respond(100)
    bench.run(10)
    assert bench.times == [0, 4.2, 8.2]


def test_a_provisional_response_stops_an_invite_for_good() -> None:
    bench = Bench("INVITE")
    bench.respond(180)
    bench.respond(180)
    bench.run(1000)
    assert bench.times == [0]
    assert bench.user.statuses == [180, 180]
    assert bench.transaction.state is State.PROCEEDING
    bench.transaction.give_up()
    assert len(bench.layer) == 0


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_a_reliable_transport_is_not_helped(method: str) -> None:
    bench = Bench(method, TCP)
    bench.run(100)
    assert bench.times == [0]
    assert bench.user.failures == ["timeout"]


def test_a_refusal_is_acknowledged_each_time_and_passed_up_once() -> None:
    bench = Bench("INVITE")
    bench.respond(486)
    bench.respond(486)
    bench.run(1)
    bench.respond(486)
    assert bench.sent == [(0, "INVITE"), (0, "ACK"), (0, "ACK"), (1, "ACK")]
    assert bench.raw[1] == bench.raw[3]
    ack = parse_datagram(bench.raw[1])
    assert isinstance(ack, Request)
    assert ack.via.branch == "z9hG4bKabc"
    assert ack.to.tag == "b"
    assert str(ack.cseq) == "7 ACK"
    assert ack.headers.get("Route") == "<sip:proxy.example.com;lr>"
    assert bench.user.statuses == [486]
    bench.run(31.9)
    assert len(bench.layer) == 1, "Timer D is at least 32 s"
    bench.run(33)
    assert len(bench.layer) == 0


def test_every_2xx_is_passed_up_until_timer_m() -> None:
    bench = Bench("INVITE")
    bench.respond(200)
    bench.respond(200)
    bench.respond(180)
    bench.respond(486)
    assert bench.user.statuses == [200, 200]
    assert bench.sent == [(0, "INVITE")], "the ACK of a 2xx is not the transaction's"
    bench.run(33)
    assert len(bench.layer) == 0


def test_a_repeated_final_response_is_absorbed_until_timer_k() -> None:
    bench = Bench("OPTIONS")
    bench.respond(200)
    bench.respond(200)
    assert bench.user.statuses == [200]
    bench.run(4.9)
    assert len(bench.layer) == 1
    bench.run(5.5)
    assert len(bench.layer) == 0


def test_a_reliable_transport_needs_no_lingering() -> None:
    for method, status in (("OPTIONS", 200), ("INVITE", 486)):
        bench = Bench(method, TCP)
        bench.respond(status)
        bench.run(0.3)
        assert len(bench.layer) == 0


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_a_lost_flow_fails_the_transaction(method: str) -> None:
    bench = Bench(method)
    bench.layer.flow_lost(TCP)
    assert bench.user.failures == []
    bench.layer.flow_lost(UDP)
    assert bench.user.failures == ["transport"]
    assert len(bench.layer) == 0
    assert bench.queue.next_deadline() is None


def test_a_response_of_another_method_or_branch_is_not_ours() -> None:
    bench = Bench("INVITE")
    stray = Response.to_request(bench.request, 200)
    stray.headers.set("CSeq", "7 BYE")
    assert not bench.layer.receive_response(stray)
    stray = Response.to_request(bench.request, 200)
    stray.headers.set("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKother")
    assert not bench.layer.receive_response(stray)
    assert bench.user.statuses == []
