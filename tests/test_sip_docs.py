"""The table of docs/sip.md names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_every_test_it_names_exists() -> None:
    text = (ROOT / "docs" / "sip.md").read_text()
    named = set(re.findall(r"`([\w/]+/test_\w+\.py)`", text))
    assert len(named) > 40
    missing = sorted(name for name in named if not (ROOT / "tests" / name).is_file())
    assert missing == []


def test_every_test_of_sip_is_named() -> None:
    """What is tested in the rooms of transfer, subscriptions and calls is something a reader may look for."""
    text = (ROOT / "docs" / "sip.md").read_text()
    for path in sorted((ROOT / "tests" / "dialog" / "usage").glob("test_*.py")):
        assert f"dialog/usage/{path.name}" in text, path.name
