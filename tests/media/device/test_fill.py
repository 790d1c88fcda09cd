"""How full a buffer between two clocks is kept: drift is learned, lateness is remembered."""

import pytest

from media.device.drift import MAX_STEP
from media.device.fill import LEAST_MARGIN_S, FillControl

PLENTY_S = 0.02
TICK_S = 0.02


def test_a_buffer_that_fills_is_drained_gently() -> None:
    control, excess = FillControl(), 0.02
    steps = []
    for tick in range(1000):
        step = control.observe(excess, PLENTY_S, tick * TICK_S)
        steps.append(step)
        excess -= step * TICK_S  # seconds of sound a tick
    assert max(steps) <= MAX_STEP
    assert abs(excess) < 0.004


@pytest.mark.parametrize("ppm", [-150, -100, 100, 150])
def test_a_clock_that_is_off_costs_nothing_in_the_end(ppm: float) -> None:
    control, excess, worst = FillControl(), 0.0, 0.0
    for tick in range(5 * 60 * 50):
        step = control.observe(excess, PLENTY_S, tick * TICK_S)
        excess += (ppm * 1e-6 - step) * TICK_S
        worst = max(worst, abs(excess))
    assert worst < 0.002
    assert abs(excess) < 0.0002
    assert step == pytest.approx(ppm * 1e-6, abs=1e-5)
    control.restart()
    assert control.observe(0.0, PLENTY_S, 300.0) == pytest.approx(ppm * 1e-6, abs=1e-5)  # it is known


def test_late_callbacks_are_not_taken_for_drift() -> None:
    control = FillControl()
    steps = [
        control.observe(-0.008 if tick % 3 == 0 else 0.0, PLENTY_S, tick * TICK_S) for tick in range(200)
    ]
    assert max(map(abs, steps)) < 1e-6


def test_a_near_miss_is_enough_for_a_larger_margin_which_is_kept_while_it_comes_again() -> None:
    control, now = FillControl(), 0.0
    grown = 0.0
    for second in range(100):
        for tick in range(50):
            now = second + tick * TICK_S
            nearly = second % 20 == 5 and tick == 7
            least = control.margin_s - LEAST_MARGIN_S + 0.0005
            control.observe(0.0, least if nearly else PLENTY_S, now)
        if second >= 5:
            grown = grown or control.margin_s
            assert control.margin_s == grown > LEAST_MARGIN_S + 0.002
    for tick in range(120 * 50):
        control.observe(0.0, PLENTY_S, now + tick * TICK_S)
    assert control.margin_s == LEAST_MARGIN_S


def test_one_stall_is_not_taken_for_what_is_usual_but_many_are() -> None:
    control = FillControl()
    for tick in range(20):
        control.observe(0.0, -0.5, tick * TICK_S)
        control.ran_dry(tick * TICK_S)
    assert control.margin_s == pytest.approx(LEAST_MARGIN_S + 0.01)
    control.ran_dry(5.0)
    assert control.margin_s == pytest.approx(LEAST_MARGIN_S + 0.02)


def test_a_buffer_that_goes_along_has_the_others_steps_and_a_margin_for_both() -> None:
    leader, follower = FillControl(), FillControl()
    for tick in range(500):
        now = tick * TICK_S
        step = leader.observe(0.003, PLENTY_S, now)
        follower.follow(leader)
        assert follower.observe(-0.001, 0.001 if tick == 7 else PLENTY_S, now) == step
    assert follower.margin_s == leader.margin_s > LEAST_MARGIN_S
