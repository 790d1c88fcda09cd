"""docs/deploy.md: its files, run as they stand. The proxy with the peers' phones, and workers behind it."""

from __future__ import annotations

import fcntl
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.harness import sound
from tests.interop.harness.baresip import Baresip
from tests.interop.harness.kamailio import DEPLOY, DOMAIN, Kamailio, Rtpengine, password
from tests.interop.harness.ours import ROOT, Command
from tests.interop.harness.parties import Party
from tests.interop.harness.process import PeerProcess, until

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("kamailio", "baresip")]

A, B = sound.tune(41, 20.0), sound.tune(42, 20.0)
SWITCHES = ("TLS", "RTPENGINE", "WORKERS", "SHA256", "STRICT")


@pytest.mark.parametrize(
    "wanted", [wanted for count in (0, 1, 5) for wanted in itertools.combinations(SWITCHES, count)], ids=str
)
def test_every_choice_is_a_configuration(wanted: tuple[str, ...], folder: Path) -> None:
    settings = {
        "SIP_DOMAIN": DOMAIN,
        "SIP_ADDRESS": "127.77.0.1:5060",
        "TLS_ADDRESS": "127.77.0.1:5061",
        "RTPENGINE_ADDRESS": "127.77.0.1:2223",
        "SITE": str(folder),
    }
    command = ["kamailio", "-c", "-f", str(DEPLOY / "kamailio.cfg")]
    command += [word for switch in wanted for word in ("-A", f"WITH_{switch}")]
    done = subprocess.run(
        command, env=os.environ | settings, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "config file ok" in done.stderr


@pytest.mark.parametrize(("caller", "callee"), [("udp", "udp"), ("tcp", "tls"), ("tls", "udp")])
def test_two_baresips(
    proxy: Kamailio, addresses: Iterator[Party], folder: Path, caller: str, callee: str
) -> None:
    alice, bob = proxy.new_user(), proxy.new_user()
    with (
        proxy.baresip(next(addresses), folder / "bob", B, bob, callee) as answering,
        proxy.baresip(next(addresses), folder / "alice", A, alice, caller, answers=False) as calling,
    ):
        calling.wait_registered()
        answering.wait_registered()
        calling.command("dial", proxy.uri(bob))
        answering.wait_for("Call established")
        assert_both_hear(calling, answering)


def assert_both_hear(calling: Baresip, answering: Baresip) -> None:
    """Let them talk, hang up, and look at what they heard."""
    until(lambda: calling.heard_s() > 3 and answering.heard_s() > 3, "three seconds", 15, calling.output)
    calling.command("hangup")
    answering.wait_for("terminated")
    calling.stop()
    answering.stop()
    sound.assert_heard(calling.heard(), B, at_least_s=1.5)
    sound.assert_heard(answering.heard(), A, at_least_s=1.5)


def test_a_linphone_on_tls_and_a_baresip_on_udp(
    proxy: Kamailio, addresses: Iterator[Party], folder: Path, linphone: None
) -> None:
    """linphone takes the GRUU it is given for its Contact, so the BYE needs the registrar."""
    alice, bob = proxy.new_user(), proxy.new_user()
    with (
        proxy.linphone(next(addresses), folder / "bob", B, bob, "tls") as answering,
        proxy.baresip(next(addresses), folder / "alice", A, alice, answers=False) as calling,
    ):
        calling.wait_registered()
        proxy.wait_registered(bob)
        calling.command("dial", proxy.uri(bob))
        calling.wait_for("Call established")
        until(lambda: calling.heard_s() > 3, "three seconds", 15, calling.output)
        calling.command("hangup")
        answering.wait_state(r"Call 1 .* ended \(No error\)")
        calling.stop()
        sound.assert_heard(answering.heard(), A, at_least_s=1.5)
        sound.assert_heard(calling.heard(), B, at_least_s=1.5)


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_the_commands(proxy: Kamailio, folder: Path, transport: str) -> None:
    """`sipmedia answer` registers and echoes; `sipmedia call` registers, and hears what it says."""

    def account(user: str) -> list[str]:
        where = ["--registrar", proxy.address(transport), "--domain", DOMAIN, "--transport", transport]
        return [*where, "--user", user, "--password-env", "SECRET"]

    def settings(user: str) -> dict[str, str]:
        return {"SECRET": password(user), "SSL_CERT_FILE": str(proxy.authority)}

    alice, bob = proxy.new_user(), proxy.new_user()
    record = folder / "heard.wav"
    play = sound.write_wav(folder / "play.wav", A[: 6 * sound.RATE_HZ])
    with Command(
        folder / "bob", "answer", *account(bob), "--calls", "1", "--echo", environment=settings(bob)
    ) as answering:
        proxy.wait_registered(bob)
        what = ["--play", str(play), "--record", str(record), "--duration", "4"]
        with Command(
            folder / "alice", "call", proxy.uri(bob), *account(alice), *what, environment=settings(alice)
        ) as calling:
            calling.assert_talked(30)
        answering.assert_talked(30)
    # Twice through a jitter buffer, which may stretch it here and there.
    sound.assert_heard(sound.read_wav(record), A, at_least_s=2, piece_s=0.2)


class Workers:
    """The workers of docs/deploy/dispatcher.list, each a process of docs/deploy/worker.py."""

    def __init__(self, folder: Path) -> None:
        lines = (DEPLOY / "dispatcher.list").read_text().splitlines()
        self.addresses = [line.partition("sip:")[2] for line in lines if line.startswith("1 ")]
        self.running: list[PeerProcess] = []
        for number, bind in enumerate(self.addresses):
            (folder / f"worker{number}").mkdir()
            command = [sys.executable, str(DEPLOY / "worker.py"), bind]
            self.running.append(
                PeerProcess(f"worker{number}", command, folder / f"worker{number}", {"PYTHONPATH": str(ROOT)})
            )
        for worker in self.running:
            worker.wait_for("working at", 20)


@pytest.fixture
def workers(folder: Path) -> Iterator[Workers]:
    """Both running; their addresses are the list's own, so one test run at a time has them."""
    with (DEPLOY / "dispatcher.list").open() as lock, ExitStack() as stack:
        fcntl.flock(lock, fcntl.LOCK_EX)
        started = Workers(folder)
        for worker in started.running:
            stack.enter_context(worker)
        yield started


@pytest.fixture
def desk(workers: Workers, addresses: Iterator[Party], folder: Path) -> Iterator[Kamailio]:
    """The proxy in front of them."""
    party = next(addresses)
    with Rtpengine(party.host, folder / "rtpengine") as rtpengine:
        rtpengine.wait_ready()
        wanted, files = ("TLS", "WORKERS"), ["dispatcher.list"]
        with Kamailio(party, folder / "kamailio", wanted, rtpengine, files) as running:
            running.wait_ready()
            yield running


def served(worker: PeerProcess) -> int:
    """How many calls a worker took."""
    return worker.output().count("took a call")


def call_desk(desk: Kamailio, phone: Baresip) -> None:
    """Call, and hear a word."""
    calls, heard = phone.output().count("Call established"), phone.heard_s()
    phone.command("dial", desk.uri("desk"))
    until(lambda: phone.output().count("Call established") > calls, "the call", 15, desk.output)
    until(lambda: phone.heard_s() > heard + 0.5, "sound", 15, phone.output)


def test_calls_are_spread_over_the_workers_and_a_dead_one_is_passed_over(
    desk: Kamailio, workers: Workers, addresses: Iterator[Party], folder: Path
) -> None:
    with desk.baresip(next(addresses), folder / "alice", A, desk.new_user(), answers=False) as phone:
        phone.wait_registered()
        for _ in range(4):
            call_desk(desk, phone)
            phone.command("hangup")
        assert [served(worker) for worker in workers.running] == [2, 2]
        dead, alive = workers.running
        os.kill(dead.pid, signal.SIGKILL)
        dead.wait(5)
        for _ in range(2):
            call_desk(desk, phone)
            phone.command("hangup")
        assert (served(dead), served(alive)) == (2, 4)


def test_a_worker_that_is_told_to_stop_finishes_its_calls(
    desk: Kamailio, workers: Workers, addresses: Iterator[Party], folder: Path
) -> None:
    with (
        desk.baresip(next(addresses), folder / "alice", A, desk.new_user(), answers=False) as early,
        desk.baresip(next(addresses), folder / "bob", A, desk.new_user(), answers=False) as late,
    ):
        early.wait_registered()
        late.wait_registered()
        call_desk(desk, early)
        stopping, other = sorted(workers.running, key=served, reverse=True)
        os.kill(stopping.pid, signal.SIGTERM)
        stopping.wait_for("finishing")
        for _ in range(2):
            call_desk(desk, late)
            late.command("hangup")
        assert (served(stopping), served(other)) == (1, 2)
        until(lambda: early.heard_s() > 4, "four seconds", 15, early.output)
        early.command("hangup")
        assert stopping.wait(10) == 0
        early.stop()
        # What it says comes back, after the greeting.
        sound.assert_heard(early.heard()[12000:], A, at_least_s=1)
