"""What SIP alone costs: INVITEs read a second, and memory over many calls.

python -m benchmarks.signalling     both, about two and a half minutes (needs sipp)
"""

from __future__ import annotations

import json
import subprocess
import time

from benchmarks.answering import CALLER_PORT, SIP_PORT, AnsweringProgram
from benchmarks.load import outcome
from benchmarks.micro import OFFER, request
from benchmarks.tools import WORK, Result, require_programs
from dialog.message import Request
from dialog.parser import parse_datagram
from dialog.validation import validate_request

CALLS, RATE = 100_000, 800
WARM = 50_000
"""Finished transactions are kept for 32 s (RFC 3261 Timer J), so that memory grows for 26,000 calls, and
tables and timers have their size about as many calls later. From here on it has to stay level."""


def read(data: bytes) -> Request:
    """From datagram to what a transaction takes: all headers split, those it needs typed."""
    message = parse_datagram(data)
    assert isinstance(message, Request)
    validate_request(message)
    return message


def read_whole(data: bytes) -> Request:
    """The same, and every typed header asked for."""
    message = read(data)
    typed = (
        message.vias, message.from_, message.to, message.call_id, message.cseq, message.contacts,
        message.routes, message.record_routes, message.max_forwards, message.expires, message.require,
        message.supported, message.content_type, message.allowed_methods, message.uri,
    )  # fmt: skip
    assert len(typed) == 15
    return message


def parsing(seconds: float = 2.0) -> Result:
    """INVITEs a second on one core, by process time; each is another message."""
    result: Result = {"command": "parsing"}
    for name, step in (("validated", read), ("typed", read_whole)):
        messages = [request("INVITE", number, 1, body=OFFER) for number in range(2000)]
        count, start = 0, time.process_time()
        while (elapsed := time.process_time() - start) < seconds:
            for message in messages:
                step(message)
            count += len(messages)
        result[f"{name}_per_s"] = count / elapsed
    return result


def many_calls(calls: int = CALLS, rate: int = RATE) -> Result:
    """Calls of sipp's, `rate` a second: those that failed, and memory after `WARM` of them and at the end."""
    require_programs(sipp="sip-tester")
    WORK.mkdir(exist_ok=True)
    statistics = WORK / "many_calls.csv"
    statistics.unlink(missing_ok=True)
    command = [
        "sipp", "-sn", "uac", f"127.0.0.1:{SIP_PORT}", "-i", "127.0.0.1", "-p", str(CALLER_PORT),
        "-r", str(rate), "-m", str(calls), "-d", "0", "-l", "20000", "-nostdin",
        "-timeout", str(calls // rate + 60), "-trace_stat", "-stf", str(statistics), "-fd", "1",
    ]  # fmt: skip
    with AnsweringProgram("ours", "sig") as program:
        load = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=WORK)
        time.sleep(WARM / rate)
        warm_mb = program.rss_mb
        load.wait(timeout=calls / rate + 90)
        end_mb = program.rss_mb
    passed, failed = outcome(statistics)
    return {
        "command": "many calls",
        "ok": passed,
        "failed": failed,
        "warm_mb": warm_mb,
        "end_mb": end_mb,
    }


if __name__ == "__main__":
    print(json.dumps(parsing()))
    print(json.dumps(many_calls()))
