"""How many seeds a test tries that has a thousand of them.

`make test` tries the first twentieth, so that a person waits a minute and a half; SIPMEDIA_THOROUGH=1 make
test (what CI runs) tries all of them, and what takes long for other reasons.
"""

from __future__ import annotations

import os

import pytest

THOROUGH = bool(os.environ.get("SIPMEDIA_THOROUGH"))

long = pytest.mark.skipif(not THOROUGH, reason="takes long: SIPMEDIA_THOROUGH=1 runs it")


def seeds(first: int, end: int) -> range:
    """All seeds from `first` up to `end`, or the first twentieth of them."""
    every = range(first, end)
    return every if THOROUGH else every[: max(1, len(every) // 20)]
