"""How a call went: what was heard, what it counts as, and what is kept of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from media import MediaStats
from media.files import Recording
from media.frame import AudioFrame
from sipmedia.call import Call
from sipmedia.cli.exits import Exit
from sipmedia.cli.output import Output
from sipmedia.trace import render_svg, render_text


class Ear:
    """Measures what is heard; a sink of the media thread."""

    moves_with_call = True

    def __init__(self) -> None:
        self.samples = 0
        self.rate = 8000
        self._energy = 0.0

    def push(self, frame: AudioFrame) -> None:
        """Take a frame."""
        samples = frame.samples.astype(np.float32)
        self.samples += len(samples)
        self.rate = frame.sample_rate_hz
        self._energy += float(np.dot(samples, samples))

    @property
    def level_dbov(self) -> float | None:
        """Mean level against full scale; ``None`` when only digital silence was heard."""
        if not self.samples or self._energy < self.samples:  # less than one step on average
            return None
        return float(10 * np.log10(self._energy / self.samples / 32768.0**2))


def verdict(call: Call) -> Exit:
    """The exit code that an answered call deserves."""
    if call.ended_by == "timeout":
        return Exit.PEER_GONE
    audio = _audio(call)
    if audio is None or audio.packets_received:
        return Exit.TALKED
    streams = call.session.streams if call.session is not None else ()
    receives = any(stream.direction.receives for stream in streams)
    return Exit.NO_AUDIO if receives or not streams else Exit.TALKED


async def tell_outcome(call: Call, ear: Ear, out: Output) -> None:
    """Say who ended it, and what was heard."""
    ended = await call.ended()
    who = {"local": "we hung up", "remote": f"{call.remote_name} hung up"}.get(
        ended.by, f"the call ended ({ended.by})"
    )
    out.event(
        "ended", f"{who} after {ended.duration:.1f} s",
        by=ended.by, reason=ended.reason, duration=ended.duration,
    )  # fmt: skip
    audio = _audio(call)
    if audio is None or not audio.packets_received:
        out.event("heard", "heard nothing: no sound packets came", packets=0)
        return
    level = ear.level_dbov
    loudness = "silence only" if level is None else f"{abs(level):.0f} dB below full scale"
    quality = f", MOS {audio.mos:.1f}" if audio.mos is not None else ""
    out.event(
        "heard",
        f"heard {ear.samples / ear.rate:.1f} s of sound, {loudness}; {audio.packets_received} packets, "
        f"{audio.packets_lost} lost, {audio.packets_late} late{quality}",
        packets=audio.packets_received, lost=audio.packets_lost, late=audio.packets_late,
        level_dbov=level, mos=audio.mos,
    )  # fmt: skip


def tell_recorded(recording: Recording, out: Output) -> None:
    """Say what was recorded, and where."""
    out.event(
        "recorded", f"recorded {recording.duration:.1f} s into {recording.path}",
        file=recording.path, duration=recording.duration, error=recording.error,
        missing=recording.samples_dropped / recording.sample_rate_hz,
    )  # fmt: skip


def summary_of(call: Call) -> dict[str, object]:
    """What the last line for scripts says of a call."""
    return {
        "call_id": call.call_id,
        "from": call.remote_uri if call.incoming else call.local_uri,
        "to": call.local_uri if call.incoming else call.remote_uri,
        "status": call.status,
        "reason": call.reason,
        "ended_by": call.ended_by,
        "duration": call.duration,
        "statistics": call.statistics(),
    }


def save_trace(call: Call, path: Path, out: Output) -> None:
    """Write the ladder: a picture, or text when the file's name ends in .txt."""
    text = render_text(call.trace) if path.suffix == ".txt" else render_svg(call.trace)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:  # it could be when the call began
        out.error(f"{path} cannot be written: {error.strerror}")
        return
    out.event("trace", f"ladder saved to {path}", file=str(path))


def numbered(path: Path, number: int) -> Path:
    """The path for the n-th call: the first has it as it is, then ``name-2.wav`` and so on."""
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")


def _audio(call: Call) -> MediaStats | None:
    """The statistics of the call's audio."""
    statistics = call.statistics()
    return statistics.media.get("audio") if statistics is not None else None
