"""SIPp as a peer: it runs one scenario, and its exit code is the verdict (0: all calls went by it)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from .parties import Party, free_port, listens
from .process import PeerProcess

PROGRAM = "sipp"


class Sipp(PeerProcess):
    """sipp, started at once in `folder`; messages and errors are written there.

    `scenario` is XML text, the name of a built-in one ("uac", "uas"), or a file. `target` makes it the
    caller; `via` is where it sends everything instead of to the target (a relay).
    """

    def __init__(
        self,
        party: Party,
        folder: Path,
        scenario: str | Path,
        *,
        target: str | None = None,
        via: str | None = None,
        calls: int = 1,
        rate: float = 10,
        service: str = "bob",
        timeout_s: int = 20,
        options: Sequence[str] = (),
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(scenario, Path):
            what = ["-sf", str(scenario)]
        elif scenario.startswith("<?xml"):
            file = folder / "scenario.xml"
            file.write_text(scenario, encoding="latin-1")
            what = ["-sf", str(file)]
        else:
            what = ["-sn", scenario]
        command = [
            PROGRAM, *what, *([target] if target else []),
            "-i", party.host, "-p", str(party.sip_port),
            "-mi", party.host, "-mp", str(free_port(party.host) & ~1),
            "-m", str(calls), "-r", str(rate), "-s", service, "-nostdin",
            "-timeout", str(timeout_s), "-timeout_error",
            "-trace_msg", "-message_file", str(folder / "messages.log"),
            "-trace_err", "-error_file", str(folder / "errors.log"),
            *(["-rsa", via] if via else []), *options,
        ]  # fmt: skip
        super().__init__("sipp", command, folder)
        self.timeout_s = timeout_s
        if target is None:
            self._wait_listening(party)

    def _wait_listening(self, party: Party) -> None:
        """Return when its socket is there: a call before that is refused by the system."""
        deadline = time.monotonic() + 5
        while self.running and not listens(party.address) and time.monotonic() < deadline:
            time.sleep(0.02)

    def messages(self) -> str:
        """Every message sent and received so far, as sipp's trace shows them."""
        file = self.folder / "messages.log"
        return file.read_text(encoding="latin-1") if file.exists() else ""

    def assert_passed(self) -> None:
        """Wait for the end and fail with sipp's own explanation unless every call passed."""
        code = self.wait(self.timeout_s + 5)
        errors = self.folder / "errors.log"
        text = errors.read_text(encoding="latin-1") if errors.exists() else ""
        assert code == 0, f"sipp ended with {code}\n{text[-3000:]}\n{self.messages()[-4000:]}"
