"""Load generators kept outside the project: `mediabench.py` and `sigbench.py` in a folder of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks import earlier
from benchmarks.tools import PEER_PYTHON, ROOT, WORK, Missing, Result, require_programs


def folder() -> Path:
    """`$SIPMEDIA_BENCH`, or ../shared/bench beside the checkout."""
    return Path(os.environ.get("SIPMEDIA_BENCH", ROOT.parent / "shared" / "bench"))


def present() -> bool:
    """Whether they are on this machine."""
    return (folder() / "mediabench.py").exists() and (folder() / "sigbench.py").exists()


class SharedGenerators:
    """Runs them; each measurement is one process that prints one JSON line."""

    name = "the shared load generators"

    def __init__(self) -> None:
        if not present():
            raise Missing(f"no load generators in {folder()}")
        require_programs(sipp="sip-tester", gcc="gcc", chrt="util-linux")
        self._folder = folder()

    def media(self, peer: str, calls: int, seconds: float, options: str = "") -> Result:
        """`calls` echo calls for `seconds`."""
        if peer == earlier.NAME:
            theirs = {**earlier.environment(), "SIPMEDIA_UAS": str(earlier.uas())}
            result = self._run("mediabench.py", "ours", calls, seconds, "echo", options, environment=theirs)
            return {**result, "peer": peer}
        return self._run("mediabench.py", peer, calls, seconds, "echo", options)

    def echo(self, peer: str, seconds: float) -> Result:
        """Four echo calls, and how late and how exact their echo is."""
        return self._run("mediabench.py", peer, "echo", seconds)

    def signalling(self, peer: str, rate: int, seconds: float, mode: str) -> Result:
        """`rate` calls a second, with ("echo") or without ("sig") a media session each."""
        return self._run("sigbench.py", peer, rate, seconds, mode)

    def _run(self, program: str, *arguments: object, environment: Mapping[str, str] = os.environ) -> Result:
        environment = {
            "SIPMEDIA_UAS": str(ROOT / "benchmarks" / "uas.py"),
            **environment,
            "BENCH_WORK": str(WORK),
            "PEERS_PYTHON": str(PEER_PYTHON),
            "SIPMEDIA_PYTHON": sys.executable,
        }
        command = [sys.executable, str(self._folder / program), *(str(a) for a in arguments)]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, cwd=ROOT, timeout=300, check=False
        )
        lines = done.stdout.strip().splitlines()
        named = " ".join(str(a) for a in (program, *arguments))
        if done.returncode != 0 or not lines:
            return {"error": (done.stderr.strip().splitlines() or ["no output"])[-1], "command": named}
        result: Result = json.loads(lines[-1])
        return {**result, "command": named}
