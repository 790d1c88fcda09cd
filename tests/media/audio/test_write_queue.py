"""The write queue: what is written is sent once, in order, and accounted for to the sample."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from media.audio.write_queue import Cleared, WriteQueue
from media.errors import BadAudio, BufferFull, InvalidState
from media.frame import Samples

RATE = 8000


def ramp(n: int, start: int = 1) -> Samples:
    return np.arange(start, start + n).astype(np.int16)


@given(st.lists(st.integers(0, 700), max_size=20), st.integers(1, 400))
def test_samples_come_out_as_they_went_in(sizes: list[int], n: int) -> None:
    queue = WriteQueue(RATE)
    written: list[Samples] = []
    for size in sizes:
        written.append(ramp(size, len(written)))
        queue.write(written[-1] if size % 2 else written[-1].astype("<i2").tobytes())
    expected = np.concatenate([*written, ramp(0)])
    assert queue.pending == len(expected)
    pulled: list[Samples] = []
    while (frame := queue.pull(n)) is not None:
        assert len(frame.samples) == n
        assert frame.timestamp == n * len(pulled)
        pulled.append(frame.samples)
    out = np.concatenate([*pulled, ramp(0)])
    assert np.array_equal(out[: len(expected)], expected)
    assert not out[len(expected) :].any()
    assert len(out) - len(expected) < n
    assert queue.sent == len(expected)


def test_idle() -> None:
    assert WriteQueue(RATE).pull(160) is None
    queue = WriteQueue(RATE, idle="silence")
    first, second = queue.pull(160), queue.pull(160)
    assert first is not None
    assert second is not None
    assert not first.samples.any()
    assert (first.timestamp, second.timestamp) == (0, 160)
    assert queue.sent == 0


def test_full() -> None:
    queue = WriteQueue(RATE)
    queue.write(np.zeros(29 * RATE, np.int16))
    with pytest.raises(BufferFull) as caught:
        queue.write(np.zeros(RATE + 1, np.int16))
    assert "holds 29.0 s of at most 30.0 s, so 1.00 s more do not fit" in str(caught.value)
    assert "drain()" in str(caught.value)
    assert queue.pending == 29 * RATE
    queue.write(np.zeros(RATE, np.int16))
    assert queue.pending == 30 * RATE


def test_bad_audio_leaves_the_queue_as_it_was() -> None:
    queue = WriteQueue(RATE)
    with pytest.raises(BadAudio):
        queue.write(b"abc")
    with pytest.raises(BadAudio):
        queue.write(np.zeros(3))  # type: ignore[arg-type]
    assert queue.pending == 0


def test_clear_counts_from_the_last_one() -> None:
    queue = WriteQueue(RATE)
    queue.latency_s = 0.0
    queue.write(ramp(500))
    queue.pull(160)
    assert queue.clear() == Cleared(sent=160, dropped=340, heard_estimate=160)
    assert queue.pull(160) is None
    queue.write(ramp(100))
    queue.pull(160)
    assert queue.clear() == Cleared(sent=100, dropped=0, heard_estimate=100)


def test_what_the_far_end_has_heard() -> None:
    queue = WriteQueue(RATE)
    queue.latency_s = 0.1  # 800 samples
    queue.write(ramp(16000))
    for _ in range(10):
        queue.pull(160)
    assert queue.clear().heard_estimate == 1600 - 800
    queue.write(ramp(1600))
    for _ in range(12):  # all sent, and two packets of nothing
        queue.pull(160)
    assert queue.clear().heard_estimate == 1600 - 800 + 320
    queue.write(ramp(160))
    queue.pull(160)
    assert queue.clear() == Cleared(160, 0, 0)


def test_drained_callbacks() -> None:
    queue, calls = WriteQueue(RATE), []
    queue.add_drained_callback(lambda: calls.append("empty"))
    assert calls == ["empty"]
    queue.write(ramp(200))
    queue.add_drained_callback(lambda: calls.append("sent"))
    queue.pull(160)
    assert calls == ["empty"]
    queue.pull(160)
    assert calls == ["empty", "sent"]
    queue.write(ramp(200))
    queue.add_drained_callback(lambda: calls.append("cleared"))
    queue.clear()
    assert calls == ["empty", "sent", "cleared"]


def test_closed() -> None:
    queue, calls = WriteQueue(RATE), []
    queue.write(ramp(200))
    queue.add_drained_callback(lambda: calls.append("closed"))
    assert queue.close().dropped == 200
    assert calls == ["closed"]
    with pytest.raises(InvalidState, match="closed"):
        queue.write(ramp(1))


class Accounting(RuleBasedStateMachine):
    """In any order of calls: written = sent + dropped + pending."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = WriteQueue(RATE, limit_s=0.5)
        self.written = self.cleared = 0

    @rule(n=st.integers(0, 3000))
    def write(self, n: int) -> None:
        if self.queue.pending + n > 4000:
            with pytest.raises(BufferFull):
                self.queue.write(ramp(n))
        else:
            self.queue.write(ramp(n))
            self.written += n

    @rule(n=st.integers(1, 500))
    def pull(self, n: int) -> None:
        before = self.queue.pending
        frame = self.queue.pull(n)
        assert (frame is None) == (before == 0)
        assert self.queue.pending == max(0, before - n)

    @rule()
    def clear(self) -> None:
        cleared = self.queue.clear()
        assert 0 <= cleared.heard_estimate <= cleared.sent
        self.cleared += cleared.sent + cleared.dropped

    @invariant()
    def nothing_is_unaccounted_for(self) -> None:
        assert self.written == self.cleared + self.queue.sent + self.queue.pending


TestAccounting = Accounting.TestCase


def test_exact_between_threads() -> None:
    """A writer that clears, against a media thread that pulls: every sample is sent or dropped, once."""
    queue, stopping, sent = WriteQueue(RATE), threading.Event(), 0

    def media_thread() -> None:
        nonlocal sent
        while not stopping.is_set():
            frame = queue.pull(160)
            if frame is not None:
                sent += int(np.count_nonzero(frame.samples))

    thread = threading.Thread(target=media_thread)
    thread.start()
    total = 0
    cleared: list[Cleared] = []
    for index in range(1000):
        queue.write(ramp(400))
        total += 400
        if index % 3 == 0:
            cleared.append(queue.clear())
    stopping.set()
    thread.join()
    cleared.append(queue.clear())
    assert sum(c.sent for c in cleared) == sent
    assert sum(c.sent + c.dropped for c in cleared) == total


def test_a_mark_is_told_when_the_sample_before_it_is_sent() -> None:
    queue = WriteQueue(8000)
    told: list[tuple[str, bool]] = []

    def mark(name: str) -> None:
        queue.mark(lambda sent: told.append((name, sent)))

    mark("at once")
    assert told == [("at once", True)]
    queue.write(np.ones(160, np.int16))
    mark("first")
    mark("same place")
    queue.write(np.ones(161, np.int16))
    mark("second")
    queue.pull(160)
    assert told[1:] == [("first", True), ("same place", True)]
    queue.pull(160)
    assert len(told) == 3
    queue.pull(160)
    assert told[3:] == [("second", True)]


def test_clear_drops_marks_and_says_which_samples_went() -> None:
    queue = WriteQueue(8000)
    told: list[tuple[str, bool]] = []

    def mark(name: str) -> None:
        queue.write(np.ones(100, np.int16))
        queue.mark(lambda sent: told.append((name, sent)))

    for name in ("a", "b", "c"):
        mark(name)
    queue.pull(160)
    cleared = queue.clear()
    assert (cleared.sent, cleared.dropped) == (160, 140)
    assert told == [("a", True), ("b", False), ("c", False)]
    queue.write(np.ones(10, np.int16))
    queue.mark(lambda sent: told.append(("d", sent)))
    queue.pull(160)
    assert told[3:] == [("d", True)]
