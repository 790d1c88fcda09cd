"""Is this clip in what was heard? Piece by piece, as calls lose, shift and conceal sound.

One correlation of the whole clip would fail where the jitter buffer inserted or left out a frame: from
there on nothing fits any more. So the clip is cut into pieces of half a second, and each is looked for
near where the one before it was found.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from media.frame import Samples
from sipmedia.hearing import find
from sipmedia.testing.analysis import SILENCE_DBFS, level_dbfs
from sipmedia.testing.tape import Sound

_PIECE_S = 0.5
_SEARCH_S = 0.12
_FOUND = 0.6
"""From this likeness on a piece counts as found there; another sound seldom comes near."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How well a clip was found.

    `score` is the mean likeness of its pieces, 1.0 for the same wave at any loudness and about 0.2 for
    another sound; `share` says how much of it is there at all; `offset` is where in what was heard it
    begins (seconds; negative when its beginning is missing), `drift` by how much it grew later on the way.
    """

    score: float
    share: float
    offset: float
    drift: float = 0.0


NOTHING = Likeness(0.0, 0.0, 0.0)


def likeness(clip: Sound, heard: Sound) -> Likeness:
    """Look for `clip` in `heard`; sample rates may differ."""
    if heard.rate != clip.rate:
        clip = clip.at_rate(heard.rate)
    rate = heard.rate
    pieces = _pieces(clip.samples, rate)
    if not pieces or not heard.samples.any():
        return NOTHING
    offset = _first_guess(clip.samples, [piece for _, piece in pieces], heard.samples, rate)
    scores: list[float] = []
    lags: list[int] = []
    lag = offset
    slack = round(_SEARCH_S * rate)
    for at, piece in pieces:
        start = max(0, at + lag - slack)
        match = find(piece, heard.samples[start : at + lag + len(piece) + slack], rate)
        if match.score >= _FOUND:
            lag = start + round(match.delay * rate) - at
            lags.append(lag)
        scores.append(match.score)
    if not lags:
        return Likeness(float(np.mean(scores)), 0.0, offset / rate)
    return Likeness(
        float(np.mean(scores)), len(lags) / len(scores), lags[0] / rate, (lags[-1] - lags[0]) / rate
    )


def _first_guess(clip: Samples, pieces: list[Samples], heard: Samples, rate: int) -> int:
    """Where the clip begins: as a whole, or else by the piece that is found best."""
    whole = find(clip, heard, rate)
    if whole.good or len(pieces) == 1:
        return round(whole.delay * rate)
    best_score, best_lag = whole.score, round(whole.delay * rate)
    step = max(1, len(pieces) // 8)
    for number in range(0, len(pieces), step):
        match = find(pieces[number], heard, rate)
        if match.score > best_score:
            best_score = match.score
            best_lag = round(match.delay * rate) - number * len(pieces[0])
    return best_lag


def _pieces(clip: Samples, rate: int) -> list[tuple[int, Samples]]:
    """Where each piece begins, and its samples; silent ones prove nothing and are left out."""
    size = round(_PIECE_S * rate)
    count = max(1, len(clip) // size)
    edges = [number * size for number in range(count)] + [len(clip)]
    cut = [(start, clip[start:end]) for start, end in pairwise(edges)]
    return [(start, piece) for start, piece in cut if level_dbfs(piece) >= SILENCE_DBFS]
