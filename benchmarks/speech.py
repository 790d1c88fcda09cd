"""Real speech to measure with, and PESQ (ITU-T P.862), which says how much of it survived.

The speech is Debian's: asterisk-core-sounds-en-wav at 8 kHz, asterisk-core-sounds-en-g722 at 16 kHz. PESQ
comes from the extra `bench`.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import soundfile

from benchmarks.tools import Missing
from media.codec import registry
from media.frame import Samples

SOUNDS = Path(os.environ.get("SIPMEDIA_SPEECH", "/usr/share/asterisk/sounds/en_US_f_Allison"))
CLIPS, SEEDS = 20, 5
NARROW, WIDE = 8000, 16000
_SECONDS = (5.0, 12.5)
_G722_BYTES_PER_S = 8000


def read(path: Path) -> Samples:
    """The samples of a WAV file, or of one of bare G.722."""
    if path.suffix == ".g722":
        return np.asarray(registry.get("G722").make_decoder().decode(path.read_bytes()), np.int16)
    return np.asarray(soundfile.read(path, dtype="int16")[0], np.int16)


def clips(folder: Path, count: int, rate_hz: int = NARROW) -> list[Path]:
    """Files of spoken sentences, spread over the alphabet. :raises Missing: without PESQ or as many files"""
    if importlib.util.find_spec("pesq") is None:
        raise Missing("PESQ is not installed: pip install -e '.[bench]'")
    suffix, package = (".wav", "wav") if rate_hz == NARROW else (".g722", "g722")
    fitting = [
        path
        for path in sorted(folder.rglob(f"*{suffix}"))
        if "silence" not in path.parts and _SECONDS[0] <= _duration(path) <= _SECONDS[1]
    ]
    if len(fitting) < count:
        raise Missing(
            f"{folder} holds {len(fitting)} {suffix} files of {_SECONDS[0]:g} to {_SECONDS[1]:g} s, {count} "
            f"are needed: apt install asterisk-core-sounds-en-{package}, or name another folder by --sounds"
        )
    return [fitting[index * len(fitting) // count] for index in range(count)]


def pesq_of(clean: Samples, heard: Samples, rate_hz: int = NARROW) -> float:
    """PESQ: 1.0 (bad) to 4.5; narrowband at 8 kHz, wideband (P.862.2) at 16 kHz."""
    from pesq import NoUtterancesError, pesq

    try:
        return float(pesq(rate_hz, clean, heard, "nb" if rate_hz == NARROW else "wb"))
    except NoUtterancesError:
        return 1.0


def _duration(path: Path) -> float:
    if path.suffix == ".g722":
        return path.stat().st_size / _G722_BYTES_PER_S
    return float(soundfile.info(path).duration)
