"""How many seeds a test tries that has a thousand of them.

`make test` tries the first tenth, so that a person waits a minute and a half; SIPMEDIA_THOROUGH=1 make test
(what CI runs) tries all of them.
"""

from __future__ import annotations

import os


def seeds(first: int, end: int) -> range:
    """All seeds from `first` up to `end`, or the first tenth of them."""
    every = range(first, end)
    return every if os.environ.get("SIPMEDIA_THOROUGH") else every[: max(1, len(every) // 10)]
