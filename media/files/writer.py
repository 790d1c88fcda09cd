"""Audio files being written: WAV by the standard library, other formats by soundfile."""

import wave
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from media.errors import BadAudio
from media.files import libraries
from media.files.work import File, name_of, path_of

_WAV_LIMIT = (1 << 32) - 1024  # its sizes are 32-bit numbers


# What soundfile calls formats that have a name, or a suffix, of their own.
_FORMATS = {"OPUS": ("OGG", "OPUS"), "OGA": ("OGG", None)}


class AudioWriter(Protocol):
    """A file that blocks of int16 samples, one column a channel, are written to."""

    def write(self, block: NDArray[np.int16]) -> None:
        """Append a block; `OSError` or `RuntimeError` when that fails."""
        ...

    def flush(self) -> None:
        """Leave the file readable as it is now."""
        ...

    def close(self) -> None:
        """Finish the file; one given as an open file object stays open."""
        ...


def open_writer(file: File, sample_rate_hz: int, channels: int, format: str | None) -> AudioWriter:
    """A writer for the format named, or that of the path's suffix, else WAV; `BadAudio` if impossible."""
    path = path_of(file)
    if format is None:
        format = (Path(path).suffix[1:] if path is not None else "") or "wav"
    if format.lower() not in {"wav", "wave"}:
        return _SoundfileWriter(file, sample_rate_hz, channels, format.upper())
    if path is not None:
        try:
            return _WavWriter(open(path, "wb"), sample_rate_hz, channels, owned=True)
        except OSError as error:
            raise BadAudio(
                f"{path} cannot be recorded into: {error.strerror}; choose another path"
            ) from error
    opened = cast(BinaryIO, file)
    if not opened.seekable():
        raise BadAudio(f"{name_of(file)} cannot seek, and a WAV header is corrected as the file grows")
    return _WavWriter(opened, sample_rate_hz, channels, owned=False)


class _WavWriter:
    """16-bit PCM. The header is right after every flush, so a crash costs the last block only."""

    def __init__(self, file: BinaryIO, sample_rate_hz: int, channels: int, *, owned: bool) -> None:
        self._file = file
        self._owned = owned
        self._wave = wave.open(file, "wb")  # noqa: SIM115
        self._wave.setnchannels(channels)
        self._wave.setsampwidth(2)
        self._wave.setframerate(sample_rate_hz)
        self._bytes = 0
        try:
            self.flush()
        except OSError:
            with suppress(OSError):
                self.close()  # else the module wave tries once more when it is collected, and fails in public
            raise

    def write(self, block: NDArray[np.int16]) -> None:
        if self._bytes + block.nbytes > _WAV_LIMIT:
            raise OSError("a WAV file ends at 4 GB; record FLAC (a path with the suffix .flac) for longer")
        self._bytes += block.nbytes
        self._wave.writeframesraw(block.tobytes())

    def flush(self) -> None:
        self._wave.writeframes(b"")
        self._file.flush()

    def close(self) -> None:
        try:
            self._wave.close()
        finally:
            if self._owned:
                self._file.close()


class _SoundfileWriter:
    """Whatever libsndfile writes; a file that was not closed may miss its end."""

    def __init__(self, file: File, sample_rate_hz: int, channels: int, format: str) -> None:
        soundfile = libraries.soundfile(f"recording {format}")
        try:
            container, subtype = _FORMATS.get(format, (format, None))
            self._file: Any = soundfile.SoundFile(
                file, "w", sample_rate_hz, channels, format=container, subtype=subtype
            )
        except (soundfile.LibsndfileError, TypeError, ValueError, OSError) as error:
            raise BadAudio(
                f"{name_of(file)} cannot be recorded into as {format} ({error}); "
                "use .wav, .flac, .opus or .ogg in a folder that exists"
            ) from error

    def write(self, block: NDArray[np.int16]) -> None:
        self._file.write(block)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()
