"""Assertions about what somebody heard: a call's ear, a party's, a recording, or samples.

Times are seconds on the tape, which begins with the call's sound; `since` is often `call_time(call)`
taken before. Each returns what it measured, and fails in words.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sipmedia.call import Call
from sipmedia.testing.analysis import SILENCE_DBFS, Span, describe, gaps, loud_spans, tone_spans
from sipmedia.testing.diagnosis import conditions, culprit, why_not_heard
from sipmedia.testing.likeness import Likeness, likeness
from sipmedia.testing.party import Party
from sipmedia.testing.tape import Sound, Tape, read_sound
from sipmedia.testing.witness import CallRecord, record_of

Clip = Sound | NDArray[np.int16] | str | Path
"""A sound to look for; bare samples are at 8000 Hz, or at the rate of what is listened to."""
Ear = Call | Party | CallRecord | Tape | Clip
"""Whose ear: a call, a party (its latest call), or any recording."""


def record_of_ear(ear: Call | Party | CallRecord) -> CallRecord:
    """The record of a call, or of a party's latest one. :raises LookupError: when there is none."""
    if isinstance(ear, CallRecord):
        return ear
    return ear.last if isinstance(ear, Party) else record_of(ear)


def sound_of(ear: Ear) -> Sound:
    """What it heard so far."""
    if isinstance(ear, Sound):
        return ear
    if isinstance(ear, Tape):
        return ear.sound()
    if isinstance(ear, np.ndarray):
        return Sound(ear)
    if isinstance(ear, str | Path):
        return read_sound(ear)
    return record_of_ear(ear).heard.sound()


def call_time(ear: Call | Party | CallRecord) -> float:
    """How many seconds of the call were heard so far: what to hand on as `since`."""
    return record_of_ear(ear).heard.seconds


def assert_heard_tone(
    ear: Ear, hz: float, *, within: float | None = None, lasting: float = 0.1, since: float = 0.0
) -> Span:
    """A tone of `hz` (12 Hz to either side) that lasts, and begins at most `within` seconds after `since`."""
    __tracebackhide__ = True
    sound = sound_of(ear)
    latest = float("inf") if within is None else since + within
    found = [span for span in tone_spans(sound, hz) if span.end > since + 1e-9]
    for span in found:
        if max(span.start, since) <= latest and span.end - max(span.start, since) >= lasting - 0.021:
            return span
    asked = f"a tone of {hz:g} Hz for {lasting:g} s" + ("" if within is None else f" within {within:g} s")
    others = f" It was there, but at {', '.join(map(str, found[:4]))}." if found else ""
    raise AssertionError(
        f"{sound.name} did not hear {asked}{_after(since)}.{others}\n"
        f"  heard: {describe(sound, since)}{_packets(ear)}"
    )


def assert_heard(
    ear: Ear, clip: Clip, *, at_least: float = 0.9, within: float | None = None, since: float = 0.0
) -> Likeness:
    """The clip, by correlation: `at_least` is its likeness, 1.0 for every sample the same.

    0.9 is what 10 % of lost packets leave of speech. `within`: it begins at most so long after `since`.
    """
    __tracebackhide__ = True
    sound = sound_of(ear)
    wanted = _clip(clip, sound.rate)
    part = Sound(sound.between(since), sound.rate, sound.name)
    found = likeness(wanted, part)
    if found.score >= at_least:
        if within is not None and found.offset > within:
            raise AssertionError(
                f"{sound.name} heard the clip {found.offset:.2f} s{_after(since) or ' after the start'}, "
                f"and should have within {within:g} s"
            )
        return found
    text = (
        f"{sound.name} did not hear the clip ({wanted.seconds:.2f} s){_after(since)}: likeness "
        f"{found.score:.2f}, at least {at_least:g} was expected; {found.share:.0%} of its pieces were found"
    )
    if isinstance(ear, Call | Party | CallRecord):
        raise AssertionError(f"{text}\n{why_not_heard(wanted, record_of_ear(ear))}")
    raise AssertionError(f"{text}\n  heard: {describe(sound, since)}")


def assert_silence(
    ear: Ear, start: float = 0.0, end: float | None = None, *, below_dbfs: float = SILENCE_DBFS
) -> None:
    """Nothing louder than `below_dbfs` from `start` to `end`."""
    __tracebackhide__ = True
    sound = sound_of(ear)
    part = Sound(sound.between(start, end), sound.rate)
    if loud_spans(part, below_dbfs):
        until = "the end" if end is None else f"{end:.2f} s"
        raise AssertionError(
            f"{sound.name} should have heard nothing from {start:.2f} s to {until}, but did\n"
            f"  heard: {describe(sound, start, end)}"
        )


def assert_longest_gap(
    ear: Ear,
    at_most: float,
    *,
    since: float = 0.0,
    until: float | None = None,
    below_dbfs: float = SILENCE_DBFS,
) -> float:
    """No silence between two sounds is longer than `at_most` seconds; gives the longest one."""
    __tracebackhide__ = True
    sound = sound_of(ear)
    part = Sound(sound.between(since, until), sound.rate)
    found = gaps(part, below_dbfs)
    if not loud_spans(part, below_dbfs):
        raise AssertionError(f"{sound.name} heard nothing at all{_after(since)}{_packets(ear)}")
    longest = max(found, key=lambda gap: gap.length, default=Span(0.0, 0.0))
    if longest.length > at_most + 1e-9:
        shown = Span(longest.start + since, longest.end + since)
        raise AssertionError(
            f"{sound.name} heard nothing for {longest.length:.2f} s ({shown}); at most {at_most:g} s was "
            f"allowed{_packets(ear)}"
        )
    return longest.length


def _clip(clip: Clip, rate: int) -> Sound:
    if isinstance(clip, np.ndarray):
        return Sound(clip, rate)
    return clip if isinstance(clip, Sound) else read_sound(clip)


def _after(since: float) -> str:
    return f" after {since:.2f} s" if since else ""


def _packets(ear: Ear) -> str:
    """How the packets came, and what is to blame if they came badly."""
    if not isinstance(ear, Call | Party | CallRecord):
        return ""
    record = record_of_ear(ear)
    cause = culprit(record)
    return f"\n  {conditions(record)}" + (f"\ncause: {cause}" if cause else "")
