"""What interop tests share: addresses, and the rule for a machine without the peer programs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.harness import baresip as baresip_peer
from tests.interop.harness.parties import Party, parties


def require(program: str, present: bool) -> None:
    """Skip without the peer; under SIPMEDIA_REQUIRE_PEERS=1 fail, so that CI cannot pass by lacking it."""
    if present:
        return
    reason = f"{program} is not installed (Debian: apt-get install baresip sip-tester sipsak tshark)"
    if os.environ.get("SIPMEDIA_REQUIRE_PEERS") == "1":
        pytest.fail(f"SIPMEDIA_REQUIRE_PEERS=1, and {reason}")
    pytest.skip(reason)


@pytest.fixture
def sipp() -> None:
    """The test needs sipp."""
    require("sipp", shutil.which("sipp") is not None)


@pytest.fixture
def baresip() -> None:
    """The test needs baresip."""
    require("baresip", baresip_peer.available())


@pytest.fixture
def sipsak() -> None:
    """The test needs sipsak."""
    require("sipsak", shutil.which("sipsak") is not None)


@pytest.fixture(scope="session")
def addresses() -> Iterator[Party]:
    """Draw a new party with `next(addresses)`."""
    return parties()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the peers of this test run and write."""
    return tmp_path
