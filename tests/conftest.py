"""What all tests share: where the test data that nobody on this project wrote is found."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """The folder of shared fixtures: $SIPMEDIA_FIXTURES, or ../shared/fixtures beside the checkout."""
    folder = Path(os.environ.get("SIPMEDIA_FIXTURES", ROOT.parent / "shared" / "fixtures"))
    if not folder.is_dir():
        pytest.skip(f"no shared fixtures at {folder} (set SIPMEDIA_FIXTURES to their folder)")
    return folder
