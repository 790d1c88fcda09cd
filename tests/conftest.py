"""What all tests share: where the test data that nobody on this project wrote is found."""

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings

# Property tests try the same examples on every run, so that a red run is red again. To look for new
# failures instead: SIPMEDIA_EXPLORE=1 make test; what they find becomes a named case.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile("explore" if os.environ.get("SIPMEDIA_EXPLORE") else "repeatable")

# No test shall open the microphone of whoever runs it; those that mean devices name them.
os.environ["SIPMEDIA_DEVICES"] = "off"

ROOT = Path(__file__).resolve().parent.parent
INTEROP = Path(__file__).resolve().parent / "interop"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make test` runs the tests in two parts; without the option a run is whole."""
    parser.addoption(
        "--part",
        choices=("together", "alone"),
        help="together: only what may run beside other tests; alone: only tests/interop, whose calls with "
        "other programs are timed by the clock and need cores that are free",
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: some tests wait for sound that takes its time."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_finish() -> None:
    """Thousands of collected tests need not be looked through again and again: 6 % of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.hookimpl(tryfirst=True)
def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What the other part runs need not even be imported."""
    part = config.getoption("--part")
    interop = collection_path == INTEROP or INTEROP in collection_path.parents
    others = (part == "together" and interop) or (
        part == "alone" and collection_path.suffix == ".py" and not interop
    )
    return others or None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What was named on the command line is collected all the same, and left out here."""
    part = config.getoption("--part")
    if part is None:
        return
    chosen = [item for item in items if (INTEROP in item.path.parents) == (part == "alone")]
    config.hook.pytest_deselected(items=[item for item in items if item not in set(chosen)])
    items[:] = chosen


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """The folder of shared fixtures: $SIPMEDIA_FIXTURES, or ../shared/fixtures beside the checkout."""
    folder = Path(os.environ.get("SIPMEDIA_FIXTURES", ROOT.parent / "shared" / "fixtures"))
    if not folder.is_dir():
        pytest.skip(f"no shared fixtures at {folder} (set SIPMEDIA_FIXTURES to their folder)")
    return folder
