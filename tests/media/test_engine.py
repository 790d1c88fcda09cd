"""The one tick of all streams."""

import pytest

from media.codec import g711
from media.engine import Engine
from media.events import StreamFailed
from tests.media.helpers.wire import A, B, Noise, Party, plan


def join(engine: Engine, *parties: Party) -> None:
    for party in parties:
        party.engine.remove_stream(party.stream, 0.0)
        party.stream.closed = False
        engine.add_stream(party.stream, party.stream.plan)


def test_the_period_is_20_ms_unless_some_ptime_needs_10() -> None:
    engine, long, short = Engine(), Party(A, plan(B)), Party(B, plan(A, ptime_ms=30))
    join(engine, long)
    engine.tick(0.0)
    assert (engine.blocks, engine.period_blocks) == (2, 2)
    join(engine, short)
    assert engine.period_blocks == 1
    engine.tick(0.02)
    assert engine.blocks == 3
    engine.remove_stream(short.stream, 0.03)
    engine.tick(0.03)  # back on the 20 ms grid
    assert (engine.blocks, engine.period_blocks) == (4, 2)


@pytest.mark.parametrize(("ptime_ms", "packets"), [(10, 120), (20, 60), (30, 40), (40, 30), (60, 20)])
def test_everybody_keeps_their_pace_beside_others(ptime_ms: int, packets: int) -> None:
    engine, one, other = Engine(), Party(A, plan(B, ptime_ms=ptime_ms)), Party(B, plan(A, ptime_ms=10))
    join(engine, one, other)
    for party in (one, other):
        party.stream.outbound.set_source(Noise())
    for block in range(120):
        engine.tick(block * 0.01)
    assert len(one.out) == packets
    assert len(other.out) == 120


def test_ticks_left_out_stand_in_the_timestamps() -> None:
    engine, party = Engine(), Party(A, plan(B))
    join(engine, party)
    before = party.stream.outbound.sender.timestamp
    engine.skip(5)
    assert (party.stream.outbound.sender.timestamp - before) % 2**32 == 5 * 160
    assert party.stream.inbound.elapsed_ms == party.stream.outbound.elapsed_ms == 100
    assert engine.blocks == 10


class Unlucky(Party):
    """Its sending fails for reasons of our own."""

    def fail(self) -> None:
        def send(now: float) -> None:
            raise ZeroDivisionError

        setattr(self.stream, "play", send)  # noqa: B010


def test_the_failure_of_one_stream_is_not_the_others(caplog: pytest.LogCaptureFixture) -> None:
    engine, unlucky, other = Engine(), Unlucky(A, plan(B)), Party(B, plan(A))
    join(engine, unlucky, other)
    unlucky.fail()
    other.stream.outbound.set_source(Noise())
    for tick in range(100):
        engine.tick(tick * 0.02)
    assert len(other.out) == 100
    assert 1 <= len(unlucky.events(StreamFailed)) <= 10
    assert unlucky.stream.statistics().source_errors == 100
    assert len(caplog.records) == 1


def test_the_codec_may_be_missing() -> None:
    party = Party(A, plan(B))
    assert party.stream.plan is not None
    party.stream.update(None)
    party.engine.tick(0.0)
    assert party.out == []
    assert g711.PCMU.sample_rate_hz == 8000
