"""Calls through sound cards: two processes of ours, a real PulseAudio, people who speak and listen there."""

from __future__ import annotations

import json
import random
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media.audio.synthesis import speech
from tests.interop.conftest import require
from tests.interop.harness import pulse, sound
from tests.interop.harness.ours import ROOT
from tests.interop.harness.parties import Party
from tests.interop.harness.process import PeerProcess, PeerTimeout
from tests.interop.harness.pulse import PipeWire, Pulse

pytestmark = pytest.mark.interop

RATE_HZ = pulse.RATE_HZ
"""All is compared at the cards' rate: at 8000 Hz half a sample is a sixth of a 3 kHz tone's period."""
ANNA, BEN = sound.tune(61, 12.0, RATE_HZ), sound.tune(62, 12.0, RATE_HZ)


def assert_heard(heard: sound.Samples, said: sound.Samples, at_least_s: float) -> None:
    """Fail unless there are so many seconds of what was said.

    Compared by tenths of a second: sound that passes two sound cards is a few parts in ten thousand slower or
    faster, which half a second of 3 kHz does not stand; and a busy machine may leave out a block.
    """
    result = sound.match(heard, said, RATE_HZ // 5)  # what it takes for half a second
    assert result.audible_s / 5 >= at_least_s, f"heard too little: {result} of {len(heard) / RATE_HZ:.2f} s"
    assert result.correlation > 0.9, f"heard something else: {result}"


class Phone(PeerProcess):
    """`sipmedia` in a process of its own that sees the cards of `server`."""

    def __init__(self, server: Pulse, folder: Path, *arguments: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        environment = {**server.environment, "PYTHONPATH": str(ROOT), "SIPMEDIA_DEVICES": "on"}
        super().__init__("sipmedia", [sys.executable, "-m", "sipmedia", *arguments], folder, environment)

    def events(self, name: str) -> list[dict[str, Any]]:
        """The JSON lines of that event."""
        lines = [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == name]

    def assert_talked(self) -> None:
        code = self.wait(30)
        assert code == 0, f"sipmedia ended with {code}\n{self.output()[-3000:]}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Pulse]:
    """A sound server with two phones and a spare card."""
    lacking = [*pulse.missing(), *_portaudio_missing()]
    require("a sound server with PortAudio (" + " ".join(lacking) + ")", not lacking)
    try:
        running = Pulse(tmp_path / "pulse", ("a", "b", "spare"))
    except PeerTimeout as error:
        require(f"a sound server that starts here ({error})", False)
        raise
    with running:
        yield running


@pytest.fixture
def pipewire(tmp_path: Path) -> Iterator[Pulse]:
    """The same on PipeWire, where that is installed and starts."""
    if not all(map(shutil.which, PipeWire.PROGRAMS)) or pulse.missing() or _portaudio_missing():
        pytest.skip("PipeWire is not installed (Debian: apt-get install pipewire-pulse wireplumber)")
    try:
        running = PipeWire(tmp_path / "pipewire")
    except PeerTimeout as error:
        pytest.skip(f"PipeWire does not start here: {error}")
    with running:
        yield running


def _portaudio_missing() -> list[str]:
    try:
        import sounddevice  # noqa: F401
    except OSError:
        return ["libportaudio2"]
    return []


def talking(
    server: Pulse, addresses: Iterator[Party], folder: Path, *options: str, seconds: float, **ours: str
) -> tuple[Phone, Phone]:
    """Two phones in a call: the callee's process, the caller's."""
    callee, caller = next(addresses), next(addresses)
    arguments = ["--bind", callee.bind, "--calls", "1", "--input", "phone_b", "--output", "phone_b"]
    answering = Phone(server, folder / "ben", "answer", *arguments, *options)
    try:
        answering.wait_for("listening")
        card = ours.get("card", "phone_a")
        arguments = ["--bind", caller.bind, "--input", card, "--output", card, "--duration", str(seconds)]
        calling = Phone(server, folder / "anna", "call", callee.uri("ben"), *arguments, *options)
    except BaseException:
        answering.stop()
        raise
    return answering, calling


@pytest.mark.parametrize("codec", ["PCMU", "G722", "opus"])
def test_two_people_hear_each_other(
    server: Pulse, addresses: Iterator[Party], folder: Path, codec: str
) -> None:
    answering, calling = talking(
        server, addresses, folder, "--codec", codec, "--aec", "off", "--json", seconds=7
    )
    with answering, calling:
        calling.wait_for('"answered"')
        time.sleep(0.5)
        with server.listens("a") as anna, server.listens("b") as ben:
            with server.speaks("a", ANNA), server.speaks("b", BEN):
                time.sleep(5)
            heard = {"a": anna.heard(), "b": ben.heard()}
        calling.assert_talked()
        answering.assert_talked()
    assert_heard(heard["a"], BEN, 3)
    assert_heard(heard["b"], ANNA, 3)
    assert calling.events("answered")[0]["codec"] == codec
    opened = {event["direction"]: event for event in calling.events("device_opened")}
    assert {event["device"] for event in opened.values()} == {"phone_a"}
    assert calling.events("levels")


def test_two_people_hear_each_other_over_pipewire(
    pipewire: Pulse, addresses: Iterator[Party], folder: Path
) -> None:
    answering, calling = talking(pipewire, addresses, folder, "--aec", "off", "--json", seconds=8)
    with answering, calling:
        calling.wait_for('"answered"')
        time.sleep(1)
        with pipewire.listens("a") as anna, pipewire.listens("b") as ben:
            with pipewire.speaks("a", ANNA), pipewire.speaks("b", BEN):
                time.sleep(5)
            heard = {"a": anna.heard(), "b": ben.heard()}
        calling.assert_talked()
    assert_heard(heard["a"], BEN, 3)
    assert_heard(heard["b"], ANNA, 3)


def test_the_sound_server_dies_in_mid_call_and_comes_back(
    server: Pulse, addresses: Iterator[Party], folder: Path
) -> None:
    answering, calling = talking(server, addresses, folder, "--aec", "off", seconds=22)
    with answering, calling:
        calling.wait_for("answered")
        time.sleep(1.5)
        server.kill()
        for phone, card in ((calling, "phone_a"), (answering, "phone_b")):
            phone.wait_for(
                f"microphone lost: {card} (it stopped); the far end hears silence until it is back"
            )
            phone.wait_for(f"loudspeaker lost: {card} (it stopped); nothing is heard here until it is back")
        time.sleep(1)
        assert calling.running
        assert answering.running
        server.start()
        for phone, card in ((calling, "phone_a"), (answering, "phone_b")):
            phone.wait_for(f"microphone: {card}, ALSA, 48000 Hz is back", 15)
            phone.wait_for(f"loudspeaker: {card}, ALSA, 48000 Hz is back", 15)
        with server.listens("a") as anna, server.listens("b") as ben:
            with server.speaks("a", ANNA), server.speaks("b", BEN):
                time.sleep(4.5)
            heard = anna.heard(), ben.heard()
        calling.assert_talked()
    assert_heard(heard[0], BEN, 2)
    assert_heard(heard[1], ANNA, 2)


@pytest.mark.parametrize(("streams", "at_first"), [("one a direction", 2), ("duplex", 1)])
def test_changing_the_device_in_mid_call(
    server: Pulse, addresses: Iterator[Party], folder: Path, streams: str, at_first: int
) -> None:
    callee = next(addresses)
    with Phone(
        server, folder / "ben", "answer", "--bind", callee.bind, "--calls", "1", "--aec", "off", "--json",
        "--input", "phone_b", "--output", "phone_b",
    ) as answering:  # fmt: skip
        answering.wait_for("listening")
        environment = {**server.environment, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "tests.interop.harness.switching", callee.uri("ben"), streams]
        with PeerProcess("switching", command, folder, environment) as calling:
            calling.wait_for("talking")
            time.sleep(0.5)
            with server.listens("b") as ben, server.listens("spare") as anna:
                with server.speaks("a", ANNA[: RATE_HZ // 4]), server.speaks("spare", BEN):
                    calling.wait_for("switched")
                    time.sleep(0.5)
                    with server.speaks("b", ANNA):
                        time.sleep(4)
                        after = anna.heard()
                heard = ben.heard()
            assert calling.wait(20) == 0, calling.output()
        answering.assert_talked()
    assert "no microphone 'kitchen'. There are:" in calling.output()
    assert calling.output().startswith(f"streams: {at_first}\n")
    assert "switched, streams: 2" in calling.output()
    assert_heard(heard[-4 * RATE_HZ :], BEN, 2)
    assert_heard(after, ANNA, 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--input", "kitchen"), ("no microphone 'kitchen'. There are: 0 'phone_a', 1 'phone_b'",)),
        (("--output", "99"), ("no loudspeaker '99'. There are: ",)),
        (
            ("--input", "phone"),
            ("'phone' may be any of these microphones: 0 'phone_a, ALSA', 1 'phone_b, ALSA'", "Say more"),
        ),
    ],
)
def test_wrong_names(
    server: Pulse, addresses: Iterator[Party], folder: Path, options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    with Phone(server, folder, "call", next(addresses).uri("ben"), *options) as calling:
        assert calling.wait(15) == 19
    for part in words:
        assert part in calling.output()
    assert "INVITE" not in calling.output()


def test_without_a_sound_server_a_call_goes_on_without_devices(
    server: Pulse, addresses: Iterator[Party], folder: Path
) -> None:
    server.kill()
    callee, caller = next(addresses), next(addresses)
    with Phone(
        server, folder / "ben", "answer", "--bind", callee.bind, "--calls", "1", "--echo"
    ) as answering:
        answering.wait_for("listening")
        with Phone(
            server, folder / "anna", "call", callee.uri("ben"), "--bind", caller.bind, "--duration", "1"
        ) as calling:
            assert calling.wait(15) == 0
    assert "without microphone and loudspeaker: this machine has no loudspeaker" in calling.output()


def test_the_list_and_the_loop(server: Pulse, folder: Path) -> None:
    with Phone(server, folder / "list", "devices", "--json") as listing:
        assert listing.wait(15) == 0
    found = {event["device"]: event for event in listing.events("device")}
    assert {"phone_a", "phone_b", "default"} <= found.keys()
    assert found["default"]["used_for"] == ["input", "output"]
    server.echo("a", delay_ms=50, percent=80)
    options = ["--input", "phone_a", "--output", "phone_a", "--seconds", "3", "--json"]
    with Phone(server, folder / "loop", "devices", "--loopback", *options) as loop:
        assert loop.wait(20) == 0
    (measured,) = loop.events("loopback")
    assert 50 < measured["delay_ms"] < 250


def test_echo_does_not_come_back(server: Pulse, addresses: Iterator[Party], folder: Path) -> None:
    pytest.importorskip("pywebrtc_audio")
    server.echo("b", delay_ms=60, percent=60)
    voice = speech(RATE_HZ, 8.0, random.Random(5))
    loudness = {}
    for aec in ("off", "on"):
        answering, calling = talking(
            server, addresses, folder / aec, "--aec", aec, "--codec", "G722", "--json", seconds=9
        )
        with answering, calling:
            calling.wait_for('"answered"')
            time.sleep(0.3)
            with server.listens("a") as anna:
                with server.speaks("a", voice):
                    time.sleep(7.5)
                heard = anna.heard().astype(float)
            calling.assert_talked()
        loudness[aec] = float(np.sqrt((heard[5 * RATE_HZ : 7 * RATE_HZ] ** 2).mean()))
    assert loudness["off"] > 300
    # Over 25 dB when the machine is at rest; a block that the sound server loses costs some of it.
    assert 20 * np.log10(loudness["off"] / max(1.0, loudness["on"])) > 15
