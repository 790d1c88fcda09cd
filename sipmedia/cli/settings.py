"""What ``call`` and ``answer`` are told about the conversation, and whether it can be had."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from media import BadAudio, ManagerConfig, PortRange
from media.dtmf.telephone_event import check_digits
from media.files import FilePlayback, FileRecorder
from sipmedia.cli.accounts import AccountOptions
from sipmedia.cli.device_choice import DeviceChoice
from sipmedia.cli.options import Codecs, RtpPorts
from sipmedia.config import PhoneConfig, parse_port_range


def _none_or_a_second(seconds: float) -> float:
    if 0 < seconds < 1:
        raise typer.BadParameter("at least 1 second, or 0 for never")
    return seconds


@dataclass(frozen=True, slots=True)
class Settings:
    """The options that both commands have; what is not annotated each of them has in its own way."""

    bind: str = ""
    """Where to listen; "": where it is usual for what is called, or for the account."""
    rtp_ports: RtpPorts = "10000-20000"
    play: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="Sound to play (WAV, FLAC, Ogg, MP3)."
        ),
    ] = None
    record: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Record what is heard (WAV; by suffix FLAC, Opus, Ogg)."),
    ] = None
    stereo: Annotated[
        bool, typer.Option("--stereo", help="Record both parties: we on the left, they on the right.")
    ] = False
    dtmf: Annotated[
        str, typer.Option(metavar="DIGITS", help="Keys to press once the call is up: 0-9 * # A-D.")
    ] = ""
    duration: float | None = None
    """Seconds after which to hang up."""
    codecs: Codecs = None
    media_timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0,
            callback=_none_or_a_second,
            help="Hang up when the far end fell silent for so long, sound and RTCP; 0: never.",
        ),
    ] = 30.0
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Save the ladder of the call (.txt: as text).")
    ] = None
    devices: DeviceChoice = field(default_factory=DeviceChoice)
    keys: Annotated[
        bool | None,
        typer.Option(
            "--keys/--no-keys",
            help="Keys during the call: hold, mute, transfer, record, hang up, dial; by default at a "
            "terminal.",
        ),
    ] = None
    account: AccountOptions = field(default_factory=AccountOptions)

    def phone_config(self) -> PhoneConfig:
        """How the phone behaves: a call whose far end is gone is hung up."""
        return PhoneConfig(media_timeout=self.media_timeout or None, hangup_on_media_timeout=True)

    def manager_config(self) -> ManagerConfig:
        """Ports and codecs for the media manager; raises what is wrong with them."""
        ports = PortRange(*parse_port_range(self.rtp_ports))
        if self.codecs:
            return ManagerConfig(rtp_port_range=ports, default_audio_codecs=tuple(self.codecs))
        return ManagerConfig(rtp_port_range=ports)

    def check(self) -> None:
        """Find out before anybody's phone rings what would fail once it is answered.

        Raises BadAudio for files that cannot be played or written, BadDigits for what is no key.
        """
        if self.dtmf:
            check_digits(self.dtmf)
        if self.play is not None:
            FilePlayback(self.play, 8000, _at_once).close()
        for path in (self.record, self.trace):
            if path is not None:
                _check_writable(path)
        if self.record is not None:
            nowhere = _Nowhere(self.record)
            FileRecorder(nowhere, 8000, _at_once, format=self.record.suffix[1:] or None).close()


class _Nowhere(io.BytesIO):
    """Stands in for a file, to learn whether its kind can be written."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.name = str(path)


def _check_writable(path: Path) -> None:
    folder = path.absolute().parent
    if not folder.is_dir():
        raise BadAudio(f"{path} cannot be written: there is no folder {folder}")
    existed = path.exists()
    try:
        path.open("ab").close()  # what is there stays until the call is answered
    except OSError as error:
        raise BadAudio(f"{path} cannot be written: {error.strerror}; choose another path") from error
    if not existed:
        path.unlink()


def _at_once(work: Callable[[], object]) -> None:
    work()
