"""Our own load generator, for a machine without the shared ones.

A C program (load.c, compiled on first use) is the calls' RTP: it sends at exact times and times what
comes back. This module is the caller's SIP, as little of it as a call on loopback needs. The load of
calls without sound is sipp's.
"""

from __future__ import annotations

import csv
import json
import re
import socket
import struct
import subprocess
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.answering import CALLER_PORT, SIP_PORT, AnsweringProgram
from benchmarks.tools import ROOT, WORK, Missing, Result, require_programs

RTP_BASE = 40000
SETTLE_S = 2.0
"""Between the last call's answer and the measurement."""


class CallRefused(Exception):
    """A call was not answered with 200 in time."""


class Caller:
    """A user agent client with one socket: each call is INVITE, 200, ACK and later BYE, 200."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", CALLER_PORT))
        self._calls: list[dict[str, str]] = []

    def call(self, number: int, rtp_port: int) -> tuple[str, int]:
        """Place a call; gives where the other party wants its RTP. :raises CallRefused:"""
        call = {"id": f"{number}-{time.monotonic_ns()}", "to": "<sip:bench@127.0.0.1>", "target": ""}
        body = (
            f"v=0\r\no=- {number} 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {rtp_port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\n"
        )
        call["target"] = f"sip:bench@127.0.0.1:{SIP_PORT}"
        answer = self._ask(call, "INVITE", 1, body)
        call["to"] = _header(answer, "To", "t")
        contact = re.search(r"sip:[^>;\s]+", _header(answer, "Contact", "m"))
        call["target"] = contact.group() if contact else call["target"]
        self._send(call, "ACK", 1)
        self._calls.append(call)
        host = re.search(r"c=IN IP4 (\S+)", answer)
        port = re.search(r"m=audio (\d+)", answer)
        if host is None or port is None:
            raise CallRefused("the answer has no address for the sound")
        return host.group(1), int(port.group(1))

    def end_all(self) -> None:
        """BYE to every call, each answered or given up."""
        for call in self._calls:
            try:
                self._ask(call, "BYE", 2)
            except CallRefused:
                continue
        self._calls.clear()

    def close(self) -> None:
        self._socket.close()

    def _ask(self, call: dict[str, str], method: str, cseq: int, body: str = "") -> str:
        """Send a request, again every half second, until its final response."""
        for _ in range(20):
            self._send(call, method, cseq, body)
            deadline = time.monotonic() + 0.5
            while (left := deadline - time.monotonic()) > 0:
                self._socket.settimeout(left)
                try:
                    text = self._socket.recv(65536).decode("latin-1")
                except TimeoutError:
                    break
                ours = call["id"] in text and f"{cseq} {method}" in text and text.startswith("SIP/2.0 ")
                if ours and text[8] == "1":
                    deadline = time.monotonic() + 4
                elif ours and text[8] == "2":
                    return text
                elif ours:
                    raise CallRefused(text.split("\r\n")[0])
        raise CallRefused("no answer")

    def _send(self, call: dict[str, str], method: str, cseq: int, body: str = "") -> None:
        kind = "Content-Type: application/sdp\r\n" if body else ""
        text = (
            f"{method} {call['target']} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{CALLER_PORT};branch=z9hG4bK{call['id']}-{method}\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:load@127.0.0.1:{CALLER_PORT}>;tag={call['id']}\r\n"
            f"To: {call['to']}\r\nCall-ID: {call['id']}\r\nCSeq: {cseq} {method}\r\n"
            f"Contact: <sip:load@127.0.0.1:{CALLER_PORT}>\r\n{kind}Content-Length: {len(body)}\r\n\r\n{body}"
        )
        self._socket.sendto(text.encode("latin-1"), ("127.0.0.1", SIP_PORT))


def _header(message: str, name: str, compact: str) -> str:
    match = re.search(rf"^(?:{name}|{compact})\s*:\s*(.+?)\r$", message, re.MULTILINE | re.IGNORECASE)
    return match.group(1) if match else ""


class RtpLoad:
    """load.c as a process, with `count` endpoints."""

    def __init__(self, count: int) -> None:
        program, source = WORK / "load", ROOT / "benchmarks" / "load.c"
        if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
            subprocess.run(["gcc", "-O2", "-o", str(program), str(source), "-lm"], check=True)
        self._process = subprocess.Popen(
            [str(program), str(count), str(RTP_BASE)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        self._line()

    def command(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text + "\n")

    def measure(self, seconds: float) -> Result:
        self.command(f"measure {seconds}")
        result: Result = json.loads(self._line())
        return result

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Missing("load.c ended by itself (are its ports taken?)")
        return line

    def close(self) -> None:
        self._process.communicate("quit\n", timeout=5)


class OwnGenerators:
    """The generators of this folder."""

    name = "the project's own load generator"

    def __init__(self) -> None:
        require_programs(sipp="sip-tester", gcc="gcc")
        WORK.mkdir(exist_ok=True)

    def media(self, peer: str, calls: int, seconds: float, options: str = "") -> Result:
        """`calls` echo calls for `seconds`."""
        return self._media(peer, calls, seconds, options, None)

    def echo(self, peer: str, seconds: float) -> Result:
        """One call of four recorded; how late and how exact its echo is."""
        record = WORK / f"echo_{peer}.bin"
        result = self._media(peer, 4, seconds, "", record)
        if "error" not in result:
            result["calls"] = [echo_quality(record)]
        return result

    def _media(self, peer: str, calls: int, seconds: float, options: str, record: Path | None) -> Result:
        named = {"command": f"load {peer} {calls} {seconds} {options}".strip(), "peer": peer, "n": calls}
        with AnsweringProgram(peer, "echo", options) as program:
            rtp, caller = RtpLoad(calls), Caller()
            try:
                if record is not None:
                    rtp.command(f"record 0 {record}")
                for number in range(calls):
                    host, port = caller.call(number, RTP_BASE + 2 * number)
                    rtp.command(f"send {number} {host} {port}")
                    time.sleep(0.02)
                time.sleep(SETTLE_S)
                cpu, start = program.cpu_s, time.monotonic()
                result = rtp.measure(seconds)
                cpu, elapsed = program.cpu_s - cpu, time.monotonic() - start
                result |= {**named, "up": calls, "cpu_pct_per_call": 100 * cpu / elapsed / calls}
                result["rss_mb"] = program.rss_mb
                caller.end_all()
                return result
            except CallRefused as refused:
                return {**named, "error": str(refused)}
            finally:
                caller.close()
                rtp.close()

    def signalling(self, peer: str, rate: int, seconds: float, mode: str) -> Result:
        """sipp's own caller, `rate` calls a second."""
        statistics = WORK / "sipp.csv"
        statistics.unlink(missing_ok=True)
        total = int(rate * seconds)
        command = [
            "sipp", "-sn", "uac", f"127.0.0.1:{SIP_PORT}", "-i", "127.0.0.1", "-p", str(CALLER_PORT),
            "-r", str(rate), "-m", str(total), "-d", "0", "-l", "5000", "-nostdin",
            "-timeout", str(int(seconds) + 25), "-trace_stat", "-stf", str(statistics), "-fd", "1",
        ]  # fmt: skip
        with AnsweringProgram(peer, mode) as program:
            cpu = program.cpu_s
            subprocess.run(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=WORK, check=False
            )
            time.sleep(0.3)
            cpu = program.cpu_s - cpu
        passed, failed = outcome(statistics)
        result: Result = {"command": f"sipp {peer} {rate} {seconds} {mode}", "ok": passed, "failed": failed}
        if passed:
            result["cpu_ms_per_call"] = 1000 * cpu / passed
        return result


def outcome(statistics: Path) -> tuple[int, int]:
    """Calls that succeeded and failed, from what `sipp -trace_stat` wrote."""
    with statistics.open() as file:
        last = list(csv.DictReader(file, delimiter=";"))[-1]
    return int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"])


def _linear(payload: bytes) -> NDArray[np.float64]:
    """Mu-law bytes as samples (ITU-T G.711 table 2)."""
    code = ~np.frombuffer(payload, np.uint8).astype(np.int32) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 132) << ((code >> 4) & 7)) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.float64)


def echo_quality(record: Path) -> dict[str, float]:
    """Delay and signal to noise ratio of the echo, from load.c's record of one endpoint.

    Half a second of what came back is looked for in the four seconds sent before it; its delay is the
    arrival of its first packet less the departure of the packet that carried the same first sample.
    """
    frames: dict[bytes, list[tuple[float, bytes]]] = {b"S": [], b"R": []}
    data, at = record.read_bytes(), 0
    while at + 11 <= len(data):
        kind, when, length = struct.unpack_from("=cdH", data, at)
        frames[kind].append((when, data[at + 11 : at + 11 + length]))
        at += 11 + length
    sent, came = frames[b"S"], frames[b"R"]
    sound = np.concatenate([_linear(payload) for _, payload in sent])
    departures = np.array([when for when, _ in sent])
    delays, ratios = [], []
    for first in range(25, len(came) - 25, 25):
        piece = np.concatenate([_linear(payload) for _, payload in came[first : first + 25]])
        arrival = came[first][0]
        end = int(np.searchsorted(departures, arrival)) * 160
        begin = max(0, end - 32000)
        window = sound[begin : end + len(piece)]
        size = 1 << (len(window) + len(piece)).bit_length()
        match = np.fft.irfft(np.fft.rfft(window, size) * np.conj(np.fft.rfft(piece, size)), size)
        best = int(np.argmax(match[: max(1, end - begin)]))
        original = window[best : best + len(piece)]
        if len(original) < len(piece):
            continue
        error = piece - original
        delays.append(float(1000 * (arrival - departures[(begin + best) // 160])))
        ratios.append(float(10 * np.log10(max(piece @ piece, 1e-9) / max(error @ error, 1e-9))))
    if not delays:
        return {}
    return {"delay_ms_first": delays[0], "delay_ms_last": delays[-1], "snr_db_min": min(ratios)}
