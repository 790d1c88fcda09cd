"""sipmedia/trace/ladder.py: the ladder fits its terminal and says what happened."""

import pytest

from sipmedia.trace import CallTrace, Lane, render_text, rungs


@pytest.mark.parametrize("width", [72, 80, 96, 140])
def test_no_line_is_wider_than_asked_and_the_lanes_stand_straight(trace: CallTrace, width: int) -> None:
    lines = render_text(trace, width).splitlines()
    assert max(map(len, lines)) <= width
    left = 11
    assert {line[left] for line in lines[2:]} <= {"│", "├"}


def test_it_reads_like_the_call_went(trace: CallTrace) -> None:
    text = render_text(trace)
    in_order = [
        "alice", "127.0.0.1:5060", "alice calls bob, offers PCMU, PCMA", "sent again", "bob's phone rings",
        "bob answers with PCMU", "first sound heard", "to hold the call", "100 packets ▶ ◀ 99 packets",
        "bob hangs up", "the call is over",
    ]  # fmt: skip
    place = -1
    for words in in_order:
        found = text.find(words, place + 1)
        assert found > place, words
        place = found


def test_a_retransmission_has_a_style_of_its_own(trace: CallTrace) -> None:
    assert [rung.style for rung in rungs(trace)].count("again") == 1


def test_an_empty_trace_and_long_names_are_no_trouble() -> None:
    trace = CallTrace()
    trace.local = Lane("a" * 200, "x" * 200)
    assert max(map(len, render_text(trace, 72).splitlines())) <= 72


def test_notes_and_dropped_entries_are_shown() -> None:
    trace = CallTrace(limit=1)
    trace.note(0.0, "phone closes", "all calls are ended")
    trace.note(0.1, "again")
    text = render_text(trace)
    assert "├ phone closes" in text
    assert "1 more" in text
