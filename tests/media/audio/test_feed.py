"""What waits to be mixed."""

import numpy as np

from media.audio.feed import Feed

N = 160


def test_blocks_come_out_as_they_went_in() -> None:
    feed = Feed(8000)
    samples = np.arange(1000, dtype=np.int16)
    for start, end in ((0, 30), (30, 170), (170, 500), (500, 1000)):
        assert feed.put(samples[start:end]) == 0
    taken = []
    while (block := feed.take()) is not None:
        assert len(block) == 80
        taken.append(block)
    assert (np.concatenate(taken) == samples[:960]).all()
    assert feed.held == 40


def test_it_is_bounded_and_the_oldest_goes() -> None:
    feed = Feed(8000)
    assert sum(feed.put(np.full(N, i, np.int16)) for i in range(100)) == 90 * N
    assert feed.held == 10 * N
    block = feed.take()
    assert block is not None
    assert set(block.tolist()) == {90}


def test_what_is_needed_now_and_then_stays() -> None:
    feed = Feed(8000)
    feed.put(np.zeros(3 * N, np.int16))
    for tick in range(100):
        for _ in range(6 if tick == 50 else 1):  # once a second all of it is used
            assert feed.take() is not None
        assert feed.trim() == 0
        feed.put(np.zeros(3 * N if tick == 50 else 80, np.int16))


def test_what_is_never_needed_goes_after_a_second() -> None:
    feed = Feed(8000)
    feed.put(np.zeros(3 * N + 40, np.int16))
    let_go = []
    for _ in range(200):
        feed.take()
        let_go.append(feed.trim())
        feed.put(np.zeros(80, np.int16))
    assert [n for n in let_go if n] == [400]
    assert let_go[99] == 400
    assert feed.held == 80 + 40
