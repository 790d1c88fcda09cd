"""examples/kit/plot.py: lines where the values are."""

import re
from xml.etree import ElementTree

from examples.kit.plot import Panel, Span, render_plot


def test_lines_gaps_and_labels() -> None:
    panel = Panel("Loss, %", {"a": [0, 5, None, 10]}, 0, 10)
    svg = render_plot("A <title>", "sub", [1, 2, 3, 4], [panel], [Span(1, 2, "busy")])
    root = ElementTree.fromstring(svg)
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"A <title>", "sub", "Loss, %", "a", "busy", "0", "10"} <= set(texts)
    path = next(e.get("d") or "" for e in root.iter() if e.get("class") == "line")
    points = [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]
    assert re.sub(r"[^ML]", "", path) == "MLM"
    assert [x for x, _ in points] == [288.0, 504.0, 936.0]
    heights = [y for _, y in points]
    assert heights[0] - heights[1] == heights[1] - heights[2] == 75


def test_values_above_the_axis_raise_it() -> None:
    svg = render_plot("t", "s", [1, 2], [Panel("p", {"a": [0, 37]}, 0, 10)])
    assert ">40<" in svg
    assert ">0<" in svg
