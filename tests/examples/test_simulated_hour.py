"""examples/simulated_hour.py, three minutes of it: what it saves, and that the seed decides all of it."""

import hashlib
import json
import re
import wave
from pathlib import Path
from xml.etree import ElementTree

import pytest

from examples import simulated_hour
from examples.kit import command, options

FILES = ["a.wav", "b.wav", "call.pcapng", "ladder.svg", "quality.svg", "stats.json"]


@pytest.fixture(autouse=True)
def three_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated_hour, "MINUTES", 3)
    weather = ((0, "", {"loss": 0.02, "jitter": 0.03}), (2, "far", {"delay": 0.2}))
    monkeypatch.setattr(simulated_hour, "WEATHER", weather)
    monkeypatch.setattr(options, "seed", None)
    monkeypatch.setattr(options, "out", None)


def run(folder: Path, seed: int) -> dict[str, str]:
    """The sums of all that was saved."""
    assert command.main(["8", "--lang", "en", "--seed", str(seed), "--out", str(folder)]) == 0
    assert sorted(file.name for file in folder.iterdir()) == FILES
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}


def test_the_seed_decides_every_file(tmp_path: Path) -> None:
    once = run(tmp_path / "once", 5)
    assert run(tmp_path / "again", 5) == once
    other = run(tmp_path / "other", 6)
    # The ladder shows no lost packet of sound, and may be the same.
    assert all(other[name] != once[name] for name in FILES if name != "ladder.svg")


def test_what_is_saved_is_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, 5)
    assert not re.search("[а-яА-ЯёЁ]", capsys.readouterr().out)
    for name in ("a.wav", "b.wav"):
        with wave.open(str(tmp_path / name)) as recording:
            assert recording.getnframes() / recording.getframerate() == pytest.approx(180, abs=0.5)
    stats = json.loads((tmp_path / "stats.json").read_text())
    for party in stats["parties"].values():
        assert len(party["mos"]) == len(party["loss_percent"]) == len(party["buffer_ms"]) == 18
        audio = party["audio"]
        assert audio["packets_received"] + audio["packets_lost"] == pytest.approx(9000, abs=20)
        missed = 100 * (audio["packets_lost"] + audio["packets_late"]) / 9000
        assert sum(party["loss_percent"]) / 18 == pytest.approx(missed, abs=0.1)
        assert min(party["mos"][:11]) > 3.5
    plot = ElementTree.parse(tmp_path / "quality.svg")
    lines = [e for e in plot.iter("{http://www.w3.org/2000/svg}path") if e.get("class") == "line"]
    assert len(lines) == 6
    assert all((e.get("d") or "").count("L") == 17 for e in lines)


def test_a_folder_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert command.main(["8", "--lang", "en", "--out", str(tmp_path / "file" / "folder")]) == 1
    assert "❌ Example 8 did not succeed: cannot save in " in capsys.readouterr().err
