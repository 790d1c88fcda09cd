"""The trace of a call as a picture: an SVG that any browser opens, light or dark, nothing fetched.

Time runs downwards but not to scale: a rung a message, with a wider gap where nothing happened for long.
The tinted band between the lanes is the time in which sound flowed.
"""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from xml.sax.saxutils import escape

from sipmedia.trace.record import CallTrace, MediaSpan, TraceEntry

_WIDTH = 1040
_LEFT, _RIGHT = 180, 620  # where the lanes stand
_TIME_X = 92  # times end here
_WORDS_X = 660
_TOP = 158  # the first rung
_ROW = 38
_LINE = 16  # of wrapped words
_WORDS_WIDTH = 48  # characters

_STYLE = """
  svg { color-scheme: light dark; }
  text { font-family: system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1e293b; font-size: 13px; }
  .paper { fill: #ffffff; }
  .title { font-size: 20px; font-weight: 600; }
  .sub { fill: #64748b; font-size: 13px; }
  .name { font-size: 15px; font-weight: 600; fill: #ffffff; text-anchor: middle; }
  .addr { font-size: 11px; fill: #ffffff; fill-opacity: .85; text-anchor: middle; }
  .head0 { fill: #2563eb; } .head1 { fill: #c2410c; }
  .lane { stroke: #cbd5e1; stroke-width: 2; }
  .time { fill: #94a3b8; font-size: 11.5px; text-anchor: end; font-variant-numeric: tabular-nums; }
  .gap { fill: #94a3b8; font-size: 11px; text-anchor: end; font-style: italic; }
  .label { text-anchor: middle; font-weight: 600; font-size: 12.5px; paint-order: stroke; }
  .words { fill: #475569; }
  .arrow { fill: none; stroke-width: 1.8; }
  .c0 { stroke: #2563eb; } .c1 { stroke: #c2410c; } .no { stroke: #dc2626; } .some { stroke: #94a3b8; }
  .f0 { fill: #2563eb; } .f1 { fill: #c2410c; } .fno { fill: #dc2626; } .fsome { fill: #94a3b8; }
  .again { opacity: .45; } .again .arrow { stroke-dasharray: 5 4; }
  .media .arrow { stroke-dasharray: 1.5 4; stroke-linecap: round; stroke-width: 2.4; }
  .band { fill: #10b981; fill-opacity: .10; }
  .wave { fill: none; stroke: #10b981; stroke-opacity: .45; stroke-width: 1.4; }
  .pill { fill: #ecfdf5; stroke: #10b981; stroke-opacity: .6; }
  .pilltext { fill: #047857; text-anchor: middle; font-weight: 600; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e2e8f0; } .paper { fill: #0f172a; } .sub { fill: #94a3b8; } .words { fill: #cbd5e1; }
    .lane { stroke: #334155; } .pill { fill: #064e3b; } .pilltext { fill: #a7f3d0; }
    .c0 { stroke: #60a5fa; } .f0 { fill: #60a5fa; } .c1 { stroke: #fb923c; } .f1 { fill: #fb923c; }
  }
"""


@dataclass(frozen=True, slots=True)
class _Row:
    entry: TraceEntry
    y: float
    words: list[str]
    waited: float  # seconds since the row before, when that was long


@dataclass(frozen=True, slots=True)
class _Band:
    """The part of the picture in which sound flows."""

    top: float
    bottom: float


def render_svg(trace: CallTrace, title: str = "") -> str:
    """The whole picture as SVG text."""
    span = trace.media_span()
    rows, band = _place(trace.entries(), span)
    last = rows[-1].y + len(rows[-1].words) * _LINE if rows else _TOP
    bottom = max(last, band.bottom if band is not None else 0) + 34
    height = bottom + 42
    title = title or f"{trace.local.name} and {trace.remote.name}"
    seconds = rows[-1].entry.time if rows else 0.0
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" '
            f'width="{_WIDTH}" height="{height:g}" role="img" aria-label="{_attribute(title)}">',
            f"<style>{_STYLE}</style>",
            f'<rect class="paper" width="{_WIDTH}" height="{height:g}"/>',
            f'<text class="title" x="40" y="42">{escape(title)}</text>',
            f'<text class="sub" x="40" y="64">{escape(_subtitle(rows, seconds, span))}</text>',
            *(
                f'<line class="lane" x1="{x}" y1="{_TOP - 36}" x2="{x}" y2="{bottom - 8:g}"/>'
                for x in (_LEFT, _RIGHT)
            ),
            *(_band(band) if band is not None else []),
            *_head(0, _LEFT, trace),
            *_head(1, _RIGHT, trace),
            *(_rung(row) for row in rows),
            *([_pill(span, band)] if span is not None and band is not None else []),
            f'<text class="sub" x="40" y="{bottom + 22:g}">{escape(_legend(trace, rows))}</text>',
            "</svg>",
            "",
        ]
    )


def _subtitle(rows: list[_Row], seconds: float, span: MediaSpan | None) -> str:
    messages = sum(row.entry.kind == "message" for row in rows)
    text = f"{messages} SIP messages in {seconds:.2f} s"
    return text + (f", {span.end - span.start:.1f} s of sound with {span.codec}" if span else ", no sound")


def _legend(trace: CallTrace, rows: list[_Row]) -> str:
    parts = ["times in seconds since the first message"]
    if any(row.entry.retransmission for row in rows):
        parts.append("pale and dashed: sent again because no answer came in time")
    if any(row.entry.kind == "media" for row in rows):
        parts.append("dotted: sound, not signalling")
    if trace.dropped:
        parts.append(f"{trace.dropped} more entries were not kept")
    return "; ".join(parts)


def _place(entries: list[TraceEntry], span: MediaSpan | None) -> tuple[list[_Row], _Band | None]:
    """Where each rung stands, and the band: from the first sound to a place of its own before the goodbye."""
    rows: list[_Row] = []
    y: float = _TOP
    before = 0.0
    top: float | None = None
    band: _Band | None = None
    if span is not None and not any(span.packets):
        span = None
    for entry in entries:
        if span is not None and top is None and entry.time >= span.start:
            top = y - 24
        waited = entry.time - before
        if waited >= 0.25:  # a pause that a person would notice: show that it was one
            y += 14 + min(30.0, 12 * math.log2(1 + waited))
        if span is not None and band is None and entry.kind == "message" and entry.time >= span.end:
            band = _Band(top if top is not None else y - 24, y + 8)
            y += 44
        words = textwrap.wrap(entry.detail, _WORDS_WIDTH)
        rows.append(_Row(entry, y, words, waited if waited >= 0.25 else 0.0))
        y += max(_ROW, 12 + _LINE * len(words))
        before = entry.time
    if span is not None and band is None:
        band = _Band(top if top is not None else y - 24, y + 8)
    return rows, band


def _head(lane: int, x: int, trace: CallTrace) -> list[str]:
    party = (trace.local, trace.remote)[lane]
    return [
        f'<rect class="head{lane}" x="{x - 90}" y="84" width="180" height="44" rx="10"/>',
        f'<text class="name" x="{x}" y="103">{escape(_clip(party.name, 22))}</text>',
        f'<text class="addr" x="{x}" y="119">{escape(_clip(party.address, 32))}</text>',
    ]


def _rung(row: _Row) -> str:
    entry, y = row.entry, row.y
    parts = [f'<text class="time" x="{_TIME_X}" y="{y + 4:g}">{entry.time:.3f}</text>']
    if row.waited:
        parts.append(f'<text class="gap" x="{_TIME_X}" y="{y - 16:g}">{row.waited:.1f} s later</text>')
    if entry.kind == "note":
        x = (_LEFT, _RIGHT)[entry.source]
        parts.append(f'<circle class="fsome" cx="{x}" cy="{y:g}" r="4"/>')
        parts.append(f'<text class="words" x="{x + 12}" y="{y + 4:g}">{escape(entry.label)}</text>')
    else:
        parts.append(_arrow(entry, y))
    first = y + 4 - (len(row.words) - 1) * _LINE / 2
    parts += [
        f'<text class="words" x="{_WORDS_X}" y="{first + i * _LINE:g}">{escape(line)}</text>'
        for i, line in enumerate(row.words)
    ]
    kind = "again" if entry.retransmission else entry.kind
    return f'<g class="{kind}">' + "".join(parts) + "</g>"


def _arrow(entry: TraceEntry, y: float) -> str:
    start, end = (_LEFT, _RIGHT) if entry.source == 0 else (_RIGHT, _LEFT)
    step = 1 if end > start else -1
    colour = _colour(entry)
    tip = end - 2 * step
    label = entry.label if entry.kind == "message" else f"♪ {entry.label}"
    return (
        f'<path class="arrow {colour}" d="M{start + 2 * step} {y:g}H{tip - 8 * step}"/>'
        f'<path class="f{colour.removeprefix("c")}" d="M{tip} {y:g}l{-10 * step} -5v10z"/>'
        f'<text class="label" x="{(_LEFT + _RIGHT) / 2:g}" y="{y - 6:g}">{escape(_clip(label, 56))}</text>'
    )


def _colour(entry: TraceEntry) -> str:
    status = entry.label[:1] if entry.kind == "message" and entry.label[:3].isdecimal() else ""
    if status in ("4", "5", "6"):
        return "no"
    return "some" if status == "1" else f"c{entry.source}"


def _band(band: _Band) -> list[str]:
    wave = " ".join(
        f"{'M' if i == 0 else 'L'}{_LEFT + 14 + 7 * math.sin(i * 0.9) * math.sin(i * 0.11):.1f} "
        f"{band.top + i * 2:.1f}"
        for i in range(int((band.bottom - band.top) / 2))
    )
    return [
        f'<rect class="band" x="{_LEFT + 2}" y="{band.top:g}" width="{_RIGHT - _LEFT - 4}" '
        f'height="{band.bottom - band.top:g}" rx="6"/>',
        f'<path class="wave" d="{wave}"/>',
        f'<path class="wave" transform="translate({_LEFT + _RIGHT}) scale(-1 1)" d="{wave}"/>',
    ]


def _pill(span: MediaSpan, band: _Band) -> str:
    x, y = (_LEFT + _RIGHT) / 2, band.bottom - 20
    text = f"♪ {span.packets[0]} packets →   ← {span.packets[1]} packets"
    width = 8 * len(text) + 20
    return (
        f'<rect class="pill" x="{x - width / 2:g}" y="{y - 13:g}" width="{width}" height="26" rx="13"/>'
        f'<text class="pilltext" x="{x:g}" y="{y + 4.5:g}">{escape(text)}</text>'
    )


def _clip(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _attribute(text: str) -> str:
    return escape(text, {'"': "&quot;"})
