"""An audio file as a source: read ahead on the file thread, a second or two at a time."""

import logging
from collections import deque
from typing import Any

import numpy as np

from media.errors import BadAudio
from media.files import libraries
from media.files.work import File, FileWork, name_of, path_of
from media.frame import AudioFrame, Samples

AHEAD_S = 2.0
"""How much is read ahead; the next read is ordered when half of it is played."""

_READ_S = 0.25
_EXACT_SUBTYPES = frozenset({"PCM_16", "PCM_U8", "PCM_S8", "ULAW", "ALAW"})

_log = logging.getLogger(__name__)


class FilePlayback:
    """Plays a file of any format soundfile reads (WAV, FLAC, Ogg, MP3, AIFF...) as mono at `sample_rate_hz`.

    Opening, the header and the first quarter of a second happen in the constructor, so that a bad file
    is the caller's error, `BadAudio`; the rest is read by `run_file_work`. At most two seconds are held,
    however long the file is. `pull` never waits: when the disk is late it gives silence and
    counts `underruns`. It ends (None) after `repeat` rounds (None: never), and when reading fails, in
    which case `error` says why. The file is closed at the end or by `close`; until then `seek` works.
    """

    def __init__(
        self, file: File, sample_rate_hz: int, run_file_work: FileWork, *, repeat: int | None = 1
    ) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.underruns = 0
        self.error: BadAudio | None = None
        self._name = name_of(file)
        self._run_file_work = run_file_work
        self._file: Any = _open(file)
        self.duration_s = float(self._file.frames / self._file.samplerate)
        if not self._file.frames:
            self._file.close()
            raise BadAudio(f"{self._name} has no audio in it (0 samples after the header); record it again")
        self._exact = (
            self._file.channels == 1
            and self._file.samplerate == sample_rate_hz
            and self._file.subtype in _EXACT_SUBTYPES
        )
        self._converter = self._make_converter()
        self._round_has_audio = False
        self._ahead = self._filling = _Ahead(0, repeat)  # what is played from, what is read into
        self._jumps: deque[_Ahead] = deque()
        self._reading = False
        self._closed = False
        self._current: Samples = np.zeros(0, np.int16)
        self._position = 0
        self._read_ahead(round(_READ_S * sample_rate_hz))
        if self.error is not None:
            raise self.error
        self._order_more()

    def pull(self, n: int) -> AudioFrame | None:
        """The next `n` samples; the last block is filled up with silence; None after the end."""
        if self._closed:
            return None
        while self._jumps:
            self._ahead = self._jumps.popleft()
            self._current = np.zeros(0, np.int16)
        ahead = self._ahead
        finished = ahead.finished  # before looking at the blocks: all that were read are there then
        samples = self._take(n)
        if finished and not len(samples):
            self.close()
            return None
        if (
            not self._reading
            and not finished
            and ahead.read - ahead.played < AHEAD_S / 2 * self.sample_rate_hz
        ):
            self._order_more()
        if len(samples) < n:
            if not finished:
                self.underruns += 1
            samples = np.concatenate((samples, np.zeros(n - len(samples), np.int16)))
        position = self._position
        self._position += n
        return AudioFrame(samples, self.sample_rate_hz, position)

    @property
    def position_s(self) -> float:
        """Where in the file it is, in seconds."""
        ahead = self._ahead
        return (ahead.start + ahead.played / self.sample_rate_hz) % self.duration_s

    def seek(self, position_s: float) -> None:
        """Go on from there, as soon as the disk has given a quarter second of it; from any thread.

        What is beyond the end is the end of the round. Raises `BadAudio` for a negative position, or when the
        file cannot seek.
        """
        if position_s < 0 or not self._file.seekable():
            raise BadAudio(f"{self._name} cannot be played from {position_s} s on")
        self._run_file_work(lambda: self._seek(position_s))

    def close(self) -> None:
        """Stop and close the file (on the file thread). May be called twice."""
        if not self._closed:
            self._closed = True
            self._run_file_work(self._close_file)

    def _make_converter(self) -> Any:
        from_hz = self._file.samplerate
        if from_hz == self.sample_rate_hz:
            return None
        return libraries.rate_converter(from_hz, self.sample_rate_hz, "float32", f"playing {self._name}")

    def _take(self, n: int) -> Samples:
        current = self._current
        if len(current) < n:
            parts = [current]
            have = len(current)
            blocks = self._ahead.blocks
            while have < n and blocks:
                parts.append(blocks.popleft())
                have += len(parts[-1])
            current = np.concatenate(parts)
        self._current = current[n:]
        taken = current[:n]
        self._ahead.played += len(taken)
        return taken

    def _order_more(self) -> None:
        if not self._filling.finished:
            self._reading = True
            self._run_file_work(self._fill)

    # From here on: the file thread (and the constructor, before that knows of us).

    def _fill(self) -> None:
        self._read_ahead(round(AHEAD_S * self.sample_rate_hz))
        self._reading = False

    def _seek(self, position_s: float) -> None:
        if self._closed:
            return
        self._filling = ahead = _Ahead(position_s, self._ahead.rounds_not_played)
        self._converter = self._make_converter()
        self._file.seek(min(round(position_s * self._file.samplerate), self._file.frames))
        self._read_ahead(round(_READ_S * self.sample_rate_hz))
        self._jumps.append(ahead)
        self._fill()

    def _read_ahead(self, samples_ahead: int) -> None:
        ahead = self._filling
        while not ahead.finished and not self._closed and ahead.read - ahead.played < samples_ahead:
            try:
                block, last = self._next_block()
            except (RuntimeError, OSError, ValueError) as error:  # soundfile's own is a RuntimeError
                self.error = BadAudio(f"{self._name} cannot be read on: {error}")
                _log.warning("%s", self.error)
                ahead.finished = True
                return
            if len(block):
                ahead.blocks.append(block)
                ahead.read += len(block)
            if last:
                ahead.finished = True

    def _next_block(self) -> tuple[Samples, bool]:
        """What comes next, and whether it is the end."""
        wanted = round(_READ_S * self._file.samplerate)
        raw = self._file.read(wanted, dtype="int16" if self._exact else "float32", always_2d=True)
        last = False
        if len(raw) < wanted:
            self._round_has_audio = self._round_has_audio or len(raw) > 0
            last = self._next_round()
        elif len(raw):
            self._round_has_audio = True
        if self._exact:
            samples: Samples = raw[:, 0]
        else:
            mono = raw.mean(axis=1, dtype=np.float32)
            if self._converter is not None:
                mono = self._converter.resample_chunk(mono, last=last)
            samples = np.clip(np.rint(mono * 32768.0), -32768, 32767).astype(np.int16)
        return samples, last

    def _next_round(self) -> bool:
        """Back to the beginning, or True when this was the last round."""
        ahead = self._filling
        if not self._round_has_audio:
            return True
        if ahead.rounds is not None:
            ahead.round_ends.append(ahead.read)
            if len(ahead.round_ends) >= ahead.rounds:
                return True
        self._round_has_audio = False
        self._file.seek(0)
        return False

    def _close_file(self) -> None:
        self._file.close()


class _Ahead:
    """What was read ahead from some place on.

    One side writes each of these, so no lock is needed: the file thread what was read, the media thread
    what was played.
    """

    __slots__ = ("blocks", "finished", "played", "read", "round_ends", "rounds", "start")

    def __init__(self, start_s: float, rounds: int | None) -> None:
        self.start = start_s
        self.rounds = rounds
        """Rounds that end in it; None: for ever."""
        self.round_ends: list[int] = []  # samples read before the last block of each
        self.blocks: deque[Samples] = deque()
        self.read = 0
        self.played = 0
        self.finished = False  # nothing more will be read

    @property
    def rounds_not_played(self) -> int | None:
        """Rounds of which at least the end is still to be heard."""
        if self.rounds is None:
            return None
        return max(1, self.rounds - sum(end < self.played for end in self.round_ends))


def _open(file: File) -> Any:
    soundfile = libraries.soundfile(f"playing {name_of(file)}")
    path = path_of(file)
    try:
        if path is not None:
            open(path, "rb").close()  # for the system's own words; libsndfile only says "System error"
        return soundfile.SoundFile(file)
    except OSError as error:
        raise BadAudio(f"{name_of(file)} cannot be opened: {error.strerror or error}") from error
    except (soundfile.LibsndfileError, TypeError, ValueError) as error:
        raise BadAudio(
            f"{name_of(file)} is no audio file that can be played ({error}); "
            "WAV, FLAC, Ogg, MP3 and AIFF can, `ffmpeg -i FILE out.wav` makes one of others"
        ) from error
