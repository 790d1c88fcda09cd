"""twinkle-console as a peer: its configuration, its console, and its sound by the cards of a `pulse.Pulse`.

It listens on every address and speaks from the one that the route gives, so on loopback it is always
127.0.0.1; several are told apart by their ports.
"""

from __future__ import annotations

import itertools
import random
import re
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

from .parties import Party, free_port
from .process import PeerProcess, until
from .pulse import Pulse

PROGRAM = "twinkle-console"
HOST = "127.0.0.1"
_RTP_PORTS = itertools.count(random.SystemRandom().randrange(20000, 29000, 20), 20)
"""Each its own: two lines and their RTCP, a referred call besides. Two runs start at different places."""


def available() -> bool:
    return shutil.which(PROGRAM) is not None


class Twinkle(PeerProcess):
    """twinkle-console, started at once; its commands are typed by `say`.

    It hears and speaks by the cards `phone_NAME` of `server`. `settings` are lines of its user profile.
    """

    def __init__(
        self,
        folder: Path,
        server: Pulse,
        card: str,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        home = folder / ".twinkle"
        home.mkdir(parents=True)
        # A port that is free for TCP is so for UDP, too, unless somebody is quick.
        self.party = Party(HOST, free_port(HOST, socket.SOCK_STREAM))
        device = f"alsa:phone_{card}"
        machine = {
            "sip_port": str(self.party.sip_port),
            "rtp_port": str(next(_RTP_PORTS)),
            "dev_speaker": device,
            "dev_mic": device,
            "dev_ringtone": device,
            "validate_audio_dev": "no",
            "play_ringtone": "no",
            "play_ringback": "no",
            "alsa_play_period_size": "160",
            "alsa_capture_period_size": "160",
        }
        user = {
            "user_name": "twinkle",
            "user_domain": self.party.bind,
            "register_at_startup": "no",
            "codecs": "g711u,g711a",
            # Nothing that changes what is said, or leaves it out.
            **dict.fromkeys(("speex_dsp_vad", "speex_dsp_agc", "speex_dsp_aec", "speex_dsp_nrd"), "no"),
            # There is nobody to ask.
            "ask_user_to_redirect": "no",
            "ask_user_to_refer": "no",
            "sip_transport": "udp",
            **(settings or {}),
        }
        for name, values in (("twinkle.sys", machine), ("user.cfg", user)):
            lines = (f"{key}={value}\n" for key, value in values.items())
            (home / name).write_text("".join(lines))
        environment = {**server.environment, "HOME": str(folder)}
        super().__init__("twinkle", [PROGRAM, "user.cfg"], folder, environment, listens_to_us=True)

    def wait_ready(self) -> None:
        """Return when it takes commands."""
        self.wait_for("Twinkle>")

    def uri(self) -> str:
        """Where it can be called directly."""
        return self.party.uri("twinkle")

    def wait_said(self, text: str, times: int = 1, timeout_s: float = 10) -> None:
        """Return when it has printed that so often. :raises PeerTimeout: if not in time."""
        until(lambda: self.output().count(text) >= times, f"twinkle to say {text!r}", timeout_s, self.output)

    def keys(self) -> str:
        """The keys that the other party has pressed so far."""
        return "".join(re.findall(r"DTMF detected: (.)", self.output()))
