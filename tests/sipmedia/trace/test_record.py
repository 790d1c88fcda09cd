"""sipmedia/trace/record.py: what is kept, in which order, and what is marked as sent again."""

import pytest

from sipmedia.trace import CallTrace, call_id_of


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"INVITE sip:a@b SIP/2.0\r\nCall-ID: x@1\r\n\r\n", "x@1"),
        (b"SIP/2.0 200 OK\r\nVia: v\r\ni:  y\r\nCSeq: 1 A\r\n\r\n", "y"),
        (b"BYE sip:a@b SIP/2.0\r\nVia: v\r\n\r\nCall-ID: in the body\r\n", None),
        (b"SIP/2.0 200 OK\r\nCall-ID: unfinished\r\nCSeq: 1 BYE\r\n", "unfinished"),
        (b"SIP/2.0 200 OK\nCall-ID: unix\n\nCall-ID: in the body\n", "unix"),
        (b"\r\n\r\nINVITE sip:a@b SIP/2.0\r\nCall-ID: late\r\n\r\n", "late"),
        (b"", None),
        (b"\r\n\r\n", None),
    ],
)
def test_call_id_is_found_in_the_head_only(data: bytes, expected: str | None) -> None:
    assert call_id_of(data) == expected


def test_entries_count_from_the_first_and_mark_what_was_sent_again(trace: CallTrace) -> None:
    entries = trace.entries()
    assert [entry.time for entry in entries[:2]] == [0.0, 0.5]
    assert [entry.retransmission for entry in entries[:3]] == [False, True, False]
    assert sum(entry.retransmission for entry in entries) == 1
    assert entries[1].detail == "sent again"


def test_the_same_bytes_the_other_way_are_not_sent_again() -> None:
    trace = CallTrace()
    trace.message(0.0, "sent", b"OPTIONS sip:x SIP/2.0\r\n\r\n")
    trace.message(0.1, "received", b"OPTIONS sip:x SIP/2.0\r\n\r\n")
    assert [entry.retransmission for entry in trace.entries()] == [False, False]


def test_sound_ends_with_the_bye_though_we_stop_a_moment_later(trace: CallTrace) -> None:
    span = trace.media_span()
    assert span is not None
    assert (round(span.start, 3), round(span.end, 3)) == (1.01, 3.0)
    assert (span.codec, span.packets) == ("PCMU", (100, 99))


def test_a_changed_codec_is_named_beside_the_first(trace: CallTrace) -> None:
    trace.media_started(102.5, "PCMU")
    trace.media_started(102.6, "G722")
    span = trace.media_span()
    assert span is not None
    assert span.codec == "PCMU, G722"


def test_no_sound_no_span() -> None:
    trace = CallTrace()
    trace.media_ended(1.0, 1, 1)
    assert trace.media_span() is None
    assert trace.entries() == []


def test_what_exceeds_the_limit_is_counted() -> None:
    trace = CallTrace(limit=2)
    for i in range(5):
        trace.message(float(i), "sent", b"ACK sip:x SIP/2.0\r\n\r\n")
    assert len(trace.entries()) == 2
    assert trace.dropped == 3
