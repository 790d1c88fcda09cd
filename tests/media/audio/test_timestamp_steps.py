"""Senders that count their timestamps wrongly are heard whole."""

import random
from collections.abc import Callable

import numpy as np
import pytest

from media.audio.jitter_buffer import JitterBuffer
from media.audio.playout import Playout
from media.audio.synthesis import speech
from media.audio.timestamp_steps import TimestampSteps
from media.codec import g711
from media.codec.g722 import G722
from media.frame import Samples

SPEECH = speech(8000, 6.0, random.Random(3))
CODED = g711.PCMU.make_encoder().encode(SPEECH)
HEARD = g711.PCMU.make_decoder().decode(CODED)


def played(
    step: Callable[[int], int],
    *,
    lost: Callable[[int], bool] = lambda number: False,
    start: int = 2**32 - 4000,
    seconds: float = 6.0,
) -> tuple[Samples, JitterBuffer]:
    """Packets of 20 ms whose timestamps grow by `step` of their number, one each tick."""
    buffer = JitterBuffer(8000, 20)
    player = Playout({0: g711.PCMU}, 20, buffer)
    blocks, timestamp = [], start
    for number in range(int(seconds * 50)):
        now = 10 + number * 0.02
        if not lost(number):
            payload = CODED[number * 160 : number * 160 + 160]
            player.put(timestamp % 2**32, 0, payload, now)
        timestamp += step(number)
        block = player.pull(now + 0.005)
        blocks.append(np.zeros(160, np.int16) if block is None else block)
    return np.concatenate(blocks), buffer


@pytest.mark.parametrize("step", [80, 320, 160])
def test_half_or_double_steps_are_played_whole(step: int) -> None:
    heard, buffer = played(lambda _: step)
    assert heard.tobytes().find(HEARD[8000:47000].tobytes()) >= 0
    assert buffer.current_delay_ms < 32


@pytest.mark.parametrize("step", [80, 320])
def test_losses_do_not_hide_it(step: int) -> None:
    lost = random.Random(1)
    pattern = [lost.random() < 0.05 for _ in range(400)]
    heard, buffer = played(lambda _: step, lost=lambda number: pattern[number])
    # Between two losses it is the sound that was sent.
    assert heard.tobytes().find(HEARD[40000:41000].tobytes()) >= 0
    assert buffer.late + buffer.grown < 30
    assert buffer.concealed < 60


def test_a_sender_that_becomes_right_again_is_believed() -> None:
    heard, _ = played(lambda number: 80 if number < 100 else 160)
    assert heard.tobytes().find(HEARD[8000:15000].tobytes()) >= 0
    assert heard.tobytes().find(HEARD[40000:47000].tobytes()) >= 0


def test_every_second_packet_lost_is_a_loss() -> None:
    _, buffer = played(lambda _: 160, lost=lambda number: number % 2 == 1)
    assert buffer.concealed > 130


def test_wide_band_counted_at_its_sampling_rate() -> None:
    encoder = G722.make_encoder()
    tone = np.rint(8000 * np.sin(np.arange(16000 * 4) * 2 * np.pi * 440 / 16000)).astype(np.int16)
    buffer = JitterBuffer(8000, 20)
    player = Playout({9: G722}, 20, buffer)
    quiet = 0
    for number in range(200):
        now = 10 + number * 0.02
        player.put(number * 320, 9, encoder.encode(tone[number * 320 : number * 320 + 320]), now)
        block = player.pull(now + 0.005)
        if number > 25 and (block is None or np.abs(block).max() < 7000):
            quiet += 1
    assert quiet == 0


def test_what_is_no_step_of_a_kind_changes_nothing() -> None:
    steps, draw, now, timestamp, due = TimestampSteps(), random.Random(5), 0.0, 0, 0
    for _ in range(2000):
        timestamp = (timestamp + draw.choice((0, 80, 160, 320, 480, 1600, -160, 40))) % 2**32
        now += 0.02
        assert not steps.follow(timestamp, due, 160, 1 / 8000, now)
        assert steps.mapped(timestamp) == timestamp
        due = timestamp + 160
    assert steps.factor == 1.0
