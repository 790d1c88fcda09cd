"""Tones of national networks."""

import numpy as np
import pytest

from media.audio.country_tones import COUNTRIES, KINDS, Tone, ToneKind, country_tone
from media.audio.tones import amplitude
from media.errors import BadAudio
from media.frame import Samples

RATE = 8000


def sound(country: str, kind: ToneKind, seconds: float) -> Samples:
    source = country_tone(country, kind, RATE)
    frames = [source.pull(160) for _ in range(round(seconds * 50))]
    return np.concatenate([frame.samples for frame in frames if frame is not None])


def frequencies(samples: Samples) -> set[int]:
    """Those with at least a tenth of the strongest's amplitude, to the nearest hertz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    peaks = [
        i
        for i in range(1, len(spectrum) - 1)
        if spectrum[i] > spectrum.max() / 10 and spectrum[i - 1] <= spectrum[i] > spectrum[i + 1]
    ]
    return {round(i * RATE / len(samples)) for i in peaks}


def test_there_are_many_countries_with_all_kinds() -> None:
    assert len(COUNTRIES) >= 20
    for tones in COUNTRIES.values():
        assert tuple(tones) == KINDS
        for kind, tone in tones.items():
            assert all(300 <= hz <= 1400 for hz in tone.frequencies_hz)
            assert len(tone.cadence) % 2 == 0
            assert bool(tone.cadence) or kind == "dial"


@pytest.mark.parametrize("country", COUNTRIES)
@pytest.mark.parametrize("kind", KINDS)
def test_each_can_be_played_and_has_its_level(country: str, kind: ToneKind) -> None:
    tone = COUNTRIES[country][kind]
    first = tone.cadence[0] if tone.cadence else 1.0
    samples = sound(country, kind, max(first, 0.02))[: round(first * RATE)].astype(float)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(amplitude(-16) / np.sqrt(2), rel=0.25)


@pytest.mark.parametrize(
    ("country", "kind", "heard"),
    [
        ("us", "dial", {350, 440}),
        ("GB", "dial", {350, 440}),
        ("uk", "dial", {350, 440}),
        ("de", "dial", {425}),
        ("in", "dial", {375, 400, 425}),
    ],
)
def test_frequencies(country: str, kind: ToneKind, heard: set[int]) -> None:
    assert frequencies(sound(country, kind, 2.0)) == heard


@pytest.mark.parametrize(
    ("country", "kind", "lengths"),
    [
        ("us", "ringback", [2.0, 4.0, 2.0]),
        ("gb", "ringback", [0.4, 0.2, 0.4, 2.0, 0.4]),
        ("de", "busy", [0.48, 0.48, 0.48]),
        ("it", "call_waiting", [0.4, 0.1, 0.25, 0.1, 0.15, 14.0]),
    ],
)
def test_cadences(country: str, kind: ToneKind, lengths: list[float]) -> None:
    samples = sound(country, kind, sum(lengths) + 0.1)
    loud = np.abs(samples.reshape(-1, 40)).max(axis=1) > 100  # 5 ms
    changes = np.flatnonzero(np.diff(loud.astype(int))) + 1
    assert np.diff([0, *changes])[: len(lengths)] * 0.005 == pytest.approx(lengths, abs=0.0051)


def test_notation() -> None:
    assert Tone.parse("400x25 .4 .2") == Tone((400.0,), 25.0, (0.4, 0.2))
    assert Tone.parse("350+440") == Tone((350.0, 440.0), None, ())


def test_unknown_ones_are_named() -> None:
    with pytest.raises(BadAudio, match="'dial' tone of 'atlantis'; countries are at, au"):
        country_tone("atlantis", "dial", RATE)
