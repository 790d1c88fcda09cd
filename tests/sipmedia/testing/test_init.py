"""sipmedia/testing/__init__.py: its names are sorted, and all there."""

import sipmedia.testing
from sipmedia.testing import _HOMES


def test_all_is_sorted_and_each_name_has_its_home() -> None:
    assert sipmedia.testing.__all__ == sorted(name for names in _HOMES.values() for name in names)
    assert all(hasattr(sipmedia.testing, name) for name in sipmedia.testing.__all__)
    assert not hasattr(sipmedia.testing, "assert_world_peace")
