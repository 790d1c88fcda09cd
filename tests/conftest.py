"""What all tests share: where the test data that nobody on this project wrote is found."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Property tests try the same examples on every run, so that a red run is red again. To look for new
# failures instead: SIPMEDIA_EXPLORE=1 make test; what they find becomes a named case.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("explore" if os.environ.get("SIPMEDIA_EXPLORE") else "repeatable")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """The folder of shared fixtures: $SIPMEDIA_FIXTURES, or ../shared/fixtures beside the checkout."""
    folder = Path(os.environ.get("SIPMEDIA_FIXTURES", ROOT.parent / "shared" / "fixtures"))
    if not folder.is_dir():
        pytest.skip(f"no shared fixtures at {folder} (set SIPMEDIA_FIXTURES to their folder)")
    return folder
