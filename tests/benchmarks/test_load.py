"""The benchmark's ear: what it says of an echo whose delay and damage are known."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from benchmarks.load import echo_quality
from benchmarks.run import Bench, table
from benchmarks.tools import Result

FRAME_S = 0.02


def record(path: Path, delay_s: float, damaged: bool = False) -> Path:
    """Two seconds of noise and its echo, as load.c writes them."""
    draw = random.Random(1)
    frames = []
    for number in range(100):
        at = 1000.0 + number * FRAME_S
        payload = bytes(draw.randrange(0x18, 0x60) | draw.choice((0, 0x80)) for _ in range(160))
        heard = bytes(b ^ 0x80 if damaged and i % 40 == 0 else b for i, b in enumerate(payload))
        frames += [(at, b"S", payload), (at + delay_s, b"R", heard)]
    frames.sort()
    path.write_bytes(b"".join(struct.pack("=cdH", kind, at, 160) + data for at, kind, data in frames))
    return path


def test_a_perfect_echo(tmp_path: Path) -> None:
    quality = echo_quality(record(tmp_path / "echo.bin", 0.033))
    assert quality["delay_ms_first"] == pytest.approx(33.0, abs=0.1)
    assert quality["delay_ms_last"] == pytest.approx(33.0, abs=0.1)
    assert quality["snr_db_min"] > 100


def test_a_damaged_echo(tmp_path: Path) -> None:
    assert echo_quality(record(tmp_path / "echo.bin", 0.033, damaged=True))["snr_db_min"] < 30


class FixedGenerators:
    """Gives every measurement the same result."""

    name = "fixed"

    def media(self, peer: str, calls: int, seconds: float, options: str = "") -> Result:
        cost = {"ours": 0.05, "aiosipua": 0.3, "pyvoip": 0.6}[peer]
        values = {"cpu_pct_per_call": cost, "dev_p99_ms": 1.0, "silent_calls": 0, "rss_mb": 30 + calls / 10}
        return {"command": f"{peer} {calls}", **values}

    def echo(self, peer: str, seconds: float) -> Result:
        call = {"delay_ms_first": 30.0, "delay_ms_last": 50.0, "snr_db_min": 150.0}
        return {"command": peer, "calls": [call]}

    def signalling(self, peer: str, rate: int, seconds: float, mode: str) -> Result:
        if peer == "ours" and rate == 800:
            return {"command": "ours", "error": "it died"}
        return {"command": peer, "cpu_ms_per_call": 0.5, "ok": 10, "failed": 0}


def test_the_figures_and_their_verdicts() -> None:
    bench = Bench(FixedGenerators(), quick=True)
    bench.echo_calls()
    bench.echo_delay()
    bench.call_setup()
    verdicts = {figure.name: figure.reached for figure in bench.figures}
    assert verdicts["CPU per PCMU echo call, 100 calls (pyVoIP: 25)"] is True
    assert verdicts["memory per call, 200 calls"] is True
    assert verdicts["echo delay at the start"] is True
    assert verdicts["echo delay at the end"] is False
    assert verdicts["failed calls, signalling only, 800/s"] is None
    assert table(bench.figures).row_count == len(bench.figures)
