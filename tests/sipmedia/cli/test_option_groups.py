"""sipmedia/cli/option_groups.py, and that what is typed reaches the commands."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from sipmedia.cli import app as commands
from sipmedia.cli.accounts import AccountOptions
from sipmedia.cli.device_choice import DeviceChoice, OnOff
from sipmedia.cli.exits import Exit
from sipmedia.cli.option_groups import with_groups
from sipmedia.cli.settings import Settings


@dataclass(frozen=True)
class Inner:
    deep: Annotated[int, typer.Option()] = 1


@dataclass(frozen=True)
class Outer:
    said: Annotated[str, typer.Option("--say")] = "nothing"
    kept: str = "as it is"
    inner: Inner = field(default_factory=Inner)


def asked(*arguments: str) -> tuple[str, Outer, bool]:
    """What a command was given."""
    taken: list[tuple[str, Outer, bool]] = []
    app = typer.Typer()

    @app.command()
    @with_groups
    def command(name: str, *, outer: Outer, loud: Annotated[bool, typer.Option("--loud")] = False) -> None:
        """Take it."""
        taken.append((name, outer, loud))

    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return taken[0]


def test_options_of_a_group_come_as_its_dataclass() -> None:
    assert asked("x") == ("x", Outer(), False)
    assert asked("--say", "a", "x", "--deep", "3", "--loud") == (
        "x", Outer("a", "as it is", Inner(3)), True,
    )  # fmt: skip


def test_all_that_is_typed_reaches_the_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = tmp_path / "said.wav"
    sound.touch()
    taken: list[tuple[str, Settings]] = []

    async def place_call(uri: str, settings: Settings, out: Any) -> Exit:
        taken.append((uri, settings))
        return Exit.TALKED

    monkeypatch.setattr(commands, "place_call", place_call)
    typed = f"""call sip:bob@pbx --bind 127.0.0.1:5064 --rtp-ports 10-20 --play {sound} --record b.wav
        --stereo --dtmf 1# --duration 3 --codec PCMA --codec PCMU --media-timeout 0 --trace c.svg --input null
        --output pulse --ring 2 --aec off --no-keys --account work --config d.toml --registrar e --domain f
        --user g --password-env H --transport tcp"""
    result = CliRunner().invoke(commands.app, typed.split())
    assert result.exit_code == 0, result.output
    account = AccountOptions("work", Path("d.toml"), "e", "f", "g", "H", "tcp")
    assert taken == [
        (
            "sip:bob@pbx",
            Settings(
                "127.0.0.1:5064", "10-20", sound, Path("b.wav"), True, "1#", 3.0, ["PCMA", "PCMU"], 0.0,
                Path("c.svg"), DeviceChoice("null", "pulse", "2", OnOff.OFF), False, account,
            ),
        )
    ]  # fmt: skip
    assert taken[0][1].phone_config().media_timeout is None
