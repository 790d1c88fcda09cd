"""`make bench-audio`: how late, how steady, how free of echo and how costly a call through sound cards is.

The cards are virtual, of a PulseAudio started here; people at them are a program that plays clicks into one
phone's microphone and records the other's loudspeaker (`benchmarks.audio_human`), the same for all.
Delays and CPU are only worth something on a machine that does nothing else.

    python -m benchmarks.audio            ten minutes of drift; about sixteen minutes in all
    python -m benchmarks.audio --quick    one minute of drift, shorter measurements; about five minutes
    python -m benchmarks.audio --only drift     one part of it (or several: --only cpu --only echo)
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.audio_echo import double_talk, echo_removed
from benchmarks.tools import ROOT, Missing
from tests.interop.harness import pulse
from tests.interop.harness.baresip import available, module_folder
from tests.interop.harness.parties import parties
from tests.interop.harness.process import PeerProcess
from tests.interop.harness.pulse import Pulse

PARTS = ("delay", "cpu", "echo", "drift")
PPM = 104.0
_BESIDE_BARE_MS = 60.0
_DRIFT_MS = 10.0
_START_S = 3.0


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    value: str
    wanted: str = ""
    reached: bool | None = None


class Bench:
    """Takes the measurements; each in calls of its own over the same cards."""

    def __init__(self, server: Pulse, folder: Path, quick: bool) -> None:
        self.figures: list[Figure] = []
        self.raw: dict[str, Any] = {}
        self._server = server
        self._folder = folder
        self._quick = quick
        self._listen_s = 20.0 if quick else 45.0

    def run(self, parts: Sequence[str]) -> None:
        """These of `PARTS`."""
        measurements = (self._delays, self._cpu, self._echo, self._drift)
        for part, measure in zip(PARTS, measurements, strict=True):
            if part in parts:
                measure()

    def add(self, name: str, value: str, wanted: str = "", reached: bool | None = None) -> None:
        """A line, told at once."""
        self.figures.append(Figure(name, value, wanted, reached))
        print(f"{name}: {value}", file=sys.stderr, flush=True)

    # --- delays ---

    def _delays(self) -> None:
        bare = self._median("bare", self._bare())
        self._mouth_to_ear("PCMU", bare)
        for codec in ("G722", "opus"):
            self._mouth_to_ear(codec, None)
        self._mouth_to_ear("PCMU", None, duplex=True)
        self._baresip()

    def _bare(self) -> list[tuple[float, float]]:
        party = next(parties())
        where = [party.host, str(party.sip_port)]
        with (
            self._module("bare-play", "audio_bare", "play", "phone_b", *where),
            self._module("bare-send", "audio_bare", "send", "phone_a", *where),
        ):
            time.sleep(_START_S)
            return self._human(self._listen_s)

    def _mouth_to_ear(self, codec: str, bare: float | None, *, duplex: bool = False) -> None:
        with self._call(codec, aec=False, seconds=self._listen_s + 8, duplex=duplex):
            time.sleep(_START_S)
            delays = self._human(self._listen_s)
        name = f"{codec}, one stream for both directions" if duplex else codec
        ours = self._median(name, delays)
        if bare is None:
            self.add(f"mouth to ear, {name}", _ms(ours))
            return
        self.add("mouth to ear, a bare copying program", _ms(bare))
        over = ours - bare
        self.add(
            f"mouth to ear, {codec}", f"{_ms(ours)}, {over:+.0f} ms", f"<= +{_BESIDE_BARE_MS:.0f} ms",
            over <= _BESIDE_BARE_MS,
        )  # fmt: skip

    def _baresip(self) -> None:
        if not available():
            self.add("mouth to ear, baresip", "not installed")
            return
        with ExitStack() as stack:
            callee, caller = next(parties()), next(parties())
            answering = self._baresip_phone("b", callee.bind, [])
            stack.enter_context(answering)
            answering.wait_for("baresip is ready")
            stack.enter_context(self._baresip_phone("a", caller.bind, ["-e", f"/dial {callee.uri('b')}"]))
            answering.wait_for("established")
            time.sleep(_START_S)
            self.add(
                "mouth to ear, baresip (pulse)", _ms(self._median("baresip", self._human(self._listen_s)))
            )

    def _baresip_phone(self, letter: str, bind: str, options: Sequence[str]) -> PeerProcess:
        folder = self._folder / f"baresip-{letter}"
        folder.mkdir()
        lines = [
            "poll_method epoll", f"sip_listen {bind}", f"net_interface {bind.partition(':')[0]}",
            f"audio_source pulse,{letter}_mic", f"audio_player pulse,{letter}_spk", "ausrc_srate 8000",
            "auplay_srate 8000", "ausrc_channels 1", "auplay_channels 1", "audio_buffer 20-160",
            "jitter_buffer_delay 5-10", "rtp_ports 17100-19000", f"module_path {module_folder()}",
            "module g711.so", "module pulse.so", "module_tmp account.so", "module_app menu.so",
            "ringback_disabled yes", "audio_alert pulse,nowhere",
        ]  # fmt: skip
        (folder / "config").write_text("\n".join(lines) + "\n")
        mode = "manual" if options else "auto"
        (folder / "accounts").write_text(f"<sip:{letter}@{bind}>;regint=0;answermode={mode}\n")
        (folder / "contacts").write_text("")
        command = ["baresip", "-f", str(folder), "-t", str(int(self._listen_s) + 20), *options]
        return PeerProcess(f"baresip-{letter}", command, folder, self._server.environment)

    # --- what it costs ---

    def _cpu(self) -> None:
        for aec, limit in ((False, 4.0), (True, 8.0)):
            with self._call("PCMU", aec=aec, seconds=self._listen_s) as calling:
                calling.wait(self._listen_s + 30)
                taken = _last_json(calling)["cpu_percent"]
            words = "with echo cancellation" if aec else "without echo cancellation"
            self.add(f"CPU of a call, {words}", f"{taken:.1f} % of a core", f"< {limit:.0f} %", taken < limit)

    # --- echo ---

    def _echo(self) -> None:
        server = self._server
        server.echo("b", delay_ms=60, percent=60)
        heard = {}
        for aec in (False, True):
            with self._call("L16", aec=aec, seconds=24):
                time.sleep(1)
                heard[aec] = echo_removed.listen(server)
        usual, overall = echo_removed.decibels(heard[False], heard[True])
        self.add(
            "echo removed after 2 s, median second", f"{usual:.0f} dB (over all {overall:.0f} dB)",
            ">= 30 dB", usual >= 30,
        )  # fmt: skip
        with self._call("L16", aec=True, seconds=24):
            time.sleep(1)
            recording = double_talk.listen(server)
        try:
            ours, alone = double_talk.judged(recording)
        except Missing as missing:
            self.add("near voice in double talk", str(missing))
            return
        self.add(
            "near voice in double talk, PESQ", f"{ours:.2f}; the engine alone {alone:.2f}",
            "no worse than alone", ours >= alone - 0.1,
        )  # fmt: skip

    # --- drift ---

    def _drift(self) -> None:
        seconds = 60.0 if self._quick else 600.0
        with self._call("PCMU", aec=False, seconds=seconds + 10, ppm=PPM) as calling:
            time.sleep(_START_S)
            # Who comes to a card or leaves it changes how many blocks it calls for at once: all stay on.
            delays = self._human(seconds + 15)
            calling.wait(40)
            lines = _last_json(calling)
        self.raw["drift"] = {"delays": delays, "lines": lines}
        part = max(5, len(delays) // 20)
        first, last = _middle(delays[2 : 2 + part]), _middle(delays[-part:])
        moved = last - first
        drift = f"{PPM * seconds / 1000:.0f} ms apart by then"
        self.add(
            f"delay after {seconds / 60:.0f} min, cards {PPM:.0f} ppm apart",
            f"{first:.0f} -> {last:.0f} ms ({drift})", f"within {_DRIFT_MS:.0f} ms", abs(moved) <= _DRIFT_MS,
        )  # fmt: skip
        ours = sum(lines[way]["new_underruns"] for way in ("input", "output"))
        skipped = sum(lines[way]["new_skipped_ms"] for way in ("input", "output"))
        systems = sum(lines[way]["new_xruns"] for way in ("input", "output"))
        self.add(
            "  gaps in it", f"{ours} underruns, {skipped:.0f} ms left out; {systems} of the system's",
            "none of ours", ours == 0 and skipped == 0,
        )  # fmt: skip

    # --- inside ---

    def _call(
        self, codec: str, *, aec: bool, seconds: float, ppm: float = 0.0, duplex: bool = False
    ) -> _Both:
        """Two phones in a call; the one that was called ends with it. Gives the caller's process."""
        settings = {
            "BENCH_AEC": "on" if aec else "off",
            "BENCH_CODEC": codec,
            "BENCH_DUPLEX": "on" if duplex else "off",
        }
        answering = self._module("answer", "audio_phone", "phone_b", "0", "100000", settings=settings)
        answering.wait_for("listening on ", 15)
        address = answering.output().split("listening on ")[1].split()[0]
        calling = self._module(
            "call", "audio_phone", "phone_a", str(ppm), str(seconds), f"sip:b@{address}", settings=settings
        )
        return _Both(calling, answering)

    def _human(self, seconds: float) -> list[tuple[float, float]]:
        with self._module("human", "audio_human", "human_a", "human_b", str(seconds)) as human:
            code = human.wait(seconds + 60)
            if code:
                raise Missing(f"the measuring program failed\n{human.output()[-2000:]}")
            delays: list[tuple[float, float]] = json.loads(human.output().strip().splitlines()[-1])
        if len(delays) < 5:
            raise Missing(f"only {len(delays)} clicks were heard")
        return delays

    def _module(
        self, name: str, module: str, *arguments: str, settings: dict[str, str] | None = None
    ) -> PeerProcess:
        command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
        environment = {**self._server.environment, "PYTHONPATH": str(ROOT), **(settings or {})}
        folder = self._folder / f"{name}-{time.monotonic_ns()}"
        folder.mkdir()
        return PeerProcess(name, command, folder, environment)

    def _median(self, name: str, delays: list[tuple[float, float]]) -> float:
        self.raw[name] = delays
        return _middle(delays[2:])


class _Both:
    """The two processes of a call, as one context manager."""

    def __init__(self, calling: PeerProcess, answering: PeerProcess) -> None:
        self._stack = ExitStack()
        self.calling = self._stack.enter_context(calling)
        self._stack.enter_context(answering)

    def __enter__(self) -> PeerProcess:
        return self.calling

    def __exit__(self, *problem: Any) -> None:
        self._stack.close()


def main() -> None:
    """Measure, print, write bench-audio.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="shorter measurements")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part, or several")
    arguments = parser.parse_args()
    lacking = pulse.missing()
    if lacking:
        sys.exit(f"not installed (Debian: apt-get install {' '.join(lacking)})")
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Pulse(folder / "pulse") as server:
            bench = Bench(server, folder, arguments.quick)
            try:
                bench.run(arguments.only or PARTS)
            except Missing as missing:
                print(missing, file=sys.stderr)
    table = Table(title=f"Calls through sound cards (load of the machine at the start: {load:.1f})")
    for heading in ("", "measured", "wanted", ""):
        table.add_column(heading)
    for figure in bench.figures:
        verdict = {None: "", True: "yes", False: "NO"}[figure.reached]
        table.add_row(figure.name, figure.value, figure.wanted, verdict)
    Console().print(table)
    result = {"load": load, "figures": [asdict(figure) for figure in bench.figures], "raw": bench.raw}
    (ROOT / "bench-audio.json").write_text(json.dumps(result, indent=1) + "\n")
    if any(figure.reached is False for figure in bench.figures):
        sys.exit(1)


def _last_json(process: PeerProcess) -> dict[str, Any]:
    lines = [line for line in process.output().splitlines() if line.startswith("{")]
    if not lines:
        raise Missing(f"{process.name} said nothing\n{process.output()[-2000:]}")
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def _middle(delays: Sequence[tuple[float, float]]) -> float:
    return float(np.median([delay for _, delay in delays]))


def _ms(value: float) -> str:
    return f"{value:.0f} ms"


if __name__ == "__main__":
    main()
