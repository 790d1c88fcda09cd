"""The tones of national telephone networks: dial, ringback, busy, congestion, call waiting.

The data are those of the list that ITU keeps according to Recommendation E.180, "Various tones used in
national networks" (annex to Operational Bulletin 781), and of national specifications where the list has
none: ACIF S002 (Australia), BT SIN 350 (United Kingdom), TNA 102 (New Zealand), IDA TS PSTN 1 (Singapore).
Where a network has several of a kind, one stands for all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from media.audio.tones import ToneSource
from media.errors import BadAudio

ToneKind = Literal["dial", "ringback", "busy", "congestion", "call_waiting"]
KINDS: tuple[ToneKind, ...] = ("dial", "ringback", "busy", "congestion", "call_waiting")

DEFAULT_LEVEL_DBOV = -16.0
"""-10 dBm0, which E.180 recommends."""


@dataclass(frozen=True, slots=True)
class Tone:
    """Frequencies sounding together (Hz), perhaps modulated, and seconds of tone and pause in turn."""

    frequencies_hz: tuple[float, ...]
    modulation_hz: float | None
    cadence: tuple[float, ...]

    @classmethod
    def parse(cls, text: str) -> "Tone":
        """From ``350+440``, ``425 1 4``, ``400x25 0.4 0.2 0.4 2``: frequencies, modulation, cadence."""
        sound, *cadence = text.split()
        carrier, _, modulation = sound.partition("x")
        return cls(
            tuple(float(frequency) for frequency in carrier.split("+")),
            float(modulation) if modulation else None,
            tuple(float(seconds) for seconds in cadence),
        )


# Each line: dial / ringback / busy / congestion / call waiting.
_TABLE = {
    "at": "420 / 420 1 5 / 420 .4 .4 / 420 .2 .2 / 420 .04 1.96",
    "au": "413+438 / 413+438 .4 .2 .4 2 / 425 .375 .375 / 425 .375 .375 / 425 .2 .2 .2 4.4",
    "be": "425 / 425 1 3 / 425 .5 .5 / 425 .167 .167 / 1400 .175 .175 .175 3.5",
    "bg": "425 / 425 1 4 / 425 .5 .5 / 425 .25 .25 / 425 .15 .15 .15 4",
    "br": "425 / 425 1 4 / 425 .25 .25 / 425 .25 .25 .75 .25 / 425 .05 1",
    "ch": "425 / 425 1 4 / 425 .5 .5 / 425 .2 .2 / 425 .2 .2 .2 4",
    "cl": "400 / 400 1 3 / 400 .5 .5 / 400 .2 .2 / 400 .25 8.75",
    "cn": "450 / 450 1 4 / 450 .35 .35 / 450 .7 .7 / 450 .4 4",
    "cz": "425 .33 .33 .66 .66 / 425 1 4 / 425 .33 .33 / 425 .165 .165 / 425 .33 9",
    "de": "425 / 425 1 4 / 425 .48 .48 / 425 .24 .24 / 425 .2 .2 .2 5",
    "dk": "425 / 425 1 4 / 425 .5 .5 / 425 .2 .2 / 425 .2 .6 .2 3",
    "es": "425 / 425 1.5 3 / 425 .2 .2 / 425 .2 .2 .2 .2 .2 .6 / 425 .175 .175 .175 3.5",
    "fi": "425 / 425 1 4 / 425 .3 .3 / 425 .2 .2 / 425 .15 .15 .15 8",
    "fr": "440 / 440 1.5 3.5 / 440 .5 .5 / 440 .25 .25 / 440 .3 10",
    "gb": "350+440 / 400+450 .4 .2 .4 2 / 400 .375 .375 / 400 .4 .35 .225 .525 / 400 .1 4",
    "gr": "425 .2 .3 .7 .8 / 425 1 4 / 425 .3 .3 / 425 .2 .2 / 425 .15 .15 .15 8",
    "hu": "425 / 425 1.25 3.75 / 425 .3 .3 / 425 .3 .3 / 425 .04 1.96",
    "id": "425 / 425 1 4 / 425 .5 .5 / 425 .25 .25 / 425 .15 .15 .15 10",
    "il": "414 / 414 1 3 / 414 .5 .5 / 414 .25 .25 / 414 .1 .1 .1 .1 .6 3",
    "in": "400x25 / 400x25 .4 .2 .4 2 / 400 .75 .75 / 400 .25 .25 / 400 .2 .1 .2 7.5",
    "it": "425 .2 .2 .6 1 / 425 1 4 / 425 .5 .5 / 425 .2 .2 / 425 .4 .1 .25 .1 .15 14",
    "jp": "400 / 400x16 1 2 / 400 .5 .5 / 400 .5 .5 / 400x16 .5 8",
    "lt": "425 / 425 1 4 / 425 .35 .35 / 425 .2 .2 / 425 .15 .15 .15 4",
    "mx": "425 / 425 1 4 / 425 .25 .25 / 425 .25 .25 / 425 .2 .6 .2 10",
    "nl": "425 / 425 1 4 / 425 .5 .5 / 425 .25 .25 / 425 .5 9.5",
    "no": "425 / 425 1 4 / 425 .5 .5 / 425 .2 .2 / 425 .2 .6 .2 10",
    "nz": "400 / 400+450 .4 .2 .4 2 / 400 .5 .5 / 400 .25 .25 / 400 .2 3",
    "ph": "425 / 425+480 1 4 / 480+620 .5 .5 / 480+620 .25 .25 / 440 .3 10",
    "pl": "425 / 425 1 4 / 425 .5 .5 / 425 .5 .5 / 425 .15 .15 .15 4",
    "pt": "425 / 425 1 5 / 425 .5 .5 / 425 .2 .2 / 425 .2 .2 .2 5",
    "ru": "425 / 425 1 4 / 425 .35 .35 / 425 .175 .175 / 425 .2 5",
    "se": "425 / 425 1 5 / 425 .25 .25 / 425 .25 .75 / 425 .2 .5 .2 9.1",
    "sg": "425 / 425x24 .4 .2 .4 2 / 425 .75 .75 / 425 .25 .25 / 425x24 .3 .2 .3 3.2",
    "tw": "350+440 / 440+480 1 2 / 480+620 .5 .5 / 480+620 .25 .25 / 350+440 .25 .25 .25 3.25",
    "us": "350+440 / 440+480 2 4 / 480+620 .5 .5 / 480+620 .25 .25 / 440 .3 10",
    "za": "400x33 / 400x33 .4 .2 .4 2 / 400 .5 .5 / 400 .25 .25 / 400x33 .25 .25 .25 .25",
}

_ALIASES = {"uk": "gb", "ca": "us"}  # what people write, and the North American network as one

COUNTRIES: Mapping[str, Mapping[ToneKind, Tone]] = MappingProxyType(
    {
        country: MappingProxyType(
            {kind: Tone.parse(text) for kind, text in zip(KINDS, line.split(" / "), strict=True)}
        )
        for country, line in _TABLE.items()
    }
)
"""By ISO 3166 code in lower case."""


def country_tone(
    country: str,
    kind: ToneKind,
    sample_rate_hz: int,
    *,
    level_dbov: float = DEFAULT_LEVEL_DBOV,
    duration_s: float | None = None,
) -> ToneSource:
    """A tone of a country's network, endless unless `duration_s` is given.

    `country` is its ISO 3166 code in any case. Raises `BadAudio` for one that is not listed.
    """
    code = country.lower()
    tones = COUNTRIES.get(_ALIASES.get(code, code))
    if tones is None or kind not in tones:
        raise BadAudio(
            f"there is no {kind!r} tone of {country!r}; countries are {', '.join(COUNTRIES)}, "
            f"tones are {', '.join(KINDS)}"
        )
    tone = tones[kind]
    # The level is that of the whole tone, and each of n frequencies has 1/n of its power.
    lower = 3.0 if len(tone.frequencies_hz) > 1 else 0.0
    return ToneSource(
        sample_rate_hz,
        tone.frequencies_hz,
        level_dbov=level_dbov - lower,
        cadence=tone.cadence,
        duration_s=duration_s,
        modulation_hz=tone.modulation_hz,
    )
