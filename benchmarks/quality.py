"""How speech sounds after a bad network: PESQ of real speech through the simulated network.

Ours stands beside (a) a fixed buffer of 60 ms with silence for what is lost, and (b) the same buffer with
plain G.711 Appendix I repetition; all three meet the same losses and delays, through the same engine.
Speech is Debian's asterisk-core-sounds-en-wav; where that is not installed, name a folder of 8 kHz WAV files
by `--sounds` or $SIPMEDIA_SPEECH. PESQ (ITU-T P.862, narrowband) comes from the extra `bench`.

    python -m benchmarks.quality            20 clips, 5 seeds, every network; about ten minutes on two cores
    python -m benchmarks.quality --quick    4 clips, 1 seed
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from benchmarks.appendix_i import AppendixI
from benchmarks.tools import Missing
from media.audio import playout
from media.audio.concealment import Concealer
from media.audio.graph import SampleSource
from media.audio.jitter_buffer import JitterBuffer
from media.codec import registry
from media.config import PortRange
from media.driver import MediaDriver
from media.frame import AudioFrame, Samples
from media.plan import Address, StreamPlan
from media.ports import PortAllocator
from media.rtp.statistics import StreamStatistics
from media.runtime import current_runtime
from sipmedia.simulation import GilbertElliott, Network, Simulation

SOUNDS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
RATE = 8000
CLIPS, SEEDS = 20, 5
_SECONDS = (5.0, 12.5)
ALICE, BOB = "10.0.0.1", "10.0.0.2"


@dataclass(frozen=True)
class Condition:
    """A network: the share of packets it loses, in bursts of how many, and how much delays vary."""

    loss: float = 0.0
    burst: float = 1.0
    jitter_ms: float = 0.0

    @property
    def name(self) -> str:
        """For the table."""
        loss = f"{self.loss:.0%} loss" + (f" in bursts of {self.burst:g}" if self.burst > 1 else "")
        return f"{loss}, {self.jitter_ms:g} ms jitter"


CONDITIONS = (
    *(Condition(loss) for loss in (0.0, 0.01, 0.03, 0.05, 0.10)),
    *(Condition(loss, 3.0) for loss in (0.01, 0.03, 0.05, 0.10)),
    *(Condition(loss, 1.0, jitter) for jitter in (20.0, 60.0) for loss in (0.0, 0.03)),
)


class Silence:
    """(a) What is lost is silent."""

    def __init__(self, sample_rate_hz: int) -> None:
        self.concealed = 0

    def reset(self) -> None:
        """Nothing is remembered."""

    def good(self, samples: Samples) -> Samples:
        """As it came."""
        return samples

    def conceal(self, n: int) -> Samples:
        """Nothing."""
        self.concealed += n
        return np.zeros(n, np.int16)

    def between(self, n: int, after: Samples) -> Samples:
        """Nothing."""
        return self.conceal(n)


@dataclass(frozen=True)
class Receiver:
    """One way of hearing: None, what the library does."""

    name: str
    concealer: Callable[[int], object] | None = None
    fixed_ms: float | None = None

    def buffer(self) -> JitterBuffer | None:
        """The jitter buffer, None for the usual one."""
        return None if self.fixed_ms is None else JitterBuffer(RATE, 20, delay_ms=self.fixed_ms, strict=True)

    @contextmanager
    def conceals(self) -> Iterator[None]:
        """Within, streams conceal in this receiver's way."""
        usual = Concealer
        if self.concealer is not None:
            setattr(playout, "Concealer", self.concealer)  # noqa: B010 - another class on purpose
        try:
            yield
        finally:
            setattr(playout, "Concealer", usual)  # noqa: B010


RECEIVERS = (
    Receiver("ours"),
    Receiver("60 ms, silence", Silence, 60.0),
    Receiver("60 ms, Appendix I", AppendixI, 60.0),
)


@dataclass
class Heard:
    """What came out at the far end: every frame at its time, and how the buffer did over time."""

    frames: list[AudioFrame] = field(default_factory=list)
    statistics: StreamStatistics = field(default_factory=StreamStatistics)

    def push(self, frame: AudioFrame) -> None:
        """One frame."""
        self.frames.append(frame)

    @property
    def samples(self) -> Samples:
        """All of it, silence where nothing came."""
        end = max((frame.timestamp + len(frame.samples) for frame in self.frames), default=0)
        joined: Samples = np.zeros(end, np.int16)
        for frame in self.frames:
            joined[frame.timestamp : frame.timestamp + len(frame.samples)] = frame.samples
        return joined


def through(
    speech: Samples, condition: Condition, receiver: Receiver, seed: int, codec: str = "PCMU"
) -> Heard:
    """What a receiver makes of this speech on this network."""
    network = Network(seed)
    alice, bob = network.host(ALICE), network.host(BOB)
    loss = GilbertElliott.of(condition.loss, condition.burst) if condition.burst > 1 else condition.loss
    network.link(alice, bob, delay=0.02, loss=loss, jitter=condition.jitter_ms / 1000)

    async def call() -> Heard:
        return await _call(speech, receiver, codec, random.Random(seed))

    simulation = Simulation(network)
    simulation.capture.points = "none"
    with receiver.conceals():
        return simulation.run(call(), limit=300.0)


async def _call(speech: Samples, receiver: Receiver, name: str, draw: random.Random) -> Heard:
    codec = registry.get(name)
    drivers, heard = [], Heard()
    ports = []
    for host in (ALICE, BOB):
        runtime = current_runtime()
        drivers.append(MediaDriver(runtime, lambda event: None))
        ports.append(PortAllocator(runtime, PortRange(10000, 10100)).allocate(host))
        drivers[-1].start()
        await asyncio.sleep(draw.random() * 0.02)  # their clocks tick at different times

    def plan(remote: Address) -> StreamPlan:
        number = 96 if codec.static_payload_type is None else codec.static_payload_type
        return StreamPlan(codec, number, {number: codec}, remote_rtp=remote, cname="bench")

    bob = drivers[1].open_stream(
        ports[1], plan(ports[0].address), sinks=[heard], jitter_buffer=receiver.buffer()
    )
    drivers[0].open_stream(
        ports[0], plan(ports[1].address), source=SampleSource(speech, codec.sample_rate_hz)
    )
    await asyncio.sleep(len(speech) / codec.sample_rate_hz + 0.5)
    heard.statistics = bob.statistics()
    for driver in drivers:
        driver.stop()
    return heard


def pesq_of(clean: Samples, heard: Samples) -> float:
    """PESQ, narrowband: 1.0 (bad) to 4.5."""
    from pesq import NoUtterancesError, pesq

    try:
        return float(pesq(RATE, clean, heard, "nb"))
    except NoUtterancesError:
        return 1.0


def clips(folder: Path, count: int) -> list[Path]:
    """Files of spoken sentences, spread over the alphabet."""
    fitting = [
        path
        for path in sorted(folder.rglob("*.wav"))
        if "silence" not in path.parts and _SECONDS[0] <= soundfile.info(path).duration <= _SECONDS[1]
    ]
    if len(fitting) < count:
        raise Missing(
            f"{folder} holds {len(fitting)} WAV files of {_SECONDS[0]:g} to {_SECONDS[1]:g} s, "
            f"{count} are needed: apt install asterisk-core-sounds-en-wav, or name another folder by --sounds"
        )
    return [fitting[index * len(fitting) // count] for index in range(count)]


def score(path: Path, condition: Condition, seeds: int, codec: str) -> list[list[float]]:
    """PESQ of one clip: for every receiver the score of every seed."""
    speech = soundfile.read(path, dtype="int16")[0]
    rows: list[list[float]] = []
    for receiver in RECEIVERS:
        heard = [through(speech, condition, receiver, seed, codec) for seed in range(1, seeds + 1)]
        rows.append([pesq_of(speech, one.samples) for one in heard])
    return rows


def measure(
    folder: Path, count: int, seeds: int, codec: str, wanted: tuple[Condition, ...]
) -> list[dict[str, Any]]:
    """The mean PESQ of every receiver on every network. `Missing` without PESQ or recordings."""
    if importlib.util.find_spec("pesq") is None:
        raise Missing("PESQ is not installed: pip install -e '.[bench]'")
    results = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for condition in wanted:
            rows = list(
                pool.map(partial(score, condition=condition, seeds=seeds, codec=codec), clips(folder, count))
            )
            means = {
                receiver.name: float(np.mean([row[index] for row in rows]))
                for index, receiver in enumerate(RECEIVERS)
            }
            results.append({"network": condition.name, "pesq": means, "clips": count, "seeds": seeds})
            print(f"{condition.name:42}" + "".join(f"{value:8.2f}" for value in means.values()), flush=True)
    return results


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="4 clips and 1 seed")
    parser.add_argument("--sounds", type=Path, default=Path(os.environ.get("SIPMEDIA_SPEECH", SOUNDS)))
    parser.add_argument("--codec", default="PCMU", choices=("PCMU", "PCMA"))
    parser.add_argument("--only", default="", help="networks whose name has this in it")
    parser.add_argument("--output", type=Path, help="write the figures as JSON")
    arguments = parser.parse_args()
    count, seeds = (4, 1) if arguments.quick else (CLIPS, SEEDS)
    wanted = tuple(condition for condition in CONDITIONS if arguments.only in condition.name)
    print(f"{'PESQ, mean':42}" + "".join(f"  {receiver.name}" for receiver in RECEIVERS))
    try:
        results = measure(arguments.sounds, count, seeds, arguments.codec, wanted)
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 1
    if arguments.output:
        arguments.output.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
