"""`make bench`: our figures beside those of other Python toolkits, measured in one run.

Prints a table for people and writes everything to bench.json. The load comes from the generators in
../shared/bench (or $SIPMEDIA_BENCH) where they are present, else from load.py and load.c of this folder.
CPU figures are of the whole answering process, user and system. Shared machines are noisy: compare the
columns, not with another day.

    python -m benchmarks.run            all figures, about forty minutes
    python -m benchmarks.run --quick    shorter measurements, about eight minutes
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import accounts, conference, earlier, quality, quality_peers, signalling
from benchmarks.answering import AnsweringProgram
from benchmarks.load import OwnGenerators
from benchmarks.network import CONDITIONS, Condition
from benchmarks.shared_generators import SharedGenerators, present
from benchmarks.speech import CLIPS, SEEDS, SOUNDS
from benchmarks.tools import ROOT, Generators, Missing, Result, import_seconds, install_peers

OURS, AIO, PYVOIP = "ours", "aiosipua", "pyvoip"


@dataclass(frozen=True)
class Figure:
    """One line of the table; None: not measured."""

    name: str
    unit: str
    ours: float | None
    aiosipua: float | None = None
    pyvoip: float | None = None
    wanted: str = ""
    reached: bool | None = None


class Bench:
    """Takes the measurements and turns them into figures; every raw result is kept in `runs`."""

    def __init__(self, generators: Generators, quick: bool) -> None:
        self._generators = generators
        self._quick = quick
        self.runs: list[Result] = []
        self.figures: list[Figure] = []

    def media(self, peer: str, calls: int, options: str = "") -> Result:
        return self._take(self._generators.media(peer, calls, 6 if self._quick else 12, options))

    def signalling(self, peer: str, rate: int, mode: str) -> Result:
        return self._take(self._generators.signalling(peer, rate, 3 if self._quick else 5, mode))

    def _take(self, result: Result) -> Result:
        print(json.dumps(result), file=sys.stderr)
        self.runs.append(result)
        return result

    def add(
        self,
        name: str,
        unit: str,
        ours: float | None,
        wanted: str = "",
        reached: Callable[[float], bool] | None = None,
        *,
        aiosipua: float | None = None,
        pyvoip: float | None = None,
    ) -> None:
        """Add a line; `reached` judges our value."""
        verdict = None if reached is None or ours is None else reached(ours)
        self.figures.append(Figure(name, unit, ours, aiosipua, pyvoip, wanted, verdict))

    def echo_calls(self) -> None:
        """CPU per echo call, pacing, growth with the number of calls, memory."""
        aio, ours, pyvoip = self.media(AIO, 100), self.media(OURS, 100), self.media(PYVOIP, 25)
        few, middle, many = self.media(OURS, 20), self.media(OURS, 200), self.media(OURS, 400)
        theirs = _value(aio, "cpu_pct_per_call")
        limit = None if theirs is None else theirs / 4
        self.add(
            "CPU per PCMU echo call, 100 calls (pyVoIP: 25)",
            "% of a core",
            _value(ours, "cpu_pct_per_call"),
            f"<= {limit:.3f} (a quarter of aiosipua)" if limit is not None else "a quarter of aiosipua",
            None if limit is None else limit.__ge__,
            aiosipua=theirs,
            pyvoip=_value(pyvoip, "cpu_pct_per_call"),
        )
        at_20 = _value(few, "cpu_pct_per_call")
        self.add("  the same, 20 calls", "% of a core", at_20)
        self.add(
            "  the same, 400 calls",
            "% of a core",
            _value(many, "cpu_pct_per_call"),
            "<= at 20 calls",
            None if at_20 is None else at_20.__ge__,
        )
        self.add("silent calls of 400", "", _value(many, "silent_calls"), "0", lambda v: v == 0)
        self.add(
            "pacing deviation, p99, 100 calls (pyVoIP: 25)",
            "ms",
            _value(ours, "dev_p99_ms"),
            aiosipua=_value(aio, "dev_p99_ms"),
            pyvoip=_value(pyvoip, "dev_p99_ms"),
        )
        self.add("  the same, 400 calls", "ms", _value(many, "dev_p99_ms"), "< 10", lambda v: v < 10)
        memory = _difference(middle, few, "rss_mb", 1024 / 180)
        self.add("memory per call, 200 calls", "KB", memory, "< 150", lambda v: v < 150)

    def beside_the_first_call(self) -> None:
        """CPU per echo call with all that was built since calls first worked, against what it was then."""
        try:
            earlier.unpack()
        except Missing as missing:
            print(f"no figure beside the earlier commit: {missing}", file=sys.stderr)
            return
        costs: dict[str, list[float]] = {earlier.NAME: [], OURS: []}
        for _ in range(3 if self._quick else 5):  # in turn, for the machine's speed changes
            for peer, found in costs.items():
                cost = _value(self.media(peer, 100), "cpu_pct_per_call")
                found += [] if cost is None else [cost]
        # Other programs only ever add to what one needs: the least of each is the nearest to it.
        ratio = min(costs[OURS]) / min(costs[earlier.NAME]) if all(costs.values()) else None
        self.add(
            f"CPU per PCMU echo call, 100 calls, beside {earlier.FIRST_CALL}",
            "times",
            ratio,
            "<= 1.25",
            lambda v: v <= 1.25,
        )

    def beside_a_spinning_thread(self) -> None:
        """Pacing while a pure-Python thread never lets the interpreter rest."""
        spin, tuned = self.media(OURS, 100, "spin"), self.media(OURS, 100, "spin,switch=0.001")
        self.add(
            "p99 deviation beside a spinning thread",
            "ms",
            _value(spin, "dev_p99_ms"),
            "< 20",
            lambda v: v < 20,
        )
        self.add(
            "  the same, switch interval 1 ms", "ms", _value(tuned, "dev_p99_ms"), "< 10", lambda v: v < 10
        )

    def echo_delay(self) -> None:
        """How late the echo is, whether that grows, and whether it is the sound that was sent."""
        ours = self._take(self._generators.echo(OURS, 12 if self._quick else 65))
        aio = self._take(self._generators.echo(AIO, 12))
        pyvoip = self._take(self._generators.echo(PYVOIP, 12))
        for name, key in (("at the start", "delay_ms_first"), ("at the end", "delay_ms_last")):
            self.add(
                f"echo delay {name}",
                "ms",
                _worst(ours, key, max),
                "<= 40",
                lambda v: v <= 40,
                aiosipua=_worst(aio, key, max),
                pyvoip=_worst(pyvoip, key, max),
            )
        self.add(
            "echo fidelity (sample for sample: over 100)",
            "dB",
            _worst(ours, "snr_db_min", min),
            "> 100",
            lambda v: v > 100,
            aiosipua=_worst(aio, "snr_db_min", min),
            pyvoip=_worst(pyvoip, "snr_db_min", min),
        )

    def call_setup(self) -> None:
        """CPU per call set up and torn down, and calls that fail."""
        for mode, label in (("sig", "signalling only"), ("echo", "with a media session")):
            aio, ours = self.signalling(AIO, 200, mode), self.signalling(OURS, 200, mode)
            fast = self.signalling(OURS, 800, mode)
            theirs = _value(aio, "cpu_ms_per_call")
            limit = 0.7 if mode == "sig" else 1.0
            self.add(
                f"CPU per call, {label}, 200/s",
                "ms",
                _value(ours, "cpu_ms_per_call"),
                f"<= {limit:.1f}",
                limit.__ge__,
                aiosipua=theirs,
            )
            self.add(f"failed calls, {label}, 800/s", "", _value(fast, "failed"), "0", lambda v: v == 0)
            self.add("  and their CPU per call", "ms", _value(fast, "cpu_ms_per_call"))

    def reading(self) -> None:
        """INVITEs read a second, and memory over tens of thousands of calls."""
        rates = self._take(signalling.parsing())
        self.add(
            "INVITEs read a second on one core",
            "",
            _value(rates, "validated_per_s"),
            ">= 12000",
            lambda v: v >= 12_000,
        )
        self.add("  with every header typed", "", _value(rates, "typed_per_s"))
        calls = self._take(signalling.many_calls())
        grown = _difference(calls, {"end_mb": calls["warm_mb"]}, "end_mb", 1.0)
        self.add("memory gained, calls 50,000 to 100,000", "MB", grown, "< 5", lambda v: v < 5)
        self.add("  failed calls among them, 800/s", "", float(calls["failed"]), "0", lambda v: v == 0)

    def speech(self) -> None:
        """PESQ of real speech after bad networks; left out where PESQ or the recordings are missing."""
        names = ("5% loss, 0 ms jitter", "5% loss in bursts of 3, 0 ms jitter", "3% loss, 60 ms jitter")
        wanted = [condition for condition in CONDITIONS if condition.name in names]
        for result in self._pesq(quality.measure, wanted):
            ours, silence, repetition = result["pesq"].values()
            self.add(f"PESQ, {result['network']}", "", ours)
            self.add("  60 ms buffer and silence", "", silence)
            self.add("  60 ms buffer and Appendix I", "", repetition)
            if result["network"] == names[0]:
                above = ours - silence
                self.add("PESQ above silence, 5% loss", "", above, ">= 0.45", lambda v: v >= 0.45)
                self.add("PESQ above Appendix I, 5% loss", "", ours - repetition, "> 0", lambda v: v > 0)
        measure_opus = partial(quality.measure, receivers=quality.OPUS_RECEIVERS)
        for result in self._pesq(measure_opus, [Condition(0.10)]):
            with_fec, without = result["pesq"].values()
            self.add("PESQ wideband, Opus, 10% loss", "", with_fec, "> 3.0", lambda v: v > 3.0)
            self.add("  without error correction", "", without)

    def speech_beside_peers(self) -> None:
        """PESQ of what we and other phones play of the same packets, in real time."""
        wanted = quality_peers.QUICK if self._quick else quality_peers.CONDITIONS
        for result in self._pesq(quality_peers.measure, wanted):
            rows = dict(result["pesq"])
            ours = rows.pop("sipmedia")
            name = f"PESQ, live, {result['network']}"
            if result["network"] == Condition(0.05).name:
                best = max(rows.values())
                self.add(name, "", ours, f">= {best:.2f} (the best of the others)", best.__le__)
            else:
                self.add(name, "", ours)
            for name, value in rows.items():
                self.add(f"  {name}", "", value)

    def _pesq(
        self,
        measure: Callable[[Path, int, int, Sequence[Condition]], list[Result]],
        wanted: Sequence[Condition],
    ) -> list[Result]:
        clips, seeds = (6, 1) if self._quick else (CLIPS, SEEDS)
        try:
            results = measure(SOUNDS, clips, seeds, wanted)
        except Missing as missing:
            print(f"no figures of speech: {missing}", file=sys.stderr)
            return []
        self.runs += [{"command": "quality", **result} for result in results]
        return results

    def conference(self) -> None:
        """A conference of 32 who all speak, without the sockets."""
        for names in (["PCMU"] * 32, ["PCMU", "G722"] * 16):
            cost = conference.measure(names)
            self.runs.append({"command": "conference", **asdict(cost)})
            limit = conference.LIMIT_PERCENT
            self.add(f"conference, {cost.name}", "% of a core", cost.total, f"< {limit:.0f}", limit.__gt__)
            self.add("  of it for mixing", "% of a core", cost.mixing)

    def registered(self) -> None:
        """A phone with 500 accounts: at rest, and renewing each of them twice a minute."""
        seconds = 5.0 if self._quick else 20.0
        for expires, label, time_s in (
            (accounts.AN_HOUR, "at rest", seconds),
            (accounts.A_MINUTE, "each renewed twice a minute", 60.0),
        ):
            cost = accounts.measure(accounts.ACCOUNTS, expires, time_s)
            self.runs.append({"command": "accounts", **asdict(cost)})
            limit = accounts.LIMIT_PERCENT
            name = f"{cost.accounts} registered accounts, {label}"
            self.add(name, "% of a core", cost.percent, f"< {limit:.0f}", limit.__gt__)
        self.add("  of it for one renewal", "ms", cost.ms_per_renewal)

    def resting(self) -> None:
        """What it costs to be there: idle CPU, and the import."""
        seconds = 5 if self._quick else 20
        with AnsweringProgram(OURS, "echo") as program:
            time.sleep(1)
            before = program.cpu_s
            time.sleep(seconds)
            idle = 100 * (program.cpu_s - before) / seconds
        self.add("idle CPU", "% of a core", idle, "< 0.5", lambda v: v < 0.5)
        for statement in ("import sipmedia", "from sipmedia import Softphone"):
            self.add(statement, "s", import_seconds(statement, 5), "< 0.35", lambda v: v < 0.35)


def _value(result: Result, key: str) -> float | None:
    value = result.get(key)
    return float(value) if isinstance(value, (int, float)) else None


def _difference(more: Result, less: Result, key: str, factor: float) -> float | None:
    high, low = _value(more, key), _value(less, key)
    return None if high is None or low is None else (high - low) * factor


def _worst(result: Result, key: str, pick: Callable[[list[float]], float]) -> float | None:
    values = [float(call[key]) for call in result.get("calls", []) if key in call]
    return pick(values) if values else None


def table(figures: list[Figure]) -> Table:
    """The figures for people."""
    view = Table(title="sipmedia beside its peers")
    for column in ("figure", "unit"):
        view.add_column(column)
    for column in ("ours", "aiosipua+aiortp", "pyVoIP"):
        view.add_column(column, justify="right")
    view.add_column("wanted")
    view.add_column("")
    for figure in figures:
        verdict = {None: "", True: "reached", False: "missed"}[figure.reached]
        cells = ["-" if v is None else f"{v:.4g}" for v in (figure.ours, figure.aiosipua, figure.pyvoip)]
        view.add_row(figure.name, figure.unit, *cells, figure.wanted, verdict)
    return view


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="shorter measurements")
    parser.add_argument("--only", action="append", default=[], help="one group of figures (repeatable)")
    parser.add_argument("--own", action="store_true", help="the project's own load generator in any case")
    parser.add_argument("--output", type=Path, default=ROOT / "bench.json")
    arguments = parser.parse_args()
    try:
        shared = present() and not arguments.own
        generators: Generators = SharedGenerators() if shared else OwnGenerators()
        install_peers()
        print(f"measuring with {generators.name}", file=sys.stderr)
        bench = Bench(generators, arguments.quick)
        groups: dict[str, Callable[[], None]] = {
            "echo": bench.echo_calls,
            "growth": bench.beside_the_first_call,
            "spin": bench.beside_a_spinning_thread,
            "delay": bench.echo_delay,
            "setup": bench.call_setup,
            "reading": bench.reading,
            "rest": bench.resting,
            "accounts": bench.registered,
            "speech": bench.speech,
            "peers": bench.speech_beside_peers,
            "conference": bench.conference,
        }
        for name in arguments.only or groups:
            if name not in groups:
                parser.error(f"no group {name!r}; there are {', '.join(groups)}")
            groups[name]()
    except Missing as missing:
        print(f"make bench: {missing}", file=sys.stderr)
        return 1
    report = {
        "generators": generators.name,
        "when": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "machine": {
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
        "figures": [asdict(figure) for figure in bench.figures],
        "runs": bench.runs,
    }
    arguments.output.write_text(json.dumps(report, indent=1) + "\n")
    Console(width=150).print(table(bench.figures))
    print(f"written to {arguments.output}")
    return 1 if any("error" in run and "ours" in run["command"] for run in bench.runs) else 0


if __name__ == "__main__":
    sys.exit(main())
