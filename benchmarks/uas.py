"""The program that answers the benchmark's calls with this library.

    python benchmarks/uas.py --sip-port 5070 --rtp-low 20000 --rtp-high 30000 --mode echo

Modes: `sig` answers with a real session description but opens no sockets for sound; `echo` is a whole phone
whose calls come back through jitter buffer, decoder and encoder; `tone` one that sends 440 Hz.
`--opt` is a list with commas: `spin` runs a thread of pure Python that never rests beside it, as a careless
application would, and `switch=0.001` sets the interpreter's switch interval as the documentation
recommends to such an application.

Prints `READY {}` when it listens and `STATS {...}` when SIGTERM ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import signal
import sys
import threading
from contextlib import AsyncExitStack

from dialog.config import UserAgentConfig
from dialog.events import Event, SessionOffer
from dialog.user_agent import UserAgent
from media import ManagerConfig, PortRange
from media.audio.graph import Echo
from media.audio.tones import ToneSource
from media.codec import registry
from media.sdp.description import SessionDescription
from media.sdp.local_audio import LocalAudio
from media.sdp.negotiation import Negotiation
from sipmedia import PhoneConfig, Softphone
from sipmedia.events import IncomingCall


class SignallingOnly:
    """Answers every INVITE: the dialog package, and a negotiated description without sockets behind it."""

    def __init__(self, ip: str, sip_port: int, rtp_port: int) -> None:
        codecs = tuple(registry.get(name) for name in ("PCMU", "PCMA", "G722"))
        self.calls = 0
        self.agent = UserAgent(UserAgentConfig(bind=(ip, sip_port)), self._on_event)
        self._audio = LocalAudio(ip, rtp_port, codecs)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, SessionOffer):
            self.calls += 1
            negotiation = Negotiation(self.calls)
            negotiation.set_remote_offer(SessionDescription.parse(event.body))
            event.usage.accept(bytes(negotiation.create_answer(self._audio)))


class AnsweringPhone:
    """A Softphone that answers every call, with the caller's own sound or a tone."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.calls = 0
        self._mode = arguments.mode
        self.phone = Softphone(
            bind=f"{arguments.ip}:{arguments.sip_port}",
            media=ManagerConfig(
                default_local_ip=arguments.ip,
                rtp_port_range=PortRange(arguments.rtp_low, arguments.rtp_high),
            ),
            config=PhoneConfig(max_calls=5000, traced_messages=0),
        )
        self.phone.on("incoming_call", self._answer)

    async def _answer(self, event: IncomingCall) -> None:
        await event.call.answer()
        self.calls += 1
        session = event.call.session
        if session is None:
            return
        if self._mode == "echo":
            echo = Echo()
            session.add_sink(echo)
            session.set_source(echo)
        else:
            session.set_source(ToneSource(session.rate, [440.0]))


def spin() -> None:
    """What an application should not do: keep the interpreter busy without end."""
    number = 0
    while True:
        number = (number * 31 + 7) % 1000003


async def serve(arguments: argparse.Namespace) -> None:
    """Answer calls until SIGTERM."""
    options = dict(part.partition("=")[::2] for part in arguments.opt.split(",") if part)
    if "switch" in options:
        sys.setswitchinterval(float(options["switch"]))
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with AsyncExitStack() as stack:
        program: SignallingOnly | AnsweringPhone
        if arguments.mode == "sig":
            program = SignallingOnly(arguments.ip, arguments.sip_port, arguments.rtp_low)
            await program.agent.start()
            stack.push_async_callback(program.agent.aclose)
        else:
            program = AnsweringPhone(arguments)
            await stack.enter_async_context(program.phone)
        if "spin" in options:
            threading.Thread(target=spin, daemon=True).start()
        gc.collect()
        gc.freeze()  # as docs/performance.md tells applications of many calls
        print("READY {}", flush=True)
        await stop.wait()
        print("STATS " + json.dumps({"calls": program.calls}), flush=True)


def main() -> None:
    """Read the arguments, serve."""
    parser = argparse.ArgumentParser(description="answer the benchmark's calls")
    parser.add_argument("--sip-port", type=int, default=5070)
    parser.add_argument("--uac-port", type=int, default=5080, help="where the callers are (not needed here)")
    parser.add_argument("--rtp-low", type=int, default=20000)
    parser.add_argument("--rtp-high", type=int, default=30000)
    parser.add_argument("--mode", choices=["sig", "echo", "tone"], default="echo")
    parser.add_argument("--ip", default="127.0.0.1")
    parser.add_argument("--opt", default="")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
