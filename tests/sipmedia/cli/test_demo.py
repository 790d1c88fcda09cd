"""sipmedia/cli/demo.py and demo_command.py, with short clips: what is shown is proven, or why it is not."""

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from media import PortRange
from media.audio.synthesis import demo_clip
from sipmedia import AddressInUse
from sipmedia.cli import demo
from sipmedia.cli.demo_command import show_demo
from sipmedia.cli.exits import Exit
from sipmedia.cli.output import Output
from sipmedia.testing import Sound, write_wav
from tests.sipmedia.kit import ScriptedPeer, run

PORTS = PortRange(24600, 24700)


def short_clip(rate: int, random: Random, *, voice: str) -> NDArray[np.int16]:
    generator = np.random.default_rng(random.getrandbits(32) + len(voice))
    return (generator.normal(size=rate // 2) * np.hanning(rate // 2) * 5000).astype(np.int16)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "demo_clip", short_clip)
    monkeypatch.setattr(demo, "RINGING_S", 0.05)


def place(folder: Path, **changed: Any) -> demo.DemoReport:
    reports: list[demo.DemoReport] = []

    async def test() -> None:
        arguments: dict[str, Any] = {
            "alice_bind": "127.0.0.1:0",
            "bob_bind": "127.0.0.1:0",
            "ports": PORTS,
        } | changed
        reports.append(await demo.run_demo(folder, **arguments))

    run(test())
    return reports[0]


def test_each_hears_the_other(tmp_path: Path) -> None:
    steps: list[str] = []
    report = place(tmp_path / "new" / "folder", on_step=lambda name, sentence: steps.append(name))
    assert report.failures == ()
    assert [(each.listener, each.speaker, each.good) for each in report.heard] == [
        ("alice", "bob", True),
        ("bob", "alice", True),
    ]
    assert all(each.delay_ms is not None and 0 < each.delay_ms < 500 for each in report.heard)
    assert report.keys == {"alice": demo.BOB_KEYS, "bob": demo.ALICE_KEYS}
    assert all(path.stat().st_size for path in report.files)
    assert set(steps) == set(demo.STEPS)


def test_another_sound_is_not_taken_for_the_right_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Liar(demo._Mouth):
        def __init__(self, party: Any, rate: int) -> None:
            super().__init__(party, rate)
            if party.name == "bob":
                self._samples = self._samples[::-1].copy()

    monkeypatch.setattr(demo, "_Mouth", Liar)
    report = place(tmp_path)
    assert [each.good for each in report.heard] == [False, True]
    assert report.failures[0].startswith("alice did not hear bob: correlation 0.")


def test_what_the_jitter_buffer_left_out_on_a_busy_machine_is_no_failure(tmp_path: Path) -> None:
    said, other = (demo_clip(8000, Random(seed), voice="low") for seed in (1, 2))
    heard = np.concatenate((np.zeros(320, np.int16), said[:9000], said[9160:22000], said[22120:]))
    silence = np.zeros(160, np.int16)  # she spoke before she heard, and there the recording begins
    write_wav(tmp_path / "alice-heard.wav", Sound(np.concatenate((silence, heard))))
    alice = demo._Party("alice", listened_at=5.0, heard=[heard])
    right = demo._compare(tmp_path, alice, demo._Party("bob", said, spoke_at=5.0))
    assert right.good
    assert right.delay_ms == pytest.approx(40, abs=1)
    wrong = demo._compare(tmp_path, alice, demo._Party("bob", other, spoke_at=5.0))
    assert not wrong.good
    assert wrong.delay_ms is None


def test_the_command_fails_when_the_proof_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "THRESHOLD", 1.1)

    async def test() -> None:
        code = await show_demo(
            tmp_path,
            Output(),
            alice_bind="127.0.0.1:0",
            bob_bind="127.0.0.1:0",
            rtp_ports=str(PORTS),
            codecs=(),
        )
        assert code is Exit.NO_AUDIO

    run(test())
    captured = capsys.readouterr()
    assert "✘ alice heard bob" in captured.out
    assert "did not hear" in captured.err


def test_a_taken_port_is_named_and_nothing_is_left_behind(tmp_path: Path) -> None:
    async def test() -> None:
        async with ScriptedPeer() as peer:
            with pytest.raises(AddressInUse, match=str(peer.port)):
                await demo.run_demo(
                    tmp_path / "x", alice_bind="127.0.0.1:0", bob_bind=f"127.0.0.1:{peer.port}", ports=PORTS
                )
        assert not (tmp_path / "x").exists()

    run(test())


def test_it_can_be_interrupted(tmp_path: Path) -> None:
    async def test() -> None:
        running = asyncio.ensure_future(
            demo.run_demo(tmp_path, alice_bind="127.0.0.1:0", bob_bind="127.0.0.1:0", ports=PORTS)
        )
        while not list(tmp_path.glob("*.wav")):
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    run(test())
