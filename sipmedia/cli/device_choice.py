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
from dataclasses import dataclass, fields
from pathlib import Path

from media.audio.echo_cancellation import VoiceSettings
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

    input: str | None = None
    output: str | None = None
    ring: str | None = None
    aec: bool | None = None

    @property
    def explicit(self) -> bool:
        """Whether anything was said, so that a call without devices is not what is wanted."""
        return self != DeviceChoice()

    @property
    def voice(self) -> VoiceSettings:
        """What is done to the microphone's sound."""
        return VoiceSettings(echo_cancellation=self.aec)

    def completed(self, saved: DeviceChoice) -> DeviceChoice:
        """With what was saved in place of what was not said."""
        return DeviceChoice(
            *(
                getattr(self, field.name)
                if getattr(self, field.name) is not None
                else getattr(saved, field.name)
                for field in fields(self)
            )
        )


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
    aec = values.pop("aec", None)
    return DeviceChoice(
        **{name: str(value) for name, value in values.items()}, aec=None if aec is None else bool(aec)
    )


def save_choice(choice: DeviceChoice) -> Path:
    """Write the file; returns its path. Raises `DeviceError`."""
    path = configuration_file()
    lines = []
    for field in fields(choice):
        value = getattr(choice, field.name)
        if isinstance(value, bool):
            lines.append(f"{field.name} = {str(value).lower()}")
        elif value is not None:
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            lines.append(f'{field.name} = "{escaped}"')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise DeviceError(f"{path} cannot be written: {error.strerror}") from error
    return path
