"""Calls with sipp whose sound is checked: we record what it plays, and it echoes what we play."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.harness import ours, sound
from tests.interop.harness import scenario as s
from tests.interop.harness.parties import Party
from tests.interop.harness.sipp import Sipp

pytestmark = [pytest.mark.interop, pytest.mark.usefixtures("sipp")]

PLAYS = s.scenario(
    "plays",
    s.invite(),
    s.expect(100, optional=True),
    s.expect(180, optional=True),
    s.expect(200),
    s.ack(),
    s.play("tune.ul"),
    s.pause(3000),
    s.bye(),
    s.expect(200),
)


def test_sipp_calls_us(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)
    tune = sound.tune(11)
    (folder / "tune.ul").write_bytes(sound.mu_law(tune))
    record = folder / "ours" / "heard.wav"
    with (
        ours.answering(folder / "ours", us, "--calls", "1", "--record", str(record)) as command,
        Sipp(peer, folder, PLAYS, target=us.bind) as sipp,
    ):
        sipp.assert_passed()
        command.assert_talked()
    sound.assert_heard(ours.heard(record), tune, at_least_s=2)


def test_we_call_sipp_which_echoes(addresses: Iterator[Party], folder: Path) -> None:
    us, peer = next(addresses), next(addresses)
    tune = sound.tune(12)
    play = sound.write_wav(folder / "tune.wav", tune)
    record = folder / "heard.wav"
    with Sipp(peer, folder / "sipp", "uas", options=["-rtp_echo"]) as sipp:
        arguments = ["--play", str(play), "--record", str(record), "--duration", "4"]
        with ours.Command(folder, "call", peer.uri("sipp"), "--bind", us.bind, *arguments) as command:
            command.assert_talked()
        sipp.assert_passed()
    sound.assert_heard(ours.heard(record), tune, at_least_s=2)


@pytest.mark.parametrize(
    ("codec", "format_", "rate_hz"),
    [("PCMA", "8 PCMA/8000", 8000), ("G722", "9 G722/8000", 16000), ("opus", "96 opus/48000/2", 48000)],
)
def test_sipp_echoes_other_codecs(
    addresses: Iterator[Party], folder: Path, codec: str, format_: str, rate_hz: int
) -> None:
    us, peer = next(addresses), next(addresses)
    tune = sound.tune(13, 4.0, rate_hz)
    play = sound.write_wav(folder / "tune.wav", tune, rate_hz)
    record = folder / "heard.wav"
    body = s.sdp(codecs=[format_]).replace("[rtpstream_audio_port]", "[media_port]")
    echoes = s.scenario(
        "echoes",
        s.expect_request("INVITE"),
        s.respond(200, "OK", body, again=True),
        s.expect_request("ACK"),
        s.expect_request("BYE"),
        s.respond_inside(200, "OK"),
    )
    with Sipp(peer, folder / "sipp", echoes, options=["-rtp_echo"]) as sipp:
        arguments = ["--codec", codec, "--play", str(play), "--record", str(record), "--duration", "4"]
        with ours.Command(folder, "call", peer.uri("sipp"), "--bind", us.bind, *arguments) as command:
            command.assert_talked()
        sipp.assert_passed()
    sound.assert_heard(ours.heard(record), tune, at_least_s=2, rate_hz=rate_hz)
