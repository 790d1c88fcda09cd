"""Directions and the frozen plan."""

import dataclasses

import pytest

from media.codec import g711
from media.plan import MediaDirection, StreamPlan


@pytest.mark.parametrize(
    ("direction", "sends", "receives", "other"),
    [
        ("sendrecv", True, True, "sendrecv"),
        ("sendonly", True, False, "recvonly"),
        ("recvonly", False, True, "sendonly"),
        ("inactive", False, False, "inactive"),
    ],
)
def test_directions(direction: str, sends: bool, receives: bool, other: str) -> None:
    ours = MediaDirection(direction)
    assert (ours.sends, ours.receives) == (sends, receives)
    assert ours.reversed is MediaDirection(other)


def test_a_plan_is_frozen() -> None:
    plan = StreamPlan(g711.PCMU, 0, {0: g711.PCMU})
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(plan, "ptime_ms", 10)  # noqa: B010
