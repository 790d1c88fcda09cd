"""When a registrar is asked again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialog.back_off import MAX_DELAY, back_off, refresh_after, retry_after
from dialog.message import Response


@pytest.mark.parametrize(
    ("granted", "earliest", "latest"), [(3600, 2880, 3240), (600, 480, 540), (100, 54, 64), (60, 27, 33)]
)
def test_refresh_comes_early_enough_for_a_retry(granted: float, earliest: float, latest: float) -> None:
    assert refresh_after(granted, 1.0) == pytest.approx(earliest)
    assert refresh_after(granted, 0.0) == pytest.approx(latest)


def test_back_off_doubles_up_to_half_an_hour() -> None:
    """RFC 5626 section 4.5: 30 s times 2 to the power of the failures, at most 1800 s, 50 to 100 % of it."""
    assert [back_off(failures, 1.0) for failures in (1, 2, 3, 5, 6, 1000)] == [60, 120, 240, 960, 1800, 1800]
    assert back_off(1, 0.0) == 30


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_back_off_is_never_too_long_nor_nothing(failures: int, chance: float) -> None:
    assert 30 <= back_off(failures, chance) <= MAX_DELAY


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("18000;duration=3600", 18000),
        ("120 (I'm in a meeting)", 120),
        ("99999999", 86400),
        ("soon", None),
        ("-1", None),
        (None, None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    headers = [("Retry-After", value)] if value is not None else []
    assert retry_after(Response(503, headers=headers)) == seconds
