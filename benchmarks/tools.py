"""What the parts of the benchmark share: where things are, the peers' environment, what is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".bench"
PEER_PYTHON = WORK / "venv" / "bin" / "python"
# numpy and opensip are not measured here; the shared generators' programs want the first.
PEER_PACKAGES = ("aiosipua", "aiortp", "numpy", "pyVoIP", "audioop-lts; python_version >= '3.13'")

Result = dict[str, Any]


class Missing(Exception):
    """Something a measurement cannot do without is not here; the text says what, and what to do."""


class Generators(Protocol):
    """Places the calls and measures. Every result has `command`, and `error` when it came to nothing."""

    name: str

    def media(self, peer: str, calls: int, seconds: float, options: str = "") -> Result:
        """Echo calls: cpu_pct_per_call, dev_p50_ms, dev_p99_ms, silent_calls, rss_mb, up."""
        ...

    def echo(self, peer: str, seconds: float) -> Result:
        """Echo calls: a list `calls` of delay_ms_first, delay_ms_last, snr_db_min."""
        ...

    def signalling(self, peer: str, rate: int, seconds: float, mode: str) -> Result:
        """Calls set up and torn down: cpu_ms_per_call, ok, failed."""
        ...


def require_programs(**packages: str) -> None:
    """Each keyword is a program, its value the Debian package it is in. :raises Missing:"""
    for program, package in packages.items():
        if shutil.which(program) is None:
            raise Missing(f"{program} is not installed (Debian: apt-get install {package})")


def install_peers() -> None:
    """Make the virtual environment of the peers, once. :raises Missing: when pip cannot."""
    stamp = WORK / "venv" / ".installed"
    if stamp.exists() and stamp.read_text() == "\n".join(PEER_PACKAGES):
        return
    WORK.mkdir(exist_ok=True)
    if not PEER_PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", str(WORK / "venv")], check=True)
    print("installing the peers into .bench/venv ...", file=sys.stderr)
    command = [str(PEER_PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*command, *PEER_PACKAGES], check=False).returncode != 0:
        raise Missing("pip could not install the peers (aiosipua, aiortp, pyVoIP); is there a network?")
    stamp.write_text("\n".join(PEER_PACKAGES))


def import_seconds(statement: str, runs: int) -> float:
    """The median time that an import takes in a fresh interpreter."""
    code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(runs)
    ]
    return sorted(times)[runs // 2]
