"""dialog/keep_alive.py: which flows are pinged, and when silence is the end of one."""

from __future__ import annotations

from random import Random

import pytest

from dialog.config import UserAgentConfig
from dialog.connections import PING, PONG
from dialog.core import Core
from dialog.flow import Close, Effect, Flow, Send, Target
from dialog.keep_alive import FIRST_PING, PONG_WITHIN, STREAM_INTERVAL, UDP_INTERVAL, KeepAlives

HERE, SERVER = ("192.0.2.1", 5060), ("192.0.2.50", 5060)
UDP = Flow("UDP", HERE, SERVER)
TCP = Flow("TCP", HERE, SERVER, 1)


class Bench:
    """A core with a connection to a server that answers pings, ignores them, or pings itself."""

    def __init__(self, pongs: bool = True) -> None:
        self.now = 1000.0
        self.pongs = pongs
        self.core = Core(UserAgentConfig(bind=HERE), Random(1), lambda: self.now, lambda: None)
        self.core.flow_opened(Target("TCP", SERVER), TCP, self.now)
        self.keep_alives = KeepAlives(self.core)
        self.pings: list[float] = []
        self.closed: list[float] = []
        self.sent: list[bytes] = []

    def keep(
        self, flow: Flow, flow_timer: int | None = None, *, outbound: bool = False, behind_nat: bool = False
    ) -> None:
        self.keep_alives.keep(flow, flow_timer, outbound, behind_nat)

    def carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Close):
                self.closed.append(self.now)
            elif isinstance(effect, Send):
                self.sent.append(effect.data)
                if effect.data == PING:
                    self.pings.append(self.now)
                    if self.pongs and effect.flow.connection:
                        self.hear(PONG)

    def hear(self, data: bytes) -> None:
        self.core.receive(TCP, data, self.now)
        self.carry_out(self.core.take_effects())

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (deadline := self.core.next_deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.core.handle_timer(self.now)
            self.carry_out(self.core.take_effects())
        self.now = end


def test_datagrams_only_where_they_are_needed() -> None:
    bench = Bench()
    bench.keep(UDP)
    bench.wait(100)
    assert bench.pings == []
    bench.keep(UDP, behind_nat=True)
    bench.wait(UDP_INTERVAL * 10)
    assert 10 <= len(bench.pings) <= 13
    bench.keep_alives.stop(UDP)
    bench.wait(100)
    assert len(bench.pings) <= 13
    assert bench.closed == []


def test_a_connection_is_pinged_soon_and_then_seldom() -> None:
    bench = Bench()
    bench.keep(TCP)
    bench.wait(FIRST_PING)
    assert len(bench.pings) == 1
    bench.wait(STREAM_INTERVAL * 10)
    assert 11 <= len(bench.pings) <= 14
    assert bench.closed == []


def test_the_far_end_s_patience_counts() -> None:
    bench = Bench()
    bench.keep(TCP, 10)
    bench.wait(101)
    assert 11 <= len(bench.pings) <= 14


def test_silence_is_the_end_where_pings_were_answered() -> None:
    bench = Bench()
    bench.keep(TCP)
    bench.wait(FIRST_PING)
    bench.pongs = False
    bench.wait(STREAM_INTERVAL + PONG_WITHIN)
    assert bench.closed == [bench.pings[1] + PONG_WITHIN]


@pytest.mark.parametrize("how", ["outbound", "flow timer"])
def test_silence_is_the_end_where_answers_were_promised(how: str) -> None:
    bench = Bench(pongs=False)
    bench.keep(TCP, 120 if how == "flow timer" else None, outbound=how == "outbound")
    bench.wait(FIRST_PING + PONG_WITHIN)
    assert bench.closed == [bench.pings[0] + PONG_WITHIN]


def test_a_server_that_knows_no_pings_keeps_its_connection() -> None:
    """Behind a NAT, too: what keeps that open is that something is sent."""
    bench = Bench(pongs=False)
    bench.keep(TCP, behind_nat=True)
    bench.wait(3600)
    assert len(bench.pings) > 29
    assert bench.closed == []


def test_its_own_pings_are_answered_all_the_same() -> None:
    """They are no answers to ours, which it has ignored."""
    bench = Bench(pongs=False)
    bench.keep(TCP)
    bench.wait(STREAM_INTERVAL * 3)
    bench.hear(PING)
    assert bench.sent[-1] == PONG
    bench.wait(STREAM_INTERVAL * 3)
    assert bench.closed == []


def test_what_else_is_heard_is_an_answer() -> None:
    bench = Bench(pongs=False)
    bench.keep(TCP, outbound=True)
    bench.wait(FIRST_PING)
    bench.hear(b"OPTIONS")
    bench.wait(PONG_WITHIN)
    assert bench.closed == []
