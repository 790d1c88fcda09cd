"""Tests of calls: phones in virtual time, and assertions about what was heard.

The pytest plugin (`sipmedia.testing.plugin`) is found by pytest itself; docs/testing.md is its tutorial.
"""

# As in `sipmedia`, names are loaded when they are asked for: pytest imports this package to find the plugin.

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipmedia.testing.analysis import Span
    from sipmedia.testing.calls import (
        assert_dtmf,
        assert_ladder,
        assert_mos,
        assert_mouth_to_ear,
        assert_no_leaks,
        assert_one_way_audio,
        assert_two_way_audio,
    )
    from sipmedia.testing.hearing import (
        assert_heard,
        assert_heard_tone,
        assert_longest_gap,
        assert_silence,
        call_time,
    )
    from sipmedia.testing.lab import Lab, SimCall
    from sipmedia.testing.likeness import Likeness
    from sipmedia.testing.party import Party, Phones
    from sipmedia.testing.sounds import speech, tone
    from sipmedia.testing.tape import Sound, Tape, read_sound, write_wav
    from sipmedia.testing.waiting import wait_for_dtmf, wait_for_silence, wait_for_sound, wait_for_tone
    from sipmedia.testing.witness import CallRecord, Witness, record_of, watch

__all__ = [
    "CallRecord",
    "Lab",
    "Likeness",
    "Party",
    "Phones",
    "SimCall",
    "Sound",
    "Span",
    "Tape",
    "Witness",
    "assert_dtmf",
    "assert_heard",
    "assert_heard_tone",
    "assert_ladder",
    "assert_longest_gap",
    "assert_mos",
    "assert_mouth_to_ear",
    "assert_no_leaks",
    "assert_one_way_audio",
    "assert_silence",
    "assert_two_way_audio",
    "call_time",
    "read_sound",
    "record_of",
    "speech",
    "tone",
    "wait_for_dtmf",
    "wait_for_silence",
    "wait_for_sound",
    "wait_for_tone",
    "watch",
    "write_wav",
]

_HOMES = {
    "analysis": ("Span",),
    "calls": (
        "assert_dtmf",
        "assert_ladder",
        "assert_mos",
        "assert_mouth_to_ear",
        "assert_no_leaks",
        "assert_one_way_audio",
        "assert_two_way_audio",
    ),
    "hearing": (
        "assert_heard",
        "assert_heard_tone",
        "assert_longest_gap",
        "assert_silence",
        "call_time",
    ),
    "lab": ("Lab", "SimCall"),
    "likeness": ("Likeness",),
    "party": ("Party", "Phones"),
    "sounds": ("speech", "tone"),
    "tape": ("Sound", "Tape", "read_sound", "write_wav"),
    "waiting": ("wait_for_dtmf", "wait_for_silence", "wait_for_sound", "wait_for_tone"),
    "witness": ("CallRecord", "Witness", "record_of", "watch"),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            value: object = getattr(import_module(f"{__name__}.{home}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
