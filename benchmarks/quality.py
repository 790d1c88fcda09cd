"""How speech sounds after a bad network: PESQ of real speech through the simulated network.

Ours stands beside (a) a fixed buffer of 60 ms with silence for what is lost, and (b) the same buffer with
plain G.711 Appendix I repetition; all three meet the same losses and delays, through the same engine. Opus is
rated in wide band (16 kHz), with and without forward error correction. And (c), with `--peers`: baresip and
linphone beside us, in real time. Speech and PESQ are those of `benchmarks.speech`; where Debian's recordings
are not installed, name a folder of others by `--sounds` or $SIPMEDIA_SPEECH.

    python -m benchmarks.quality            20 clips, 5 seeds, every network; about ten minutes on two cores
    python -m benchmarks.quality --opus     the same for Opus; about five minutes
    python -m benchmarks.quality --peers    the same beside other phones; about twenty minutes, if it is quiet
    python -m benchmarks.quality --quick    4 clips, 1 seed (also with --opus and --peers)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks import quality_peers
from benchmarks.network import ALICE, BOB, CONDITIONS, Condition
from benchmarks.speech import CLIPS, NARROW, SEEDS, SOUNDS, WIDE, clips, pesq_of, read
from benchmarks.tools import Missing
from media.audio.concealment import Concealer
from media.audio.graph import SampleSource
from media.audio.jitter_buffer import JitterBuffer
from media.codec import registry
from media.codec.base import Codec, Decoder
from media.codec.opus import OpusSettings, opus
from media.config import PortRange
from media.driver import MediaDriver
from media.frame import AudioFrame, Samples
from media.plan import Address, StreamPlan
from media.ports import PortAllocator
from media.rtp.statistics import StreamStatistics
from media.runtime import current_runtime
from sipmedia.simulation import Simulation

OPUS_CONDITIONS = (Condition(), Condition(0.05), Condition(0.10), Condition(0.10, 3.0))
_OPUS_BITRATE = 30000
"""What we use for wide band with forward error correction; without, all of it is for the sound."""


class FillsGaps(Protocol):
    """As much of a `Concealer` as is compared here: what it does where nothing of what follows is known."""

    def good(self, samples: Samples) -> Samples:
        """A frame that came, as it is to be heard."""
        ...

    def conceal(self, n: int) -> Samples:
        """What is heard in place of `n` lost samples."""
        ...


class Silence:
    """(a) What is lost is silent."""

    def __init__(self, sample_rate_hz: int) -> None:
        """It is the same at every rate."""

    def good(self, samples: Samples) -> Samples:
        """As it came."""
        return samples

    def conceal(self, n: int) -> Samples:
        """Nothing."""
        return np.zeros(n, np.int16)


class WithOwnFilling:
    """A decoder that fills gaps by itself, as those of Opus do, in a way to compare with.

    It never recovers anything from the packet after a gap: with `Concealer` it is plain Appendix I.
    """

    def __init__(self, decoder: Decoder, fills: FillsGaps) -> None:
        self._decoder = decoder
        self._fills = fills

    def decode(self, payload: bytes | memoryview) -> Samples:
        """What the codec makes of it, led over to from what filled a gap before."""
        return self._fills.good(self._decoder.decode(payload))

    def conceal(self, n: int) -> Samples:
        """What fills a gap."""
        return self._fills.conceal(n)

    def recover(self, payload: bytes, n: int) -> Samples | None:
        """Nothing."""
        return None


@dataclass(frozen=True)
class Receiver:
    """One way of hearing: None, what the library does."""

    name: str
    fills: Callable[[int], FillsGaps] | None = None
    """What fills gaps at a sample rate."""
    fixed_ms: float | None = None
    opus: OpusSettings | None = None
    """How Opus is spoken; None: it is G.711."""

    @property
    def codec(self) -> Codec:
        """What is spoken, as both sides have agreed."""
        if self.opus is not None:
            return opus(self.opus).bound_by(self.opus.fmtp)
        codec, fills = registry.get("PCMU"), self.fills
        if fills is None:
            return codec
        return replace(
            codec,
            decoder_factory=lambda: WithOwnFilling(codec.make_decoder(), fills(codec.sample_rate_hz)),
        )

    def buffer(self) -> JitterBuffer | None:
        """The jitter buffer, None for the usual one."""
        return (
            None if self.fixed_ms is None else JitterBuffer(NARROW, 20, delay_ms=self.fixed_ms, strict=True)
        )


RECEIVERS = (
    Receiver("ours"),
    Receiver("60 ms, silence", Silence, 60.0),
    Receiver("60 ms, Appendix I", Concealer, 60.0),
)
OPUS_RECEIVERS = (
    Receiver("Opus, FEC", opus=OpusSettings(WIDE, _OPUS_BITRATE)),
    Receiver("Opus, no FEC", opus=OpusSettings(WIDE, _OPUS_BITRATE, inband_fec=False)),
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


def through(speech: Samples, condition: Condition, receiver: Receiver, seed: int) -> Heard:
    """What a receiver makes of this speech on this network."""
    simulation = Simulation(condition.network(seed))
    simulation.capture.points = "none"
    return simulation.run(_call(speech, receiver, random.Random(seed)), limit=300.0)


async def _call(speech: Samples, receiver: Receiver, draw: random.Random) -> Heard:
    codec = receiver.codec
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


def score(path: Path, condition: Condition, seeds: int, receivers: Sequence[Receiver]) -> list[list[float]]:
    """PESQ of one clip: for every receiver the score of every seed."""
    speech = read(path)
    rows: list[list[float]] = []
    for receiver in receivers:
        heard = [through(speech, condition, receiver, seed) for seed in range(1, seeds + 1)]
        rows.append([pesq_of(speech, one.samples, receiver.codec.sample_rate_hz) for one in heard])
    return rows


def measure(
    folder: Path,
    count: int,
    seeds: int,
    wanted: Sequence[Condition],
    receivers: Sequence[Receiver] = RECEIVERS,
) -> list[dict[str, Any]]:
    """The mean PESQ of every receiver on every network. `Missing` without PESQ or recordings."""
    spoken = clips(folder, count, receivers[0].codec.sample_rate_hz)
    results = []
    print(f"{'PESQ, mean':42}" + "".join(f"  {receiver.name}" for receiver in receivers))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for condition in wanted:
            each = partial(score, condition=condition, seeds=seeds, receivers=receivers)
            rows = list(pool.map(each, spoken))
            means = {
                receiver.name: float(np.mean([row[index] for row in rows]))
                for index, receiver in enumerate(receivers)
            }
            results.append({"network": condition.name, "pesq": means, "clips": count, "seeds": seeds})
            print(f"{condition.name:42}" + "".join(f"{value:8.2f}" for value in means.values()), flush=True)
    return results


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="4 clips and 1 seed")
    parser.add_argument("--opus", action="store_true", help="Opus, in wide band")
    parser.add_argument("--peers", action="store_true", help="beside baresip and linphone, in real time")
    parser.add_argument("--sounds", type=Path, default=SOUNDS)
    parser.add_argument("--only", default="", help="networks whose name has this in it")
    parser.add_argument("--clips", type=int, default=CLIPS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--output", type=Path, help="write the figures as JSON")
    arguments = parser.parse_args()
    count, seeds = (4, 1) if arguments.quick else (arguments.clips, arguments.seeds)

    def among(conditions: Sequence[Condition]) -> list[Condition]:
        return [condition for condition in conditions if arguments.only in condition.name]

    try:
        if arguments.peers:
            results = quality_peers.measure(arguments.sounds, count, seeds, among(quality_peers.CONDITIONS))
        elif arguments.opus:
            results = measure(arguments.sounds, count, seeds, among(OPUS_CONDITIONS), OPUS_RECEIVERS)
        else:
            results = measure(arguments.sounds, count, seeds, among(CONDITIONS))
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 1
    if arguments.output:
        arguments.output.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
