"""A call from sipp that streams mu-law by itself: we record what it plays (other codecs: test_codecs.py)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.harness import ours, sound
from tests.interop.harness import scenario as s
from tests.interop.harness.parties import Party
from tests.interop.harness.sipp import Sipp

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("sipp")]

PLAYS = s.scenario(
    "plays",
    s.invite(),
    s.expect(100, optional=True),
    s.expect(180, optional=True),
    s.expect(200),
    s.ack(),
    s.play("tune.ul"),
    s.pause(3000),
    s.bye(),
    s.expect(200),
)


def test_sipp_calls_us(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)
    tune = sound.tune(11)
    (folder / "tune.ul").write_bytes(sound.mu_law(tune))
    record = folder / "ours" / "heard.wav"
    with (
        ours.answering(folder / "ours", us, "--calls", "1", "--record", str(record)) as command,
        Sipp(peer, folder, PLAYS, target=us.bind) as sipp,
    ):
        sipp.assert_passed()
        command.assert_talked()
    sound.assert_heard(ours.heard(record), tune, at_least_s=2)
