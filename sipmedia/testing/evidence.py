"""What a failed test leaves behind: ladders, what everybody heard and said, and the packets."""

from __future__ import annotations

import shutil
from pathlib import Path

from sipmedia.simulation.run import Simulation
from sipmedia.testing.tape import write_wav
from sipmedia.testing.witness import CallRecord, World
from sipmedia.trace import render_svg, render_text

_LADDERS = 3
"""How many are shown; all are saved."""


def ladders(world: World) -> str:
    """The ladder of each call, as the caller saw it."""
    records = _calls(world)
    texts = [render_text(record.call.trace) for record in records[:_LADDERS]]
    if len(records) > _LADDERS:
        texts.append(f"(and {len(records) - _LADDERS} calls more)\n")
    return "\n".join(texts)


def save(world: World, simulation: Simulation | None, folder: Path) -> list[Path]:
    """Save all there is into `folder`, in place of what an earlier run left there; gives the files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, record in enumerate(_calls(world), 1):
        name = "ladder" if number == 1 else f"ladder-{number}"
        (folder / f"{name}.txt").write_text(render_text(record.call.trace), encoding="utf-8")
        (folder / f"{name}.svg").write_text(render_svg(record.call.trace, "The call"), encoding="utf-8")
    for witness in world.witnesses:
        for number, record in enumerate(witness.records, 1):
            suffix = "" if number == 1 else f"-{number}"
            for way, tape in (("heard", record.heard), ("said", record.said)):
                if tape.frames:
                    write_wav(folder / f"{witness.name}-{way}{suffix}.wav", tape.sound())
    if simulation is not None:
        simulation.capture.save(folder / "call.pcapng")
    return sorted(folder.iterdir())


def _calls(world: World) -> list[CallRecord]:
    """One record a call: the caller's, or the only one there is."""
    records: dict[str, CallRecord] = {}
    for witness in world.witnesses:
        for record in witness.records:
            if record.call.call_id not in records or not record.call.incoming:
                records[record.call.call_id] = record
    return list(records.values())
