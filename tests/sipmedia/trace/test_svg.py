"""sipmedia/trace/svg.py: a well-formed picture that needs nothing from outside."""

import xml.etree.ElementTree as ET

from sipmedia.trace import CallTrace, Lane, render_svg


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_every_rung_is_there(trace: CallTrace) -> None:
    shown = texts(render_svg(trace, "a & b <talk>"))
    assert shown[0] == "a & b <talk>"
    for words in ("INVITE", "180 Ringing", "♪ first sound heard", "bob hangs up", "0.500"):
        assert words in shown
    assert "♪ 100 packets →   ← 99 packets" in shown


def test_names_cannot_break_out_of_the_picture(trace: CallTrace) -> None:
    trace.remote = Lane('"><script>alert(1)</script>', "&")
    svg = render_svg(trace)
    ET.fromstring(svg)
    assert "<script" not in svg


def test_without_anything_recorded_it_is_still_a_picture() -> None:
    assert "0 SIP messages" in " ".join(texts(render_svg(CallTrace())))


def test_nothing_is_fetched(trace: CallTrace) -> None:
    svg = render_svg(trace).replace("http://www.w3.org/2000/svg", "")
    assert "http" not in svg
    assert "url(" not in svg
