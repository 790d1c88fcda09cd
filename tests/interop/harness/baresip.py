"""baresip as a peer: a headless configuration, a sound to play, the recording of what it heard."""

from __future__ import annotations

import json
import re
import shutil
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from .parties import Party, free_port
from .process import PeerProcess, PeerTimeout
from .sound import RATE_HZ, Samples, read_wav, write_wav

PROGRAM = "baresip"
MODULE_FOLDERS = ("/usr/lib/baresip/modules", "/usr/lib64/baresip/modules", "/usr/local/lib/baresip/modules")


def module_folder() -> Path | None:
    """Where this machine keeps baresip's modules."""
    return next((Path(f) for f in MODULE_FOLDERS if (Path(f) / "g711.so").exists()), None)


def available() -> bool:
    """Both the program and its modules are installed."""
    return shutil.which(PROGRAM) is not None and module_folder() is not None


class Control:
    """A connection to baresip's ctrl_tcp module: JSON in netstrings, responses and events mixed."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, 5)
        self._buffer = b""
        self.events: list[dict[str, object]] = []
        """The events read so far (while waiting for something)."""

    def command(self, name: str, parameters: str = "") -> dict[str, object]:
        """Run a command; gives its response."""
        text = json.dumps({"command": name, "params": parameters, "token": name}).encode()
        self._socket.sendall(b"%d:%s," % (len(text), text))
        while True:
            message = self._read(5)
            if message.get("response"):
                return message
            self.events.append(message)

    def wait_for(self, kind: str, count: int = 1, timeout_s: float = 10) -> list[dict[str, object]]:
        """Read events until `count` of type `kind` have come; gives those."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = [e for e in self.events if e.get("type") == kind]
            if len(found) >= count:
                return found
            self.events.append(self._read(max(0.01, deadline - time.monotonic())))

    def _read(self, timeout_s: float) -> dict[str, object]:
        self._socket.settimeout(timeout_s)
        while True:
            size, colon, rest = self._buffer.partition(b":")
            if colon and len(rest) > int(size):
                self._buffer = rest[int(size) + 1 :]
                message: dict[str, object] = json.loads(rest[: int(size)])
                return message
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                raise PeerTimeout(f"baresip sent no more events; so far {self.events}") from None
            if not data:
                raise PeerTimeout(f"baresip closed its control connection; events so far {self.events}")
            self._buffer += data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()


def registering(
    user: str, domain: str, password: str, proxy: str, transport: str = "udp", seconds: int = 60
) -> str:
    """The account of a user who registers with `proxy` (HOST:PORT), and sends all else there, too."""
    return (
        f"<sip:{user}@{domain};transport={transport}>;auth_user={user};auth_pass={password};regint={seconds};"
        f'outbound="sip:{proxy};transport={transport}"'
    )


class Baresip(PeerProcess):
    """baresip, started at once; it answers every call, or calls `dial`.

    `sound` is what it plays, from the beginning of the call, once; `heard()` is what came from the other
    party. `settings` are more lines of its configuration, `account` is its line in the file of accounts
    (by default one that registers nowhere). It ends by itself after `seconds`.
    """

    def __init__(
        self,
        party: Party,
        folder: Path,
        sound: Samples,
        *,
        rate_hz: int = RATE_HZ,
        codecs: Sequence[str] = ("g711",),
        dial: str | None = None,
        settings: Sequence[str] = (),
        seconds: int = 20,
        account: str | None = None,
        answers: bool | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.recordings = folder
        write_wav(folder / "play.wav", sound, rate_hz)
        self._control = party.host, free_port(party.host, socket.SOCK_STREAM)
        modules = [*codecs, "aufile", "ausine", "aubridge", "sndfile"]
        configuration = [
            *settings,
            "poll_method epoll",
            f"sip_listen {party.bind}",
            f"net_interface {party.host}",
            "call_max_calls 64",
            f"audio_source aufile,{folder / 'play.wav'}",
            "audio_player aubridge,nil",
            "audio_alert ausine,400",
            f"ausrc_srate {rate_hz}",
            f"auplay_srate {rate_hz}",
            "ausrc_channels 1",
            "auplay_channels 1",
            "audio_buffer 20-160",
            "jitter_buffer_delay 5-10",
            "rtp_ports 17100-19000",
            "rtcp_mux no",
            f"module_path {module_folder()}",
            *(f"module {name}.so" for name in modules),
            f"snd_path {folder}",
            "module_tmp uuid.so",
            "module_tmp account.so",
            "module_app menu.so",
            "module_app ctrl_tcp.so",
            f"ctrl_tcp_listen {party.host}:{self._control[1]}",
            "ringback_disabled yes",
        ]
        (folder / "config").write_text("\n".join(configuration) + "\n")
        if answers is None:
            answers = dial is None
        account = account or f"<{party.uri('bob')}>;regint=0"
        (folder / "accounts").write_text(f"{account};answermode={'auto' if answers else 'manual'}\n")
        (folder / "contacts").write_text("")
        command = [PROGRAM, "-f", str(folder), "-t", str(seconds)]
        if dial:
            command += ["-e", f"/dial {dial}"]
        super().__init__("baresip", command, folder)

    def wait_ready(self) -> None:
        """Return when it listens."""
        self.wait_for("baresip is ready")

    def wait_registered(self) -> None:
        """Return when its account is registered."""
        self.wait_for("[1 binding]")

    def command(self, name: str, parameters: str = "") -> dict[str, object]:
        """Run a menu command ("sndcode", "hangup", "hold", ...) and give its response."""
        with self.control() as control:
            return control.command(name, parameters)

    # What it does in the one call it is in, and what it has heard: as `linphone.Linphone` does it.

    def call(self, uri: str) -> None:
        """Call; it must not be in a call."""
        self.command("dial", uri)

    def hang_up(self) -> None:
        self.command("hangup")

    def hold(self) -> None:
        self.command("hold")

    def resume(self) -> None:
        self.command("resume")

    def transfer(self, uri: str) -> None:
        """Have the other party call `uri`."""
        self.command("transfer", uri)

    def press(self, key: str) -> None:
        self.command("sndcode", key)

    def keys(self) -> str:
        """The keys that the other party has pressed so far."""
        return "".join(re.findall(r"received event: '(.)' \(end=1\)", self.output()))

    def hung_up(self) -> bool:
        """Whether the latest call is over."""
        output = self.output()
        return output.count(" terminated (") + output.count("session closed") >= output.count("established: ")

    def receives(self, since: int) -> bool:
        """Whether packets of PCMU arrive at full rate, by what it printed since so many characters."""
        rates = re.findall(r"audio=\d+/(\d+) \(bit/s\)", self.output()[since:])
        return bool(rates) and int(rates[-1]) > 55_000

    def sound_so_far(self) -> Samples:
        """All that it has recorded so far, its calls one after another."""
        parts = [read_wav(f) for f in sorted(self.recordings.glob("dump-*-dec.wav")) if f.stat().st_size > 44]
        return np.concatenate([np.zeros(0, np.int16), *parts])

    def control(self) -> Control:
        """A control connection: commands, and the events from now on."""
        return Control(self._control)

    def heard(self) -> Samples:
        """What the other party's sound was, decoded: the longest recording, when there were several calls."""
        files = sorted(self.recordings.glob("dump-*-dec.wav"))
        assert files, f"baresip recorded nothing\n{self.output()[-2000:]}"
        return max((read_wav(f) for f in files), key=len)

    def heard_s(self) -> float:
        """How many seconds all its calls have recorded so far, by the size of the files (8 kHz, mono)."""
        return sum(f.stat().st_size for f in self.recordings.glob("dump-*-dec.wav")) / 2 / RATE_HZ
