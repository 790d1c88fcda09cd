"""The members of a conference: with a stream of their own, or at this machine."""

from __future__ import annotations

from collections import deque
from math import log10
from typing import TYPE_CHECKING

import numpy as np

from media.audio.feed import BLOCKS_PER_S, Feed
from media.audio.graph import AudioSink, AudioSource
from media.audio.resample import Resampler
from media.frame import AudioFrame, Samples

if TYPE_CHECKING:
    from media.audio.mixer import Mixer

QUIETEST_DBOV = -96.0
"""What the level of silence is shown as."""
_LEVEL_FRAMES = 5


class Party:
    """One member of a `Mixer`; its attributes may be changed at any time, from any thread.

    `muted`: nobody hears it. `deaf`: it hears nothing. `on_hold`: both, but it hears the mixer's music.
    `gain` is the factor it is heard with. `whisper_to`: only that party hears it.
    """

    def __init__(self, mixer: Mixer, sample_rate_hz: int, gain: float) -> None:
        self.muted = False
        self.deaf = False
        self.on_hold = False
        self.gain = gain
        self.whisper_to: Party | None = None
        self.dropped = 0
        """Samples of it left out, because they would have been heard late from then on."""
        self.feed = Feed(sample_rate_hz)
        self.next_block: int | None = None
        self._mixer = mixer
        self._rate = sample_rate_hz
        self._incoming: Resampler | None = None
        self._incoming_rate = 0
        self._recent: deque[Samples] = deque(maxlen=_LEVEL_FRAMES)
        self._position = 0

    @property
    def sample_rate_hz(self) -> int:
        """The rate of what it hears. What is heard of it may have another: that is then converted."""
        return self._rate

    @sample_rate_hz.setter
    def sample_rate_hz(self, rate_hz: int) -> None:
        if rate_hz != self._rate:
            self._mixer.change_rate(self, rate_hz)

    @property
    def level_dbov(self) -> float:
        """The power of its last 100 ms, before gain and mute; 0 is a full-scale square wave."""
        recent = list(self._recent)
        count = sum(map(len, recent))
        energy = sum(float(np.dot(x, x)) for x in (part.astype(np.float64) for part in recent))
        if not energy:
            return QUIETEST_DBOV
        return max(QUIETEST_DBOV, 10 * log10(energy / count / 32767**2))

    @property
    def speaks_to_all(self) -> bool:
        """Whether it is in the sums that everybody hears."""
        return not (self.muted or self.on_hold) and self.whisper_to is None

    def push(self, frame: AudioFrame) -> None:
        """Take what it says."""
        self._mixer.new_tick()
        self.say(frame)

    def say(self, frame: AudioFrame) -> None:
        """Keep what it says until it is mixed."""
        samples = frame.samples
        self._recent.append(samples)
        if frame.sample_rate_hz != self._rate:
            samples = self._converted(frame)
        self.dropped += self.feed.put(samples)

    def pull(self, n: int) -> AudioFrame:
        """The next `n` samples of what it hears, a whole number of 10 ms."""
        samples = self._mixer.hear(self, n)
        position = self._position
        self._position += n
        return AudioFrame(samples, self._rate, position)

    def restart(self, sample_rate_hz: int) -> None:
        """Go on at another rate; for the mixer."""
        self._rate = sample_rate_hz
        self._incoming = None
        self.feed = Feed(sample_rate_hz)

    def _converted(self, frame: AudioFrame) -> Samples:
        converter = self._incoming
        if converter is None or self._incoming_rate != frame.sample_rate_hz:
            converter = self._incoming = Resampler(frame.sample_rate_hz, self._rate)
            self._incoming_rate = frame.sample_rate_hz
        return converter.process(frame.samples)


class LocalParty:
    """Carries a party that has no stream: it speaks and listens whenever the others are mixed."""

    __slots__ = ("_sink", "_source", "party")

    def __init__(self, party: Party, source: AudioSource, sink: AudioSink) -> None:
        self.party = party
        self._source = source
        self._sink = sink

    def speak(self, blocks: int) -> None:
        """What it says in the next so many blocks."""
        frame = self._source.pull(self._samples(blocks))
        if frame is not None:
            self.party.say(frame)

    def listen(self, blocks: int) -> None:
        """Let it hear so many."""
        self._sink.push(self.party.pull(self._samples(blocks)))

    def _samples(self, blocks: int) -> int:
        return blocks * (self.party.sample_rate_hz // BLOCKS_PER_S)
