"""The project as it was at an earlier commit, to be measured beside what it is now in the same run."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from benchmarks.tools import ROOT, WORK, Missing

FIRST_CALL = "2e55548"
"""Calls with a fixed buffer, before buffers adapted and gaps were filled: what all that may cost."""

NAME = "earlier"
"""What load generators call the answering program of that commit."""

TREE = WORK / FIRST_CALL


def unpack() -> None:
    """Put its files into `TREE`, once. :raises Missing: without git, or where the history is not there."""
    if (TREE / "benchmarks" / "uas.py").exists():
        return
    if shutil.which("git") is None:
        raise Missing("git is not installed, so the earlier commit cannot be read")
    WORK.mkdir(exist_ok=True)
    archive = WORK / f"{FIRST_CALL}.tar"
    command = ["git", "-C", str(ROOT), "archive", f"--output={archive}", FIRST_CALL]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        raise Missing(f"commit {FIRST_CALL} is not in this checkout (a shallow clone, or none at all)")
    with tarfile.open(archive) as tar:
        tar.extractall(TREE, filter="data")
    archive.unlink()


def uas() -> Path:
    """Its answering program."""
    return TREE / "benchmarks" / "uas.py"


def environment() -> dict[str, str]:
    """With this the interpreter finds its packages before ours."""
    return {**os.environ, "PYTHONPATH": str(TREE)}
