"""sipmedia/hearing.py: a sound is found again where it was, and nowhere else."""

import numpy as np
import pytest

from sipmedia.hearing import find

RATE = 8000
GENERATOR = np.random.default_rng(7)
CLIP = (GENERATOR.normal(size=RATE) * np.hanning(RATE) * 6000).astype(np.int16)
SILENCE = np.zeros(RATE // 4, np.int16)


@pytest.mark.parametrize("gain", [1.0, 0.2])
def test_found_where_it_begins_at_any_loudness(gain: float) -> None:
    heard = np.concatenate((SILENCE, (CLIP * gain).astype(np.int16), SILENCE))
    match = find(CLIP, heard, RATE)
    assert match.good
    assert match.score > 0.99
    assert match.delay == 0.25


def test_a_missing_beginning_gives_a_negative_delay() -> None:
    match = find(CLIP, CLIP[800:], RATE)
    assert match.good
    assert match.delay == -0.1


@pytest.mark.parametrize(
    "heard",
    [
        np.zeros(RATE, np.int16),
        np.zeros(0, np.int16),
        GENERATOR.normal(scale=3000, size=2 * RATE).astype(np.int16),
        CLIP[::-1].copy(),
    ],
    ids=["silence", "nothing", "noise", "backwards"],
)
def test_other_sounds_do_not_match(heard: np.ndarray) -> None:
    assert not find(CLIP, heard, RATE).good
