"""The programs that answer the calls: ours and the peers', each a process with the same arguments.

`--sip-port --uac-port --rtp-low --rtp-high --mode sig|echo|tone --ip --opt`; a program prints `READY {}`
when it listens and `STATS {...}` when SIGTERM ends it.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks import earlier
from benchmarks.tools import PEER_PYTHON, ROOT, WORK, Missing

SIP_PORT, CALLER_PORT = 5070, 5080
PROGRAMS = {
    "ours": (Path(sys.executable), ROOT / "benchmarks" / "uas.py"),
    earlier.NAME: (Path(sys.executable), earlier.uas()),
    "aiosipua": (PEER_PYTHON, ROOT / "benchmarks" / "peers" / "aiosipua_uas.py"),
    "pyvoip": (PEER_PYTHON, ROOT / "benchmarks" / "peers" / "pyvoip_uas.py"),
}


class AnsweringProgram:
    """One of `PROGRAMS`, listening on 127.0.0.1:5070 for the length of a `with` block."""

    def __init__(self, peer: str, mode: str, options: str = "") -> None:
        python, program = PROGRAMS[peer]
        WORK.mkdir(exist_ok=True)
        command = [
            str(python), str(program), "--sip-port", str(SIP_PORT), "--uac-port", str(CALLER_PORT),
            "--rtp-low", "20000", "--rtp-high", "30000", "--mode", mode, "--opt", options,
        ]  # fmt: skip
        # 400 calls are 800 sockets; the child gets what we may have.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        with (WORK / f"{peer}.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=earlier.environment() if peer == earlier.NAME else None,
            )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("READY"):
                break
        else:
            self._process.wait()
            self._process.stdout.close()
            raise Missing(f"{peer} did not start; see {WORK / f'{peer}.log'}")

    @property
    def cpu_s(self) -> float:
        """User and system time used so far, all threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def rss_mb(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
