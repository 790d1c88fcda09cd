"""The trace of a call: recorded as it goes, shown as a text ladder or an SVG picture."""

from sipmedia.trace.ladder import Rung, render_text, rungs
from sipmedia.trace.record import CallTrace, Lane, MediaSpan, TraceEntry, call_id_of
from sipmedia.trace.svg import render_svg

__all__ = [
    "CallTrace",
    "Lane",
    "MediaSpan",
    "Rung",
    "TraceEntry",
    "call_id_of",
    "render_svg",
    "render_text",
    "rungs",
]
