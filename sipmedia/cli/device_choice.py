"""Which devices a command uses: what its options say, else what was saved, else the system's.

What is saved is a file of three lines, `sipmedia devices --save` writes it:

    input = "Jabra"
    output = "Jabra"
    ring = "Speakers"
"""

from __future__ import annotations

import enum
import os
import sys
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated

import typer

from media.audio.echo_cancellation import VoiceSettings
from media.device.backends import backend_for
from media.device.base import Direction
from media.device.choosing import choose
from media.device.errors import DeviceError

SWITCH = "SIPMEDIA_DEVICES"
"""Set to "off" no device is used unless an option names one."""


class OnOff(enum.StrEnum):
    """A choice of two, as people write it."""

    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """The options of devices; ``None`` is what was not said."""

    input: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Microphone: number or (part of) name, see `sipmedia devices`; null: none; file:NAME.wav.",
        ),
    ] = None
    output: Annotated[
        str | None, typer.Option(metavar="NAME", help="Loudspeaker: as --input; file: records it.")
    ] = None
    ring: str | None = None
    """Loudspeaker to ring on, which each command asks for in its own way."""
    aec: Annotated[
        OnOff | None,
        typer.Option(help="Echo cancellation; by default on when it is installed (the extra aec)."),
    ] = None

    @property
    def explicit(self) -> bool:
        """Whether anything was said, so that a call without devices is not what is wanted."""
        return self != DeviceChoice()

    @property
    def voice(self) -> VoiceSettings:
        """What is done to the microphone's sound."""
        return VoiceSettings(echo_cancellation=None if self.aec is None else self.aec is OnOff.ON)

    def completed(self, saved: DeviceChoice) -> DeviceChoice:
        """With what was saved in place of what was not said."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(saved, **{name: value for name, value in said.items() if value is not None})

    def check(self) -> None:
        """Look for the devices that were named; raises `DeviceError` about the first that is not there."""
        for wish, direction in (
            (self.input, Direction.INPUT),
            (self.output, Direction.OUTPUT),
            (self.ring, Direction.OUTPUT),
        ):
            if wish is not None and not wish.startswith("file:"):
                backend, asked = backend_for(wish, direction)
                choose(backend.devices(), asked, direction)


def automatic() -> bool:
    """Whether devices are used although no option names any."""
    return os.environ.get(SWITCH, "").lower() not in ("off", "none", "0", "no")


def configuration_file() -> Path:
    """Where choices are saved: $XDG_CONFIG_HOME/sipmedia/devices.toml, or its like on other systems."""
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA", Path.home() / "AppData" / "Roaming"))
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return base / "sipmedia" / "devices.toml"


def saved_choice() -> DeviceChoice:
    """What was saved; nothing when there is no such file. Raises `DeviceError` when it cannot be read."""
    path = configuration_file()
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return DeviceChoice()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DeviceError(f"{path} cannot be read: {error}; correct or remove it") from error
    known = {field.name for field in fields(DeviceChoice)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise DeviceError(f"{path} says {unknown[0]!r}, which is none of {', '.join(sorted(known))}")
    said = {name: str(value) for name, value in values.items()}
    try:
        aec = OnOff(said.pop("aec")) if "aec" in said else None
    except ValueError as error:
        raise DeviceError(f'{path} says aec = {error}: write "on" or "off"') from None
    return DeviceChoice(**said, aec=aec)


def save_choice(choice: DeviceChoice) -> Path:
    """Write the file; returns its path. Raises `DeviceError`."""
    path = configuration_file()
    lines = []
    for field in fields(choice):
        value = getattr(choice, field.name)
        if value is not None:
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            lines.append(f'{field.name} = "{escaped}"')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise DeviceError(f"{path} cannot be written: {error.strerror}") from error
    return path
