"""One direction of a link, packet by packet."""

import statistics
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from sipmedia.simulation import Datagram, LinkSettings, Network, Pipe

HERE, THERE = ("10.0.0.1", 4000), ("10.0.0.2", 5000)


def pipe(seed: int = 1, name: str = "a > b", **settings: Any) -> Pipe:
    return Pipe(name, seed, LinkSettings(**settings))


def arrivals(pipe: Pipe, count: int = 200, every: float = 0.02, size: int = 172) -> list[list[float]]:
    """When what was sent at 0, `every`, ... arrives."""
    return [
        [arrival for arrival, _ in pipe.carry(number * every, HERE, THERE, bytes(size))]
        for number in range(count)
    ]


def test_an_ideal_link_only_delays() -> None:
    assert arrivals(pipe(delay=0.01), 3, 0.5) == [[0.01], [0.51], [1.01]]


@pytest.mark.parametrize(
    ("shape", "mean"), [("uniform", 0.015), ("normal", 0.0239), ("exponential", 0.03), (Random.random, 0.5)]
)
def test_jitter_comes_on_top_in_the_shape_asked_for(shape: Any, mean: float) -> None:
    times = arrivals(pipe(delay=0.1, jitter=0.03, jitter_shape=shape, reorders_by_jitter=True), 20_000, 1.0)
    extra = [time - number - 0.1 for number, (time,) in enumerate(times)]
    assert min(extra) >= -1e-9
    assert statistics.fmean(extra) == pytest.approx(mean, rel=0.05)


def test_jitter_keeps_the_order_unless_told_otherwise() -> None:
    ordered = [time for (time,) in arrivals(pipe(jitter=0.1))]
    assert ordered == sorted(ordered)
    free = [time for (time,) in arrivals(pipe(jitter=0.1, reorders_by_jitter=True))]
    assert free != sorted(free)


def test_a_smaller_delay_in_mid_call_lets_nothing_overtake() -> None:
    link = pipe(delay=0.1)
    first = link.carry(0.0, HERE, THERE, b"1")
    link.set(delay=0.01)
    assert link.carry(0.02, HERE, THERE, b"2")[0][0] >= first[0][0]


def test_loss_follows_its_pattern_and_goes_on_while_other_settings_change() -> None:
    link = pipe(loss="x..x")
    assert [bool(got) for got in arrivals(link, 2)] == [False, True]
    link.set(delay=0.5)
    assert [bool(got) for got in arrivals(link, 2)] == [True, False]
    assert link.counters.lost == 2


def test_what_is_lost_does_not_depend_on_jitter() -> None:
    plain = [bool(got) for got in arrivals(pipe(loss=0.3))]
    jittery = [bool(got) for got in arrivals(pipe(loss=0.3, jitter=0.05, duplicate=0.1))]
    assert plain == jittery


def test_the_seed_and_the_name_make_the_run() -> None:
    settings: dict[str, Any] = {"loss": 0.2, "jitter": 0.03, "reorder": 0.1, "duplicate": 0.1}
    assert arrivals(pipe(seed=3, **settings)) == arrivals(pipe(seed=3, **settings))
    assert arrivals(pipe(seed=3, **settings)) != arrivals(pipe(seed=4, **settings))
    assert arrivals(pipe(seed=3, **settings)) != arrivals(pipe(seed=3, name="b > a", **settings))


def test_reordered_packets_are_overtaken() -> None:
    link = pipe(delay=0.01, reorder=0.1, reorder_delay=0.05)
    times = [time for (time,) in arrivals(link)]
    overtaken = sum(later < time for time, later in pairwise(times))
    assert overtaken > 5
    assert link.counters.reordered >= overtaken


def test_duplicates_come_twice() -> None:
    link = pipe(duplicate=0.5)
    twice = sum(len(got) == 2 for got in arrivals(link))
    assert twice == link.counters.duplicated
    assert 60 < twice < 140
    assert link.counters.delivered == 200 + twice


def test_corruption_flips_one_bit() -> None:
    link = pipe(corrupt=1.0)
    ((_, data),) = link.carry(0.0, HERE, THERE, bytes(100))
    assert len(data) == 100
    assert sum(byte.bit_count() for byte in data) == 1
    assert link.carry(0.0, HERE, THERE, b"")[0][1] == b""


def test_a_rate_makes_packets_wait_and_a_full_queue_drops_the_tail() -> None:
    # 172 bytes and 28 of headers at 16 kbit/s take 100 ms each.
    link = pipe(delay=0.0, rate_bps=16_000, queue_bytes=600)
    got = arrivals(link, 4, every=0.0)
    assert [time for times in got for time in times] == pytest.approx([0.1, 0.2, 0.3])
    assert got[3] == []
    assert link.counters.overflowed == 1
    assert link.carry(0.25, HERE, THERE, bytes(172))[0][0] == pytest.approx(0.4)


def test_drop_if_sees_the_datagram() -> None:
    link = pipe(drop_if=lambda datagram: datagram.data.startswith(b"ACK"))
    dropped: list[tuple[Datagram, str]] = []
    link.dropped = lambda datagram, why: dropped.append((datagram, why))
    assert link.carry(1.0, HERE, THERE, b"ACK sip:bob") == ()
    assert len(link.carry(2.0, HERE, THERE, b"BYE sip:bob")) == 1
    assert dropped == [(Datagram(1.0, HERE, THERE, b"ACK sip:bob"), "drop_if on a > b")]


def test_a_cut_link_carries_nothing_until_it_heals() -> None:
    link = pipe()
    link.cut()
    assert arrivals(link, 3) == [[], [], []]
    assert link.counters.cut == 3
    link.heal()
    assert [len(got) for got in arrivals(link, 1)] == [1]


def test_a_link_is_set_both_ways_or_one_way() -> None:
    network = Network()
    a, b, c = network.host("10.0.0.1"), network.host("10.0.0.2"), network.host("10.0.0.3")
    link = network.link(a, b, delay=0.05)
    assert network.link(b, a) is link
    link.towards(b).set(loss=0.5)
    assert (link.towards(b).settings.loss, link.towards(a).settings.loss) == (0.5, 0.0)
    assert link.towards(a).settings.delay == 0.05
    with pytest.raises(ValueError, match="no end at"):
        link.towards(c)
    with pytest.raises(TypeError, match="latency"):
        link.set(latency=1)


def test_streams_take_loss_as_delay() -> None:
    assert pipe(delay=0.01, loss="xx").carry_segment(0.0, 100) == pytest.approx(0.01 + 0.2 + 0.4)
    assert pipe(loss=1.0).carry_segment(0.0, 100) is None
    slow = pipe(delay=0.0, rate_bps=8_000)
    assert [slow.carry_segment(0.0, 60), slow.carry_segment(0.0, 60)] == pytest.approx([0.1, 0.2])
