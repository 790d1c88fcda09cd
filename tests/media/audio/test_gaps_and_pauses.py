"""media/audio/decoding.py, in a playout: codecs that fill gaps by themselves, and announced pauses."""

import numpy as np
import pytest

from media.audio.comfort_noise import analyse
from media.audio.jitter_buffer import JitterBuffer
from media.audio.playout import Playout
from media.codec.base import Codec
from media.codec.g711 import PCMU
from media.errors import CodecError
from media.frame import Samples

NOISE = 13
LOUD = 100
"""What is not as loud as this may be stretched at any time."""


class Speaking:
    """A decoder that notes what it is asked for: a payload is its number, samples tell what they are."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, int]] = []

    def decode(self, payload: bytes | memoryview) -> Samples:
        number = bytes(payload)[0]
        if number == 255:
            raise CodecError("none of ours")
        self.asked.append(("decode", number, 160))
        return np.full(160, number * LOUD, np.int16)

    def conceal(self, n: int) -> Samples:
        self.asked.append(("conceal", -1, n))
        return np.full(n, -LOUD, np.int16)

    def recover(self, payload: bytes, n: int) -> Samples | None:
        self.asked.append(("recover", payload[0], n))
        return np.full(n, -payload[0] * LOUD, np.int16) if n <= 320 else None


class Played:
    """Packets of `Speaking` put and pulled, 20 ms each."""

    def __init__(self, delay_ms: float) -> None:
        self.decoder = Speaking()
        codec = Codec(
            "TEST", 8000, 8000, lambda: PCMU.make_encoder(), lambda: self.decoder,
            announces_silence=lambda payload: len(payload) == 2,
        )  # fmt: skip
        self.buffer = JitterBuffer(8000, 20, delay_ms=delay_ms)
        self.playout = Playout({0: PCMU, 96: codec}, 20, self.buffer)
        self.playout.configure({0: PCMU, 96: codec}, 20, NOISE)

    def run(self, packets: dict[int, tuple[int, bytes]], ticks: int) -> list[int | None]:
        """The first sample of what each tick gives; `packets` by the tick before which they come."""
        heard: list[int | None] = []
        for tick in range(ticks):
            if tick in packets:
                payload_type, payload = packets[tick]
                self.playout.put(tick * 160, payload_type, payload, tick * 0.02)
            block = self.playout.pull(tick * 0.02 + 0.001)
            if block is None:
                block = self.playout.pause_sound()
            heard.append(None if block is None else int(block[0]) // LOUD)
        return heard


def speech(*lost: int, until: int = 20) -> dict[int, tuple[int, bytes]]:
    return {tick: (96, bytes([tick + 1])) for tick in range(until) if tick not in lost}


def test_a_gap_is_recovered_from_the_packet_after_it() -> None:
    played = Played(delay_ms=45)
    heard = played.run(speech(5), 15)
    assert ("recover", 7, 160) in played.decoder.asked
    assert -7 in heard
    assert ("conceal", -1, 160) not in played.decoder.asked[: len(heard)]
    assert [value for value in heard if value is not None][:8] == [1, 2, 3, 4, 5, -7, 7, 8]


def test_without_the_packet_after_it_a_gap_is_concealed_by_the_decoder() -> None:
    played = Played(delay_ms=0)
    heard = played.run(speech(5), 15)
    assert heard[4:8] == [5, -1, 7, 8]


def test_of_a_long_gap_the_decoder_may_recover_nothing() -> None:
    played = Played(delay_ms=110)
    heard = played.run(speech(5, 6, 7), 20)
    assert ("recover", 9, 480) in played.decoder.asked
    assert [value for value in heard if value is not None][4:9] == [5, -1, -1, -1, 9]


def test_losses_make_the_next_packet_be_there() -> None:
    played = Played(delay_ms=0)
    played.run(speech(*range(5, 200, 10), until=200), 200)
    assert played.buffer.floor_ms >= 20
    assert played.buffer.target_ms > 20
    assert [what for what, *_ in played.decoder.asked[-60:]].count("recover") >= 4


def test_a_pause_that_the_codec_announced_is_no_loss() -> None:
    played = Played(delay_ms=10)
    packets = {**speech(until=5), 5: (96, b"\x06\x00"), 40: (96, b"\x29"), 41: (96, b"\x2a")}
    heard = played.run(packets, 43)
    assert None not in heard[2:]
    assert heard[8:40] == [-1] * 32
    assert 0x29 in heard[40:]
    assert played.buffer.concealed == 0
    assert played.buffer.floor_ms == 0


def test_comfort_noise_between_speech() -> None:
    rng = np.random.default_rng(1)
    description = analyse(rng.normal(0, 300, 1600).astype(np.int16), 8000)
    played = Played(delay_ms=10)
    encode = PCMU.make_encoder().encode
    voice = encode(np.full(160, 8000, np.int16))
    packets = dict.fromkeys((*range(5), *range(60, 70)), (0, voice))
    packets[5] = (NOISE, description)
    packets[30] = (NOISE, description)
    blocks = []
    for tick in range(72):
        if tick in packets:
            played.playout.put(tick * 160, *packets[tick], tick * 0.02)
        block = played.playout.pull(tick * 0.02 + 0.001)
        blocks.append(played.playout.pause_sound() if block is None else block)
    pause = np.concatenate([block for block in blocks[8:58] if block is not None])
    assert len(pause) == 50 * 160
    assert 200 < np.std(pause.astype(float)) < 400
    assert played.buffer.concealed == 0
    assert any(block is not None and block.min() > 7000 for block in blocks[60:])


def test_a_pause_can_be_ended_and_a_new_source_knows_nothing_of_it() -> None:
    for end in (Playout.end_pause, Playout.restart):
        played = Played(delay_ms=0)
        played.run({0: (NOISE, bytes((30,)))}, 4)
        assert played.playout.pause_sound() is not None
        end(played.playout)
        assert played.playout.pause_sound() is None


@pytest.mark.parametrize("payload", [b"", bytes(100)])
def test_comfort_noise_that_is_none(payload: bytes) -> None:
    played = Played(delay_ms=0)
    heard = played.run({0: (NOISE, payload)}, 3)
    assert played.playout.undecodable == 1
    assert set(heard) <= {0, None}
