"""One peer program: started in its own folder, its output in a file, always ended by its own pid."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self


class PeerTimeout(AssertionError):
    """A peer did not do in time what the test waits for; the message carries the end of its output."""


class PeerProcess:
    """A child process whose standard output and error go to `folder/name.log`.

    Use it as a context manager: leaving the block ends the process (SIGTERM, then SIGKILL after two
    seconds). `wait` and `wait_for` block the calling thread; from a coroutine call them by
    `asyncio.to_thread`.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str] | None = None,
        *,
        listens_to_us: bool = False,
    ) -> None:
        self.name = name
        self.folder = folder
        self.log_path = folder / f"{name}.log"
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.PIPE if listens_to_us else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def output(self) -> str:
        """Everything printed so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def say(self, line: str) -> None:
        """Type a line into a program that was started with `listens_to_us`."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def wait(self, timeout_s: float) -> int:
        """The exit code; PeerTimeout when the process still runs after `timeout_s` seconds."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise PeerTimeout(f"{self.name} still runs after {timeout_s} s\n{self._tail()}") from None

    def wait_for(self, text: str, timeout_s: float = 10.0) -> None:
        """Return once `text` has been printed; PeerTimeout if it is not, or the process ended before."""
        deadline = time.monotonic() + timeout_s
        while text not in self.output():
            if not self.running and text not in self.output():
                raise PeerTimeout(f"{self.name} ended without printing {text!r}\n{self._tail()}")
            if time.monotonic() > deadline:
                raise PeerTimeout(f"{self.name} did not print {text!r} in {timeout_s} s\n{self._tail()}")
            time.sleep(0.05)

    def stop(self) -> int:
        """End the process if it still runs; gives its exit code."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(2)
            except subprocess.TimeoutExpired:
                self._process.kill()
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        return self._process.wait(5)

    def _tail(self) -> str:
        return self.output()[-3000:]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def until(condition: Callable[[], object], what: str, timeout_s: float, report: Callable[[], str]) -> None:
    """Return once `condition()` is true; PeerTimeout naming `what` was waited for if it is not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise PeerTimeout(f"waited {timeout_s} s for {what}\n{report()[-3000:]}")
        time.sleep(0.05)
