"""linphonec as a peer: its configuration, the sound it plays and the recording of what it heard."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .parties import Party
from .process import PeerProcess, until
from .sound import Samples, read_wav, write_wav

PROGRAM = "linphonec"


def available() -> bool:
    return shutil.which(PROGRAM) is not None


@dataclass(frozen=True)
class Registration:
    """A user of a domain, registered with `proxy` (HOST:PORT), to which all else is sent, too."""

    user: str
    domain: str
    password: str
    proxy: str
    transport: str = "udp"
    authority: Path | None = None
    """Whose TLS certificates are believed."""


class Linphone(PeerProcess):
    """linphonec, started at once, with PCMU; its commands are typed by `say`.

    `sound` is what it plays, over and over, `heard()` what came from the other party.
    """

    def __init__(
        self,
        party: Party,
        folder: Path,
        sound: Samples,
        *,
        registration: Registration | None = None,
        answers: bool = True,
    ) -> None:
        (folder / ".local" / "share" / "linphone").mkdir(parents=True)
        self._recording = folder / "heard.wav"
        transport = registration.transport if registration is not None else "udp"
        ports = {name: party.sip_port if name == transport else 0 for name in ("udp", "tcp", "tls")}
        lines = [
            "[sip]",
            f"sip_port={ports['udp']}",
            f"sip_tcp_port={ports['tcp']}",
            f"sip_tls_port={ports['tls']}",
            f"bind_address={party.host}",
            *("media_encryption=none", "use_info=0", "use_rfc2833=1", "default_proxy=0"),
        ]
        if registration is None:
            lines.append(f"contact={party.uri('linphone')}")
        elif registration.authority is not None:
            lines += [
                f"root_ca={registration.authority}",
                "verify_server_certs=1",
                "verify_server_cn=0",
            ]  # it compares names only
        lines += ["[rtp]", "audio_rtp_port=17400", f"bind_address={party.host}"]
        lines += ["[sound]", "disable_record_on_mute=0"]
        lines += ["[audio_codec_0]", "mime=PCMU", "rate=8000", "channels=1", "enabled=1"]
        if registration is not None:
            proxy = f"sip:{registration.proxy};transport={registration.transport}"
            lines += ["[proxy_0]", f"reg_proxy=<{proxy}>", f"reg_route=<{proxy};lr>"]
            lines += [
                f"reg_identity=sip:{registration.user}@{registration.domain}",
                "reg_expires=60",
                "reg_sendregister=1",
                "publish=0",
            ]
            lines += ["[auth_info_0]", f"username={registration.user}", f"passwd={registration.password}"]
            lines += [f"realm={registration.domain}", f"domain={registration.domain}"]
        (folder / "rc").write_text("\n".join(lines) + "\n")
        write_wav(folder / "play.wav", sound)
        command = [PROGRAM, "-c", str(folder / "rc"), *(["-a"] if answers else [])]
        super().__init__("linphone", command, folder, {"HOME": str(folder)}, listens_to_us=True)
        for line in ("soundcard use files", f"play {folder / 'play.wav'}", f"record {self._recording}"):
            self.say(line)
        self.say("autoanswer")  # only for what it answers

    def wait_ready(self) -> None:
        """Return when it has done what was typed at its start."""
        self.wait_for("Auto answer is")

    # What it does in the one call it is in, and what it has heard: as `baresip.Baresip` does it.

    def call(self, uri: str) -> None:
        """Call; it must not be in a call."""
        self.say(f"call {uri}")

    def hang_up(self) -> None:
        self.say("terminate")

    def hold(self) -> None:
        """Returns when the other party has agreed: before, it would not hear of resuming."""
        paused = self.output().count(" is now paused")
        self.say("pause")
        until(lambda: self.output().count(" is now paused") > paused, "linphonec to pause", 10, self.output)

    def resume(self) -> None:
        self.say("resume")

    def transfer(self, uri: str) -> None:
        """Have the other party call `uri`."""
        self.say(f"transfer {uri}")

    def press(self, key: str) -> None:
        self.say(key)

    def keys(self) -> str:
        """The keys that the other party has pressed so far."""
        return "".join(re.findall(r"Receiving tone (.) from", self.output()))

    def hung_up(self) -> bool:
        """Whether the latest call is over."""
        output = self.output()
        return output.count(" ended (") >= output.count("assigned id ")

    def wait_state(self, text: str, timeout_s: float = 15) -> None:
        """Return when the state of a call is shown as matching `text`, a regular expression."""
        until(lambda: re.search(text, self.output()), f"linphonec to show {text!r}", timeout_s, self.output)

    def sound_so_far(self) -> Samples:
        """All that it has recorded so far."""
        if self._recording.exists() and b"data" in self._recording.read_bytes()[:64]:
            return read_wav(self._recording)
        return np.zeros(0, np.int16)  # its header is not written yet

    def heard(self) -> Samples:
        """What the other party's sound was, decoded; it ends."""
        self.say("quit")
        self.wait(10)
        return read_wav(self._recording)
