"""The commands and their options, as typer shows them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from dialog.tls_settings import TlsSettings
from sipmedia.cli.accounts import AccountOptions
from sipmedia.cli.addresses import default_bind
from sipmedia.cli.answer import answer_calls
from sipmedia.cli.call import place_call
from sipmedia.cli.device_choice import DeviceChoice
from sipmedia.cli.exits import EPILOG, Exit, unread
from sipmedia.cli.option_groups import with_groups
from sipmedia.cli.options import Codecs, Json, RtpPorts
from sipmedia.cli.output import Output, use_utf8
from sipmedia.cli.settings import Settings

app = typer.Typer(
    name="sipmedia",
    help="A SIP phone for the command line: place calls, take calls, and watch one happen.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command(epilog=EPILOG)
@with_groups
def call(
    uri: Annotated[
        str, typer.Argument(metavar="URI", help="Whom to call, for instance sip:bob@127.0.0.1:5062.")
    ],
    *,
    bind: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Where to listen; by default any free port, at our address towards URI.",
        ),
    ] = "",
    duration: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0,
            help="Hang up after so long; without it when all is played and pressed, or else at Ctrl-C.",
        ),
    ] = None,
    ring: Annotated[
        str | None, typer.Option(metavar="NAME", help="Loudspeaker for the tone while it rings there.")
    ] = None,
    settings: Settings,
    json: Json = False,
) -> None:
    """Call somebody and talk; or press keys, play a file, record what is heard, hang up."""
    settings = replace(
        settings,
        bind=bind or ("" if settings.account.given else default_bind(uri)),
        duration=duration,
        devices=replace(settings.devices, ring=ring),
    )
    out = Output(as_json=json)
    _run(place_call(uri, settings, out), out)


@app.command(epilog=EPILOG)
@with_groups
def answer(
    *,
    bind: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Where to listen for SIP; [::1]:5060 for IPv6, port 0: any free one. By default "
            "127.0.0.1:5060, with an account any free port.",
        ),
    ] = "",
    duration: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0, help="Hang up after so long; without it the caller does."),
    ] = None,
    calls: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="End after so many calls; without it at Ctrl-C.")
    ] = None,
    ring: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SECONDS|NAME",
            help="Ring so long before answering; and, given once more, the loudspeaker to ring on.",
        ),
    ] = None,
    echo: Annotated[bool, typer.Option("--echo", help="Say back what is heard.")] = False,
    reject: Annotated[
        int | None,
        typer.Option(
            metavar="STATUS", min=300, max=699, help="Refuse calls: 486 busy, 603 declined, 404 ..."
        ),
    ] = None,
    settings: Settings,
    json: Json = False,
) -> None:
    """Wait for calls and talk; or echo, play a file, press keys, record what is heard."""
    ring_s, ring_on = _ring(ring or [])
    settings = replace(
        settings, bind=bind, duration=duration, devices=replace(settings.devices, ring=ring_on)
    )
    out = Output(as_json=json)
    _run(answer_calls(settings, out, calls=calls, ring=ring_s, echo=echo, reject=reject), out)


@app.command(epilog=EPILOG)
@with_groups
def register(
    *,
    bind: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Where to listen; by default any free port, at our address towards the server.",
        ),
    ] = "",
    duration: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", min=0, help="Leave after so long; without it at Ctrl-C."),
    ] = None,
    account: AccountOptions,
    json: Json = False,
) -> None:
    """Register an account, stay registered, and show what happens; nothing else is done with it."""
    from sipmedia.cli.register import keep_registered

    out = Output(as_json=json)
    _run(keep_registered(account, out, bind=bind, seconds=duration), out)


class Algorithm(StrEnum):
    """Of Digest, by their names in RFC 8760."""

    SHA_512_256 = "SHA-512-256"
    SHA_256 = "SHA-256"
    MD5 = "MD5"


@app.command(epilog=EPILOG)
def registrar(
    domain: Annotated[str, typer.Option(metavar="NAME", help="Whose users it knows.")] = "localhost",
    bind: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT", help="Where to listen for SIP; [::1]:5070 for IPv6, port 0: any free one."
        ),
    ] = "127.0.0.1:5070",
    user: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A user; repeat it. Without any everybody may register."),
    ] = None,
    password_env: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VAR", help="Variable that holds the user's password: one for all, or one for each."
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help='TOML with a table users: alice = "ALICE_PASSWORD" and so on.'),
    ] = None,
    algorithm: Annotated[
        list[Algorithm] | None,
        typer.Option(
            case_sensitive=False,
            metavar="|".join(Algorithm),
            help="Of Digest; repeat it, best first. By default MD5, as some phones know no other.",
        ),
    ] = None,
    tls_certificate: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.pem", exists=True, dir_okay=False, help="Listen by TLS, too, with this certificate."
        ),
    ] = None,
    tls_key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="Its key; by default in the same file."
        ),
    ] = None,
    tls_port: Annotated[
        int | None,
        typer.Option(metavar="PORT", min=0, max=65535, help="By default the one after that of --bind."),
    ] = None,
    json: Json = False,
) -> None:
    """Be a small registrar and proxy, for trying phones with nothing else installed. Nothing is kept."""
    from sipmedia.cli.registrar import serve_domain

    if tls_certificate is None and (tls_key is not None or tls_port is not None):
        raise typer.BadParameter("there is no TLS without it", param_hint="--tls-certificate")
    out = Output(as_json=json)
    _run(
        serve_domain(
            domain,
            out,
            bind=bind,
            users=user or (),
            password_envs=password_env or (),
            config=config,
            algorithms=algorithm or (),
            tls=TlsSettings(tls_certificate, tls_key),
            tls_port=tls_port,
        ),
        out,
    )


@app.command(epilog=EPILOG)
@with_groups
def devices(
    *,
    test: Annotated[
        bool, typer.Option("--test", help="Play a tone and show how loud the microphone is.")
    ] = False,
    loopback: Annotated[
        bool, typer.Option("--loopback", help="Measure the delay to the microphone, then hear yourself.")
    ] = False,
    save: Annotated[
        bool, typer.Option("--save", help="Use --input, --output, --ring and --aec from now on.")
    ] = False,
    seconds: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, max=600, help="How long to test.")
    ] = 4.0,
    ring: Annotated[str | None, typer.Option(metavar="NAME", help="Loudspeaker to ring on.")] = None,
    choice: DeviceChoice,
    json: Json = False,
) -> None:
    """Show the microphones and loudspeakers of this machine, try them, choose them."""
    from sipmedia.cli.devices import hear_yourself, save_devices, show_devices, test_devices

    if test + loopback + save > 1:
        raise typer.BadParameter("one at a time", param_hint="--test, --loopback, --save")
    choice = replace(choice, ring=ring)
    out = Output(as_json=json)
    if save:
        _run(save_devices(choice, out), out)
    elif test:
        _run(test_devices(choice, out, seconds), out)
    elif loopback:
        _run(hear_yourself(choice, out, seconds), out)
    else:
        _run(show_devices(choice, out), out)


@app.command(epilog=EPILOG)
def demo(
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to save; without it ./calls/demo-<date>-<time>.")
    ] = None,
    alice_bind: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where alice listens.")
    ] = "127.0.0.1:5060",
    bob_bind: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where bob listens.")] = "127.0.0.1:5062",
    rtp_ports: RtpPorts = "10000-10100",
    codecs: Codecs = None,
    json: Json = False,
) -> None:
    """Place a real call between two phones on this machine, show it, save it, and prove that both heard."""
    from sipmedia.cli.demo_command import show_demo

    told = Output(as_json=json)
    _run(
        show_demo(
            out,
            told,
            alice_bind=alice_bind,
            bob_bind=bob_bind,
            rtp_ports=rtp_ports,
            codecs=tuple(codecs or ()),
        ),
        told,
    )


def _ring(values: list[str]) -> tuple[float, str | None]:
    """Seconds and device out of what `--ring` was given; a device's number is said as `#3`."""
    seconds, device = 0.0, None
    for value in values:
        try:
            seconds = float(value)
        except ValueError:
            device = value.removeprefix("#")
            continue
        if not 0 <= seconds < float("inf"):
            raise typer.BadParameter(f"{value} is no time to ring for", param_hint="--ring")
    return seconds, device


def _run(command: Coroutine[Any, Any, Exit], out: Output) -> NoReturn:
    use_utf8()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio takes over from no other
    try:
        code = asyncio.run(command)
    except KeyboardInterrupt:
        code = Exit.INTERRUPTED
    finally:
        signal.signal(signal.SIGINT, before)
    raise typer.Exit(unread(code) if out.lost else code)
