"""G.711, bit for bit: against the definition written anew here, and the ITU's own vectors."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from media.codec import get
from media.codec.base import Codec

PCMU, PCMA = get("PCMU"), get("PCMA")
EVERY_INPUT = np.arange(-32768, 32768).astype(np.int16)
EVERY_CODE = bytes(range(256))


def mu_law_value(code: int) -> int:
    """G.711 table 2a/2b: decoder output of a code, on the 16-bit scale (14 bits, times 4)."""
    code ^= 0xFF
    chord, step = code >> 4 & 7, code & 15
    value = ((33 + 2 * step) << chord) - 33
    return -4 * value if code & 0x80 else 4 * value


def a_law_value(code: int) -> int:
    """G.711 table 1a/1b: decoder output of a code, on the 16-bit scale (13 bits, times 8)."""
    code ^= 0x55
    chord, step = code >> 4 & 7, code & 15
    value = 2 * step + 1 if chord == 0 else (2 * step + 33) << (chord - 1)
    return 8 * value if code & 0x80 else -8 * value


def mu_law_code(sample: int) -> int:
    """G.711 table 2: find the interval whose bounds hold the 14-bit value; one's complement below zero."""
    sign = 0 if sample < 0 else 0x80
    magnitude = (-sample - 1 if sample < 0 else sample) // 4
    bound, width = 0, 2  # the first interval is half as wide: 0 to 1
    for number in range(128):
        bound += 1 if number == 0 else width
        if magnitude < bound or number == 127:
            return sign | (0x7F - number)
        if number % 16 == 15:
            width *= 2
    raise AssertionError


def a_law_code(sample: int) -> int:
    """G.711 table 1: the same with 12-bit values, 32 linear steps, then doubling ones."""
    sign = 0 if sample < 0 else 0x80
    magnitude = (-sample - 1 if sample < 0 else sample) // 16
    bound, width = 0, 1
    for number in range(128):
        if number % 16 == 0 and number >= 32:
            width *= 2
        bound += width
        if magnitude < bound or number == 127:
            return (sign | number) ^ 0x55
    raise AssertionError


LAWS = [
    pytest.param(PCMU, mu_law_code, mu_law_value, id="PCMU"),
    pytest.param(PCMA, a_law_code, a_law_value, id="PCMA"),
]


@pytest.mark.parametrize(("codec", "code_of", "value_of"), LAWS)
def test_all_inputs_and_all_codes(
    codec: Codec, code_of: Callable[[int], int], value_of: Callable[[int], int]
) -> None:
    encoded = codec.make_encoder().encode(EVERY_INPUT)
    assert list(encoded) == [code_of(sample) for sample in range(-32768, 32768)]
    decoded = codec.make_decoder().decode(EVERY_CODE)
    assert decoded.dtype == np.int16
    assert decoded.tolist() == [value_of(code) for code in range(256)]


@pytest.mark.parametrize(("codec", "code_of", "value_of"), LAWS)
def test_every_code_survives_a_round_trip(codec: Codec, code_of: object, value_of: object) -> None:
    again = codec.make_encoder().encode(codec.make_decoder().decode(EVERY_CODE))
    # mu-law has two zeros, +0 (0xFF) and -0 (0x7F), and both decode to 0
    assert again == (EVERY_CODE.replace(b"\x7f", b"\xff") if codec is PCMU else EVERY_CODE)


@pytest.mark.parametrize(("codec", "suffix"), [(PCMU, "u"), (PCMA, "a")])
def test_the_vectors_of_the_itu(fixtures: Path, codec: Codec, suffix: str) -> None:
    folder = fixtures / "codecs" / "g711_stl"
    source = np.fromfile(folder / "sweep.src", "<i2").astype(np.int16)
    codes = np.fromfile(folder / f"sweep-r.{suffix}", "<u2").astype(np.uint8).tobytes()
    decoded = np.fromfile(folder / f"sweep-r.{suffix}-{suffix}", "<i2")
    assert codec.make_encoder().encode(source) == codes
    assert np.array_equal(codec.make_decoder().decode(codes), decoded)
    there_and_back = np.fromfile(folder / f"sweep-r.re{suffix}", "<i2")
    assert np.array_equal(codec.make_decoder().decode(codec.make_encoder().encode(source)), there_and_back)


def test_the_laws_are_not_confused() -> None:
    samples = np.array([0, 1000, -1000, 32767, -32768], np.int16)
    assert PCMU.make_encoder().encode(samples).hex() == "ffce4e8000"
    assert PCMA.make_encoder().encode(samples).hex() == "d5fa7aaa2a"
    assert PCMU.static_payload_type == 0
    assert PCMA.static_payload_type == 8


@pytest.mark.parametrize("codec", [PCMU, PCMA])
def test_payloads_of_any_length_and_kind(codec: Codec) -> None:
    decoder = codec.make_decoder()
    assert len(decoder.decode(b"")) == 0
    assert len(decoder.decode(b"\xff")) == 1
    packet = memoryview(bytes(12) + EVERY_CODE)
    assert np.array_equal(decoder.decode(packet[12:]), decoder.decode(EVERY_CODE))
    assert codec.make_encoder().encode(np.zeros(0, np.int16)) == b""
    strided = EVERY_INPUT[::64]
    assert codec.make_encoder().encode(strided) == codec.make_encoder().encode(strided.copy())


def test_decoded_samples_belong_to_the_caller() -> None:
    decoder = PCMU.make_decoder()
    samples = decoder.decode(EVERY_CODE)
    samples[:] = 7
    assert decoder.decode(b"\xff")[0] == 0
