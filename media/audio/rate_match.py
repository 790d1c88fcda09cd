"""A source at whatever rate it has, heard at the rate that is asked for."""

import numpy as np

from media.audio.graph import AudioSource
from media.audio.resample import Resampler
from media.frame import AudioFrame, Samples


class RateMatch:
    """Pulls from `source` and converts what has another rate than asked for, block by block.

    The rate of a source is known from its first frame, and either may change at any time.
    """

    def __init__(self, source: AudioSource) -> None:
        self._source = source
        self._rate: int | None = None
        self._out_rate = 0
        self._rates = (0, 0)
        self._resampler: Resampler | None = None
        self._held: Samples = np.zeros(0, np.int16)
        self._ended = False

    def pull(self, n: int, sample_rate_hz: int) -> AudioFrame | None:
        """The next `n` samples at that rate; the last ones filled up with silence; None after the end."""
        if self._out_rate != sample_rate_hz:  # what is held is of the old rate: a few milliseconds
            self._out_rate = sample_rate_hz
            self._held = np.zeros(0, np.int16)
        if self._rate in (None, sample_rate_hz) and not len(self._held) and not self._ended:
            frame = self._source.pull(n)
            if frame is None or frame.sample_rate_hz == sample_rate_hz:
                self._rate = None if frame is None else sample_rate_hz
                return frame
            self._take(frame, sample_rate_hz)
        while len(self._held) < n and not self._ended:
            rate = self._rate or sample_rate_hz
            frame = self._source.pull(-(-(n - len(self._held)) * rate // sample_rate_hz))
            if frame is None:
                self._ended = True
            else:
                self._take(frame, sample_rate_hz)
        held = self._held
        if not len(held):
            self._ended = False  # a source may have more to give after a pause
            return None
        if len(held) < n:
            held = np.concatenate((held, np.zeros(n - len(held), np.int16)))
        self._held = held[n:]
        return AudioFrame(held[:n], sample_rate_hz)

    def _take(self, frame: AudioFrame, sample_rate_hz: int) -> None:
        rates = (frame.sample_rate_hz, sample_rate_hz)
        self._rate = frame.sample_rate_hz
        samples = frame.samples
        if rates[0] != rates[1]:
            if rates != self._rates:
                self._resampler, self._rates = Resampler(*rates), rates
            assert self._resampler is not None
            samples = self._resampler.process(samples)
        self._held = np.concatenate((self._held, samples)) if len(self._held) else samples
