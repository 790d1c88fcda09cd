"""A stream of speech as a bad network delivers it: recorded once, so that every receiver meets the same.

The clips follow each other with pauses between them in one call. They are sent through the simulated network
by our own engine, and what reaches the far end is kept: the packets that were not lost, each with its time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.network import ALICE, BOB, Condition
from media.audio.graph import SampleSource
from media.codec import registry
from media.config import PortRange
from media.driver import MediaDriver
from media.frame import Samples
from media.plan import StreamPlan
from media.ports import PortAllocator
from media.runtime import current_runtime
from sipmedia.simulation import Simulation
from sipmedia.simulation.impairments import Datagram

PAUSE_S = 0.8
"""Before each clip, and after the last."""
_REMOTE_PORT = 10000


@dataclass(frozen=True)
class Clip:
    """A piece of speech, and when in the call it begins."""

    begins_s: float
    samples: Samples


@dataclass(frozen=True)
class ImpairedStream:
    """Packets in the order of their arrival, with its time in seconds from the first one's sending."""

    packets: tuple[tuple[float, bytes], ...]
    clips: tuple[Clip, ...]
    seconds: float


def record(speech: Sequence[Samples], condition: Condition, seed: int, codec_name: str) -> ImpairedStream:
    """The stream that this network makes of these clips."""
    codec = registry.get(codec_name)
    rate = codec.sample_rate_hz
    pause = np.zeros(int(PAUSE_S * rate), np.int16)
    parts, clips, at = [pause], [], len(pause)
    for samples in speech:
        clips.append(Clip(at / rate, samples))
        parts += [samples, pause]
        at += len(samples) + len(pause)
    packets: list[tuple[float, bytes]] = []

    def received(host: str, datagram: Datagram) -> None:
        if datagram.destination == (BOB, _REMOTE_PORT):
            packets.append((datagram.time, datagram.data))

    async def send() -> float:
        runtime = current_runtime()
        driver = MediaDriver(runtime, lambda event: None)
        driver.start()
        ports = PortAllocator(runtime, PortRange(10000, 10100)).allocate(ALICE)
        number = 96 if codec.static_payload_type is None else codec.static_payload_type
        plan = StreamPlan(codec, number, {number: codec}, remote_rtp=(BOB, _REMOTE_PORT), cname="bench")
        begun = asyncio.get_running_loop().time()
        driver.open_stream(ports, plan, source=SampleSource(np.concatenate(parts), rate))
        await asyncio.sleep(at / rate)
        driver.stop()
        return begun

    simulation = Simulation(condition.network(seed))
    simulation.capture.points = "none"
    simulation.capture.on_received = received
    begun = simulation.run(send(), limit=3600.0)
    packets.sort(key=lambda packet: packet[0])
    timed = tuple((time - begun, data) for time, data in packets)
    return ImpairedStream(timed, tuple(clips), at / rate)
