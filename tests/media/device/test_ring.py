"""The ring buffer: what goes in comes out once, in order, and what does not fit is counted."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from media.device.ring import RingBuffer


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12)), max_size=60))
def test_is_a_queue_that_forgets_what_does_not_fit(moves: list[tuple[bool, int]]) -> None:
    ring, number, lost = RingBuffer(10), 0, 0
    model: list[int] = []
    for writes, n in moves:
        if writes:
            new = list(range(number, number + n))
            number += n
            taken = ring.write(np.array(new, np.int16).data)
            lost += n - taken
            assert taken == min(n, 10 - len(model))
            model += new[:taken]
        else:
            out = np.full(n, -1, np.int16)
            got = ring.read_into(out.data)
            assert got == min(n, len(model))
            assert out[:got].tolist() == model[:got]
            assert (out[got:] == -1).all()
            model = model[got:]
        assert len(ring) == len(model)
    assert ring.overrun == lost
    assert ring.written - ring.consumed == len(model)


def test_skips_the_oldest() -> None:
    ring = RingBuffer(8)
    ring.write(np.arange(6, dtype=np.int16).data)
    assert ring.skip(4) == 4
    assert ring.skip(9) == 2
    assert len(ring) == 0
