"""Phones that answer a call and keep what they play: ours, baresip and linphone, each a process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import soundfile

from benchmarks.tools import ROOT, Missing
from media.codec import registry
from media.errors import BadPacket
from media.frame import Samples
from media.rtp.packet import RtpPacket
from tests.interop.harness import baresip
from tests.interop.harness.parties import Party, listens
from tests.interop.harness.sound import read_wav

_RATE = 8000
_READY_S = 20.0


class Listener(ABC):
    """One phone, which answers one call; leaving the context ends it."""

    name = ""

    def __init__(
        self, party: Party, folder: Path, command: Sequence[str], environment: dict[str, str]
    ) -> None:
        self.uri = party.uri("listener")
        self._party = party
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
            )

    def wait_ready(self) -> None:
        """Return when it answers calls. :raises Missing: if it does not start"""
        deadline = time.monotonic() + _READY_S
        while not listens(self._party.address):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise Missing(f"{self.name} did not start: {self._log.read_text(errors='replace')[-500:]}")
            time.sleep(0.05)

    def say(self, line: str) -> None:
        """What a user would type."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    @abstractmethod
    def heard(self, returned: Sequence[bytes]) -> Samples:
        """What it played, after the call is over; `returned` are the datagrams it sent."""

    def close(self) -> None:
        """End it, if it has not."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(3)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(3)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Ours(Listener):
    """`sipmedia answer --record`."""

    name = "sipmedia"

    def __init__(self, party: Party, folder: Path) -> None:
        self._file = folder / "heard.wav"
        command = [sys.executable, "-m", "sipmedia", "answer", "--bind", party.bind, "--calls", "1"]
        super().__init__(party, folder, [*command, "--record", str(self._file)], {"PYTHONPATH": str(ROOT)})

    def heard(self, returned: Sequence[bytes]) -> Samples:
        self._process.wait(10)
        return read_wav(self._file)


class Baresip(Listener):
    """baresip with its concealment (module plc); what it plays is its microphone, so that we get it back.

    Its own recordings are of what it decodes, before losses are concealed and before the sound card's buffer.
    """

    name = "baresip"

    def __init__(self, party: Party, folder: Path) -> None:
        lines = [
            "poll_method epoll",
            f"sip_listen {party.bind}",
            f"net_interface {party.host}",
            "audio_source aubridge,loop",
            "audio_player aubridge,loop",
            "audio_alert ausine,400",
            *(f"{what} {_RATE}" for what in ("ausrc_srate", "auplay_srate")),
            *(f"{what} 1" for what in ("ausrc_channels", "auplay_channels")),
            # As its own template has them.
            "audio_buffer 20-160",
            "jitter_buffer_delay 5-10",
            "rtp_ports 17100-19000",
            "rtcp_mux no",
            f"module_path {baresip.module_folder()}",
            *(f"module {name}.so" for name in ("g711", "ausine", "aubridge", "plc")),
            *(f"module_tmp {name}.so" for name in ("uuid", "account")),
            "module_app menu.so",
            "ringback_disabled yes",
        ]
        (folder / "config").write_text("\n".join(lines) + "\n")
        (folder / "accounts").write_text(f"<{party.uri('listener')}>;regint=0;answermode=auto\n")
        (folder / "contacts").write_text("")
        super().__init__(party, folder, ["baresip", "-f", str(folder)], {})

    def heard(self, returned: Sequence[bytes]) -> Samples:
        self.close()
        return decoded(returned)


class Linphone(Listener):
    """linphonec, which records what it plays."""

    name = "linphone"

    def __init__(self, party: Party, folder: Path) -> None:
        (folder / ".local/share/linphone").mkdir(parents=True)
        self._file = folder / "heard.wav"
        settings = [
            "[sip]",
            f"sip_port={party.sip_port}",
            *("sip_tcp_port=0", "sip_tls_port=0", "guess_hostname=0", "media_encryption=none"),
            f"bind_address={party.host}",
            f"contact=sip:listener@{party.host}",
            "[rtp]",
            "audio_rtp_port=17400",
            f"bind_address={party.host}",
            *("[audio_codec_0]", "mime=PCMU", "rate=8000", "channels=1", "enabled=1"),
        ]
        (folder / "rc").write_text("\n".join(settings) + "\n")
        super().__init__(party, folder, ["linphonec", "-c", str(folder / "rc"), "-a"], {"HOME": str(folder)})
        self.say("soundcard use files")
        self.say(f"record {self._file}")

    def heard(self, returned: Sequence[bytes]) -> Samples:
        self.say("quit")
        self._process.wait(10)
        return np.asarray(soundfile.read(self._file, dtype="int16")[0], np.int16)


Kind = type[Ours] | type[Baresip] | type[Linphone]


def installed() -> tuple[list[Kind], list[str]]:
    """The phones that can be measured here, and for each other one why not."""
    found: list[Kind] = [Ours]
    reasons = []
    if baresip.available() and (baresip.module_folder() or Path()).joinpath("plc.so").exists():
        found.append(Baresip)
    else:
        reasons.append("baresip and its modules are not installed (Debian: apt-get install baresip)")
    if shutil.which("linphonec"):
        found.append(Linphone)
    else:
        reasons.append("linphonec is not installed (Debian: apt-get install linphone-cli)")
    return found, reasons


def decoded(datagrams: Sequence[bytes]) -> Samples:
    """The sound of RTP packets of PCMU, each at the place of its timestamp."""
    decoder = registry.get("PCMU").make_decoder()
    parts: dict[int, Samples] = {}
    first: int | None = None
    for data in datagrams:
        try:
            packet = RtpPacket.parse(data)
        except BadPacket:
            continue
        if packet.payload_type == 0 and packet.payload:
            first = packet.timestamp if first is None else first
            parts[packet.timestamp - first & 0xFFFFFFFF] = decoder.decode(packet.payload)
    joined: Samples = np.zeros(max((at + len(part) for at, part in parts.items()), default=0), np.int16)
    for at, part in parts.items():
        joined[at : at + len(part)] = part
    return joined
