"""Kamailio and rtpengine as docs/deploy runs them: those very files, other addresses."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from .baresip import Baresip, registering
from .certificates import Authority
from .linphone import Linphone, Registration
from .parties import Party, free_port
from .process import PeerProcess, PeerTimeout, until
from .sound import Samples

DEPLOY = Path(__file__).resolve().parents[3] / "docs" / "deploy"
DOMAIN = "phones.test"
USERS = tuple(f"user{number}" for number in range(200))
"""Who may register; every test takes new ones, so that none meets another's registrations."""


def password(user: str) -> str:
    return f"secret-of-{user}"


def missing() -> list[str]:
    """The programs that are needed and not installed."""
    programs = [name for name in ("kamailio", "rtpengine") if shutil.which(name) is None]
    if "kamailio" not in programs and not any(Path("/usr").glob("lib*/*/kamailio/modules/tls.so")):
        programs.append("kamailio-tls-modules")
    return programs


def _answers(address: tuple[str, int], question: bytes, answer: bytes, process: PeerProcess) -> None:
    """Ask until the process answers. :raises PeerTimeout: after ten seconds."""
    deadline = time.monotonic() + 10
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.bind((address[0], 0))
        asking.settimeout(0.2)
        host, port = asking.getsockname()
        asked = question.replace(b"ME", f"{host}:{port}".encode())
        while process.running and time.monotonic() < deadline:
            try:
                asking.sendto(asked, address)
                if answer in asking.recv(65535):
                    return
            except (TimeoutError, ConnectionRefusedError):
                time.sleep(0.05)
    raise PeerTimeout(f"{process.name} at {address} does not answer\n{process.output()[-3000:]}")


class Rtpengine(PeerProcess):
    """rtpengine with docs/deploy/rtpengine.conf on `host`; media passes through ports of that address."""

    def __init__(self, host: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.host = host
        self.control = host, free_port(host)
        command = [
            "rtpengine",
            f"--config-file={DEPLOY / 'rtpengine.conf'}",
            "--foreground",
            "--log-stderr",
            f"--interface={host}",
            f"--listen-ng={host}:{self.control[1]}",
        ]
        super().__init__("rtpengine", command, folder)

    def wait_ready(self) -> None:
        """Return when it answers a ping of its control protocol."""
        _answers(self.control, b"1 d7:command4:pinge", b"pong", self)


class Kamailio(PeerProcess):
    """Kamailio with docs/deploy/kamailio.cfg on `party`'s address: UDP, TCP and TLS.

    `wanted` are the switches of that file, `files` what of docs/deploy they need besides. Users and a
    certificate are made here.
    """

    def __init__(
        self,
        party: Party,
        folder: Path,
        wanted: Collection[str] = ("TLS",),
        rtpengine: Rtpengine | None = None,
        files: Collection[str] = (),
    ) -> None:
        self.party = party
        self.tls = Party(party.host, free_port(party.host, socket.SOCK_STREAM))
        site = folder / "site"
        site.mkdir(parents=True, exist_ok=True)
        write_users(site / "users")
        for name in files:
            shutil.copy(DEPLOY / name, site)
        authority = Authority(folder / "authority")
        authority.issue(site / "tls", "proxy", [DOMAIN], [party.host])
        self.authority = authority.certificate
        """Whose certificates are to be believed."""
        environment = {
            "SIP_DOMAIN": DOMAIN,
            "SIP_ADDRESS": party.bind,
            "TLS_ADDRESS": self.tls.bind,
            "SITE": str(site),
        }
        switches = list(wanted)
        if rtpengine is not None:
            switches.append("RTPENGINE")
            environment["RTPENGINE_ADDRESS"] = "{}:{}".format(*rtpengine.control)
        command = [
            "kamailio", "-DD", "-E", "-m", "64", "-M", "8", "-Y", str(site),
            "-P", str(site / "kamailio.pid"), "-f", str(DEPLOY / "kamailio.cfg"),
        ]  # fmt: skip
        for switch in switches:
            command += ["-A", f"WITH_{switch}"]
        super().__init__("kamailio", command, folder, environment)
        self._users = iter(USERS)

    def new_user(self) -> str:
        """A user who has not registered yet."""
        return next(self._users)

    def uri(self, user: str) -> str:
        return f"sip:{user}@{DOMAIN}"

    def address(self, transport: str) -> str:
        """Where phones reach it by that transport, as HOST:PORT."""
        return self.tls.bind if transport == "tls" else self.party.bind

    def baresip(
        self, party: Party, folder: Path, sound: Samples, user: str, transport: str = "udp", **settings: Any
    ) -> Baresip:
        """baresip, registered with this proxy."""
        account = registering(user, DOMAIN, password(user), self.address(transport), transport)
        trust = [f"sip_cafile {self.authority}"]
        return Baresip(party, folder, sound, account=account, settings=trust, seconds=60, **settings)

    def linphone(
        self, party: Party, folder: Path, sound: Samples, user: str, transport: str = "udp", **settings: Any
    ) -> Linphone:
        """linphonec, registered with this proxy."""
        registration = Registration(
            user, DOMAIN, password(user), self.address(transport), transport, self.authority
        )
        linphone = Linphone(party, folder, sound, registration=registration, **settings)
        try:
            linphone.wait_ready()
        except PeerTimeout:
            linphone.stop()
            raise
        return linphone

    def wait_registered(self, user: str, times: int = 1) -> None:
        """Return when a registration of that user has been taken, or several."""
        said = f"{self.uri(user)} registered"
        until(lambda: self.output().count(said) >= times, f"{said} ({times} times)", 15, self.output)

    def wait_ready(self) -> None:
        """Return when it answers OPTIONS."""
        _answers(
            self.party.address,
            (
                f"OPTIONS sip:{self.party.bind} SIP/2.0\r\nVia: SIP/2.0/UDP ME;rport;branch=z9hG4bKready\r\n"
                f"From: <sip:ready@{DOMAIN}>;tag=ready\r\nTo: <sip:{self.party.bind}>\r\nCSeq: 1 OPTIONS\r\n"
                f"Call-ID: ready-{self.party.bind}\r\nMax-Forwards: 5\r\nContent-Length: 0\r\n\r\n"
            ).encode(),
            b"SIP/2.0 200",
            self,
        )


def write_users(folder: Path) -> None:
    """The table of users, as docs/deploy.md says to make it."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, str(DEPLOY / "subscribers.py"), DOMAIN],
        input="".join(f"{user} {password(user)}\n" for user in USERS),
        capture_output=True,
        text=True,
        check=True,
    )
    (folder / "subscriber").write_text(done.stdout)
