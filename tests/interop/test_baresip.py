"""Calls with baresip: both directions, sound checked in both recordings, keys and hold both ways."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.harness import ours, sound
from tests.interop.harness.baresip import Baresip
from tests.interop.harness.parties import Party

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("baresip")]

MINE, THEIRS = sound.tune(21, 8.0), sound.tune(22, 20.0)


def test_we_call_baresip(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)
    play = sound.write_wav(folder / "mine.wav", MINE)
    record = folder / "heard.wav"
    with Baresip(peer, folder / "baresip", THEIRS) as baresip:
        baresip.wait_ready()
        arguments = ["--play", str(play), "--record", str(record), "--dtmf", "159*0#", "--duration", "5"]
        with (
            baresip.control() as control,
            ours.Command(folder, "call", peer.uri("bob"), "--bind", us.bind, *arguments) as command,
        ):
            command.assert_talked()
            keys = [event["param"] for event in control.wait_for("CALL_DTMF_START", 6)]
        assert keys == list("159*0#")
        baresip.wait_for("terminated")
        baresip.stop()
        sound.assert_heard(baresip.heard(), MINE, at_least_s=2)
    sound.assert_heard(ours.heard(record), THEIRS, at_least_s=2)


def test_baresip_calls_us(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)
    play = sound.write_wav(folder / "mine.wav", MINE)
    record = folder / "ours" / "heard.wav"
    arguments = ["--calls", "1", "--play", str(play), "--record", str(record)]
    with (
        ours.answering(folder / "ours", us, *arguments) as command,
        Baresip(peer, folder / "baresip", THEIRS, dial=us.uri("bob")) as baresip,
    ):
        baresip.wait_for("established")
        time.sleep(3)
        for key in "12#":
            baresip.command("sndcode", key)
            time.sleep(0.4)
        baresip.command("hangup")
        command.assert_talked()
        keys = [event["digit"] for event in command.events() if event["event"] == "dtmf"]
        assert keys == list("12#")
        baresip.stop()
        sound.assert_heard(baresip.heard(), MINE, at_least_s=2)
    sound.assert_heard(ours.heard(record), THEIRS, at_least_s=2)


def test_baresip_holds_and_resumes(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)
    with (
        ours.answering(folder / "ours", us, "--calls", "1") as command,
        Baresip(peer, folder / "baresip", THEIRS, dial=us.uri("bob")) as baresip,
    ):
        baresip.wait_for("established")
        time.sleep(0.5)
        baresip.command("hold")
        command.wait_for('"held"')
        baresip.command("resume")
        command.wait_for('"resumed"')
        time.sleep(0.5)
        baresip.command("hangup")
        command.assert_talked()


def test_opus_with_all_that_baresip_can_ask_for(addresses: Iterator[Party], folder: Path) -> None:
    """It calls us, and its description asks for recovery, pauses, stereo and a low rate."""
    us, peer = next(addresses), next(addresses)
    mine, theirs = sound.tune(26, 20.0, 48000), sound.tune(27, 20.0, 48000)
    play = sound.write_wav(folder / "mine.wav", mine, 48000)
    record = folder / "ours" / "heard.wav"
    wishes = [
        "opus_inbandfec yes",
        "opus_dtx yes",
        "opus_stereo yes",
        "opus_sprop_stereo yes",
        "opus_bitrate 28000",
    ]
    arguments = ["--calls", "1", "--codec", "opus", "--play", str(play), "--record", str(record)]
    with (
        ours.answering(folder / "ours", us, *arguments) as command,
        Baresip(
            peer,
            folder / "baresip",
            theirs,
            rate_hz=48000,
            codecs=["opus", "auresamp"],
            dial=us.uri("bob"),
            settings=wishes,
        ) as baresip,
    ):
        baresip.wait_for("established")
        time.sleep(4)
        baresip.command("hangup")
        command.assert_talked()
        baresip.stop()
        sound.assert_heard(baresip.heard(), mine, at_least_s=2, rate_hz=48000)
    sound.assert_heard(ours.heard(record), theirs, at_least_s=2, rate_hz=48000)


def test_a_peer_killed_in_mid_call_is_hung_up_on(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)
    arguments = ["--calls", "1", "--echo", "--media-timeout", "1"]
    with (
        ours.answering(folder / "ours", us, *arguments) as command,
        Baresip(peer, folder / "baresip", THEIRS, dial=us.uri("bob")) as baresip,
    ):
        command.wait_for('"media"')
        os.kill(baresip.pid, signal.SIGKILL)
        assert command.wait(10) == 17  # the far end is gone
        ended = next(event for event in command.events() if event["event"] == "ended")
    assert ended["by"] == "timeout"
    assert re.fullmatch(r"nothing heard for [1-4] s", ended["reason"])  # looked at twice a second, if we may
