"""What interop tests share: addresses, and the rule for a machine without the peer programs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.harness import baresip as baresip_peer
from tests.interop.harness import linphone as linphone_peer
from tests.interop.harness.kamailio import Kamailio, Rtpengine, missing
from tests.interop.harness.parties import Party, parties

PACKAGES = (
    *("baresip", "sip-tester", "sipsak", "tshark"),
    *("kamailio", "kamailio-tls-modules", "rtpengine-daemon", "linphone-cli", "twinkle-console"),
    *("pulseaudio", "pulseaudio-utils", "libportaudio2", "libasound2-plugins"),
)


def require(program: str, present: bool) -> None:
    """Skip without the peer; under SIPMEDIA_REQUIRE_PEERS=1 fail, so that CI cannot pass by lacking it."""
    if present:
        return
    reason = f"{program} is not installed (Debian: apt-get install {' '.join(PACKAGES)})"
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
def linphone() -> None:
    """The test needs linphonec."""
    require("linphonec", linphone_peer.available())


@pytest.fixture
def kamailio() -> None:
    """The test needs Kamailio and rtpengine."""
    require(" and ".join(missing()), not missing())


@pytest.fixture(scope="session")
def proxy(addresses: Iterator[Party], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kamailio]:
    """Kamailio and rtpengine for all tests of the run: UDP, TCP and TLS, each test with users of its own."""
    require(" and ".join(missing()), not missing())
    folder = tmp_path_factory.mktemp("proxy")
    party = next(addresses)
    with Rtpengine(party.host, folder / "rtpengine") as rtpengine:
        rtpengine.wait_ready()
        with Kamailio(party, folder / "kamailio", rtpengine=rtpengine) as running:
            running.wait_ready()
            yield running


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


@pytest.fixture
def scenarios(fixtures: Path) -> Path:
    """The folder of other projects' SIPp scenarios."""
    folder = fixtures / "sipp"
    if not folder.is_dir():
        pytest.skip(f"no scenarios at {folder}")
    return folder
