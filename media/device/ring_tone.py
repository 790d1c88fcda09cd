"""How our own telephone rings: two tones that take turns, one second in four."""

import numpy as np

from media.audio.graph import SampleSource

_TONES_HZ = (880.0, 1108.7)
_TURN_S = 0.05
_RING_S, _PAUSE_S = 1.0, 3.0
_AMPLITUDE = 7000.0
_EDGE_S = 0.004


def ring_tone(sample_rate_hz: int) -> SampleSource:
    """The ring, for ever."""
    at = np.arange(round(_RING_S * sample_rate_hz)) / sample_rate_hz
    low, high = (np.sin(2 * np.pi * hz * at) for hz in _TONES_HZ)
    turn = at % (2 * _TURN_S)
    edge = np.clip(np.minimum(turn % _TURN_S, _TURN_S - turn % _TURN_S) / _EDGE_S, 0, 1)
    ring = _AMPLITUDE * edge * np.where(turn < _TURN_S, low, high)
    silence = np.zeros(round(_PAUSE_S * sample_rate_hz))
    return SampleSource(np.concatenate((ring, silence)).astype(np.int16), sample_rate_hz, repeat=None)
