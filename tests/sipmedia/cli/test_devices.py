"""sipmedia/cli/devices.py, device_choice.py and talking.py: choosing, saving, and calls through files."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from media.audio.synthesis import speech
from media.device.base import DeviceInfo
from media.device.errors import DeviceError
from media.device.metering import Level
from media.device.portaudio import PortAudioBackend
from sipmedia.cli import devices
from sipmedia.cli.answer import answer_calls
from sipmedia.cli.app import app
from sipmedia.cli.call import place_call
from sipmedia.cli.device_choice import DeviceChoice, OnOff, configuration_file, save_choice, saved_choice
from sipmedia.cli.exits import Exit
from sipmedia.cli.output import Output
from sipmedia.cli.talking import bar, wants_headset
from sipmedia.simulation import Network
from tests.sipmedia.kit import cli_settings, pair, run

CARDS = [
    DeviceInfo(0, "Jabra EVOLVE 20", "ALSA", 1, 2, 48000),
    DeviceInfo(1, "Jabra EVOLVE 30", "ALSA", 1, 2, 48000),
    DeviceInfo(2, "pulse", "ALSA", 32, 32, 44100, True, True),
]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "config"))
    monkeypatch.setattr(PortAudioBackend, "devices", lambda _self: CARDS)


def lines(captured: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in captured.splitlines()]


def test_what_is_saved_is_used_until_something_else_is_said() -> None:
    choice = DeviceChoice('a "quoted" \\ name', "pulse", None, OnOff.ON)
    path = save_choice(choice)
    assert path == configuration_file()
    assert saved_choice() == choice
    assert DeviceChoice(input="2", aec=OnOff.OFF).completed(saved_choice()) == DeviceChoice(
        "2", "pulse", None, OnOff.OFF
    )


def test_nothing_saved_is_nothing() -> None:
    assert saved_choice() == DeviceChoice()
    assert not DeviceChoice().explicit
    assert DeviceChoice(aec=OnOff.OFF).explicit


@pytest.mark.parametrize(
    ("text", "words"),
    [("input = [", "cannot be read"), ("loud = 1", "says 'loud'"), ("aec = 1", '"on" or "off"')],
)
def test_a_file_that_was_edited_badly_is_named(text: str, words: str) -> None:
    configuration_file().parent.mkdir(parents=True)
    configuration_file().write_text(text)
    with pytest.raises(DeviceError, match=words):
        saved_choice()


@pytest.mark.parametrize(
    ("changed", "as_json", "automatic", "wanted"),
    [
        ({}, False, "on", True),
        ({}, False, "off", False),
        ({}, True, "on", False),
        ({"dtmf": "1"}, False, "on", False),
        ({"devices": DeviceChoice(input="null")}, True, "off", True),
    ],
)
def test_devices_are_used_when_a_person_is_to_talk(
    changed: dict[str, Any], as_json: bool, automatic: str, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIPMEDIA_DEVICES", automatic)
    assert wants_headset(cli_settings(**changed), Output(as_json=as_json)) is wanted


def test_who_answers_unattended_opens_no_microphone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIPMEDIA_DEVICES", "on")
    assert not wants_headset(cli_settings(), Output(), attended=False)
    assert wants_headset(cli_settings(devices=DeviceChoice("null")), Output(), attended=False)


def test_the_list_says_what_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    run(_expect(devices.show_devices(DeviceChoice(output="evolve 30"), Output(as_json=True)), Exit.TALKED))
    listed = [line for line in lines(capsys.readouterr().out) if line["event"] == "device"]
    assert [(line["index"], line["used_for"]) for line in listed] == [
        (0, []),
        (1, ["output"]),
        (2, ["input"]),
    ]
    run(_expect(devices.show_devices(DeviceChoice(), Output()), Exit.TALKED))
    assert "microphone, loudspeaker" in capsys.readouterr().out


def test_an_ambiguous_name_is_not_saved(capsys: pytest.CaptureFixture[str]) -> None:
    run(_expect(devices.save_devices(DeviceChoice(input="jabra"), Output()), Exit.DEVICE))
    assert "may be any of these microphones" in " ".join(capsys.readouterr().err.split())
    assert not configuration_file().exists()
    run(_expect(devices.save_devices(DeviceChoice(input="evolve 20"), Output()), Exit.TALKED))
    assert saved_choice().input == "evolve 20"


async def _expect(command: Any, code: Exit) -> None:
    assert await command is code


def test_a_call_between_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What one file says the other hears: microphone and loudspeaker of both are files, in virtual time."""
    said = speech(48000, 4.0, Network(1).random("said"))
    soundfile.write(tmp_path / "said.wav", said, 48000)

    async def test() -> None:
        files = {"input": "null", "output": f"file:{tmp_path / 'heard.wav'}"}
        bob = cli_settings(bind="127.0.0.1:5062", duration=None, devices=DeviceChoice(**files, aec=OnOff.OFF))
        answering = asyncio.ensure_future(answer_calls(bob, Output(as_json=True), calls=1))
        await asyncio.sleep(0.1)
        mouth = DeviceChoice(f"file:{tmp_path / 'said.wav'}", "null", aec=OnOff.OFF)
        settings = cli_settings(bind="127.0.0.1:5060", duration=4.0, devices=mouth)
        assert await place_call("sip:bob@127.0.0.1:5062", settings, Output(as_json=True)) is Exit.TALKED
        assert await answering is Exit.TALKED

    run(test())
    heard, rate_hz = soundfile.read(tmp_path / "heard.wav", dtype="int16")
    assert rate_hz == 48000
    there, here = (np.abs(x[: 3 * 48000].astype(float)).reshape(-1, 960).mean(axis=1) for x in (heard, said))
    # Its loudness comes and goes as the speaker's did, a few tenths of a second earlier or later.
    n = len(here) - 50
    alike = [np.corrcoef(there[25 : 25 + n], here[lag : lag + n])[0, 1] for lag in range(50)]
    assert max(alike) > 0.8
    names = [line["event"] for line in lines(capsys.readouterr().out)]
    assert names.count("device_opened") == 6  # the callee's are tried before anybody calls
    assert "levels" in names


def test_a_device_that_is_named_is_told_of_before_one_that_is_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(PortAudioBackend, "devices", lambda _self: [])
    settings = cli_settings(devices=DeviceChoice(input="kitchen"))
    run(_expect(place_call("sip:x@127.0.0.1", settings, Output()), Exit.DEVICE))
    assert "no microphone" in capsys.readouterr().err


def test_a_device_that_is_missing_is_said_before_anybody_is_called(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def test() -> None:
        async with pair(lambda event: pytest.fail("it rang")) as phones:
            settings = cli_settings(devices=DeviceChoice("kitchen", "null"))
            assert await place_call(phones.bobs_uri, settings, Output(as_json=True)) is Exit.DEVICE

    run(test())
    assert "no microphone 'kitchen'" in capsys.readouterr().err


def test_a_level_is_drawn() -> None:
    assert bar(Level(-30.0, -30.0, 0, 0.0)) == "████████········  -30 dB "
    assert bar(Level(0.0, 0.0, 3, 0.0)).startswith("████████████████")
    assert bar(Level(0.0, 0.0, 3, 0.0)).endswith("!")


def test_a_microphone_that_was_heard_once_is_not_called_silent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Digital silence at the end is what a switch on the headset, or a noise gate, leaves."""
    soundfile.write(tmp_path / "word.wav", speech(48000, 1.0, Network(1).random("word")), 48000)

    async def test(choice: DeviceChoice, words: str) -> None:
        assert await devices.test_devices(choice, Output(), 7.0) is Exit.TALKED
        assert words in " ".join(capsys.readouterr().out.split())

    run(test(DeviceChoice(f"file:{tmp_path / 'word.wav'}", "null"), "loudest moment"))
    run(test(DeviceChoice("null", "null"), "nothing at all"))


def test_saving_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    run(_expect(devices.save_devices(DeviceChoice(), Output()), Exit.TALKED))
    assert "the system's devices are used" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("options", [["--save", "--test"], ["--test", "--loopback"]])
def test_what_would_not_be_done_is_refused(options: list[str]) -> None:
    result = CliRunner().invoke(app, ["devices", *options])
    assert result.exit_code == 2
    assert "one at a time" in result.output
    assert not configuration_file().exists()
