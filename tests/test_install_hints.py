"""What messages and docs tell to install can be installed: we are not on PyPI, and extras have names."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
WHERE = [
    "README.md",
    *(f"{folder}/**/*.{kind}" for folder in ("dialog", "media", "sipmedia", "docs") for kind in ("py", "md")),
]


def test_extras_are_installed_from_the_checkout() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = set(tomllib.load(file)["project"]["optional-dependencies"])
    hinted = set()
    for pattern in WHERE:
        for path in ROOT.glob(pattern):
            text = path.read_text(encoding="utf-8")
            assert "sipmedia[" not in text, path
            hinted |= set(re.findall(r"'\.\[(\w+)\]'", text))
    assert {"aec", "keyring", "opus", "ws"} <= hinted <= extras
