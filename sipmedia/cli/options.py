"""The options that several commands have one by one; those that go together are in their dataclasses."""

from __future__ import annotations

from typing import Annotated

import typer

RtpPorts = Annotated[str, typer.Option(metavar="MIN-MAX", help="UDP ports that sound may use; MIN is even.")]
Codecs = Annotated[
    list[str] | None,
    typer.Option(
        "--codec",
        metavar="NAME",
        help="Codec to use; repeat it, best first: opus, G722, PCMU, PCMA, L16.",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="One JSON object a line on stdout; the last is a summary.")
]
