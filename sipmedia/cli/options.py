"""The options that several commands have, as typer shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sipmedia.cli.device_choice import OnOff

CallBind = Annotated[
    str | None,
    typer.Option(
        "--bind",
        metavar="HOST:PORT",
        help="Where to listen; by default any free port, at our address towards URI.",
    ),
]
Bind = Annotated[
    str,
    typer.Option(
        metavar="HOST:PORT", help="Where to listen for SIP; [::1]:5060 for IPv6, port 0: any free one."
    ),
]
RtpPorts = Annotated[str, typer.Option(metavar="MIN-MAX", help="UDP ports that sound may use; MIN is even.")]
Play = Annotated[
    Path | None,
    typer.Option(metavar="FILE", exists=True, dir_okay=False, help="Sound to play (WAV, FLAC, Ogg, MP3)."),
]
Record = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Record what is heard (WAV; by suffix FLAC, Opus, Ogg).")
]
Stereo = Annotated[
    bool, typer.Option("--stereo", help="Record both parties: we on the left, they on the right.")
]
Dtmf = Annotated[str, typer.Option(metavar="DIGITS", help="Keys to press once the call is up: 0-9 * # A-D.")]
Codec = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Codec to use; repeat it, best first: opus, G722, PCMU, PCMA, L16."),
]


def _none_or_a_second(seconds: float) -> float:
    if 0 < seconds < 1:
        raise typer.BadParameter("at least 1 second, or 0 for never")
    return seconds


MediaTimeout = Annotated[
    float,
    typer.Option(
        metavar="SECONDS",
        min=0,
        callback=_none_or_a_second,
        help="Hang up when the far end fell silent for so long, sound and RTCP; 0: never.",
    ),
]
Trace = Annotated[
    Path | None, typer.Option(metavar="FILE.svg", help="Save the ladder of the call (.txt: as text).")
]
Json = Annotated[
    bool, typer.Option("--json", help="One JSON object a line on stdout; the last is a summary.")
]

Input = Annotated[
    str | None,
    typer.Option(
        "--input",
        metavar="NAME",
        help="Microphone: number or (part of) name, see `sipmedia devices`; null: none; file:NAME.wav.",
    ),
]
DeviceOutput = Annotated[
    str | None, typer.Option("--output", metavar="NAME", help="Loudspeaker: as --input; file: records it.")
]
Aec = Annotated[
    OnOff | None,
    typer.Option(help="Echo cancellation; by default on when it is installed (the extra aec)."),
]


_ACCOUNT = "Account"
AccountName = Annotated[
    str,
    typer.Option(
        "--account",
        metavar="NAME",
        help="Account of the file of accounts (~/.config/sipmedia/accounts.toml, or --config).",
        rich_help_panel=_ACCOUNT,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Another file of accounts.", rich_help_panel=_ACCOUNT),
]
RegistrarOption = Annotated[
    str,
    typer.Option(
        "--registrar",
        metavar="HOST:PORT",
        help="The domain's server, when the domain does not lead there.",
        rich_help_panel=_ACCOUNT,
    ),
]
Domain = Annotated[
    str, typer.Option(metavar="NAME", help="What comes after the @.", rich_help_panel=_ACCOUNT)
]
User = Annotated[str, typer.Option(metavar="NAME", help="What comes before the @.", rich_help_panel=_ACCOUNT)]
PasswordEnv = Annotated[
    str,
    typer.Option(
        metavar="VAR",
        help="Variable of the environment that holds the password; without it it is asked for.",
        rich_help_panel=_ACCOUNT,
    ),
]
Transport = Annotated[
    str,
    typer.Option(
        metavar="udp|tcp|tls",
        help="How to reach the server; by default as its name says.",
        rich_help_panel=_ACCOUNT,
    ),
]
KeysOption = Annotated[
    bool | None,
    typer.Option(
        "--keys/--no-keys",
        help="Keys during the call: hold, mute, transfer, record, hang up, dial; by default at a terminal.",
    ),
]
