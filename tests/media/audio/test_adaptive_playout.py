"""Jitter buffer, playout and time stretching together: what a network makes of the delay and the sound."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.audio.jitter_buffer import JitterBuffer
from media.audio.playout import Playout
from media.audio.synthesis import speech
from media.codec import g711
from media.frame import Samples

SPEECH = speech(8000, 8.0, random.Random(3))
CODED = g711.PCMU.make_encoder().encode(SPEECH)
HEARD = g711.PCMU.make_decoder().decode(CODED)
Lag = Callable[[float, random.Random], float]


@dataclass
class Result:
    buffer: JitterBuffer
    blocks: list[Samples | None] = field(default_factory=list)
    delays: list[tuple[float, float]] = field(default_factory=list)
    """Time and delay."""

    def delay_after(self, seconds: float) -> float:
        return max(delay for at, delay in self.delays if at >= seconds)

    @property
    def stretches(self) -> int:
        return self.buffer.lengthened + self.buffer.shortened


def run(
    lag: Lag | None = None,
    *,
    seconds: float = 20.0,
    packet_ms: int = 20,
    block_ms: int = 20,
    ppm: float = 0.0,
    phase_s: float = 0.004,
    silent: Callable[[float], bool] | None = None,
    buffer: JitterBuffer | None = None,
) -> Result:
    """A sender whose packets lag by `lag(time, random)` seconds, in order, none while `silent`."""
    result = Result(buffer or JitterBuffer(8000, block_ms))
    player, draw = Playout({0: g711.PCMU}, block_ms, result.buffer), random.Random(1)
    size, number, latest = packet_ms * 8, 0, 0.0
    waiting: list[tuple[float, int]] = []
    now = 10.0 + phase_s
    while now < 10 + seconds:
        while (sent := (number + 1) * packet_ms / 1000 / (1 + ppm * 1e-6)) + 10 <= now:
            latest = max(latest, sent + (lag(sent, draw) if lag else 0.0))
            if silent is None or not silent(sent):
                waiting.append((latest + 10, number))
            number += 1
        while waiting and waiting[0][0] <= now:
            arrival, n = waiting.pop(0)
            start = n * size % (len(CODED) - size)
            player.put(n * size, 0, CODED[start : start + size], arrival)
        result.blocks.append(player.pull(now))
        result.delays.append((now - 10, result.buffer.current_delay_ms))
        now += block_ms / 1000
    return result


@pytest.mark.parametrize("phase_ms", [0, 4, 8, 12, 16, 19])
def test_a_clean_link_is_exact_and_adds_little(phase_ms: int) -> None:
    result = run(phase_s=phase_ms / 1000, seconds=6)
    assert 11.9 < result.delays[-1][1] < 32.1
    heard = np.concatenate([block for block in result.blocks if block is not None])
    assert np.array_equal(heard, HEARD[: len(heard)])


def test_a_clean_link_adds_25_ms_or_less_in_the_median() -> None:
    delays = [run(phase_s=phase / 1000, seconds=1).delays[-1][1] for phase in range(20)]
    assert np.median(delays) <= 25


@pytest.mark.parametrize("ppm", [500, -500, 100, -100])
def test_an_hour_of_drift_adds_no_delay_and_no_gap(ppm: float) -> None:
    result = run(ppm=ppm, seconds=3600)
    assert result.delay_after(1) < 42
    assert result.buffer.concealed + result.buffer.late + result.buffer.grown == 0
    assert result.buffer.spurts == 1
    assert result.buffer.stretched_ms == pytest.approx(-3600 * ppm / 1000, abs=30)


@pytest.mark.parametrize("phase_ms", range(0, 20, 3))
def test_after_a_burst_of_200_ms_the_delay_is_back_within_5_s(phase_ms: int) -> None:
    # Packets of 200 ms are held back and come all at once.
    def lag(at: float, _: random.Random) -> float:
        return max(0.0, 5.2 - at) if 5.0 < at < 5.2 else 0.0

    result = run(lag=lag, seconds=15, phase_s=phase_ms / 1000)
    assert result.delay_after(5.2) > 150
    assert result.delay_after(10.2) < 40
    assert result.buffer.late == 0
    assert result.buffer.spurts == 1


@pytest.mark.parametrize("jitter_ms", [20, 60, 100])
def test_jitter_is_learned_in_a_moment_and_then_costs_nothing(jitter_ms: int) -> None:
    result = run(lag=lambda _, draw: draw.random() * jitter_ms / 1000, seconds=60)
    assert result.buffer.late == 0
    assert result.buffer.concealed <= 12
    assert result.stretches < 40
    median = float(np.median([delay for at, delay in result.delays if at > 5]))
    assert jitter_ms - 10 < median < jitter_ms + 32


@pytest.mark.parametrize("phase_ms", range(0, 20, 3))
def test_where_packets_are_lost_the_one_after_is_kept_in_hand(phase_ms: int) -> None:
    """Whenever in a tick they come, also where a lost one is noticed by nothing being there at all."""
    result = run(phase_s=phase_ms / 1000, silent=lambda at: round(at * 50) % 50 == 30, seconds=30)
    assert result.delay_after(15) < 46
    assert min(delay for at, delay in result.delays if at > 15) > 20
    assert result.buffer.late == result.buffer.grown == 0
    clean = run(phase_s=phase_ms / 1000, silent=lambda at: at < 6 and round(at * 50) % 50 == 30, seconds=30)
    assert clean.delays[-1][1] < 36


def test_more_delay_is_made_by_one_cut_at_once_where_it_is_urgent() -> None:
    result = run(lag=lambda at, draw: 0.05 * draw.random() if at > 3 else 0.0, seconds=8)
    assert result.buffer.lengthened <= 6
    assert result.buffer.shortened <= 2
    assert result.buffer.late == 0


class Noting(JitterBuffer):
    """Notes when sound was stretched that can be heard."""

    heard_at: list[float]

    def stretched(self, added_ms: float, pause_s: float, now: float) -> None:
        super().stretched(added_ms, pause_s, now)
        if pause_s:
            self.heard_at.append(now - 10)


def test_what_is_not_urgent_waits_for_a_pause() -> None:
    """Losses call for a packet in hand, and that has time."""
    buffer = Noting(8000, 20)
    buffer.heard_at = []
    result = run(phase_s=0.016, silent=lambda at: round(at * 50) in (60, 90), seconds=12, buffer=buffer)
    assert result.stretches >= 2
    assert buffer.heard_at == []


def test_strict_never_stretches() -> None:
    strict = JitterBuffer(8000, 20, delay_ms=60, strict=True)
    result = run(lag=lambda _, draw: draw.random() * 0.1, seconds=10, buffer=strict)
    assert result.stretches == strict.grown == 0
    assert strict.late > 10
    assert result.delay_after(1) < 120
    assert strict.target_ms == 60


def test_after_a_pause_the_delay_is_what_the_network_needs() -> None:
    result = run(
        lag=lambda at, draw: 0.08 * draw.random() if at < 3.0 else 0.0,
        seconds=16,
        silent=lambda at: 8.8 < at < 9.6,
    )
    assert result.delay_after(9.9) < 40
    again = run(lag=lambda at, draw: 0.08 * draw.random(), seconds=16, silent=lambda at: 8.0 < at < 9.0)
    assert again.buffer.grown + again.buffer.late <= 8
    assert again.buffer.spurts == 2


def test_discontinuous_transmission_begins_every_spurt_whole() -> None:
    result = run(seconds=20, silent=lambda at: at % 1.0 < 0.5)
    assert result.buffer.late == result.buffer.grown == result.stretches == 0
    heard = np.concatenate([block for block in result.blocks if block is not None])
    first = HEARD[4000:8000]
    assert heard.tobytes().find(first.tobytes()) >= 0


@pytest.mark.parametrize("packet_ms", [10, 20, 30, 40, 60])
@pytest.mark.parametrize("block_ms", [10, 20])
def test_any_packet_time_with_jitter(packet_ms: int, block_ms: int) -> None:
    result = run(lag=lambda _, draw: draw.random() * 0.04, seconds=30, packet_ms=packet_ms, block_ms=block_ms)
    assert result.buffer.late == 0
    assert result.buffer.concealed < 12
    assert all(len(block) == block_ms * 8 for block in result.blocks if block is not None)
    assert result.delay_after(10) < 100


def test_a_second_of_nothing_and_then_all_of_it() -> None:
    result = run(lag=lambda at, _: max(0.0, 6.0 - at) if 5.0 < at < 6.0 else 0.0, seconds=20)
    assert result.delay_after(13) < 40
    assert len(result.blocks) == 1000


def test_speech_is_cut_where_it_is_like_itself() -> None:
    """What is left out of speech leaves no steps that were not there."""
    result = run(ppm=3000, seconds=30)
    assert result.buffer.shortened > 3
    heard = np.concatenate([block for block in result.blocks if block is not None])
    assert np.abs(np.diff(heard.astype(int))).max() <= 1.2 * np.abs(np.diff(HEARD.astype(int))).max()


@pytest.mark.parametrize("longer_s", [0.1, 0.2, 0.24, 0.3, 0.4, 0.49, 0.7])
def test_a_delay_that_jumps_and_stays_costs_its_gap_and_no_more(longer_s: float) -> None:
    """A longer route; or a sender whose timestamps stand still while it says nothing, as cheap ones do."""
    result = run(lambda at, _: 0.01 + (longer_s if at > 3 else 0.0), seconds=8)
    assert result.buffer.late <= 2
    silent = sum(block is None for block in result.blocks[3 * 50 :])
    assert result.buffer.concealed + silent <= longer_s * 50 + 8


def test_a_sender_whose_timestamps_fall_behind_in_steps_is_heard_again_soon() -> None:
    """60 ms, four times: no gap is long enough for a new spurt, all together are more than we wait."""
    result = run(lambda at, _: 0.01 + 0.06 * min(4, max(0, int((at - 3) / 0.08))), seconds=8)
    assert result.buffer.late <= 15


packets = st.tuples(
    st.integers(-3, 12),  # steps of the timestamp, in packets
    st.floats(0.0, 0.4),  # lag
    st.sampled_from([40, 80, 160, 240, 480]),  # samples in it
)


@settings(deadline=None)
@given(st.lists(st.lists(packets, max_size=3), max_size=120), st.sampled_from([10, 20]), st.booleans())
def test_whatever_comes_blocks_are_whole_and_the_delay_is_bounded(
    ticks: list[list[tuple[int, float, int]]], block_ms: int, strict: bool
) -> None:
    buffer = JitterBuffer(8000, block_ms, strict=strict)
    player = Playout({0: g711.PCMU}, block_ms, buffer)
    now, timestamp = 10.0, 0
    for arrived in ticks:
        for steps, lag, size in arrived:
            timestamp += steps * 160
            player.put(timestamp % 2**32, 0, CODED[:size], now - lag * 0.05)
        block = player.pull(now)
        assert block is None or len(block) == block_ms * 8
        now += block_ms / 1000
    heard = 0
    for tick in range(400):
        player.put((timestamp + 100_000 + tick * block_ms * 8) % 2**32, 0, CODED[: block_ms * 8], now)
        heard += player.pull(now) is not None
        now += block_ms / 1000
    assert heard > 350
    assert buffer.current_delay_ms < 320
