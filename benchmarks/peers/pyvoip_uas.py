"""pyVoIP, answering as its documentation shows: a thread a call that writes back what it reads.

It wants a registrar before it does anything and answers towards that address only, so one is played
here, at the port where the callers will be, for a single REGISTER.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import threading
import time
import warnings
from typing import Any

warnings.simplefilter("ignore")

from pyVoIP.VoIP import CallState, InvalidStateError, VoIPPhone  # noqa: E402


def accept_one_registration(ip: str, port: int) -> threading.Thread:
    """Bind now; answer 200 to the first REGISTER, then close."""
    registrar = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    registrar.bind((ip, port))

    def serve() -> None:
        request, source = registrar.recvfrom(65536)
        kept = ("via:", "from:", "call-id:", "cseq:", "contact:")
        lines = request.decode().split("\r\n")
        answer = ["SIP/2.0 200 OK", *(line for line in lines if line.lower().startswith(kept))]
        answer += [f"{line};tag=registrar" for line in lines if line.lower().startswith("to:")]
        registrar.sendto("\r\n".join([*answer, "Content-Length: 0", "", ""]).encode(), source)
        registrar.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


def main(arguments: argparse.Namespace) -> None:
    """Answer until SIGTERM."""
    answered = 0

    def answer(call: Any) -> None:
        nonlocal answered
        try:
            call.answer()
            answered += 1
            while call.state == CallState.ANSWERED:
                call.write_audio(call.read_audio(160, blocking=True))
        except InvalidStateError:
            return

    registrar = accept_one_registration(arguments.ip, arguments.uac_port)
    phone = VoIPPhone(
        arguments.ip, arguments.uac_port, "bench", "none", myIP=arguments.ip, callCallback=answer,
        sipPort=arguments.sip_port, rtpPortLow=arguments.rtp_low, rtpPortHigh=arguments.rtp_high,
    )  # fmt: skip
    phone.start()
    registrar.join(3)
    time.sleep(1)

    def stop(*_: object) -> None:
        print("STATS " + json.dumps({"calls": answered}), flush=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    print("READY {}", flush=True)
    while True:
        time.sleep(1)


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
    main(parser.parse_args())
