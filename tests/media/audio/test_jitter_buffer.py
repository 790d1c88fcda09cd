"""The jitter buffer, by traces.

A trace is a line: a small letter is a packet (a is 0, b is 1, ...) that arrives 16 ms before the next tick, a
capital one arrives 4 ms before it; `|` is a tick, 20 ms after the last. What is played is a line of the same
letters, one place a tick: `-` is a hole, `.` nothing at all.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.audio.jitter_buffer import CAPACITY, JitterBuffer

FRAME = 160


def play(trace: str, buffer: JitterBuffer | None = None, start: int = 1000) -> str:
    buffer = buffer or JitterBuffer(8000, 20)
    now, played = 50.0, ""
    for symbol in trace.replace(" ", ""):
        if symbol != "|":
            number = ord(symbol.lower()) - ord("a")
            arrival = now + (0.004 if symbol.islower() else 0.016)
            buffer.put((start + number * FRAME) % 2**32, 0, symbol.lower().encode(), arrival)
            continue
        now += 0.02
        got = buffer.get(now)
        if got is None:
            played += "."
        elif isinstance(got, int):
            buffer.advance(FRAME)
            played += "-"
        else:
            buffer.advance(FRAME)
            played += got[1].decode()
    return played


@pytest.mark.parametrize(
    ("trace", "played"),
    [
        ("a|b|c|d|e|", "abcde"),  # a clean link
        ("A|b|c|d|", ".abc"),  # 4 ms before the tick is less than the delay: at the next one
        ("A|B|C|D|", ".abc"),
        ("A|cb|d|e|f|", ".abcd"),  # out of order, in time
        ("ba|c|d|e|", "abcd"),  # the first two out of order
        ("a|b||d|e|f|", "ab-def"),  # c is lost
        ("a|b||cd|e|f|", "ab-cde"),  # c is late: it is played still, the delay has grown
        ("a|b|d|c|e|f|g|", "ab-cdef"),
        ("A|b|d|||ce|f|", ".ab-def"),  # c comes after d was played: dropped
        ("a|b||||||", "ab-----"),  # the end of a spurt, not yet known to be one
    ],
)
def test_traces(trace: str, played: str) -> None:
    assert play(trace) == played
    assert play(trace, start=2**32 - 3 * FRAME) == played  # timestamps wrap
    assert play(trace, start=2**31 - 3 * FRAME) == played


def test_where_a_key_takes_the_place_of_sound_nothing_is_missing() -> None:
    buffer = JitterBuffer(8000, 20)
    buffer.put(1000, 0, b"a", 50.004)
    buffer.end_spurt(1000 + 2 * FRAME)  # b is lost, the key begins where c would be
    played = []
    for tick in range(1, 6):
        got = buffer.get(50 + 0.02 * tick)
        if got is not None:
            buffer.advance(FRAME)
        played.append("." if got is None else "-" if isinstance(got, int) else got[1].decode())
    assert "".join(played) == "a-..."
    buffer.put(1000 + 6 * FRAME, 0, b"g", 50.104)
    got = buffer.get(50.12)
    assert not isinstance(got, int)
    assert got is not None
    assert got[1] == b"g"
    buffer.advance(FRAME)
    buffer.end_spurt(1000 + 2 * FRAME)  # the end of that key once more: too late to end anything
    assert isinstance(buffer.get(50.14), int)


def test_a_late_packet_is_told_from_a_lost_one() -> None:
    buffer = JitterBuffer(8000, 20)
    assert play("A|b|d|||ce|f|", buffer) == ".ab-def"
    assert (buffer.late, buffer.grown) == (1, 0)
    buffer = JitterBuffer(8000, 20)
    play("a|b||d|e|f|", buffer)
    assert (buffer.late, buffer.grown, buffer.concealed) == (0, 0, 1)


def test_the_delay_grows_by_what_was_needed() -> None:
    buffer = JitterBuffer(8000, 20)
    assert play("a|b||cd|e|f|", buffer) == "ab-cde"
    assert (buffer.grown, buffer.late) == (1, 0)
    assert buffer.adjustment(50.14, 0.0) == 0.0
    assert buffer.current_delay_ms == pytest.approx(36)  # 16 at first, and the frame that was waited
    assert buffer.target_ms == pytest.approx(22 + 8)  # c was 20 ms late, as far as the histogram can tell


def test_strict_never_grows_and_drops_what_is_late() -> None:
    buffer = JitterBuffer(8000, 20, strict=True)
    assert play("a|b||cd|e|f|", buffer) == "ab-def"
    assert (buffer.grown, buffer.late) == (0, 1)


def test_a_fixed_delay_of_60_ms() -> None:
    buffer = JitterBuffer(8000, 20, delay_ms=60, strict=True)
    assert play("a|b|c|d|", buffer) == "...a"
    assert buffer.depth_ms == 60


def test_no_sound_is_missing_for_good_after_a_gap_of_a_second() -> None:
    buffer = JitterBuffer(8000, 20)
    assert play("a|b|" + 50 * "|" + "c|d|e|", buffer).endswith(".cde")  # timestamps stood still
    buffer = JitterBuffer(8000, 20)
    play("a|b|" + 50 * "|", buffer)
    assert buffer.concealed == 0
    assert play("a|b|c|", buffer, start=1000 + 52 * FRAME) == "abc"  # or ran on
    assert play("a|b|c|", buffer, start=7) == "---"  # or jump: dry, and then anew
    assert play(12 * "|" + "d|e|", buffer, start=7).endswith(".de")


def test_a_second_of_audio_at_once_does_not_leave_us_a_second_behind() -> None:
    buffer = JitterBuffer(8000, 20)
    for n in range(50):
        buffer.put(n * FRAME, 0, b"x", 10.0)
    assert buffer.depth_ms <= 300
    assert buffer.overflow >= 34


def test_packets_of_20_ms_in_frames_of_another_length() -> None:
    buffer = JitterBuffer(8000, 10)
    buffer.put(0, 0, b"a", 9.98)
    buffer.put(160, 0, b"b", 9.98)
    assert isinstance(buffer.get(10.0), tuple)
    buffer.advance(80)
    assert buffer.get(10.01) == 80  # the hole up to the next packet


def test_payloads_longer_than_their_timestamps_steps_are_played() -> None:
    buffer = JitterBuffer(8000, 20)
    for n in range(3):
        buffer.put(n * FRAME, 0, b"%d" % n, 9.98)
    heard = []
    for tick in range(3):
        got = buffer.get(10 + tick * 0.04)
        assert isinstance(got, tuple)
        buffer.advance(FRAME + 80)
        heard.append(got[1])
    assert heard == [b"0", b"1", b"2"]


puts = st.tuples(st.integers(0, 2**32 - 1) | st.integers(0, 20000), st.floats(0, 0.05))


@given(st.lists(st.one_of(st.none(), puts), max_size=300))
def test_whatever_arrives_memory_is_bounded_and_sound_comes_back(
    steps: list[tuple[int, float] | None],
) -> None:
    buffer = JitterBuffer(8000, 20)
    now = 10.0
    for step in steps:
        if step is None:
            now += 0.02
            if now >= buffer.check_at:
                assert -2000 < buffer.adjustment(now, 0.0) < 300
            if buffer.get(now) is not None:
                buffer.advance(FRAME)
        else:
            buffer.put(step[0], 0, b"x", now - step[1])
        assert len(buffer._packets) <= CAPACITY
    heard = 0
    for tick in range(60):
        now += 0.02
        buffer.put(5_000_000 + tick * FRAME, 0, b"good", now - 0.016)
        got = buffer.get(now)
        if got is not None:
            buffer.advance(FRAME)
        heard += isinstance(got, tuple) and got[1] == b"good"
    assert heard >= 25


@pytest.mark.parametrize(
    ("trace", "played"),
    [
        ("A|B|C|D|", "abcd"),  # at the next tick, however shortly before it
        ("a|b||cd|e|", "ab-de"),  # of two at once the newest
        ("a|b||d|c|e|", "ab-d-e"),  # what was passed over is too late
        ("ba|c|d|", "bcd"),
        ("a|||" + "|" * 12 + "g|h|", "a-----------...gh"),
    ],
)
def test_switched_off_nothing_waits(trace: str, played: str) -> None:
    assert play(trace, JitterBuffer(8000, 20, hold=False)) == played


def test_switched_off_two_short_packets_still_make_a_block() -> None:
    buffer = JitterBuffer(8000, 20, hold=False)
    for tick in range(5):
        for half in (0, 1):
            buffer.put(tick * 160 + half * 80, 0, b"x", 10 + tick * 0.02 - 0.01 * (1 - half))
            assert isinstance(buffer.get(10 + tick * 0.02), tuple)
            buffer.advance(80)
    assert buffer.overflow == 0
