"""The schedule of RFC 3550 section 6.3."""

import random
from itertools import pairwise

import pytest

from media.rtcp.interval import Interval


def run(seconds: float, seed: int = 1) -> list[float]:
    interval = Interval(random.Random(seed), 0.0)
    interval.participants(members=2, senders=2, we_sent=True)
    sent = []
    while interval.deadline < seconds:
        now = interval.deadline
        if interval.due(now):
            interval.observe(100)
            sent.append(now)
        assert interval.deadline > now
    return sent


def test_five_seconds_apart_on_the_average_and_never_in_step() -> None:
    sent = run(5000)
    gaps = [b - a for a, b in pairwise(sent)]
    assert sum(gaps) / len(gaps) == pytest.approx(5.0, rel=0.1)
    assert min(gaps) >= 2.5 / 1.22
    assert max(gaps) <= 7.5 / 1.2
    assert sent != run(5000, seed=2)


def test_the_first_comes_after_half_the_time() -> None:
    firsts = [run(30, seed)[0] for seed in range(100)]
    assert min(firsts) > 1.0
    assert max(firsts) < 3.75 / 1.2


def test_when_the_other_leaves_the_next_report_comes_sooner() -> None:
    """Reverse reconsideration, RFC 3550 section 6.3.4."""
    interval = Interval(random.Random(1), 0.0)
    while not interval.due(interval.deadline):
        pass
    last, deadline = interval._last, interval.deadline
    now = (last + deadline) / 2
    interval.left(now, 1)
    assert interval.deadline == pytest.approx(now + (deadline - now) / 2)
    assert interval._last == pytest.approx(now - (now - last) / 2)
    interval.left(now, 1)
    assert interval.deadline == pytest.approx(now + (deadline - now) / 2)


def test_bandwidth_is_kept_with_many_members() -> None:
    interval = Interval(random.Random(1), 0.0)
    interval.participants(members=100, senders=10, we_sent=False)
    assert interval.deterministic() == pytest.approx(90 * 128 / 300)
    interval.participants(members=100, senders=10, we_sent=True)
    assert interval.deterministic() == pytest.approx(10 * 128 / 100)
    interval.participants(members=100, senders=50, we_sent=True)
    assert interval.deterministic() == pytest.approx(100 * 128 / 400)
