"""Recording a call: two sinks for the media thread, one file written by the file thread.

Frames carry the time of the stream's clock, which is the same for both directions. So the file is a
timeline: each frame goes where its timestamp says, and where none came there is silence.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from media.files.timeline import Timeline
from media.files.work import File, FileWork, name_of, path_of
from media.files.writer import AudioWriter, open_writer
from media.frame import AudioFrame

QUEUE_S = 10.0
"""How much may wait for the disk; what comes beyond is left out of the recording and counted."""

Layout = Literal["stereo", "sent", "received", "mix"]

_WRITE_EVERY_S = 0.5
_PATIENCE_S = 0.25  # how long one side waits for the other before it is silence

# soundfile's errors are RuntimeErrors; a file object that its owner has closed gives a ValueError.
_DISK_ERRORS = (OSError, RuntimeError, ValueError)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recording:
    """A finished recording. `samples_dropped` came faster than the disk took them and are silence in it.

    `path` is None when an open file object was recorded into; `error` says why the file ends early.
    """

    path: str | None
    frames_written: int
    sample_rate_hz: int
    channels: int
    samples_dropped: int
    error: str | None = None

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.frames_written / self.sample_rate_hz


class _Side:
    """One direction of the call, as an `AudioSink` of the media thread."""

    __slots__ = ("_recorder", "channel")

    def __init__(self, recorder: "FileRecorder", channel: int) -> None:
        self._recorder = recorder
        self.channel = channel

    def push(self, frame: AudioFrame) -> None:
        """Take one frame; never waits."""
        self._recorder.take(self, frame)


class FileRecorder:
    """Records one direction in mono, both mixed ("mix"), or both in stereo: left sent, right received.

    Give `sent` to the stream as a tap and `received` as a sink, whatever the layout: the recording begins
    and ends with the first and last frame of either, with silence in it where nothing came. WAV is readable
    up to the last second even if the process dies; by the path's suffix, or `format`, other formats of
    soundfile ("FLAC", "OGG", "OPUS") are written too. The file is made at once, so that a path that cannot
    be written is the caller's `BadAudio`. A disk that fails later ends the recording, never the call: see
    `Recording.error`.
    """

    def __init__(
        self,
        file: File,
        sample_rate_hz: int,
        run_file_work: FileWork,
        *,
        layout: Layout = "stereo",
        format: str | None = None,
    ) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.samples_dropped = 0
        self._name, self._path = name_of(file), path_of(file)
        self._channels = 2 if layout == "stereo" else 1
        self._tracks = 2 if layout in ("stereo", "mix") else 1
        self.sent = _Side(self, -1 if layout == "received" else 0)
        self.received = _Side(self, {"stereo": 1, "mix": 1, "received": 0, "sent": -1}[layout])
        self._run_file_work = run_file_work
        self._writer: AudioWriter | None = open_writer(file, sample_rate_hz, self._channels, format)
        # Handed from the media thread (which counts what it put in) to the file thread (what it took out).
        self._queue: deque[tuple[int, AudioFrame]] = deque()
        self._other_side: tuple[float, float] | None = None  # when it began, and where it is
        self._put_in = 0.0
        self._taken_out = 0.0
        self._written_at = 0.0
        self._frames_written = 0
        self._stopped = False  # no more frames are taken
        self._done = threading.Event()
        self._on_closed: list[Callable[[Recording], None]] = []
        self._error: str | None = None
        self._timeline = Timeline(sample_rate_hz, self._tracks)

    def take(self, side: _Side, frame: AudioFrame) -> None:
        """What the two sinks call, on the media thread."""
        if self._stopped:
            return
        if side.channel < 0:  # not recorded, but it tells how time passes
            time = frame.timestamp / frame.sample_rate_hz
            self._other_side = (self._other_side or (time, 0.0))[0], time + frame.duration
            return
        if self._put_in - self._taken_out > QUEUE_S * self._tracks:
            self.samples_dropped += len(frame.samples)
            return
        self._queue.append((side.channel, frame))
        self._put_in += len(frame.samples) / frame.sample_rate_hz
        if self._put_in - self._written_at >= _WRITE_EVERY_S * self._tracks:
            self._written_at = self._put_in
            self._run_file_work(self._write)

    def close(self, on_closed: Callable[[Recording], None] | None = None) -> None:
        """Write what is left and finish the file, on the file thread. May be called twice.

        `on_closed` is called with the result, on the file thread; `wait` is for those who can wait.
        """
        if on_closed is not None:
            self._on_closed.append(on_closed)
        self._stopped = True
        self._run_file_work(self._finish)

    def wait(self, timeout: float | None = None) -> Recording:
        """Wait until the file is finished after `close`; `TimeoutError` if it takes longer.

        For plain threads; on an event loop use `on_closed`.
        """
        if not self._done.wait(timeout):
            raise TimeoutError(f"{self._name} is not finished after {timeout} s; was close() called?")
        return self._recording()

    # From here on: the file thread.

    def _write(self) -> None:
        try:
            if self._other_side is not None:
                self._timeline.begin(self._other_side[0])
            while self._queue:
                channel, frame = self._queue.popleft()
                self._taken_out += len(frame.samples) / frame.sample_rate_hz
                self._timeline.add(channel, frame)
            self._write_up_to(self._timeline.end - round(_PATIENCE_S * self.sample_rate_hz))
        except _DISK_ERRORS as error:
            self._fail(error)

    def _write_up_to(self, end: int) -> None:
        if self._writer is not None:
            while (block := self._timeline.cut(end)) is not None:
                self._writer.write(_mixed(block) if self._tracks > self._channels else block)
                self._frames_written += len(block)
            self._writer.flush()

    def _finish(self) -> None:
        if not self._done.is_set():
            self._write()
            try:
                if self._other_side is not None:
                    self._timeline.reach(self._other_side[1])
                self._timeline.finish()
                self._write_up_to(self._timeline.end)
                if self._writer is not None:
                    self._writer.close()
                    self._writer = None
            except _DISK_ERRORS as error:
                self._fail(error)
            self._done.set()
        while self._on_closed:
            self._on_closed.pop()(self._recording())

    def _fail(self, error: Exception) -> None:
        """The recording ends here; what was written stays."""
        self._error = f"{self._name} could not be written on: {error}"
        _log.warning("%s", self._error)
        self._stopped = True
        self._queue.clear()
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(*_DISK_ERRORS):  # what failed once may fail again
                writer.close()

    def _recording(self) -> Recording:
        return Recording(
            self._path,
            self._frames_written,
            self.sample_rate_hz,
            self._channels,
            self.samples_dropped,
            self._error,
        )


def _mixed(block: NDArray[np.int16]) -> NDArray[np.int16]:
    """Both directions in one channel; loud ones together saturate."""
    total = block.sum(axis=1, dtype=np.int32, keepdims=True)
    mixed: NDArray[np.int16] = np.clip(total, -32768, 32767).astype(np.int16)
    return mixed
