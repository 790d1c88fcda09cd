"""The public names of the package."""

from __future__ import annotations

import dialog


def test_exported_names() -> None:
    assert sorted(dialog.__all__) == dialog.__all__
    for name in dialog.__all__:
        assert getattr(dialog, name).__module__.startswith("dialog.")
