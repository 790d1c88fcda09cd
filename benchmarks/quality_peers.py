"""Ours beside baresip and linphone: the same impaired stream, in real time over loopback, and PESQ of each.

Every phone is a process of its own that answers a real SIP call. We call, and replay a stream that was
recorded once (`benchmarks.impaired`): the same packets at the same times, without those that were lost. All
phones of one condition get it at the same time.
"""

from __future__ import annotations

import asyncio
import os
import re
import select
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.impaired import Clip, ImpairedStream, record
from benchmarks.listeners import Listener, installed
from benchmarks.network import Condition
from benchmarks.speech import NARROW, clips, pesq_of, read
from benchmarks.tools import Missing
from dialog.events import CallFailed, Event, SessionAnswer
from dialog.usage.invite import InviteUsage
from dialog.user_agent import UserAgent, UserAgentConfig
from media.frame import Samples
from tests.interop.harness.parties import Party, parties

CONDITIONS = (
    Condition(),
    Condition(0.05),
    Condition(0.05, 3.0),
    Condition(0.0, 1.0, 60.0),
    Condition(0.03, 1.0, 20.0),
)
QUICK = (Condition(0.05), Condition(0.0, 1.0, 60.0))
_BEFORE_S, _AFTER_S = 0.1, 0.3
"""What of the pauses around a clip is kept, as nobody's delay is quite the same throughout."""
_ASTRAY_S = 0.3
_ANSWER_S = 15.0


@dataclass
class Line:
    """One call to a listener: its socket, and what came back."""

    listener: Listener
    stream: ImpairedStream
    seed: int
    socket: socket.socket
    target: tuple[str, int] = ("", 0)
    returned: list[bytes] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """What a listener made of a stream."""

    name: str
    seed: int
    scores: tuple[float, ...]


def measure(
    folder: Path, count: int, seeds: int, wanted: Sequence[Condition] = CONDITIONS
) -> list[dict[str, Any]]:
    """The mean PESQ of every phone under every condition; `Missing` without PESQ, speech or any peer."""
    names, reasons = installed()
    for reason in reasons:
        print(f"left out: {reason}", flush=True)
    if len(names) == 1:
        raise Missing("no peer to compare with: " + "; ".join(reasons))
    speech = [read(path) for path in clips(folder, count)]
    results = []
    for condition in wanted:
        streams = [record(speech, condition, seed, "PCMU") for seed in range(1, seeds + 1)]
        outcomes, late_ms = _heard(streams)
        means = {
            kind.name: float(np.mean([s for one in outcomes if one.name == kind.name for s in one.scores]))
            for kind in names
        }
        results.append(
            {
                "network": condition.name,
                "pesq": means,
                "clips": count,
                "seeds": seeds,
                "sent_late_ms_p99": late_ms,
                "load": os.getloadavg()[0],
            }
        )
        cells = "".join(f"  {name} {value:.2f}" for name, value in means.items())
        print(f"{condition.name:42}{cells}   (sent late, p99: {late_ms:.1f} ms)", flush=True)
    return results


def _heard(streams: Sequence[ImpairedStream]) -> tuple[list[Outcome], float]:
    """Every stream to every phone, all at once."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sipmedia-bench-")))
        addresses = parties()
        lines = []
        for seed, stream in enumerate(streams, 1):
            for kind in installed()[0]:
                folder = work / f"{kind.name}-{seed}"
                folder.mkdir()
                listener = stack.enter_context(kind(next(addresses), folder))
                ear = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                lines.append(Line(listener, stream, seed, ear))
        late_ms = asyncio.run(_call_all(lines, next(addresses)))
        recordings = [line.listener.heard(line.returned) for line in lines]
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            scores = list(pool.map(_scores, recordings, [line.stream for line in lines]))
    outcomes = [
        Outcome(line.listener.name, line.seed, score) for line, score in zip(lines, scores, strict=True)
    ]
    return outcomes, late_ms


async def _call_all(lines: Sequence[Line], caller: Party) -> float:
    """Call, replay, hang up; gives how late packets were sent, in ms, 99 of 100 at most."""
    answers: dict[InviteUsage, asyncio.Future[bytes]] = {}

    def happened(event: Event) -> None:
        if isinstance(event, SessionAnswer) and not answers[event.usage].done():
            answers[event.usage].set_result(event.body)
        elif isinstance(event, CallFailed) and not answers[event.usage].done():
            answers[event.usage].set_exception(Missing(f"a call was refused: {event.status} {event.reason}"))

    agent = UserAgent(UserAgentConfig(bind=(caller.host, 0)), happened)
    await agent.start()
    try:
        for line in lines:
            await asyncio.to_thread(line.listener.wait_ready)
            line.socket.bind((caller.host, 0))
            line.socket.setblocking(False)
            offer = _offer(caller.host, line.socket.getsockname()[1])
            usage = agent.invite(line.listener.uri, from_=f"<sip:bench@{caller.host}>", body=offer)
            answers[usage] = asyncio.get_running_loop().create_future()
            line.target = _target(await asyncio.wait_for(answers[usage], _ANSWER_S))
        late = await asyncio.to_thread(_replay, lines)
        for usage in answers:
            usage.bye()
        await agent.wait_idle(3)
    finally:
        await agent.aclose()
    return float(np.percentile(late, 99)) * 1000


def _offer(host: str, port: int) -> bytes:
    lines = ("v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0")
    media = (f"m=audio {port} RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=ptime:20")
    return "".join(f"{line}\r\n" for line in (*lines, *media)).encode()


def _target(answer: bytes) -> tuple[str, int]:
    text = answer.decode()
    host, port = re.search(r"c=IN IP4 (\S+)", text), re.search(r"m=audio (\d+)", text)
    if host is None or port is None:
        raise Missing(f"an answer without an address: {text}")
    return host.group(1), int(port.group(1))


def _replay(lines: Sequence[Line]) -> list[float]:
    """Send every packet at its time, taking what comes meanwhile; how late each was, in seconds."""
    by_socket = {line.socket.fileno(): line for line in lines}
    poll = select.poll()
    for number in by_socket:
        poll.register(number, select.POLLIN)
    late = []
    start = time.monotonic() + 0.2

    def until(deadline: float) -> None:
        while (left := deadline - time.monotonic()) > 0:
            for number, _ in poll.poll(left * 1000):
                line = by_socket[number]
                line.returned += _received(line.socket)

    for at, line, data in _in_order(lines):
        until(start + at)
        late.append(time.monotonic() - start - at)
        line.socket.sendto(data, line.target)
    until(time.monotonic() + 1.0)
    return late


def _in_order(lines: Sequence[Line]) -> Iterator[tuple[float, Line, bytes]]:
    """Every packet of every line; each line a little after the one before, not all at one moment."""
    step = 0.02 / len(lines)
    timed = [
        (at + index * step, index, data)
        for index, line in enumerate(lines)
        for at, data in line.stream.packets
    ]
    for at, index, data in sorted(timed):
        yield at, lines[index], data


def _received(ear: socket.socket) -> list[bytes]:
    got = []
    while True:
        try:
            got.append(ear.recv(65536))
        except (BlockingIOError, ConnectionRefusedError):
            return got


def _scores(heard: Samples, stream: ImpairedStream) -> tuple[float, ...]:
    """PESQ of every clip, each sought in the recording where it must be."""
    whole = np.zeros(int(stream.seconds * NARROW), np.int16)
    for clip in stream.clips:
        begins = int(clip.begins_s * NARROW)
        whole[begins : begins + len(clip.samples)] = clip.samples
    offset = found_at(heard, whole)
    return tuple(_score(heard, clip, offset) for clip in stream.clips)


def _score(heard: Samples, clip: Clip, offset: int) -> float:
    astray, before = int(_ASTRAY_S * NARROW), int(_BEFORE_S * NARROW)
    expected = int(clip.begins_s * NARROW) + offset
    near = max(0, expected - astray)
    found = found_at(heard[near : expected + len(clip.samples) + astray], clip.samples)
    begins = max(0, near + found - before)
    return pesq_of(clip.samples, heard[begins : near + found + len(clip.samples) + int(_AFTER_S * NARROW)])


def found_at(heard: Samples, sound: Samples) -> int:
    """At which sample of `heard` the sound begins; below 0 if before that."""
    size = 1 << (len(heard) + len(sound)).bit_length()
    likeness = np.fft.irfft(
        np.fft.rfft(heard.astype(np.float32), size) * np.conj(np.fft.rfft(sound.astype(np.float32), size)),
        size,
    )
    best = int(np.argmax(likeness))
    return best if best < len(heard) else best - size
