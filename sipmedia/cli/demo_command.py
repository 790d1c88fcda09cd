"""``sipmedia demo``: the demo before somebody's eyes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from rich.table import Table

from media import MediaError, PortRange
from sipmedia.cli.demo import DemoReport, run_demo
from sipmedia.cli.exits import Exit, exit_for
from sipmedia.cli.output import Output
from sipmedia.cli.stopping import first_of, stop_by_signal
from sipmedia.config import parse_port_range
from sipmedia.errors import AddressInUse, SipMediaError


async def show_demo(
    folder: Path | None,
    out: Output,
    *,
    alice_bind: str,
    bob_bind: str,
    rtp_ports: str,
    codecs: tuple[str, ...],
) -> Exit:
    """Run the demo before somebody's eyes; 0 when each heard the other."""
    folder = folder or Path("calls") / time.strftime("demo-%Y%m%d-%H%M%S")
    try:
        with stop_by_signal(out) as stop:
            demo = asyncio.ensure_future(
                run_demo(
                    folder,
                    alice_bind=alice_bind,
                    bob_bind=bob_bind,
                    ports=PortRange(*parse_port_range(rtp_ports)),
                    codecs=codecs,
                    on_step=lambda name, sentence: out.event(name, sentence),
                )
            )
            await first_of(demo, stop.asked)
            if not demo.done():
                demo.cancel()
                await asyncio.gather(demo, return_exceptions=True)
                if not out.lost:
                    out.error("interrupted")
                return Exit.INTERRUPTED
            report = demo.result()
    except (SipMediaError, MediaError, OSError) as error:
        code = exit_for(error)
        out.error(str(error) + _advice(error))
        out.summary(exit_code=code, ok=False, failures=[str(error)])
        return code
    code = Exit.NO_AUDIO if report.failures else Exit.TALKED
    _show(report, out)
    out.summary(
        exit_code=code,
        ok=not report.failures,
        failures=report.failures,
        folder=str(report.folder),
        codec=report.codec,
        heard=report.heard,
        keys=report.keys,
        statistics=report.statistics,
    )
    return code


def _advice(error: Exception) -> str:
    if isinstance(error, AddressInUse):
        return (
            "\n(--alice-bind and --bob-bind choose other addresses, for instance --bob-bind 127.0.0.1:5072)"
        )
    return ""


def _show(report: DemoReport, out: Output) -> None:
    if out.as_json:
        return
    out.ladder(report.trace)
    table = Table(title="what the media counted", title_justify="left", box=None, pad_edge=False)
    for heading in ("", "sent", "received", "lost", "late", "jitter", "codec", "MOS"):
        table.add_column(heading, justify="left" if heading in ("", "codec") else "right")
    for name, statistics in report.statistics.items():
        audio = statistics.media["audio"]
        table.add_row(
            name,
            f"{audio.packets_sent} packets",
            f"{audio.packets_received} packets",
            str(audio.packets_lost),
            str(audio.packets_late),
            f"{audio.jitter:.1f} ms",
            audio.codec or "none",
            f"{audio.mos:.1f}" if audio.mos is not None else "-",
        )
    out.show(table)
    out.show()
    for each in report.heard:
        delay = f", {each.delay_ms:.0f} ms from mouth to ear" if each.delay_ms is not None else ""
        mark, style = ("✔", "green") if each.good else ("✘", "bold red")
        out.show(
            f"[{style}]{mark}[/] {each.listener} heard {each.speaker}: correlation {each.score:.3f}{delay}"
        )
    for listener, pressed in report.keys.items():
        out.show(f"  {listener} heard the keys {pressed or 'none'}")
    out.show()
    for path in report.files:
        out.show(f"  {path}", markup=False)
    out.show()
    for failure in report.failures:
        out.error(failure)
