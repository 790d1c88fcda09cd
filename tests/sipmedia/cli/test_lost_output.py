"""sipmedia/cli/output.py and stopping.py: nobody reads what a command tells, or somebody wants it to end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sipmedia.cli.exits import Exit, unread
from sipmedia.cli.output import Output
from tests.sipmedia.cli.test_command import PORTS, SIPMEDIA, answering

FULL = Path("/dev/full")
ASKED_IN_VAIN = """
import asyncio, os, signal, time
from sipmedia.cli.output import Output
from sipmedia.cli.stopping import stop_by_signal

async def command():
    with stop_by_signal(Output()) as stop:
        for again in range(3):  # the second follows too fast to be another wish
            os.kill(os.getpid(), signal.{name})
            await stop.asked
            print(again, flush=True)
            if again:
                await asyncio.sleep(0.35)
        time.sleep(30)

asyncio.run(command())
"""


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_call_whose_reader_has_read_enough_ends_in_order(options: tuple[str, ...]) -> None:
    with answering("--calls", "1", "--echo") as (answerer, uri):
        command = [*SIPMEDIA, "call", uri, *PORTS, *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            assert process.wait(timeout=20) == Exit.UNREAD
            assert process.stderr.read() == b""
        told, _ = answerer.communicate(timeout=20)  # it was not left alone in the call
    assert json.loads(told.splitlines()[-1])["event"] == "summary"


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_full_disk_is_told_in_a_sentence(options: tuple[str, ...]) -> None:
    with FULL.open("w") as full:
        command = [*SIPMEDIA, "answer", "--bind", "127.0.0.1:0", *options]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=20, check=False)
    assert done.returncode == Exit.UNREAD
    assert done.stderr.decode().splitlines() == [
        "error: what happens cannot be written any more: No space left on device"
    ]


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_a_full_disk_for_the_help() -> None:
    with FULL.open("w") as full:
        command = [*SIPMEDIA, "call", "--help"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (Exit.UNREAD, b"error: No space left on device\n")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_the_second_signal_ends_the_process_at_once(name: str) -> None:
    script = [sys.executable, "-c", ASKED_IN_VAIN.format(name=name)]
    done = subprocess.run(script, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout.split(), done.stderr) == (Exit.INTERRUPTED, ["0", "1"], "")


def test_what_a_lost_output_changes_and_what_not() -> None:
    assert unread(Exit.INTERRUPTED) is Exit.UNREAD
    assert unread(Exit.BUSY) is Exit.BUSY


def test_who_asks_late_is_told_that_it_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    out, asked = Output(as_json=True), []
    with os.fdopen(writing, "w") as nobody:
        monkeypatch.setattr(sys, "stdout", nobody)
        out.when_lost(lambda: asked.append("before"))
        out.event("calling")
        out.event("ringing")
        out.when_lost(lambda: asked.append("after"))
        monkeypatch.undo()
    assert asked == ["before", "after"]
