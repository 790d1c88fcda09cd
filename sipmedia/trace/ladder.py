"""The trace of a call as text: one lane a party, one rung a message, for a terminal of 72 columns or more.

0.000  │─────────────── INVITE ──────────────▶│  alice calls bob, offers PCMU
0.003  │◀──────────── 180 Ringing ────────────│  bob's phone rings
0.530  │┄┄┄┄┄┄┄┄┄┄┄ ♪ first sound ┄┄┄┄┄┄┄┄┄┄┄▶│  PCMU
6.040  │▒▒▒▒▒▒▒ 302 packets ▶ ◀ 301 ▒▒▒▒▒▒▒▒▒▒│  5.5 s of sound, PCMU
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Literal

from sipmedia.trace.record import CallTrace, MediaSpan, TraceEntry

MIN_WIDTH = 72
RungStyle = Literal["head", "message", "again", "media", "band", "note"]

_TIME = 9  # columns of "12345.678"
_GAPS = 4  # two spaces on either side of the lanes


@dataclass(frozen=True, slots=True)
class Rung:
    """One line of the ladder and what it shows, so that a terminal may colour it."""

    style: RungStyle
    text: str


def render_text(trace: CallTrace, width: int = 96) -> str:
    """The whole ladder, lines of at most ``width`` columns (72 at least), with a line end each."""
    return "".join(rung.text.rstrip() + "\n" for rung in rungs(trace, width))


def rungs(trace: CallTrace, width: int = 96) -> list[Rung]:
    """The ladder line by line."""
    width = max(width, MIN_WIDTH)
    lanes = min(48, (width - _TIME - _GAPS) * 11 // 20)
    layout = _Layout(lanes, width - _TIME - _GAPS - lanes)
    lines = layout.head(trace)
    span = trace.media_span()
    band_drawn = span is None or not any(span.packets)
    for entry in trace.entries():
        if not band_drawn and span is not None and entry.kind == "message" and entry.time >= span.end:
            lines += layout.band(span)
            band_drawn = True
        lines += layout.rung(entry)
    if not band_drawn and span is not None:
        lines += layout.band(span)
    if trace.dropped:
        lines.append(Rung("note", f"{'':{_TIME}}  (and {trace.dropped} more that were not kept)"))
    return lines


@dataclass(frozen=True, slots=True)
class _Layout:
    """Column widths: of the lanes, both bars included, and of the words to the right."""

    lanes: int
    words: int

    def head(self, trace: CallTrace) -> list[Rung]:
        pairs = ((trace.local.name, trace.remote.name), (trace.local.address, trace.remote.address))
        lines = []
        for left, right in pairs:
            half = self.lanes // 2
            left, right = _clip(left, half - 1), _clip(right, half - 1)
            gap = " " * (self.lanes - len(left) - len(right))
            lines.append(Rung("head", f"{'':{_TIME}}  {left}{gap}{right}"))
        lines.append(self._line("head", "seconds", "│" + " " * (self.lanes - 2) + "│", ""))
        return lines

    def rung(self, entry: TraceEntry) -> list[Rung]:
        inner = self.lanes - 2
        time = f"{entry.time:.3f}"
        if entry.kind == "note":
            label = _clip(f" {entry.label} ", inner)
            text = label.ljust(inner) if entry.source == 0 else label.rjust(inner)
            return self._lines("note", time, "├" + text + "│", entry.detail)
        dash = "─" if entry.kind == "message" else "┄"
        if entry.retransmission:
            dash = "╌"
        label = entry.label if entry.kind == "message" else f"♪ {entry.label}"
        shaft = _clip(f" {label} ", inner - 3).center(inner - 1, "\0").replace("\0", dash)
        arrow = f"│{shaft}▶│" if entry.source == 0 else f"│◀{shaft}│"
        return self._lines("again" if entry.retransmission else entry.kind, time, arrow, entry.detail)

    def band(self, span: MediaSpan) -> list[Rung]:
        there, back = span.packets
        inner = self.lanes - 2
        text = _clip(f" ♪ {there} packets ▶ ◀ {back} packets ", inner)
        seconds = span.end - span.start
        return self._lines(
            "band",
            f"{span.end:.3f}",
            "│" + text.center(inner, "▒") + "│",
            f"{seconds:.1f} s of sound, {span.codec}",
        )

    def _lines(self, style: RungStyle, time: str, lanes: str, words: str) -> list[Rung]:
        wrapped = textwrap.wrap(words, self.words) or [""]
        empty = "│" + " " * (self.lanes - 2) + "│"
        return [
            self._line(style, time if i == 0 else "", lanes if i == 0 else empty, line)
            for i, line in enumerate(wrapped)
        ]

    @staticmethod
    def _line(style: RungStyle, time: str, lanes: str, words: str) -> Rung:
        return Rung(style, f"{time:>{_TIME}}  {lanes}  {words}")


def _clip(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
