"""A conference of N parties: each hears all others and never itself (mix-minus). Pure.

Each party is a sink for what is heard of it and the source of what it hears. All streams of an engine play
before any sends, so what came in at a tick is heard by the others in the same tick: mixing adds no delay
between parties of one rate, and that of the resampler (a few milliseconds) between parties of different
rates.

The mix is made in blocks of 10 ms, when the first party asks for one: one sum for each sample rate. A
party hears the sum of its own rate without itself, and the sums of the other rates resampled as a whole, so
the work for other rates does not grow with the number of parties. Sums are of 32 bits and saturate when
they become samples again.

Every operation is on the few hundred samples of one party, not on one matrix of all: numpy lets go of
the GIL for arrays of more than 500 elements, and may get it back only after a switch interval.
"""

import logging
from collections import deque
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from media.audio.feed import BLOCKS_PER_S, Feed
from media.audio.graph import AudioSink, AudioSource
from media.audio.party import LocalParty, Party
from media.audio.resample import Resampler
from media.errors import BadAudio
from media.frame import Samples

_log = logging.getLogger(__name__)

Key = TypeVar("Key")

_Sum = NDArray[np.int32]

_KEPT_BLOCKS = 10  # for parties that ask later than others; who is further behind jumps to the present
_LOCAL_RATE_HZ = 16000  # of a member without a stream, until others come


class _Block:
    """10 ms of the conference."""

    __slots__ = ("music", "own", "public", "sums", "whispers")

    def __init__(self) -> None:
        self.sums: dict[int, _Sum] = {}
        """By rate: the sum of all who speak to all at that rate."""
        self.own: dict[Party, Samples | _Sum] = {}
        """What each of them put into it."""
        self.whispers: dict[Party, _Sum] = {}
        """By listener, at its rate."""
        self.public: dict[int, Samples] = {}
        """What those hear who say nothing, by rate; made when first asked for."""
        self.music: dict[int, Samples] = {}
        """By rate, likewise."""


class Mixer:
    """A conference; parties come and go, from any thread.

    `music` is what those on hold hear, and who is alone: an endless source, at any rate. The streams of all
    parties must be of one engine, so that one thread pushes and pulls.
    """

    def __init__(self, music: AudioSource | None = None) -> None:
        self.music = music
        self._parties: list[Party] = []
        self._locals: list[LocalParty] = []
        self._blocks: deque[_Block] = deque()
        self._first = 0  # index of the oldest block kept
        self._tick_block = 0  # where the present tick began
        self._pulled = False
        self._converters: dict[tuple[object, int, int], Resampler] = {}
        self._music_feed: Feed | None = None
        self._music_rate = 0

    @property
    def parties(self) -> tuple[Party, ...]:
        """All members, in the order in which they came."""
        return tuple(self._parties)

    def add(self, sample_rate_hz: int, *, gain: float = 1.0) -> Party:
        """A new member; give it to its stream as a sink and as the source. Raises `BadAudio`."""
        _check_rate(sample_rate_hz)
        party = Party(self, sample_rate_hz, gain)
        self._parties = [*self._parties, party]  # a new list: the media thread may be walking the old one
        return party

    def add_local(self, source: AudioSource, sink: AudioSink, *, gain: float = 1.0) -> Party:
        """A new member without a stream, such as a person at this machine.

        `source` is asked for what it says, and `sink` given what it hears, whenever the others are mixed, at
        the highest rate among them. While nobody has a stream here, neither is called.
        """
        party = self.add(self._highest_rate(_LOCAL_RATE_HZ), gain=gain)
        self._locals = [*self._locals, LocalParty(party, source, sink)]
        return party

    def remove(self, party: Party) -> None:
        """It is heard no more; harmless when it has left. Whoever whispered to it stays silent."""
        self._parties = [other for other in self._parties if other is not party]
        self._locals = [other for other in self._locals if other.party is not party]
        converters = list(self._converters.items())
        self._converters = {key: converter for key, converter in converters if key[0] is not party}

    # --- for its parties, on the media thread ---

    def new_tick(self) -> None:
        """A party says something: the pushes of a tick come before its pulls."""
        if self._pulled:
            self._pulled = False
            self._tick_block = self._end

    def hear(self, party: Party, n: int) -> Samples:
        """What a party hears."""
        rate = party.sample_rate_hz
        size = rate // BLOCKS_PER_S
        count, rest = divmod(n, size)
        if rest or not count:
            raise BadAudio(f"a conference is heard in blocks of 10 ms ({size} samples), not {n} samples")
        if party not in self._parties:  # it has left, and its stream does not know yet
            return np.zeros(n, np.int16)
        self._pulled = True
        start = party.next_block
        if start is None or start < self._first:
            start = max(self._tick_block, self._first)
        if self._end < start + count:
            self._mix_blocks(start + count - self._end)
        party.next_block = start + count
        blocks = [self._blocks[start - self._first + i] for i in range(count)]
        heard = [self._heard(party, rate, block) for block in blocks]
        return heard[0] if count == 1 else np.concatenate(heard)

    def change_rate(self, party: Party, sample_rate_hz: int) -> None:
        """A party's codec has another rate now."""
        _check_rate(sample_rate_hz)
        party.restart(sample_rate_hz)
        for block in self._blocks:  # those it has not heard are of the old rate
            block.own.pop(party, None)
            block.whispers.pop(party, None)

    # --- inside ---

    @property
    def _end(self) -> int:
        return self._first + len(self._blocks)

    def _mix_blocks(self, count: int) -> None:
        locals_, first = self._locals, self._end
        for local in locals_:
            local.party.sample_rate_hz = self._highest_rate(local.party.sample_rate_hz)
            self._carry(local, local.speak, count)
        for _ in range(count):
            self._mix()
        for local in locals_:
            local.party.next_block = first
            self._carry(local, local.listen, count)

    def _highest_rate(self, otherwise: int) -> int:
        """Of those who have streams."""
        local = {local.party for local in self._locals}
        return max((party.sample_rate_hz for party in self._parties if party not in local), default=otherwise)

    def _carry(self, local: LocalParty, way: Callable[[int], None], blocks: int) -> None:
        try:
            way(blocks)
        except Exception:  # a user's object: the others go on without it
            _log.exception("a local party of a conference failed; it is left out from now on")
            self.remove(local.party)

    def _mix(self) -> None:
        """Make the next block out of what has come."""
        block = _Block()
        for party in self._parties:
            feed = party.feed
            samples = feed.take()
            if samples is None:
                continue
            party.dropped += feed.trim()
            if party.muted or party.on_hold:
                continue
            said: Samples | _Sum = samples
            if party.gain != 1.0:
                said = np.rint(samples * np.float32(party.gain)).astype(np.int32)
            rate, listener = party.sample_rate_hz, party.whisper_to
            if listener is None:
                block.own[party] = said
                _accumulate(block.sums, rate, said)
            elif listener in self._parties:
                to = listener.sample_rate_hz
                _accumulate(block.whispers, listener, self._convert(party, _saturated(said), rate, to))
        self._exchange(block)
        self._blocks.append(block)
        if len(self._blocks) > _KEPT_BLOCKS:
            self._blocks.popleft()
            self._first += 1

    def _exchange(self, block: _Block) -> None:
        """Let each rate hear the others.

        Converters are fed silence where nobody speaks, else their last milliseconds would come late.
        """
        rates = {party.sample_rate_hz for party in self._parties}
        if len(rates) < 2:
            return
        said = {rate: _saturated(sum_) for rate, sum_ in block.sums.items()}
        for rate in rates:
            size = rate // BLOCKS_PER_S
            samples = said[rate] if rate in said else np.zeros(size, np.int16)
            for to in rates:
                if to != rate and (rate in said or (None, rate, to) in self._converters):
                    _accumulate(block.sums, to, self._convert(None, samples, rate, to))

    def _heard(self, party: Party, rate: int, block: _Block) -> Samples:
        whisper = block.whispers.get(party)
        if party.on_hold or (len(self._parties) == 1 and self.music is not None):
            return self._music(block, rate)
        if party.deaf:
            return np.zeros(rate // BLOCKS_PER_S, np.int16)
        total = block.sums.get(rate)
        own = block.own.get(party)
        if total is not None and own is not None:
            total = total - own
        if whisper is not None:
            total = whisper if total is None else total + whisper
        elif own is None:  # the same for all who say nothing
            public = block.public.get(rate)
            if public is None:
                silence = np.zeros(rate // BLOCKS_PER_S, np.int16)
                public = block.public[rate] = silence if total is None else _saturated(total)
            return public
        assert total is not None
        return _saturated(total)

    def _convert(self, whose: object, samples: Samples, from_hz: int, to_hz: int) -> Samples:
        if from_hz == to_hz:
            return samples
        key = (whose, from_hz, to_hz)
        converter = self._converters.get(key)
        if converter is None:
            converter = self._converters[key] = Resampler(from_hz, to_hz)
        return converter.process(samples)

    def _music(self, block: _Block, rate: int) -> Samples:
        """10 ms of the music at a rate; it goes on only while somebody hears it."""
        music = block.music.get(rate)
        if music is None:
            if not block.music:
                played = self._next_music()
                block.music[self._music_rate] = played
            else:
                played = block.music[self._music_rate]
            if self._music_rate:
                music = self._convert("music", played, self._music_rate, rate)
            else:
                music = np.zeros(rate // BLOCKS_PER_S, np.int16)
            block.music[rate] = music
        return music

    def _next_music(self) -> Samples:
        """A block at the rate of the music, which its first frame tells; silence when there is none."""
        while self.music is not None:
            feed = self._music_feed
            if feed is not None and (samples := feed.take()) is not None:
                return samples
            try:
                frame = self.music.pull(max(self._music_rate, 8000) // BLOCKS_PER_S)
            except Exception:  # a user's object: the conference goes on without it
                _log.exception("the music of a conference failed; there is none from now on")
                frame = None
            if frame is None:
                self.music = None
            elif feed is None or frame.sample_rate_hz != self._music_rate:
                self._music_rate = frame.sample_rate_hz
                feed = self._music_feed = Feed(self._music_rate)
            if frame is not None and feed is not None:
                feed.put(frame.samples)
        return np.zeros(self._music_rate // BLOCKS_PER_S, np.int16)


def _accumulate(sums: dict[Key, _Sum], key: Key, samples: Samples | _Sum) -> None:
    known = sums.get(key)
    if known is None:
        sums[key] = samples.astype(np.int32)
    else:
        np.add(known, samples, out=known)


def _saturated(samples: Samples | _Sum) -> Samples:
    if samples.dtype == np.int16:
        return samples.astype(np.int16, copy=False)
    # np.clip costs three times as much on so few samples
    return np.minimum(np.maximum(samples, -32768), 32767).astype(np.int16)


def _check_rate(sample_rate_hz: int) -> None:
    if sample_rate_hz < BLOCKS_PER_S or sample_rate_hz % BLOCKS_PER_S:
        raise BadAudio(f"{sample_rate_hz} Hz are no whole number of samples in 10 ms, so it cannot be mixed")
