"""Was it heard? One recording is looked for in another by normalised cross-correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

THRESHOLD = 0.8
"""From this score on the sound counts as heard: the same clip through PCMU scores 0.99, another below 0.3."""


@dataclass(frozen=True, slots=True)
class Match:
    """How well ``said`` was found in ``heard``: 1.0 is the same wave at any loudness, 0.0 nothing of it.

    ``delay`` is where in ``heard`` it begins, in seconds; negative when its beginning is missing.
    """

    score: float
    delay: float

    @property
    def good(self) -> bool:
        """Whether a person would call it the same sound."""
        return self.score >= THRESHOLD


def find(said: NDArray[np.int16], heard: NDArray[np.int16], sample_rate_hz: int) -> Match:
    """Look for ``said`` in ``heard``, both mono at the same rate; at least half of it must overlap."""
    a, b = said.astype(np.float64), heard.astype(np.float64)
    overlap = min(len(a), len(b)) // 2
    if overlap == 0 or not a.any() or not b.any():
        return Match(0.0, 0.0)
    size = 1 << (len(a) + len(b) - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(b, size) * np.conj(np.fft.rfft(a, size)), size)
    lags = np.arange(overlap - len(a), len(b) - overlap + 1)
    # Energy of the overlapping parts alone, so that a late start does not look like a poor match.
    energy_a, energy_b = (np.concatenate(([0.0], np.cumsum(x * x))) for x in (a, b))
    of_a = energy_a[np.minimum(len(a), len(b) - lags)] - energy_a[np.maximum(0, -lags)]
    of_b = energy_b[np.minimum(len(b), len(a) + lags)] - energy_b[np.maximum(0, lags)]
    floor = 1e-4 * max(energy_a[-1], 1.0)  # an all but silent overlap proves nothing
    scores = np.where((of_a > floor) & (of_b > floor), product[lags], 0.0)
    scores /= np.sqrt(np.maximum(of_a, 1.0) * np.maximum(of_b, 1.0))
    best = int(np.argmax(scores))
    return Match(float(min(1.0, max(0.0, scores[best]))), float(lags[best]) / sample_rate_hz)
