"""Loss, jitter and duplicates by the formulas of RFC 3550 A.3 and A.8."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.rtp.receiver import Receiver


def receive(receiver: Receiver, *numbers: int, start: float = 10.0) -> list[int]:
    return [receiver.receive(n % 65536, n * 160, start + n * 0.02) for n in numbers]


def test_loss_and_the_fraction_since_the_last_report() -> None:
    receiver = Receiver(1, 8000)
    receive(receiver, 0, 1, 2, 4, 5, 7)
    assert receiver.lost == receiver.cumulative_lost == 2
    assert receiver.fraction_lost_since_last() == (2 << 8) // 8
    receive(receiver, 8, 9)
    assert receiver.fraction_lost_since_last() == 0
    receive(receiver, *range(11, 100, 2))
    assert receiver.fraction_lost_since_last() == (45 << 8) // 90


def test_duplicates_are_told_and_do_not_hide_loss_from_us_but_do_in_reports() -> None:
    receiver = Receiver(1, 8000)
    assert receive(receiver, 0, 1, 1, 3, 0)[2] == -1
    assert receiver.duplicates == 2
    assert receiver.lost == 1
    assert receiver.cumulative_lost == -1  # expected 4, received 5: as A.3 has it
    assert receiver.fraction_lost_since_last() == 0


def test_reordered_is_neither_lost_nor_duplicate() -> None:
    receiver = Receiver(1, 8000)
    receive(receiver, 0, 2, 1, 3)
    assert (receiver.reordered, receiver.lost, receiver.duplicates) == (1, 0, 0)


def test_steady_arrival_has_no_jitter_even_across_the_timestamp_wrap() -> None:
    receiver = Receiver(1, 8000)
    for n in range(100):
        receiver.receive(n, (2**32 - 8000 + n * 160) % 2**32, 5 + n * 0.02)
    assert receiver.jitter_ms == pytest.approx(0, abs=1e-6)


def test_jitter_by_hand() -> None:
    receiver = Receiver(1, 8000)
    for n, arrival in enumerate((0.0, 0.025, 0.040)):
        receiver.receive(n, n * 160, arrival)
    first = 40 / 16  # 5 ms late: 40 units
    assert receiver.jitter_ms == pytest.approx((first + (40 - first) / 16) / 8)


def test_telephone_events_say_nothing_of_jitter() -> None:
    receiver = Receiver(1, 8000)
    receiver.receive(0, 0, 0.0)
    for n in range(1, 10):
        receiver.receive(n, 160, n * 0.02, timed=False)
    assert receiver.jitter == 0


def test_highest_sequence_counts_cycles() -> None:
    receiver = Receiver(1, 8000)
    receive(receiver, 65535, 65536)
    assert receiver.extended_highest == 65536


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=200))
def test_whatever_comes_the_counts_stay_possible(numbers: list[int]) -> None:
    receiver = Receiver(1, 8000)
    for index, number in enumerate(numbers):
        receiver.receive(number, number * 160, index * 0.001)
    assert receiver.lost >= 0
    assert 0 <= receiver.fraction_lost_since_last() <= 255
    assert -0x800000 <= receiver.cumulative_lost <= 0x7FFFFF
    assert receiver.received <= len(numbers)
    assert receiver.duplicates + receiver.reordered <= receiver.received


def test_runs_of_loss_are_counted() -> None:
    receiver = Receiver(1, 8000)
    receive(receiver, 10, 11, 13, 14, 18, 19)
    assert (receiver.bursts, receiver.lost) == (2, 4)


def test_another_clock_keeps_the_jitter_in_seconds() -> None:
    receiver = Receiver(1, 8000)
    for n in range(200):
        receiver.receive(n, n * 160, n * 0.02 + 0.004 * (n % 2))
    before = receiver.jitter_ms
    assert before > 2
    receiver.follow_clock(48000)
    assert receiver.jitter_ms == pytest.approx(before)
    receiver.receive(200, 5, 4.0)
    assert receiver.jitter_ms == pytest.approx(before)
    for n in range(201, 500):
        receiver.receive(n, 5 + (n - 200) * 960, n * 0.02)
    assert receiver.jitter_ms < 0.1
