"""From URIs to flows."""

from __future__ import annotations

import pytest

from dialog.flow import Effect, Flow, Open, Query, Resolve, Target
from dialog.locating import Locator, is_ip_address, query_for
from dialog.timers import TimerQueue
from dialog.uri import parse_uri


class Bench:
    def __init__(self) -> None:
        self.effects: list[Effect] = []
        self.queue = TimerQueue()
        self.locator = Locator(self.queue, 32.0, self.effects.append)
        self.found: list[Flow | None] = []

    def find(self, uri: str) -> None:
        self.locator.find(parse_uri(uri), self.found.append)


TARGET = Target("UDP", ("192.0.2.2", 5060))
FLOW = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.2", 5060))
QUERY = Query("UDP", "bob.example.com", 5060)


@pytest.mark.parametrize(
    ("uri", "query"),
    [
        ("sip:bob@192.0.2.2", Query("UDP", "192.0.2.2", 5060)),
        ("sip:[2001:db8::1]:5070;transport=UDP", Query("UDP", "2001:db8::1", 5070)),
        ("sip:bob@example.com;maddr=192.0.2.9", Query("UDP", "192.0.2.9", 5060)),
        ("sip:bob@example.com;transport=tls", None),
        ("sips:bob@example.com", None),
        ("tel:+123", None),
    ],
)
def test_what_a_uri_asks_for(uri: str, query: Query | None) -> None:
    assert query_for(parse_uri(uri)) == query


def test_a_flow_is_opened_once() -> None:
    bench = Bench()
    bench.find("sip:bob@192.0.2.2")
    bench.find("sip:carol@192.0.2.2")
    assert bench.effects == [Open(TARGET)]
    bench.locator.opened(TARGET, FLOW)
    bench.find("sip:dave@192.0.2.2")
    assert bench.found == [FLOW, FLOW, FLOW]
    assert len(bench.effects) == 1
    bench.locator.lost(FLOW)
    bench.find("sip:bob@192.0.2.2")
    assert bench.effects == [Open(TARGET), Open(TARGET)]


def test_a_name_is_looked_up_once_for_all_who_wait() -> None:
    bench = Bench()
    bench.find("sip:bob@bob.example.com")
    bench.find("sip:bob@bob.example.com")
    assert bench.effects == [Resolve(QUERY)]
    bench.locator.resolved(QUERY, (("192.0.2.2", 5060), ("192.0.2.3", 5060)))
    assert bench.effects[1:] == [Open(TARGET)]
    bench.locator.opened(TARGET, FLOW)
    bench.locator.opened(TARGET, FLOW)
    bench.locator.resolved(QUERY, ())
    assert bench.found == [FLOW, FLOW]


def test_no_address_and_no_flow() -> None:
    bench = Bench()
    bench.find("sip:bob@bob.example.com")
    bench.locator.resolved(QUERY, ())
    bench.find("sip:bob@192.0.2.2")
    bench.locator.refused(TARGET)
    bench.find("tel:+123")
    assert bench.found == [None, None, None]
    assert bench.queue.next_deadline() is None


def test_a_driver_that_never_answers() -> None:
    bench = Bench()
    bench.find("sip:bob@bob.example.com")
    bench.find("sip:bob@192.0.2.2")
    bench.queue.now = 32.0
    bench.queue.run()
    assert bench.found == [None, None]


def test_addresses_and_names_are_told_apart() -> None:
    assert is_ip_address("192.0.2.1")
    assert is_ip_address("2001:db8::1")
    assert not is_ip_address("192.0.2.1.example.com")
    assert not is_ip_address("localhost")
