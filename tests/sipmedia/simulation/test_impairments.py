"""Loss models and the checks of settings."""

from itertools import groupby
from random import Random

import pytest

from sipmedia.simulation import GilbertElliott, LinkSettings, LossPattern, RandomLoss


def lost(model: RandomLoss | GilbertElliott | LossPattern, count: int) -> list[bool]:
    decide = model.start(Random(1))
    return [decide() for _ in range(count)]


def test_random_loss_comes_in_the_share_asked_for() -> None:
    assert sum(lost(RandomLoss(0.02), 50_000)) / 50_000 == pytest.approx(0.02, abs=0.003)


@pytest.mark.parametrize(("loss", "burst"), [(0.02, 1.5), (0.05, 3.0), (0.2, 8.0)])
def test_gilbert_elliott_has_the_loss_and_the_bursts_asked_for(loss: float, burst: float) -> None:
    packets = lost(GilbertElliott.of(loss, burst), 200_000)
    bursts = [len(list(group)) for is_lost, group in groupby(packets) if is_lost]
    assert sum(packets) / len(packets) == pytest.approx(loss, rel=0.1)
    assert sum(bursts) / len(bursts) == pytest.approx(burst, rel=0.1)


def test_gilbert_elliott_may_lose_in_both_states() -> None:
    packets = lost(GilbertElliott(to_bad=0.1, to_good=0.1, loss_in_good=0.1, loss_in_bad=0.5), 100_000)
    assert sum(packets) / len(packets) == pytest.approx(0.3, abs=0.02)


def test_gilbert_elliott_says_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="burst"):
        GilbertElliott.of(0.1, 0.5)
    with pytest.raises(ValueError, match="longer"):
        GilbertElliott.of(0.9, 1.0)


def test_a_pattern_is_followed_to_its_end() -> None:
    assert lost(LossPattern("x.x"), 5) == [True, False, True, False, False]


def test_a_pattern_may_repeat_and_have_spaces() -> None:
    assert lost(LossPattern(". x", repeat=True), 5) == [False, True, False, True, False]


def test_a_pattern_may_be_booleans() -> None:
    assert lost(LossPattern([True, False]), 3) == [True, False, False]


def test_an_empty_pattern_loses_nothing() -> None:
    assert lost(LossPattern("", repeat=True), 2) == [False, False]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"delay": -1}, "delay"),
        ({"jitter": float("inf")}, "jitter"),
        ({"loss": 2}, "0.02 is 2 %"),
        ({"loss": "..?"}, "'x'"),
        ({"reorder": 1.5}, "reorder"),
        ({"duplicate": -0.1}, "duplicate"),
        ({"corrupt": 7}, "corrupt"),
        ({"rate_bps": 0}, "cut the link"),
        ({"jitter_shape": "square"}, "uniform"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LinkSettings(**settings)  # type: ignore[arg-type]
