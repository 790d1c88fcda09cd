"""Frames and the samples that applications hand in."""

import numpy as np
import pytest

from media.errors import BadAudio, MediaError
from media.frame import AudioFrame, Samples, samples_from


def test_bytes_and_back() -> None:
    frame = AudioFrame.from_bytes(b"\x01\x00\xff\xff", 8000, 320)
    assert frame.samples.tolist() == [1, -1]
    assert frame.samples.dtype == np.int16
    assert frame.timestamp == 320
    assert frame.duration == 0.00025
    assert frame.to_bytes() == b"\x01\x00\xff\xff"
    assert AudioFrame.from_bytes(b"", 8000).duration == 0


@pytest.mark.parametrize("data", [b"abc", bytearray(b"a"), memoryview(b"abcde")])
def test_half_a_sample(data: bytes) -> None:
    with pytest.raises(BadAudio, match="no whole number of 16-bit samples"):
        AudioFrame.from_bytes(data, 8000)
    assert issubclass(BadAudio, ValueError)
    assert issubclass(BadAudio, MediaError)


def test_what_the_caller_may_change_is_copied() -> None:
    array, buffer = np.array([1, 2], np.int16), bytearray(b"\x01\x00")
    taken = samples_from(array), samples_from(buffer), samples_from(memoryview(buffer))
    array[:] = 9
    buffer[0] = 9
    assert [samples.tolist() for samples in taken] == [[1, 2], [1], [1]]


@pytest.mark.parametrize("array", [np.zeros(4), np.zeros((2, 2), np.int16), np.zeros(4, np.int32)])
def test_other_arrays(array: Samples) -> None:
    with pytest.raises(BadAudio, match="one-dimensional int16"):
        samples_from(array)
