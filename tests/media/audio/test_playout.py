"""From packets of any length and codec to blocks of one length."""

import numpy as np
import pytest

from media.audio.jitter_buffer import JitterBuffer
from media.audio.playout import Playout
from media.codec import g711, get
from media.frame import Samples

CODES = np.random.default_rng(5).integers(0, 255, 8000).astype(np.uint8)
SOUND = g711.MU_LAW_DECODE[CODES]


def playout(block_ms: int = 20) -> Playout:
    return Playout({0: g711.PCMU, 8: g711.PCMA, 9: get("G722")}, block_ms, JitterBuffer(8000, block_ms))


def run(
    player: Playout, packets: list[tuple[float, int, bytes]], ticks: int, tick_s: float
) -> list[Samples | None]:
    """Put (time, timestamp, payload) packets at their times; what came out of each tick."""
    out, now = [], 10.0
    for _ in range(ticks):
        while packets and packets[0][0] <= now:
            at, timestamp, payload = packets.pop(0)
            player.put(timestamp, 0, payload, at)
        out.append(player.pull(now))
        now += tick_s
    return out


def packets_of(size: int, lost: tuple[int, ...] = ()) -> list[tuple[float, int, bytes]]:
    return [
        (9.98 + n * size / 8000, n * size, CODES[n * size : (n + 1) * size].tobytes())
        for n in range(len(CODES) // size)
        if n not in lost
    ]


@pytest.mark.parametrize("packet_ms", [5, 10, 20, 25, 30, 40, 60])
@pytest.mark.parametrize("block_ms", [10, 20])
def test_packets_of_any_length_come_out_sample_for_sample(packet_ms: int, block_ms: int) -> None:
    player = playout(block_ms)
    ticks = 900 // block_ms
    # A packet is sent when its last sample is there.
    packets = [(at + packet_ms / 1000, ts, data) for at, ts, data in packets_of(packet_ms * 8)]
    heard = [block for block in run(player, packets, ticks, block_ms / 1000) if block is not None]
    assert all(len(block) == block_ms * 8 for block in heard)
    joined = np.concatenate(heard)
    assert len(joined) > 6000
    assert np.array_equal(joined, SOUND[: len(joined)])
    assert player.buffer.concealed == 0


@pytest.mark.parametrize("packet_ms", [20, 30, 60])
def test_a_lost_packet_is_concealed_for_exactly_its_length(packet_ms: int) -> None:
    player = playout(10 if packet_ms == 30 else 20)
    block = player.block / 8000
    size = packet_ms * 8
    packets = [(at + packet_ms / 1000, ts, data) for at, ts, data in packets_of(size, lost=(3,))]
    heard = [part for part in run(player, packets, int(0.9 / block), block) if part is not None]
    joined = np.concatenate(heard)
    after = 4 * size + 160  # behind the cross-fade of the concealment
    assert np.array_equal(joined[: 3 * size], SOUND[: 3 * size])
    assert np.array_equal(joined[after:], SOUND[after : len(joined)])
    assert joined[3 * size : 4 * size].any()  # made up, not silence


def test_a_change_of_codec_with_the_same_clock_goes_on() -> None:
    player = playout()
    player.put(0, 0, CODES[:160].tobytes(), 9.98)
    player.put(160, 8, bytes(160), 9.99)
    player.put(320, 9, bytes(160), 10.01)
    blocks = [player.pull(10.0), player.pull(10.02), player.pull(10.04)]
    assert [None if block is None else len(block) for block in blocks] == [160, 160, 320]
    assert player.sample_rate_hz == 16000


def test_another_clock_begins_anew() -> None:
    wide = get("L16", 16000)
    player = Playout({0: g711.PCMU, 96: wide}, 20, JitterBuffer(8000, 20))
    player.put(0, 0, CODES[:160].tobytes(), 9.98)
    assert player.pull(10.0) is not None
    player.put(99999, 96, bytes(640), 10.0)
    assert player.pull(10.02) is not None
    assert (player.sample_rate_hz, player.block) == (16000, 320)


def test_undecodable_payloads_are_counted_and_stood_in_for() -> None:
    wide = get("L16", 16000)
    player = Playout({96: wide}, 20, JitterBuffer(16000, 20))
    player.put(0, 96, bytes(640), 9.98)
    player.put(320, 96, bytes(3), 10.0)
    player.put(640, 96, bytes(640), 10.02)
    for tick in range(3):
        block = player.pull(10.0 + tick * 0.02)
        assert block is not None
        assert len(block) == 320
    assert player.undecodable == 1


def test_the_first_frame_of_a_spurt_is_not_blended_with_the_spurt_before() -> None:
    player = playout()
    packets = packets_of(160)
    later = [(at + 2.0, ts + 16000, data) for at, ts, data in packets[:5]]
    heard = run(player, packets[:5] + later, 110, 0.02)
    assert np.array_equal(np.concatenate([part for part in heard[100:105] if part is not None]), SOUND[:800])
    assert heard[60] is None


def test_a_codec_that_is_negotiated_away_is_not_played() -> None:
    player = playout()
    player.put(0, 8, bytes(160), 9.98)
    player.configure({0: g711.PCMU}, 20)
    assert player.pull(10.0) is None or player.undecodable == 0
    player.put(160, 0, CODES[:160].tobytes(), 10.0)
    player.pull(10.02)
    assert player.codec is not None
    assert player.codec.name == "PCMU"
