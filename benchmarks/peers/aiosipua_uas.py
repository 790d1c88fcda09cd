"""aiosipua with aiortp, answering as its documentation shows: sound is decoded, and sent back encoded."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
from typing import Any

from aiosipua import SipUAS
from aiosipua.rtp_bridge import CallSession
from aiosipua.transport import UdpSipTransport


async def main(arguments: argparse.Namespace) -> None:
    """Answer until SIGTERM."""
    sessions: dict[str, Any] = {}
    ports = iter(range(arguments.rtp_low, 1 << 30, 2))
    answered = 0

    async def answer(call: Any) -> None:
        nonlocal answered
        room = arguments.rtp_high - arguments.rtp_low
        port = arguments.rtp_low + (next(ports) - arguments.rtp_low) % room
        session = CallSession(local_ip=arguments.ip, rtp_port=port, offer=call.sdp_offer)
        call.ringing()
        if arguments.mode == "echo":
            await session.start()
            sessions[call.call_id] = session
            session.on_audio = lambda pcm, _: session.rtp_session.send_audio_pcm_auto(pcm)
        call.accept(session.sdp_answer)
        answered += 1

    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    def spawn(work: Any) -> None:
        task = loop.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def bye(call: Any, _: Any) -> None:
        session = sessions.pop(call.call_id, None)
        if session is not None:
            spawn(session.close())

    uas = SipUAS(UdpSipTransport(local_addr=(arguments.ip, arguments.sip_port)))
    uas.on_invite = lambda call: spawn(answer(call))
    uas.on_bye = bye
    await uas.start()
    print("READY {}", flush=True)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    print("STATS " + json.dumps({"calls": answered}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name, default in (
        ("--sip-port", 5070),
        ("--uac-port", 5080),
        ("--rtp-low", 20000),
        ("--rtp-high", 30000),
    ):
        parser.add_argument(name, type=int, default=default)
    for name, default_text in (("--mode", "echo"), ("--ip", "127.0.0.1"), ("--opt", "")):
        parser.add_argument(name, default=default_text)
    asyncio.run(main(parser.parse_args()))
