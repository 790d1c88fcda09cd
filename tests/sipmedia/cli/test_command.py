"""The command ``sipmedia`` as a program: arguments, signals, and two of them talking to each other."""

import json
import os
import re
import signal
import subprocess
import sys
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media.audio.tones import sweep
from sipmedia.cli.exits import Exit
from sipmedia.hearing import find

SIPMEDIA = [sys.executable, "-m", "sipmedia"]
PORTS = ["--rtp-ports", "24300-24500"]


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    return subprocess.run(
        [*SIPMEDIA, *arguments], capture_output=True, text=True, timeout=60, env=environment, check=False
    )


@contextmanager
def answering(*options: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """``sipmedia answer`` with JSON output, and the address it listens on."""
    command = [*SIPMEDIA, "answer", "--bind", "127.0.0.1:0", "--json", *PORTS, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            assert ready["event"] == "listening"
            yield process, f"sip:phone@{ready['address']}"
        finally:
            process.kill()


def last_line(text: str) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads(text.splitlines()[-1])
    assert summary["event"] == "summary"
    return summary


def test_help_names_every_option_and_exit_code() -> None:
    for command, options in {
        "call": "--bind --rtp-ports --play --record --dtmf --duration --codec --media-timeout --trace --json",
        "answer": "--bind --rtp-ports --play --record --dtmf --duration --codec --trace --json "
        "--calls --ring --echo",
        "demo": "--out --alice-bind --bob-bind",
    }.items():
        shown = re.sub(r"[\s│]+", " ", run(command, "--help").stdout)
        for option in options.split():
            assert option in shown, (command, option)
        for code in Exit:
            assert f"{code.value} {code.words}" in shown


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("call",),
        ("call", "sip:x@127.0.0.1", "--duration", "soon"),
        ("answer", "--media-timeout", "0.5"),
        ("dance",),
    ],
)
def test_arguments_that_cannot_be_read(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).returncode == 2


def test_two_of_them_talk(tmp_path: Path) -> None:
    said = sweep(8000, 0.5)
    with wave.open(str(tmp_path / "said.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(said.tobytes())
    with answering("--calls", "1", "--ring", "0.1", "--echo", "--trace", str(tmp_path / "answer.svg")) as (
        process,
        uri,
    ):
        called = run(
            "call", uri, "--json", *PORTS, "--codec", "PCMA", "--codec", "PCMU", "--dtmf", "1#",
            "--play", str(tmp_path / "said.wav"), "--record", str(tmp_path / "heard.wav"),
            "--trace", str(tmp_path / "call.svg"), "--duration", "1.5",
        )  # fmt: skip
        assert (called.returncode, called.stderr) == (0, "")
        answered, _ = process.communicate(timeout=10)
        assert process.returncode == 0
    names = [json.loads(line)["event"] for line in called.stdout.splitlines()]
    for name in (
        "calling",
        "ringing",
        "answered",
        "dtmf_sent",
        "playing",
        "played",
        "media",
        "ended",
        "recorded",
    ):
        assert name in names
    summary = last_line(called.stdout)
    audio = summary["statistics"]["media"]["audio"]
    assert (summary["exit_code"], summary["ended_by"], audio["codec"]) == (0, "local", "PCMA")
    assert audio["packets_received"] > 10
    assert [call["ended_by"] for call in last_line(answered)["calls"]] == ["remote"]
    digits = [json.loads(line).get("digit") for line in answered.splitlines()]
    assert [digit for digit in digits if digit] == ["1", "#"]
    for name in ("call.svg", "answer.svg"):
        assert "hangs up" in (tmp_path / name).read_text(encoding="utf-8")
    with wave.open(str(tmp_path / "heard.wav"), "rb") as file:
        heard = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
    # In pieces: on a busy machine the jitter buffer may have stretched the sound somewhere.
    assert any(find(said[at : at + 1600], heard, 8000).good for at in (0, 1200, 2400))


def test_interrupted_while_it_rings_and_while_it_waits() -> None:
    with answering("--ring", "30") as (waiting, uri):
        command = [*SIPMEDIA, "call", uri, "--json", *PORTS]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            while json.loads(process.stdout.readline())["event"] != "ringing":
                pass
            process.send_signal(signal.SIGINT)
            rest, _ = process.communicate(timeout=10)
            assert process.returncode == Exit.INTERRUPTED
            assert last_line(rest)["exit_code"] == Exit.INTERRUPTED
        waiting.send_signal(signal.SIGINT)
        rest, _ = waiting.communicate(timeout=10)
        assert waiting.returncode in (Exit.TALKED, Exit.REFUSED)
        assert last_line(rest)["calls"][0]["status"] == 487


@pytest.mark.parametrize("loading", ["asyncio", "numpy", "sipmedia.cli.app"])
def test_interrupted_while_it_starts(loading: str) -> None:
    script = f"""
import os, signal, sys
from sipmedia.cli import main

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {loading!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
sys.argv = ["sipmedia", "registrar"]
main()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (Exit.INTERRUPTED, b"", b"")


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals here")
def test_interrupted_while_it_asks_for_the_password() -> None:
    ours, theirs = os.openpty()
    command = [*SIPMEDIA, "register", "--user", "alice", "--domain", "127.0.0.1"]
    with subprocess.Popen(command, stdin=theirs, stderr=subprocess.PIPE, start_new_session=True) as process:
        assert process.stderr is not None
        while (read := process.stderr.read(1)) not in (b":", b""):
            pass
        assert read == b":"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == Exit.INTERRUPTED
        assert b"Traceback" not in process.stderr.read()
    os.close(ours)
    os.close(theirs)


def test_a_demo_with_its_port_taken_says_which(tmp_path: Path) -> None:
    with answering() as (_, uri):
        address = uri.partition("@")[2]
        demo = run("demo", "--out", str(tmp_path), "--alice-bind", "127.0.0.1:0", "--bob-bind", address)
    assert demo.returncode == Exit.ADDRESS
    assert address.rpartition(":")[2] in demo.stderr
    assert "--bob-bind" in demo.stderr


@pytest.mark.slow
def test_the_demo(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo = run(
        "demo", "--out", str(folder), "--alice-bind", "127.0.0.1:0", "--bob-bind", "127.0.0.1:0", *PORTS
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    for words in ("alice calls bob", "✔ alice heard bob", "✔ bob heard alice", "bob heard the keys 42#"):
        assert words in demo.stdout
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "alice-heard.wav", "bob-heard.wav", "call.wav", "ladder.svg", "ladder.txt", "stats.json",
    }  # fmt: skip
    figures = json.loads((folder / "stats.json").read_text(encoding="utf-8"))
    assert figures["ok"]
    # Other tests run beside it, and a late packet costs likeness: what makes it ok is for the demo to say.
    assert all(each["score"] > 0.8 for each in figures["heard"])
