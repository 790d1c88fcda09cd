"""Extended sequence numbers after RFC 3550 A.1."""

from media.rtp.sequence import MIN_SEQUENTIAL, SequenceTracker

FIRST = 65536


def feed(tracker: SequenceTracker, *numbers: int) -> list[int]:
    return [tracker.update(number % 65536) for number in numbers]


def test_numbers_go_on_past_the_wrap() -> None:
    tracker = SequenceTracker()
    assert feed(tracker, 65534, 65535, 0, 1) == [FIRST + n for n in (65534, 65535, 65536, 65537)]
    assert tracker.expected == 4


def test_out_of_order_across_the_wrap() -> None:
    tracker = SequenceTracker()
    assert feed(tracker, 65535, 1, 0, 65534) == [FIRST + n for n in (65535, 65537, 65536, 65534)]


def test_probation_wants_two_in_sequence() -> None:
    tracker = SequenceTracker(MIN_SEQUENTIAL)
    assert feed(tracker, 10, 20, 30, 31, 32) == [-1, -1, -1, FIRST + 31, FIRST + 32]
    assert tracker.expected == 2


def test_one_stray_packet_changes_nothing() -> None:
    tracker = SequenceTracker()
    assert feed(tracker, 10, 30000, 11) == [FIRST + 10, -1, FIRST + 11]
    assert tracker.restarts == 0


def test_two_in_sequence_after_a_jump_are_a_restart_and_numbers_still_grow() -> None:
    tracker = SequenceTracker()
    feed(tracker, 40000, 40001)
    lost, accepted, following = feed(tracker, 100, 101, 102)
    assert lost == -1
    assert following == accepted + 1 > FIRST + 40001
    assert tracker.restarts == 1
    assert tracker.expected == 2 + 2


def test_a_gap_below_max_dropout_is_loss() -> None:
    tracker = SequenceTracker()
    feed(tracker, 0, 2999)
    assert tracker.expected == 3000
