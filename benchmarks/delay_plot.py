"""Draws docs/jitter_buffer.svg: delay, target and concealment over time on three networks.

python -m benchmarks.delay_plot [FILE]
"""

from __future__ import annotations

import asyncio
import random
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.tools import ROOT
from media.audio.graph import SampleSource
from media.audio.synthesis import speech
from media.codec import registry
from media.config import PortRange
from media.driver import MediaDriver, StreamHandle
from media.frame import AudioFrame
from media.plan import Address, StreamPlan
from media.ports import PortAllocator
from media.runtime import current_runtime
from sipmedia.simulation import GilbertElliott, Network, Simulation
from sipmedia.simulation.link import Link

SECONDS = 30.0
_STEP_S = 0.1
_WIDTH, _LEFT, _RIGHT, _TOP, _PANEL, _GAP = 960, 64, 24, 96, 170, 62
_DELAY, _TARGET, _CONCEALED = "#2563c9", "#d9661f", "#b3261e"
_STYLE = (
    "text{font:13px 'Segoe UI',Roboto,'Noto Sans',Helvetica,Arial,sans-serif;fill:#3d4450}"
    ".title{font-size:20px;font-weight:600;fill:#1c222b}.panel{font-weight:600}.tick{font-size:11px;fill:#6a7280}"
    ".grid{stroke:#e4e7ec}.line{fill:none;stroke-width:1.8;stroke-linejoin:round}"
)


@dataclass(frozen=True)
class Moment:
    """What was so at a time; `concealed` counts frames since the moment before."""

    at: float
    delay_ms: float
    target_ms: float
    concealed: int


@dataclass(frozen=True)
class Scene:
    """A network, and what becomes of it during the call."""

    title: str
    jitter: float = 0.0
    loss: float | GilbertElliott = 0.0
    stall_at: float | None = None
    better_at: float | None = None


SCENES = (
    Scene("A clean link; at 10 s nothing comes for 200 ms, and then all of it", stall_at=10.0),
    Scene("Jitter of 60 ms until 15 s, then none", jitter=0.06, better_at=15.0),
    Scene("5 % loss in bursts of 3 packets, jitter of 20 ms", jitter=0.02, loss=GilbertElliott.of(0.05, 3)),
)


class _Ear:
    def push(self, frame: AudioFrame) -> None:
        """Only listened to."""


def run(scene: Scene) -> list[Moment]:
    """One call on that network."""
    network = Network(4)
    alice, bob = network.host("10.0.0.1"), network.host("10.0.0.2")
    link = network.link(alice, bob, delay=0.02, jitter=scene.jitter, loss=scene.loss)
    simulation = Simulation(network)
    simulation.capture.points = "none"
    return simulation.run(_call(scene, link), limit=300.0)


async def _call(scene: Scene, link: Link) -> list[Moment]:
    codec = registry.get("PCMU")
    drivers, ports = [], []
    for host in ("10.0.0.1", "10.0.0.2"):
        drivers.append(MediaDriver(current_runtime(), lambda event: None))
        ports.append(PortAllocator(current_runtime(), PortRange(10000, 10010)).allocate(host))
        drivers[-1].start()
        await asyncio.sleep(0.007)

    def plan(remote: Address) -> StreamPlan:
        return StreamPlan(codec, 0, {0: codec}, remote_rtp=remote, cname="plot")

    sound = SampleSource(speech(8000, SECONDS, random.Random(1)), 8000)
    drivers[0].open_stream(ports[0], plan(ports[1].address), source=sound)
    heard = drivers[1].open_stream(ports[1], plan(ports[0].address), sinks=[_Ear()])
    moments = await _watch(heard, scene, link)
    for driver in drivers:
        driver.stop()
    return moments


async def _watch(heard: StreamHandle, scene: Scene, link: Link) -> list[Moment]:
    moments: list[Moment] = []
    concealed = 0
    for step in range(1, round(SECONDS / _STEP_S)):
        at = step * _STEP_S
        await asyncio.sleep(_STEP_S)
        if scene.stall_at is not None and abs(at - scene.stall_at) < _STEP_S / 2:
            link.set(delay=0.22)
        elif scene.stall_at is not None and abs(at - scene.stall_at - 0.2) < _STEP_S / 2:
            link.set(delay=0.02)
        if scene.better_at is not None and at >= scene.better_at:
            link.set(jitter=0.0)
        statistics = heard.statistics()
        moments.append(
            Moment(
                at,
                statistics.buffer_delay_ms,
                statistics.buffer_target_ms,
                statistics.frames_concealed - concealed,
            )
        )
        concealed = statistics.frames_concealed
    return moments


def draw(traces: list[tuple[str, list[Moment]]]) -> str:
    """The chart as SVG."""
    height = _TOP + len(traces) * (_PANEL + _GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" '
        f'height="{height}" role="img" aria-label="The jitter buffer on three networks">',
        f'<style>{_STYLE}</style><rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        '<text class="title" x="20" y="34">The jitter buffer on three networks</text>',
    ]
    for index, (name, colour) in enumerate(
        (("delay it adds", _DELAY), ("target", _TARGET), ("20 ms made up", _CONCEALED))
    ):
        x = 20 + index * 160
        parts.append(f'<rect x="{x}" y="50" width="18" height="4" fill="{colour}"/>')
        parts.append(f'<text x="{x + 26}" y="57">{name}</text>')
    for number, (title, moments) in enumerate(traces):
        parts += _panel(title, moments, _TOP + 20 + number * (_PANEL + _GAP))
    return "\n".join([*parts, "</svg>", ""])


def _panel(title: str, moments: list[Moment], top: float) -> list[str]:
    high = 50.0 * (1 + int(max(max(m.delay_ms, m.target_ms) for m in moments) / 50))
    right = _WIDTH - _RIGHT

    def x(at: float) -> float:
        return _LEFT + (right - _LEFT) * at / SECONDS

    def y(ms: float) -> float:
        return top + _PANEL * (1 - ms / high)

    parts = [f'<text class="panel" x="{_LEFT}" y="{top - 10:.0f}">{title}</text>']
    for ms in range(0, int(high) + 1, 50):
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y(ms):.1f}" y2="{y(ms):.1f}"/>')
        parts.append(
            f'<text class="tick" text-anchor="end" x="{_LEFT - 8}" y="{y(ms) + 4:.1f}">{ms} ms</text>'
        )
    for second in range(0, int(SECONDS) + 1, 5):
        place = f'x="{x(second):.1f}" y="{top + _PANEL + 16:.0f}"'
        parts.append(f'<text class="tick" text-anchor="middle" {place}>{second} s</text>')
    for moment in moments:
        if moment.concealed > 0:
            length = 5 * moment.concealed
            parts.append(
                f'<rect x="{x(moment.at) - 1:.1f}" y="{top + _PANEL - length:.1f}" width="2" '
                f'height="{length}" fill="{_CONCEALED}"/>'
            )
    for colour, values in (
        (_TARGET, [m.target_ms for m in moments]),
        (_DELAY, [m.delay_ms for m in moments]),
    ):
        points = " ".join(f"{x(m.at):.1f},{y(value):.1f}" for m, value in zip(moments, values, strict=True))
        parts.append(f'<polyline class="line" stroke="{colour}" points="{points}"/>')
    return parts


def main() -> int:
    """Draw it."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "jitter_buffer.svg"
    traces = [(scene.title, run(scene)) for scene in SCENES]
    path.write_text(draw(traces))
    for title, moments in traces:
        late = [m.delay_ms for m in moments if m.at > 20]
        print(f"{title}: {max(m.delay_ms for m in moments):.0f} ms at most, {max(late):.0f} ms after 20 s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
