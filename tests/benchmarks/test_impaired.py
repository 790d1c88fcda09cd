"""The stream that every phone is given, and how what they play is laid beside what was said."""

import random

import numpy as np

from benchmarks.impaired import PAUSE_S, record
from benchmarks.listeners import decoded
from benchmarks.network import Condition
from benchmarks.quality_peers import found_at
from media.audio.synthesis import speech
from media.frame import Samples
from media.rtp.packet import RtpPacket

SPOKEN: list[Samples] = [speech(8000, seconds, random.Random(seed)) for seed, seconds in ((1, 2.0), (2, 3.0))]


def test_a_recorded_stream_is_the_same_for_everybody() -> None:
    first, again = (record(SPOKEN, Condition(0.05, jitter_ms=20), 3, "PCMU") for _ in range(2))
    assert first.packets == again.packets
    assert record(SPOKEN, Condition(0.05, jitter_ms=20), 4, "PCMU").packets != first.packets


def test_losses_and_delays_are_those_of_the_network() -> None:
    clean = record(SPOKEN, Condition(), 1, "PCMU")
    assert abs(len(clean.packets) - clean.seconds * 50) <= 2
    times = np.array([at for at, _ in clean.packets])
    assert np.allclose(np.diff(times), 0.02, atol=1e-6)
    lossy = record(SPOKEN * 4, Condition(0.10), 1, "PCMU")
    assert 0.05 < 1 - len(lossy.packets) / (lossy.seconds * 50) < 0.15
    jittered = record(SPOKEN, Condition(jitter_ms=60), 1, "PCMU")
    gaps = np.diff([at for at, _ in jittered.packets])
    assert gaps.min() >= 0
    assert gaps.max() > 0.03


def test_clips_are_where_it_says() -> None:
    stream = record(SPOKEN, Condition(), 1, "PCMU")
    heard = decoded([data for _, data in stream.packets])
    assert [round(clip.begins_s, 3) for clip in stream.clips] == [PAUSE_S, 2 * PAUSE_S + 2.0]
    for clip in stream.clips:
        assert abs(found_at(heard, clip.samples) - clip.begins_s * 8000) <= 1
    late = np.concatenate((np.zeros(777, np.int16), heard))
    assert abs(found_at(late, SPOKEN[0]) - PAUSE_S * 8000 - 777) <= 1
    early = heard[int(PAUSE_S * 8000) + 400 :]
    assert abs(found_at(early, SPOKEN[0]) + 400) <= 1


def test_what_a_peer_returns_has_its_gaps() -> None:
    payload = bytes(160)
    packets = [bytes(RtpPacket(0, n, n * 160, 5, payload)) for n in (0, 1, 3)]
    assert len(decoded([b"no packet", *packets])) == 640
    assert len(decoded([])) == 0
