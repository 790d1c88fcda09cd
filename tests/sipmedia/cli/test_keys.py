"""sipmedia/cli/keys.py and keyboard.py: what keys do in a call, and how they are read."""

from __future__ import annotations

import asyncio
import os
import pty
import sys
from pathlib import Path
from typing import Any

import pytest

from sipmedia import Account, Softphone
from sipmedia.cli.call import place_call
from sipmedia.cli.exits import Exit
from sipmedia.cli.keyboard import keyboard
from sipmedia.cli.keys import HELP, Keys
from sipmedia.cli.output import Output
from tests.sipmedia.kit import cli_settings, connected, first, run


class Told(Output):
    """Keeps the events and what was shown."""

    def __init__(self) -> None:
        super().__init__(as_json=True)
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.shown: list[str] = []

    def event(self, name: str, sentence: str = "", **fields: Any) -> None:
        super().event(name, sentence, **fields)
        self.events.append((name, {"sentence": sentence, **fields}))

    def status(self, line: str) -> None:
        self.shown.append(line)


def test_hold_dial_and_hang_up() -> None:
    async def test() -> None:
        async with connected() as (call, other):
            out = Told()
            keys = Keys(call, out)
            running = asyncio.ensure_future(keys.run())
            held = first(other, "held")
            keys.press("h")
            await held
            resumed = first(other, "resumed")
            keys.press("h")
            await resumed
            pressed = [first(other, "dtmf")]
            keys.press("5")
            assert (await pressed[0]).digit == "5"
            keys.press("m")
            keys.press("?")
            keys.press("\n")
            keys.press("a")  # no key of the dial pad in small letters
            keys.press("q")
            await call.ended()
            await asyncio.sleep(0.1)
            assert [name for name, _ in out.events] == ["dtmf_sent", "keys", "keys", "muted"]
            assert out.events[1][1]["sentence"] == HELP
            # What comes too late is said, and harms nothing.
            keys.press("h")
            await asyncio.sleep(0.1)
            assert out.events[-1][0] == "error"
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    run(test())


def test_record(tmp_path: Path) -> None:
    async def test() -> None:
        async with connected() as (call, _):
            out = Told()
            keys = Keys(call, out, recording=tmp_path / "call.wav")
            running = asyncio.ensure_future(keys.run())
            keys.press("r")
            await asyncio.sleep(1)
            keys.press("r")
            await asyncio.sleep(1)
            assert [name for name, _ in out.events] == ["recording", "recorded"]
            assert out.events[1][1]["duration"] == pytest.approx(1.0, abs=0.1)
            keys.press("r")
            await asyncio.sleep(0.1)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    run(test())


def test_transfer() -> None:
    async def test() -> None:
        async with connected() as (call, _):
            out = Told()
            async with Softphone(Account("sip:carol@127.0.0.1"), bind="127.0.0.1:5090") as carol:
                carol.on("incoming_call", lambda event: event.call.answer())
                keys = Keys(call, out, complete=lambda typed: f"sip:{typed}@127.0.0.1:5090")
                running = asyncio.ensure_future(keys.run())
                for key in "thans\x1b" + "t\n" + "tcarx\x7fol\n":
                    keys.press(key)
                assert "transfer to: carx" in out.shown
                await call.ended()
                await asyncio.sleep(0.5)
                names = [name for name, _ in out.events]
                assert names[0] == "transferring"
                assert out.events[0][1]["to"] == "sip:carol@127.0.0.1:5090"
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    run(test())


def test_mute() -> None:
    async def test() -> None:
        async with connected() as (call, _):
            out = Told()
            keys = Keys(call, out)
            running = asyncio.ensure_future(keys.run())
            for expected in (True, False):
                keys.press("m")
                await asyncio.sleep(0.1)
                assert call.muted is expected
            assert [fields["muted"] for _, fields in out.events] == [True, False]
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    run(test())


class Terminal:
    """Standard input that is a pseudo terminal, or a pipe."""

    def __init__(self, descriptor: int, terminal: bool) -> None:
        self._descriptor = descriptor
        self._terminal = terminal

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize("terminal", [True, False])
def test_keys_come_one_by_one(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    if terminal:
        writer, reader = pty.openpty()
    else:
        reader, writer = os.pipe()
    monkeypatch.setattr(sys, "stdin", Terminal(reader, terminal))
    pressed: list[str] = []

    async def test() -> None:
        with keyboard(pressed.append):
            os.write(writer, b"h5")
            for _ in range(100):
                if len(pressed) == 2:
                    break
                await asyncio.sleep(0.01)
            if not terminal:
                os.close(writer)
                await asyncio.sleep(0.01)

    asyncio.run(test())
    assert pressed == ["h", "5"]
    for descriptor in (reader, writer) if terminal else (reader,):
        os.close(descriptor)


def test_keys_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Which no loop can wait for."""
    path = tmp_path / "keys"
    path.write_text("q1", encoding="utf-8")
    pressed: list[str] = []

    async def test() -> None:
        with keyboard(pressed.append):
            for _ in range(100):
                if len(pressed) == 2:
                    break
                await asyncio.sleep(0.01)

    with path.open(encoding="utf-8") as file:
        monkeypatch.setattr(sys, "stdin", file)
        asyncio.run(test())
    assert pressed == ["q", "1"]


def test_a_call_with_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for by --keys; "q" ends the call."""
    reader, writer = os.pipe()
    os.write(writer, b"q")
    monkeypatch.setattr(sys, "stdin", Terminal(reader, terminal=False))

    async def test() -> None:
        async with Softphone(Account("sip:bob@127.0.0.1"), bind="127.0.0.1:0") as bob:
            bob.on("incoming_call", lambda event: event.call.answer())
            out = Told()
            settings = cli_settings(duration=None, keys=True)
            code = await place_call(f"bob@127.0.0.1:{bob.address[1]}", settings, out)
            assert code in (Exit.TALKED, Exit.NO_AUDIO)
            assert ("keys", {"sentence": HELP}) in out.events

    asyncio.run(asyncio.wait_for(test(), 20))
    os.close(reader)
    os.close(writer)
