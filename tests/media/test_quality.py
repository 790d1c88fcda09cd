"""The E-model against known points of G.107."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import quality


def test_a_perfect_call() -> None:
    r = quality.rating(one_way_delay_ms=0)
    assert r == 93.2
    assert quality.mos(r) == pytest.approx(4.41, abs=0.005)


@pytest.mark.parametrize(
    ("r", "mos"),
    [(100, 4.5), (90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1.0), (-5, 1.0)],
)
def test_mos_of_r(r: float, mos: float) -> None:
    """Table B.1 of G.107."""
    assert quality.mos(r) == pytest.approx(mos, abs=0.01)


@pytest.mark.parametrize(("delay_ms", "cost"), [(0, 0), (100, 0), (200, 3.0), (300, 14.3), (400, 23.5)])
def test_delay(delay_ms: float, cost: float) -> None:
    assert quality.delay_impairment(delay_ms) == pytest.approx(cost, abs=1.0)


def test_loss_by_the_formula() -> None:
    # 95 * 5 / (5 + 25.1), then 95 * 5 / (5 / 2 + 25.1)
    g711 = quality.impairment_of("pcmu")
    assert quality.loss_impairment(5, 1, g711) == pytest.approx(15.78, abs=0.005)
    assert quality.loss_impairment(5, 2, g711) == pytest.approx(17.21, abs=0.005)
    bare = quality.impairment_of("PCMA", concealment=False)
    assert quality.loss_impairment(5, 1, bare) == pytest.approx(51.08, abs=0.005)
    assert quality.impairment_of("unheard of") == g711


def test_codecs_that_carry_more_than_the_scale_measures() -> None:
    """Clean they are as good as G.711; under loss Opus, with its copies, is better off than G.722."""
    for name in ("opus", "G722", "L16"):
        assert quality.rating(one_way_delay_ms=0, codec=name) == quality.DEFAULT_R
    # 95 * 10 / (10 + 22)
    assert quality.loss_impairment(10, 1, quality.impairment_of("opus")) == pytest.approx(29.69, abs=0.005)
    lossy = {
        name: quality.rating(one_way_delay_ms=0, loss_percent=10, codec=name) for name in ("opus", "G722")
    }
    assert lossy["opus"] > lossy["G722"]


def test_burst_ratio() -> None:
    assert quality.burst_ratio(0, 3) == 1
    assert quality.burst_ratio(10, 1 / 0.9) == pytest.approx(1)
    assert quality.burst_ratio(10, 4) == pytest.approx(3.6)
    assert quality.burst_ratio(10, 1) == 1


@given(
    delay=st.floats(0, 1e6),
    loss=st.floats(-1, 200),
    burst=st.floats(0, 1e6),
    codec=st.sampled_from(["PCMU", "G722", "opus", "L16", "x"]),
    concealment=st.booleans(),
)
def test_always_a_score(delay: float, loss: float, burst: float, codec: str, concealment: bool) -> None:
    r = quality.rating(
        one_way_delay_ms=delay, loss_percent=loss, burst_ratio=burst, codec=codec, concealment=concealment
    )
    assert 0 <= r <= 100
    assert 1 <= quality.mos(r) <= 4.5


@given(st.floats(0, 100), st.floats(0, 100))
def test_more_loss_is_never_better(one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert quality.rating(one_way_delay_ms=50, loss_percent=less) >= quality.rating(
        one_way_delay_ms=50, loss_percent=more
    )


def test_intervals_are_rated_each_by_itself() -> None:
    meter = quality.QualityMeter()
    assert meter.measure(received=0, missed=0, bursts=0, delay_ms=50.0, codec="PCMU") is None
    good = meter.measure(received=250, missed=0, bursts=0, delay_ms=50.0, codec="PCMU")
    scattered = meter.measure(received=475, missed=25, bursts=25, delay_ms=50.0, codec="PCMU")
    bursty = meter.measure(received=700, missed=50, bursts=30, delay_ms=50.0, codec="PCMU")
    assert good is not None
    assert scattered is not None
    assert bursty is not None
    assert good.mos > scattered.mos > bursty.mos
    assert (good.loss_percent, scattered.loss_percent, bursty.loss_percent) == (0.0, 10.0, 10.0)
    assert bursty.burst_ratio == pytest.approx(4.5)
    assert meter.measure(received=700, missed=50, bursts=30, delay_ms=50.0, codec="PCMU") is None
    again = meter.measure(received=950, missed=50, bursts=30, delay_ms=300.0, codec="PCMU")
    assert again is not None
    assert scattered.mos < again.mos < good.mos
    assert meter.worst_mos == bursty.mos
    assert meter.last is again
