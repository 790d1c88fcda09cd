"""What the network is said to need, from the lags of its packets."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.audio.delay_target import DelayTarget


def after(lags: list[float], statistics: DelayTarget | None = None, start: float = 100.0) -> DelayTarget:
    """Packets every 20 ms with these lags in seconds."""
    statistics = statistics or DelayTarget(200.0)
    for index, lag in enumerate(lags):
        sent = start + index * 0.02
        if sent >= statistics.evaluate_at:
            statistics.evaluate(sent)
        statistics.observe(lag - 55.0)
    statistics.evaluate(start + len(lags) * 0.02)
    return statistics


def test_prompt_packets_need_nothing() -> None:
    statistics = after([0.0, 0.001] * 100)
    assert statistics.needed_ms == 0.0
    assert statistics.base == -55.0


def test_jitter_needs_what_nearly_all_packets_keep_to() -> None:
    draw = random.Random(1)
    statistics = after([draw.random() * 0.06 for _ in range(500)])
    assert statistics.needed_ms == pytest.approx(60, abs=6)


def test_a_single_burst_is_forgotten_after_some_seconds() -> None:
    burst = [0.2 - 0.02 * n for n in range(10)]
    statistics = after([0.0] * 100 + burst)
    assert statistics.needed_ms > 150
    statistics = after([0.0] * 190, statistics, 102.2)
    assert statistics.needed_ms == 0.0
    assert statistics.peak_ms(106.0) == 0.0


def test_bursts_that_come_again_are_remembered_until_they_stay_away() -> None:
    burst = [0.12 - 0.02 * n for n in range(6)]
    statistics = after(([0.0] * 194 + burst) * 3)
    assert statistics.peak_ms(112.0) == pytest.approx(120, abs=4)
    assert statistics.peak_ms(116.0) == pytest.approx(120, abs=4)
    assert statistics.peak_ms(125.0) == 0.0


def test_the_base_follows_a_slower_clock_and_a_faster_route() -> None:
    statistics = after([n * 0.02 * 500e-6 for n in range(3000)])  # a minute at 500 ppm: 30 ms
    assert statistics.base == pytest.approx(-55 + 0.029, abs=0.003)
    assert statistics.needed_ms <= 4
    statistics = after([0.0] * 10, statistics, 160.0)
    assert statistics.base == -55.0


def test_after_a_pause_what_was_long_ago_says_nothing_of_the_lag() -> None:
    statistics = DelayTarget(200.0)
    assert statistics.begin_spurt(-55.0) == 0.0
    statistics.observe(-55.0)
    assert statistics.begin_spurt(-54.97) == pytest.approx(0.03)
    assert statistics.begin_spurt(7.0) == 0.0  # its timestamps jumped
    assert statistics.base == 7.0
    for tick in range(40):
        statistics.evaluate(100.0 + tick * 0.2)
    assert statistics.begin_spurt(7.1) == 0.0


@given(st.lists(st.floats(-3.0, 3.0), max_size=200), st.floats(0.0, 400.0))
def test_whatever_comes_the_need_stays_in_its_limits(lags: list[float], most_ms: float) -> None:
    statistics = after(lags, DelayTarget(most_ms))
    assert 0.0 <= statistics.needed_ms <= most_ms * 1.02 + 101


def test_a_jump_forgets_what_was_behind_the_old_base() -> None:
    statistics = after([0.0] * 100 + [0.19] * 5)
    assert statistics.needed_ms > 150
    statistics.begin_spurt(-54.7)
    assert statistics.needed_ms == 0.0
    assert after([0.3] * 20, statistics, 102.2).needed_ms == 0.0


def test_the_first_packets_are_looked_at_often() -> None:
    draw = random.Random(1)
    statistics = after([draw.random() * 0.06 for _ in range(10)])
    assert statistics.needed_ms > 40
    early = DelayTarget(200.0)
    early.evaluate(1.0)
    assert early.evaluate_at < 1.1
    for _ in range(20):
        early.evaluate(early.evaluate_at)
    assert early.evaluate_at < 5.0
    late = early.evaluate_at
    early.evaluate(late)
    assert early.evaluate_at == pytest.approx(late + 0.2)
