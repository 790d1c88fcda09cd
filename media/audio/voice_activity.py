"""Is somebody speaking? For the sender, who need not send pauses (RFC 3551 section 4.1).

Speech stands out of the background: a frame is active when it is louder than the noise by 9 dB, or by
6 dB and not like it in spectrum. The noise level is the quietest of the last seconds, followed slowly.
After speech 200 ms count as speech still, so that the ends of words are not cut; where the noise is
not known yet everything does. Music is active as long as it is louder than its own pauses.
"""

import numpy as np

from media.frame import Samples

_LOUDER_DB = 9.0
_LOUDER_OTHER_DB = 6.0
_UNLIKE = 0.35
_HANGOVER_MS = 200
_SILENCE_DB = -70.0
"""Relative to full scale: below this nothing is speech, whatever the noise is."""
_LOUD_DB = -30.0
"""Above this nothing is noise to be left out."""
_RISE_DB_PER_S = 3.0
_FALL = 0.3
_LEARN_MS = 400


class VoiceActivity:
    """The detector of one stream."""

    __slots__ = ("_hangover_ms", "_heard_ms", "_noise_db", "_rate", "_slope")

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate = sample_rate_hz
        self._noise_db = 0.0
        self._slope = 0.0
        self._hangover_ms = 0.0
        self._heard_ms = 0.0

    def is_active(self, samples: Samples) -> bool:
        """Whether these samples, which follow the last ones, are to be sent as they are."""
        duration_ms = len(samples) * 1000 / self._rate
        signal = samples.astype(np.float64)
        energy = float(signal @ signal) / max(1, len(signal))
        level_db = 10 * float(np.log10(energy + 1e-3)) - 90.3
        # The first normalised correlation: near 1 for hum and voice, near 0 for hiss.
        slope = float(signal[1:] @ signal[:-1]) / (energy * len(signal)) if energy > 1.0 else 0.0
        active = self._judge(level_db, slope)
        self._follow(level_db, slope, duration_ms, active)
        self._heard_ms += duration_ms
        if active:
            self._hangover_ms = _HANGOVER_MS
            return True
        self._hangover_ms -= duration_ms
        return self._hangover_ms > 0 or (self._heard_ms < _LEARN_MS and level_db > _SILENCE_DB)

    def _judge(self, level_db: float, slope: float) -> bool:
        if level_db < _SILENCE_DB:
            return False
        if level_db > _LOUD_DB:
            return True
        above_db = level_db - self._noise_db
        return above_db > _LOUDER_DB or (above_db > _LOUDER_OTHER_DB and abs(slope - self._slope) > _UNLIKE)

    def _follow(self, level_db: float, slope: float, duration_ms: float, active: bool) -> None:
        """The noise is what is quietest; it may rise, but slowly."""
        level_db = max(level_db, _SILENCE_DB)
        if not self._heard_ms:
            self._noise_db = level_db
            self._slope = slope
        elif level_db < self._noise_db:
            self._noise_db += _FALL * (level_db - self._noise_db)
        else:
            self._noise_db += min(level_db - self._noise_db, _RISE_DB_PER_S * duration_ms / 1000)
        if not active:
            self._slope += 0.1 * (slope - self._slope)
