"""From URIs to flows: RFC 3263 with a table instead of name servers."""

from __future__ import annotations

from random import Random

import pytest

from dialog.dns import Answer, Naptr, Query, Srv
from dialog.flow import Effect, Flow, Open, Resolve, Target
from dialog.locating import LARGE_PATIENCE, PENALTY, Locator, Way
from dialog.timers import TimerQueue
from dialog.uri import parse_uri

HERE = ("192.0.2.1", 5060)


class Bench:
    """A locator, and a driver that answers from tables."""

    def __init__(self, *transports: str) -> None:
        self.effects: list[Effect] = []
        self.queue = TimerQueue()
        self.locator = Locator(
            self.queue, 32.0, self.effects.append, Random(1), transports or ("UDP", "TCP", "TLS")
        )
        self.records: dict[Query, Answer] = {}
        self.refused: dict[Target, str] = {}
        self.asked: list[Query] = []
        self.opened: list[Target] = []
        self.count = 0

    def table(self, **names: tuple[str, ...]) -> None:
        for name, addresses in names.items():
            self.records[Query("ADDRESS", name.replace("_", "."))] = Answer(addresses, 60.0)

    def serve(self) -> None:
        """Answer every effect until there are none."""
        while self.effects:
            effect = self.effects.pop(0)
            if isinstance(effect, Resolve):
                self.asked.append(effect.query)
                self.locator.resolved(effect.query, self.records.get(effect.query, Answer()))
            elif isinstance(effect, Open):
                self.opened.append(effect.target)
                if effect.target in self.refused:
                    self.locator.refused(effect.target, self.refused[effect.target])
                else:
                    self.locator.opened(effect.target, self.flow(effect.target))

    def flow(self, target: Target) -> Flow:
        self.count += 1
        return Flow(target.transport, HERE, target.address, 0 if target.transport == "UDP" else self.count)

    def wait(self, seconds: float) -> None:
        self.queue.now += seconds
        self.queue.run()

    def walk(self, uri: str, *, large: bool = False, most: int = 20) -> list[Flow]:
        """Every flow that leads to a URI, in order."""
        way = self.locator.way(parse_uri(uri), large=large)
        flows: list[Flow] = []
        for _ in range(most):
            found: list[Flow | None] = []
            way.next(found.append)
            self.serve()
            assert len(found) == 1
            if found[0] is None:
                break
            flows.append(found[0])
        self.way = way
        return flows

    way: Way


def hops(flows: list[Flow]) -> list[str]:
    return [f"{flow.transport} {flow.remote[0]}:{flow.remote[1]}" for flow in flows]


def test_an_address_needs_no_looking_up_and_a_flow_is_opened_once() -> None:
    bench = Bench()
    assert hops(bench.walk("sip:bob@192.0.2.2")) == ["UDP 192.0.2.2:5060"]
    first = bench.walk("sip:carol@192.0.2.2")[0]
    assert bench.opened == [Target("UDP", ("192.0.2.2", 5060))]
    assert bench.way.reused
    assert bench.asked == []
    bench.locator.lost(first, bench.opened)
    bench.walk("sip:bob@192.0.2.2")
    assert len(bench.opened) == 2


def test_a_port_needs_only_addresses() -> None:
    bench = Bench()
    bench.table(bob_example_com=("192.0.2.2", "192.0.2.3"))
    assert hops(bench.walk("sip:bob@Bob.Example.com:5070")) == ["UDP 192.0.2.2:5070", "UDP 192.0.2.3:5070"]
    assert bench.asked == [Query("ADDRESS", "bob.example.com")]


def test_the_example_of_rfc_3263() -> None:
    # Section 4.1's records, and section 4.2's.
    bench = Bench("UDP", "TCP")
    bench.records[Query("NAPTR", "example.com")] = Answer(
        (
            Naptr(50, 50, "s", "SIPS+D2T", "_sips._tcp.example.com."),
            Naptr(90, 50, "s", "SIP+D2T", "_sip._tcp.example.com"),
            Naptr(100, 50, "s", "SIP+D2U", "_sip._udp.example.com."),
        ),
        60.0,
    )
    bench.records[Query("SRV", "_sip._tcp.example.com")] = Answer(
        (Srv(2, 0, 5060, "server2.example.com"), Srv(0, 1, 5060, "server1.example.com.")), 60.0
    )
    bench.table(server1_example_com=("192.0.2.11",), server2_example_com=("192.0.2.12",))
    assert hops(bench.walk("sip:user@example.com")) == ["TCP 192.0.2.11:5060", "TCP 192.0.2.12:5060"]


def test_without_naptr_the_services_are_asked_for_by_name() -> None:
    bench = Bench()
    bench.records[Query("SRV", "_sips._tcp.example.com")] = Answer((Srv(1, 1, 5071, "tls.example.com"),))
    bench.records[Query("SRV", "_sip._udp.example.com")] = Answer((Srv(1, 1, 5070, "udp.example.com"),))
    bench.table(tls_example_com=("192.0.2.3",), udp_example_com=("192.0.2.4", "192.0.2.5"))
    assert hops(bench.walk("sip:bob@example.com")) == [
        "UDP 192.0.2.4:5070",
        "UDP 192.0.2.5:5070",
        "TLS 192.0.2.3:5071",
    ]
    # What a certificate is to be for is the domain of the URI, wherever the records point.
    assert bench.opened[-1] == Target("TLS", ("192.0.2.3", 5071), "example.com")
    assert hops(bench.walk("sips:bob@example.com")) == ["TLS 192.0.2.3:5071"]


@pytest.mark.parametrize(
    ("uri", "hop"),
    [
        ("sip:bob@example.com", "UDP 192.0.2.2:5060"),
        ("sip:bob@example.com;transport=tcp", "TCP 192.0.2.2:5060"),
        ("sip:bob@example.com;transport=tls", "TLS 192.0.2.2:5061"),
        ("sips:bob@example.com", "TLS 192.0.2.2:5061"),
        ("sips:bob@example.com:5099", "TLS 192.0.2.2:5099"),
    ],
)
def test_without_any_records_the_host_itself(uri: str, hop: str) -> None:
    bench = Bench()
    bench.table(example_com=("192.0.2.2",))
    assert hops(bench.walk(uri)) == [hop]


def test_a_named_transport_asks_for_its_records_only() -> None:
    bench = Bench()
    bench.records[Query("SRV", "_sip._tcp.example.com")] = Answer((Srv(1, 1, 5080, "a.example.com"),))
    bench.table(a_example_com=("192.0.2.2",))
    assert hops(bench.walk("sip:bob@example.com;transport=tcp")) == ["TCP 192.0.2.2:5080"]
    assert bench.asked == [Query("SRV", "_sip._tcp.example.com"), Query("ADDRESS", "a.example.com")]


def test_a_service_that_is_decidedly_not_there() -> None:
    bench = Bench()
    bench.records[Query("SRV", "_sip._tcp.example.com")] = Answer((Srv(0, 0, 0, "."),))
    assert bench.walk("sip:bob@example.com;transport=tcp") == []
    assert bench.way.why == "example.com says that it has no such service"


def test_long_requests_try_tcp_first() -> None:
    bench = Bench()
    assert hops(bench.walk("sip:bob@192.0.2.2", large=True)) == ["TCP 192.0.2.2:5060", "UDP 192.0.2.2:5060"]
    assert hops(bench.walk("sip:bob@192.0.2.2;transport=udp", large=True)) == ["UDP 192.0.2.2:5060"]
    bench = Bench("UDP")
    assert hops(bench.walk("sip:bob@192.0.2.2", large=True)) == ["UDP 192.0.2.2:5060"]


def test_tcp_that_does_not_answer_is_not_waited_for_long() -> None:
    bench = Bench()
    found: list[Flow | None] = []
    bench.locator.way(parse_uri("sip:bob@192.0.2.2"), large=True).next(found.append)
    assert bench.effects == [Open(Target("TCP", ("192.0.2.2", 5060)))]
    bench.wait(LARGE_PATIENCE)
    bench.serve()
    assert [flow.transport for flow in found if flow] == ["UDP"]
    # And for a while it is not tried again first.
    assert hops(bench.walk("sip:bob@192.0.2.2", large=True, most=1)) == ["UDP 192.0.2.2:5060"]
    bench.wait(PENALTY)
    assert hops(bench.walk("sip:bob@192.0.2.2", large=True, most=1)) == ["TCP 192.0.2.2:5060"]


def test_who_has_nowhere_else_to_go_waits_longer_for_the_same_connection() -> None:
    bench = Bench()
    found: list[Flow | None] = []
    bench.locator.way(parse_uri("sip:bob@192.0.2.2"), large=True).next(found.append)
    bench.locator.way(parse_uri("sip:bob@192.0.2.2;transport=tcp")).next(found.append)
    bench.wait(LARGE_PATIENCE + 1)
    assert found == []
    bench.serve()
    assert [flow.transport for flow in found if flow] == ["TCP", "TCP"]
    assert bench.queue.next_deadline() is None


def test_refused_servers_are_passed_over_and_later_come_last() -> None:
    bench = Bench()
    bench.table(bob_example_com=("192.0.2.2", "192.0.2.3"))
    uri = "sip:bob@bob.example.com:5060;transport=tcp"
    bench.refused[Target("TCP", ("192.0.2.2", 5060))] = "connection refused"
    assert hops(bench.walk(uri, most=1)) == ["TCP 192.0.2.3:5060"]
    bench.refused.clear()
    assert hops(bench.walk(uri)) == ["TCP 192.0.2.3:5060", "TCP 192.0.2.2:5060"]
    bench.locator.pardon(Target("TCP", ("192.0.2.2", 5060)))
    assert hops(bench.walk(uri)) == ["TCP 192.0.2.2:5060", "TCP 192.0.2.3:5060"]


def test_the_penalty_box_is_bounded() -> None:
    bench = Bench()
    for port in range(1, 5000):
        bench.locator.penalise(Target("UDP", ("192.0.2.2", port)))
    assert len(bench.locator._penalties) <= 1024


def test_reasons_are_told() -> None:
    bench = Bench()
    bench.table(bob_example_com=("192.0.2.2",))
    bench.refused[Target("TCP", ("192.0.2.2", 5060))] = "connection refused"
    assert bench.walk("sip:bob@bob.example.com:5060;transport=tcp") == []
    assert bench.way.why == "connection refused"
    assert bench.walk("sip:bob@nowhere.example.com:5060") == []
    assert bench.way.why == "there is no host nowhere.example.com"
    assert bench.walk("tel:+123") == []
    assert "tel:" in bench.way.why


def test_a_question_is_asked_once_for_all_who_wait_and_kept_for_its_time() -> None:
    bench = Bench()
    bench.table(bob_example_com=("192.0.2.2",))
    found: list[Flow | None] = []
    for _ in range(3):
        bench.locator.way(parse_uri("sip:bob@bob.example.com:5060")).next(found.append)
    assert bench.effects == [Resolve(Query("ADDRESS", "bob.example.com"))]
    bench.serve()
    assert len(found) == 3
    bench.walk("sip:bob@bob.example.com:5060")
    assert len(bench.asked) == 1
    bench.wait(61)
    bench.walk("sip:bob@bob.example.com:5060")
    assert len(bench.asked) == 2


def test_a_driver_that_never_answers() -> None:
    bench = Bench()
    found: list[Flow | None] = []
    lost, unheard = (
        bench.locator.way(parse_uri("sip:bob@bob.example.com:5060")),
        parse_uri("sip:bob@192.0.2.2"),
    )
    lost.next(found.append)
    bench.locator.way(unheard).next(found.append)
    bench.wait(32.0)
    assert found == [None, None]
    assert lost.why == "the name servers do not answer (asked for bob.example.com)"
    assert bench.queue.next_deadline() is None
    # Silence is no answer: it is asked again the next time.
    bench.effects.clear()
    bench.table(bob_example_com=("192.0.2.2",))
    assert hops(bench.walk("sip:bob@bob.example.com:5060")) == ["UDP 192.0.2.2:5060"]


def test_name_servers_that_hang_take_no_longer_than_a_transaction() -> None:
    bench = Bench()
    found: list[Flow | None] = []
    way = bench.locator.way(parse_uri("sip:bob@bob.example.com"))
    way.next(found.append)
    for _ in range(32):
        bench.wait(1.0)
    assert found == [None]
    assert "do not answer" in way.why


def test_late_answers_harm_nobody() -> None:
    bench = Bench()
    bench.locator.resolved(Query("SRV", "_sip._udp.example.com"), Answer())
    bench.locator.refused(Target("UDP", ("192.0.2.2", 5060)), "late")
    bench.locator.opened(Target("UDP", ("192.0.2.2", 5060)), Flow("UDP", HERE, ("192.0.2.2", 5060)))
    assert bench.effects == []


def test_a_broken_connection_is_made_anew() -> None:
    bench = Bench()
    way = bench.locator.way(parse_uri("sip:bob@192.0.2.2;transport=tcp"))
    found: list[Flow | None] = []
    way.next(found.append)
    bench.serve()
    first = found[0]
    assert first is not None
    assert way.target is not None
    bench.locator.lost(first, [way.target])
    way.again(found.append)
    bench.serve()
    second = found[1]
    assert second is not None
    assert second.connection != first.connection
