"""Server transactions: what they absorb, repeat and send, and when."""

from __future__ import annotations

from functools import partial
from typing import Literal

from dialog.flow import Flow
from dialog.message import Request, Response
from dialog.parser import parse_datagram
from dialog.timers import TimerQueue, Timers
from dialog.transaction.layer import TransactionLayer
from dialog.transaction.server import ServerTransaction

UDP = Flow("UDP", ("192.0.2.2", 5060), ("192.0.2.1", 5060))
TCP = UDP._replace(transport="TCP")


class User:
    def __init__(self) -> None:
        self.acks = 0
        self.lost: list[str] = []

    def on_cancel(self, cancel: Request) -> None:
        raise AssertionError("nobody cancels here")

    def on_ack(self, ack: Request) -> None:
        self.acks += 1

    def on_response_lost(self, cause: Literal["timeout", "transport"]) -> None:
        self.lost.append(cause)


class Bench:
    def __init__(self, method: str, flow: Flow = UDP) -> None:
        self.queue = TimerQueue()
        self.sent: list[tuple[float, int]] = []
        self.layer = TransactionLayer(Timers(), self.queue, self._send, self._elsewhere)
        self.request = Request(
            method,
            "sip:bob@192.0.2.2",
            [
                ("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc;rport"),
                ("From", "<sip:alice@example.com>;tag=a"),
                ("To", "<sip:bob@192.0.2.2>"),
                ("Call-ID", "call"),
                ("CSeq", f"7 {method}"),
            ],
        )
        self.transaction = self.layer.serve(self.request, flow)
        self.user = self.transaction.user = User()

    def _send(self, flow: Flow, data: bytes) -> None:
        message = parse_datagram(data)
        assert isinstance(message, Response)
        self.sent.append((self.queue.now, message.status))

    def _elsewhere(self, transaction: ServerTransaction, data: bytes) -> None:
        raise AssertionError("no connection was lost")

    def run(self, until: float) -> None:
        while (deadline := self.queue.next_deadline()) is not None and deadline <= until:
            self.queue.now = deadline
            self.queue.run()
        self.queue.now = until

    def compose(self, status: int) -> bytes:
        return bytes(Response.to_request(self.request, status, to_tag="b"))

    def respond(self, status: int) -> None:
        self.transaction.respond(status, self.compose(status))

    def again(self) -> None:
        found = self.layer.find_server(self.request)
        assert found is self.transaction
        found.receive_again()

    def ack(self) -> None:
        ack = Request("ACK", "sip:bob@192.0.2.2", self.request.headers.copy())
        ack.headers.set("CSeq", "7 ACK")
        found = self.layer.find_server(ack)
        assert found is self.transaction
        found.receive_ack(ack)

    @property
    def statuses(self) -> list[int]:
        return [status for _, status in self.sent]


def test_100_is_sent_after_200_ms_only_if_nothing_else_was() -> None:
    silent, quick = Bench("INVITE"), Bench("INVITE")
    for bench in (silent, quick):
        bench.transaction.start_trying(partial(bench.compose, 100))
    quick.run(0.1)
    quick.respond(180)
    silent.run(1)
    quick.run(1)
    assert silent.sent == [(0.2, 100)]
    assert quick.sent == [(0.1, 180)]


def test_a_repeated_invite_gets_the_last_provisional_response() -> None:
    bench = Bench("INVITE")
    bench.again()
    bench.respond(180)
    bench.again()
    bench.respond(183)
    bench.again()
    assert bench.statuses == [180, 180, 183, 183]


def test_a_refusal_is_repeated_by_timer_g_until_its_ack() -> None:
    bench = Bench("INVITE")
    bench.respond(486)
    bench.run(4)
    assert [time for time, _ in bench.sent] == [0, 0.5, 1.5, 3.5]
    bench.again()
    bench.ack()
    bench.ack()
    bench.again()
    bench.run(8.9)
    assert len(bench.sent) == 5
    assert len(bench.layer) == 1, "Timer I absorbs ACKs for T4"
    bench.run(9.3)
    assert len(bench.layer) == 0
    assert bench.user.acks == 0
    assert bench.user.lost == []


def test_timer_g_is_capped_by_t2_and_ended_by_timer_h() -> None:
    bench = Bench("INVITE")
    bench.respond(486)
    bench.run(100)
    assert [time for time, _ in bench.sent] == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.user.lost == ["timeout"]
    assert len(bench.layer) == 0


def test_after_a_2xx_retransmissions_are_absorbed_and_acks_passed_up() -> None:
    bench = Bench("INVITE")
    bench.respond(200)
    bench.again()
    bench.respond(486)
    bench.respond(180)
    bench.ack()
    assert bench.statuses == [200]
    assert bench.user.acks == 1
    bench.respond(200)
    assert bench.statuses == [200, 200]
    bench.run(33)
    assert len(bench.layer) == 0


def test_a_non_invite_request_is_answered_alike_until_timer_j() -> None:
    bench = Bench("OPTIONS")
    bench.again()
    assert bench.statuses == []
    bench.respond(200)
    bench.again()
    bench.respond(486)
    bench.again()
    assert bench.statuses == [200, 200, 200]
    bench.run(31.9)
    assert len(bench.layer) == 1
    bench.run(32.3)
    assert len(bench.layer) == 0


def test_a_reliable_transport_repeats_nothing() -> None:
    bench = Bench("INVITE", TCP)
    bench.respond(486)
    bench.run(10)
    assert bench.statuses == [486]
    bench.ack()
    bench.run(10.3)
    assert len(bench.layer) == 0


def test_a_lost_flow_is_told_to_the_user() -> None:
    bench = Bench("INVITE")
    bench.layer.flow_lost(UDP)
    assert bench.user.lost == ["transport"]
    assert len(bench.layer) == 1, "an INVITE that cannot be answered now may be later (RFC 6026)"
    bench.respond(486)
    bench.layer.flow_lost(UDP)
    assert len(bench.layer) == 0
    assert bench.queue.next_deadline() is None
