"""DTMF keys heard in the sound itself, within the limits of Q.23 and Q.24. Pure.

Every 5 ms the last 25 ms, under a Hann window, are compared with the eight frequencies. A key is on while one
low and one high frequency carry nearly all of the power, at levels not too far apart. Over the whole key
the phase of both advances by their true frequencies: that is how 1.5 % off (to be accepted) is told
from 3.5 % off (to be refused) within 40 ms, which no filter of that length could do. Speech now and
then makes two such tones, but does not hold their frequencies for 30 ms.
"""

from math import log10

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from media.audio.tones import DTMF_FREQUENCIES, amplitude
from media.dtmf.telephone_event import DtmfDigit
from media.frame import Samples

HOP_MS = 5
WINDOW_MS = 25
MIN_DURATION_MS = 30
"""Q.24: 40 ms is a key for everybody, 20 ms for nobody."""

_ENDED_HOPS = 4  # Q.24: 10 ms without the tone are no pause, 40 ms are
_FREQUENCY_TOLERANCE = 0.025  # Q.24: 1.5 % is accepted, 3.5 % refused
_WEAKEST_DBOV = -42.0  # of each frequency: -35 dBm0, the least that Q.24's administrations ask for is -30
_LOW_OVER_HIGH_DB = 9.0
_HIGH_OVER_LOW_DB = 5.0  # Q.24: 8 and 4 dB are accepted, and a frequency may be 1.5 % off
_SELECTIVITY_DB = 8.0  # over the other frequencies of the group
_PURITY = 0.82  # of all power in the two frequencies
_STEADINESS = 0.97  # of the phase advances of one key: 1 where they are all the same
_TOP_DB = 1.5  # the loudest part of a key, which is pure; beginning and end are not
_EDGE_DB = 6.0  # half of the window is filled: there a key begins and ends

_LOW = sorted({low for low, _ in DTMF_FREQUENCIES.values()})
_HIGH = sorted({high for _, high in DTMF_FREQUENCIES.values()})
_KEYS = {pair: key for key, pair in DTMF_FREQUENCIES.items()}


class InbandDetector:
    """Finds the keys in one stream of samples; each is given once, when it ends."""

    def __init__(self, sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._hop = sample_rate_hz * HOP_MS // 1000
        size = sample_rate_hz * WINDOW_MS // 1000
        self._size = size
        window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(size) + 0.5) / size)
        frequencies = np.array([*_LOW, *_HIGH], np.float64)
        turns = np.outer(np.arange(size), frequencies) / sample_rate_hz
        # scaled so that the square of a magnitude is the power (half the squared amplitude) of a sine
        scale = np.sqrt(2.0) / window.sum()
        self._filters = (window[:, None] * np.exp(-2j * np.pi * turns) * scale).astype(np.complex64)
        self._weights = (window**2 / (window**2).sum()).astype(np.float32)
        self._advance = np.exp(-2j * np.pi * frequencies * self._hop / sample_rate_hz)
        self._frequencies = frequencies
        self._bin_hz = sample_rate_hz / size
        self._weakest = amplitude(_WEAKEST_DBOV) ** 2 / 2
        self._held: NDArray[np.float32] = np.zeros(size - self._hop, np.float32)
        self._before: NDArray[np.complex128] = np.zeros(8, np.complex128)
        self._key: _Key | None = None

    def process(self, samples: Samples) -> tuple[DtmfDigit, ...]:
        """Take the next samples; the keys that ended in them."""
        signal = np.concatenate((self._held, samples.astype(np.float32)))
        count = (len(signal) - self._size) // self._hop + 1
        if count <= 0:
            self._held = signal
            return ()
        self._held = signal[count * self._hop :]
        windows = sliding_window_view(signal, self._size)[:: self._hop][:count]
        spectra = (windows @ self._filters).astype(np.complex128)
        powers = spectra.real**2 + spectra.imag**2
        totals = (windows * windows) @ self._weights
        found = []
        for spectrum, power, total in zip(spectra, powers, totals, strict=True):
            digit = self._step(spectrum, power, float(total))
            if digit is not None:
                found.append(digit)
            self._before = spectrum
        return tuple(found)

    def _step(
        self, spectrum: NDArray[np.complex128], power: NDArray[np.float64], total: float
    ) -> DtmfDigit | None:
        """One hop: the key that ended with it, if one did."""
        low, high = int(np.argmax(power[:4])), 4 + int(np.argmax(power[4:]))
        tone = float(power[low] + power[high])
        key = self._key
        if tone < 0.3 * total or min(power[low], power[high]) < 0.1 * self._weakest:  # clearly none
            return None if key is None else self._miss(key)
        turned = spectrum * self._before.conj() * self._advance
        offsets = [self._offset_hz(turned[i]) for i in (low, high)]
        # What the window takes from a tone beside the filter's middle is given back.
        true_low = float(power[low]) / _hann_response(offsets[0] / self._bin_hz)
        true_high = float(power[high]) / _hann_response(offsets[1] / self._bin_hz)
        level = true_low + true_high
        if key is None or (low, high) != (key.low, key.high):
            ended = None if key is None else self._end(key)
            self._key = key = _Key(low, high)
        else:
            ended = None
        pure = (
            level >= _PURITY * total
            and min(true_low, true_high) >= self._weakest
            and -_HIGH_OVER_LOW_DB <= 10 * log10(true_low / true_high) <= _LOW_OVER_HIGH_DB
            and self._selective(power[:4], low)
            and self._selective(power[4:], high - 4)
        )
        key.levels.append((level, pure))
        if pure:
            for i, index in enumerate((low, high)):
                key.turned[i] += turned[index]
                key.strength[i] += abs(turned[index])
            key.misses = 0
        elif level < key.peak / 10 ** (_EDGE_DB / 10):
            return ended or self._miss(key)
        key.peak = max(key.peak, level)
        return ended

    def _miss(self, key: "_Key") -> DtmfDigit | None:
        key.misses += 1
        if key.misses < _ENDED_HOPS:
            return None
        self._key = None
        return self._end(key)

    def _end(self, key: "_Key") -> DtmfDigit | None:
        """What the sound was, now that it is over: None if no key."""
        edge, top = (key.peak / 10 ** (db / 10) for db in (_EDGE_DB, _TOP_DB))
        hops = sum(level >= edge for level, _ in key.levels)
        loudest = [pure for level, pure in key.levels if level >= top]
        if hops * HOP_MS < MIN_DURATION_MS or sum(loudest) < max(3, 0.5 * len(loudest)):
            return None
        for turned, strength, index in zip(key.turned, key.strength, (key.low, key.high), strict=True):
            if abs(turned) < _STEADINESS * strength:
                return None  # it glides, as voices do
            if abs(self._offset_hz(turned)) > _FREQUENCY_TOLERANCE * self._frequencies[index]:
                return None
        digit = _KEYS[_LOW[key.low], _HIGH[key.high - 4]]
        dbm0 = 10 * log10(key.peak / 32767**2) + 6.18  # 0 dBm0 is a sine of -6.18 dBov
        return DtmfDigit(digit, hops * HOP_MS, min(0, max(-63, round(dbm0))))

    def _offset_hz(self, turned: complex) -> float:
        """How far a frequency is from the nominal one, by how far its phase has turned in a hop."""
        return float(np.angle(turned)) * 1000 / HOP_MS / (2 * np.pi)

    @staticmethod
    def _selective(group: NDArray[np.float64], best: int) -> bool:
        others = np.delete(group, best)
        return bool(group[best] >= others.max() * 10 ** (_SELECTIVITY_DB / 10))


class _Key:
    """Something that may be a key, while it lasts."""

    def __init__(self, low: int, high: int) -> None:
        self.low = low
        self.high = high
        self.peak = 0.0
        self.levels: list[tuple[float, bool]] = []
        self.turned: list[complex] = [0j, 0j]
        self.strength = [0.0, 0.0]
        self.misses = 0


def _hann_response(bins: float) -> float:
    """The power of a Hann window's spectrum, that many bins from its middle, where it is 1."""
    bins = min(abs(bins), 1.4)
    if abs(bins - 1.0) < 1e-6:
        return 0.25
    return float((np.sinc(bins) / (1.0 - bins * bins)) ** 2)
