"""The unit of audio in this package: a block of mono 16-bit samples.

A plain slotted class without validation, because two are made for every packet of every call.
Treat frames as immutable: the same frame is handed to every tap and sink of a stream.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from media.errors import BadAudio

Samples = NDArray[np.int16]
"""Mono PCM, one int16 per sample, full scale +-32767."""


@dataclass(slots=True, eq=False)
class AudioFrame:
    """Consecutive mono samples.

    `timestamp` is the position of the first sample, counted in samples since the stream began.
    """

    samples: Samples
    sample_rate_hz: int
    timestamp: int = 0

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate_hz

    def to_bytes(self) -> bytes:
        """The samples as 16-bit little-endian PCM."""
        return self.samples.astype("<i2", copy=False).tobytes()

    @classmethod
    def from_bytes(
        cls, data: bytes | bytearray | memoryview, sample_rate_hz: int, timestamp: int = 0
    ) -> Self:
        """A frame from 16-bit little-endian PCM; `BadAudio` if half a sample is left over."""
        return cls(samples_from(data), sample_rate_hz, timestamp)


def samples_from(data: bytes | bytearray | memoryview | Samples) -> Samples:
    """Samples the caller can no longer change, from PCM bytes (int16 little-endian) or an int16 array.

    Raises `BadAudio` for half a sample, another number type or several dimensions.
    """
    if isinstance(data, np.ndarray):
        if data.dtype != np.int16 or data.ndim != 1:
            raise BadAudio(
                f"audio must be a one-dimensional int16 array, not {data.ndim} dimension(s) of {data.dtype}; "
                "convert float samples with (x * 32767).astype(numpy.int16)"
            )
        return data.copy()
    view = memoryview(data)
    if view.nbytes % 2:
        raise BadAudio(f"{view.nbytes} bytes are no whole number of 16-bit samples")
    return np.frombuffer(data if isinstance(data, bytes) else bytes(view), dtype="<i2").astype(
        np.int16, copy=False
    )
