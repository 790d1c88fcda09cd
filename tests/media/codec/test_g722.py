"""G.722: rates, state, and the ITU's vectors."""

import sys
from pathlib import Path

import numpy as np
import pytest

from media.codec import get
from media.errors import CodecError, CodecUnavailable

G722 = get("G722")


def tone(n: int) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    return (8000 * np.sin(2 * np.pi * 1000 * np.arange(n) / 16000)).astype(np.int16)


def test_the_clock_is_half_the_sample_rate() -> None:
    assert (G722.clock_rate_hz, G722.sample_rate_hz, G722.static_payload_type) == (8000, 16000, 9)
    assert G722.samples_in(20) == 320
    assert G722.timestamp_units(320) == 160
    assert len(G722.make_encoder().encode(tone(320))) == 160
    assert len(G722.make_decoder().decode(bytes(160))) == 320


def test_sound_survives() -> None:
    encoder, decoder = G722.make_encoder(), G722.make_decoder()
    sound = tone(3200)
    out = np.concatenate([decoder.decode(encoder.encode(sound[i : i + 320])) for i in range(0, 3200, 320)])
    delay = 22  # samples, of the two filter banks
    error = out[1000:].astype(int) - sound[1000 - delay : 3200 - delay]
    assert np.std(error) < 0.1 * np.std(sound)


def test_each_stream_has_its_state() -> None:
    one, other = G722.make_encoder(), G722.make_encoder()
    first = one.encode(tone(320))
    assert one.encode(tone(320)) != first
    assert other.encode(tone(320)) == first


def test_payloads_of_any_length_and_kind() -> None:
    decoder = G722.make_decoder()
    assert len(decoder.decode(b"")) == 0
    assert len(decoder.decode(memoryview(bytes(13))[12:])) == 2
    assert len(G722.make_encoder().encode(np.zeros(0, np.int16))) == 0
    with pytest.raises(CodecError, match="pairs of samples, got 319"):
        G722.make_encoder().encode(tone(319))
    strided = np.repeat(tone(320), 2)[::2]
    assert G722.make_encoder().encode(strided) == G722.make_encoder().encode(tone(320))


def test_the_vectors_of_the_itu(fixtures: Path) -> None:
    folder = fixtures / "codecs" / "g722_stl"
    source = np.fromfile(folder / "inpsp.bin", "<i2").astype(np.int16)
    codes = np.fromfile(folder / "codspw.cod", "<u2").astype(np.uint8).tobytes()
    in_words = np.fromfile(folder / "codsp.cod", ">u2").astype("<u2").tobytes()  # two codes a word
    decoded = np.fromfile(folder / "outsp1.bin", "<i2")
    assert codes == in_words
    assert G722.make_encoder().encode(source) == codes
    assert np.array_equal(G722.make_decoder().decode(codes), decoded)


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "G722", None)
    require = get("G722").require
    assert require is not None
    with pytest.raises(CodecUnavailable, match="pip install G722"):
        require()
