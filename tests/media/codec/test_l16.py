"""L16: network byte order, one or two channels."""

import numpy as np
import pytest

from media.codec import by_static_payload_type, get
from media.errors import CodecError

SAMPLES = np.array([1, -2, 32767, -32768], np.int16)


def test_network_byte_order() -> None:
    codec = get("L16")
    payload = codec.make_encoder().encode(SAMPLES)
    assert payload.hex() == "0001fffe7fff8000"
    decoded = codec.make_decoder().decode(memoryview(payload))
    assert decoded.dtype == np.int16
    assert decoded.dtype.isnative
    assert np.array_equal(decoded, SAMPLES)


def test_rates_and_payload_types() -> None:
    assert (get("L16").sample_rate_hz, get("L16").static_payload_type) == (16000, None)
    assert get("L16", 8000).samples_in(20) == 160
    mono, stereo = by_static_payload_type(11), by_static_payload_type(10)
    assert mono is not None
    assert stereo is not None
    assert (mono.channels, mono.clock_rate_hz, mono.samples_in(20)) == (1, 44100, 882)
    assert (stereo.channels, stereo.clock_rate_hz) == (2, 44100)


def test_stereo_is_doubled_going_out_and_averaged_coming_in() -> None:
    codec = get("L16", 44100, channels=2)
    assert codec.make_encoder().encode(SAMPLES[:2]).hex() == "00010001fffefffe"
    interleaved = np.array([100, 300, -32768, -32768, 32767, 32767], ">i2").tobytes()
    assert codec.make_decoder().decode(interleaved).tolist() == [200, -32768, 32767]


def test_cut_payloads() -> None:
    assert len(get("L16").make_decoder().decode(b"")) == 0
    with pytest.raises(CodecError, match="3 bytes is no multiple of 2"):
        get("L16").make_decoder().decode(b"abc")
    with pytest.raises(CodecError, match="6 bytes is no multiple of 4"):
        get("L16", 44100, channels=2).make_decoder().decode(b"abcdef")
