"""A chart as SVG text: panels below each other over one axis of minutes, a line for each party in each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH = 960
_LEFT, _RIGHT, _TOP, _PANEL, _GAP = 72, 24, 92, 150, 46
_COLOURS = ("#2563c9", "#d9661f", "#2f8f5b", "#8a4fc4")
_STYLE = (
    "text{font:13px 'Segoe UI',Roboto,'Noto Sans',Helvetica,Arial,sans-serif;fill:#3d4450}"
    ".title{font-size:20px;font-weight:600;fill:#1c222b}.sub{fill:#6a7280}.panel{font-weight:600}"
    ".tick{font-size:11px;fill:#6a7280}.grid{stroke:#e4e7ec;stroke-width:1}"
    ".axis{stroke:#9aa3b0;stroke-width:1}.line{fill:none;stroke-width:1.6;stroke-linejoin:round}"
    ".note{fill:#f3f0e6}.notetext{font-size:11px;fill:#8b7f56}"
)


@dataclass(frozen=True, slots=True)
class Panel:
    """One quantity: `lines` by name of party, a value for each time; None leaves a gap.

    The axis goes from `low` to `high`; higher values raise it to a round number.
    """

    title: str
    lines: dict[str, Sequence[float | None]]
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Span:
    """A time (in minutes) with a word on what was going on, shaded in all panels."""

    start: float
    end: float
    text: str


def render_plot(
    title: str, subtitle: str, minutes: Sequence[float], panels: Sequence[Panel], spans: Sequence[Span] = ()
) -> str:
    """The chart; every line has as many values as there are `minutes`."""
    height = _TOP + len(panels) * (_PANEL + _GAP) + 20
    end = max(minutes, default=1.0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" aria-label="{escape(title)}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text class="title" x="{_LEFT - 44}" y="36">{escape(title)}</text>',
        f'<text class="sub" x="{_LEFT - 44}" y="58">{escape(subtitle)}</text>',
        *_legend(list(dict.fromkeys(name for panel in panels for name in panel.lines))),
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, _TOP + 20 + number * (_PANEL + _GAP), minutes, end, spans, first=number == 0)
    return "\n".join([*parts, "</svg>", ""])


def _legend(names: Sequence[str]) -> list[str]:
    parts, x = [], float(WIDTH - _RIGHT)
    for number, name in reversed(list(enumerate(names))):
        x -= 8 * len(name) + 10
        parts.append(f'<text x="{x:g}" y="58">{escape(name)}</text>')
        x -= 26
        colour = _COLOURS[number % len(_COLOURS)]
        parts.append(f'<line x1="{x:g}" x2="{x + 20:g}" y1="54" y2="54" stroke="{colour}" stroke-width="3"/>')
        x -= 14
    return parts


def _panel(
    panel: Panel, top: float, minutes: Sequence[float], end: float, spans: Sequence[Span], *, first: bool
) -> list[str]:
    bottom, right = top + _PANEL, WIDTH - _RIGHT
    values = [value for line in panel.lines.values() for value in line if value is not None]
    step = _round_step((max([panel.high, *values]) - panel.low) / 4)
    high = panel.low + step * math.ceil((max([panel.high, *values]) - panel.low) / step - 1e-9)

    def x(minute: float) -> float:
        return _LEFT + (right - _LEFT) * minute / end

    def y(value: float) -> float:
        return bottom - _PANEL * (min(max(value, panel.low), high) - panel.low) / (high - panel.low)

    parts = []
    for span in spans:
        width = x(span.end) - x(span.start)
        parts.append(
            f'<rect class="note" x="{x(span.start):.1f}" y="{top:g}" width="{width:.1f}" height="{_PANEL}"/>'
        )
        if first:
            middle = x((span.start + span.end) / 2)
            parts.append(
                f'<text class="notetext" x="{middle:.1f}" y="{top - 6:g}" text-anchor="middle">'
                f"{escape(span.text)}</text>"
            )
    parts.append(f'<text class="panel" x="{_LEFT - 44}" y="{top - 10:g}">{escape(panel.title)}</text>')
    for number in range(round((high - panel.low) / step) + 1):
        value = panel.low + number * step
        parts.append(f'<path class="grid" d="M{_LEFT} {y(value):.1f}H{right}"/>')
        parts.append(
            f'<text class="tick" x="{_LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    parts.append(f'<line class="axis" x1="{_LEFT}" x2="{right}" y1="{bottom:g}" y2="{bottom:g}"/>')
    tick = _round_step(end / 8)
    parts += [
        f'<text class="tick" x="{x(number * tick):.1f}" y="{bottom + 16:g}" text-anchor="middle">'
        f"{number * tick:g}</text>"
        for number in range(int(end / tick + 1e-9) + 1)
    ]
    for number, line in enumerate(panel.lines.values()):
        colour = _COLOURS[number % len(_COLOURS)]
        heights = [None if value is None else y(value) for value in line]
        path = _path(list(zip(map(x, minutes), heights, strict=True)))
        parts.append(f'<path class="line" stroke="{colour}" d="{path}"/>')
    return parts


def _path(points: Sequence[tuple[float, float | None]]) -> str:
    words, drawing = [], False
    for x, y in points:
        if y is not None:
            words.append(f"{'L' if drawing else 'M'}{x:.1f} {y:.1f}")
        drawing = y is not None
    return "".join(words)


def _round_step(rough: float) -> float:
    """The next of 1, 2, 5, 10, 20 ... that is not smaller."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough - 1e-9)
