"""The measuring programs: where they are, the peers' environment, and one measurement as a dictionary.

The load generators are no part of this project. They are looked for in `../shared/bench` beside the
checkout, or in `$SIPMEDIA_BENCH`: `mediabench.py` (calls with RTP) and `sigbench.py` (calls by sipp).
They start `benchmarks/uas.py` for "ours", and the peers' own programs for the others.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".bench"
PEER_PYTHON = WORK / "venv" / "bin" / "python"
PEER_PACKAGES = ("aiosipua", "aiortp", "pyVoIP", "audioop-lts; python_version >= '3.13'")
UAS = ROOT / "benchmarks" / "uas.py"

Result = dict[str, Any]


class Missing(Exception):
    """Something a measurement cannot do without is not here; the text says what, and what to do."""


def generators() -> Path:
    """The folder of the load generators; Missing when they, or the programs they need, are not here."""
    folder = Path(os.environ.get("SIPMEDIA_BENCH", ROOT.parent / "shared" / "bench"))
    if not (folder / "mediabench.py").exists():
        raise Missing(f"no load generators at {folder}: set SIPMEDIA_BENCH to the folder of mediabench.py")
    for program, package in (("sipp", "sip-tester"), ("gcc", "gcc"), ("chrt", "util-linux")):
        if shutil.which(program) is None:
            raise Missing(f"{program} is not installed (Debian: apt-get install {package})")
    return folder


def install_peers() -> None:
    """Make the virtual environment of the peers, once; Missing when pip cannot."""
    stamp = WORK / "venv" / ".installed"
    if stamp.exists() and stamp.read_text() == "\n".join(PEER_PACKAGES):
        return
    WORK.mkdir(exist_ok=True)
    if not PEER_PYTHON.exists():
        subprocess.run([sys.executable, "-m", "venv", str(WORK / "venv")], check=True)
    print("installing the peers into .bench/venv ...", file=sys.stderr)
    command = [str(PEER_PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*command, *PEER_PACKAGES]).returncode != 0:
        raise Missing("pip could not install the peers (aiosipua, aiortp, pyVoIP); is there a network?")
    stamp.write_text("\n".join(PEER_PACKAGES))


def _run(folder: Path, program: str, *arguments: object) -> Result:
    environment = {
        **os.environ,
        "BENCH_WORK": str(WORK),
        "PEERS_PYTHON": str(PEER_PYTHON),
        "SIPMEDIA_PYTHON": sys.executable,
        "SIPMEDIA_UAS": str(UAS),
    }
    command = [sys.executable, str(folder / program), *(str(a) for a in arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT, timeout=300)
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return {"error": reason, "command": " ".join(str(a) for a in (program, *arguments))}
    result: Result = json.loads(lines[-1])
    return {**result, "command": " ".join(str(a) for a in (program, *arguments))}


def media(folder: Path, peer: str, calls: int, seconds: float, options: str = "") -> Result:
    """`calls` echo calls for `seconds`."""
    return _run(folder, "mediabench.py", peer, calls, seconds, "echo", options)


def echo(folder: Path, peer: str, seconds: float) -> Result:
    """Four echo calls, and how late and how exact their echo is."""
    return _run(folder, "mediabench.py", peer, "echo", seconds)


def signalling(folder: Path, peer: str, rate: int, seconds: float, mode: str) -> Result:
    """`rate` calls a second, with ("echo") or without ("sig") a media session each."""
    return _run(folder, "sigbench.py", peer, rate, seconds, mode)


def idle_cpu_percent(seconds: float) -> float:
    """CPU of our answering program while nobody calls, in percent of a core."""
    command = [sys.executable, str(UAS), "--sip-port", "5070", "--mode", "echo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("READY"):
                raise Missing(f"benchmarks/uas.py did not start: {line!r}")
            time.sleep(1)
            before, start = _cpu_s(process.pid), time.monotonic()
            time.sleep(seconds)
            return 100 * (_cpu_s(process.pid) - before) / (time.monotonic() - start)
        finally:
            process.terminate()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def import_seconds(runs: int) -> float:
    """The median time of `import sipmedia` in a fresh interpreter."""
    code = "import time; t = time.perf_counter(); import sipmedia; print(time.perf_counter() - t)"
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(runs)
    ]
    return sorted(times)[runs // 2]
