"""The conference: who hears what, exactly."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from media.audio.graph import SampleSource
from media.audio.mixer import Mixer
from media.audio.party import QUIETEST_DBOV, Party
from media.audio.tones import ToneSource, dtmf_key
from media.errors import BadAudio
from media.frame import AudioFrame, Samples

N = 160


def frame(value: int, n: int = N, rate: int = 8000) -> AudioFrame:
    return AudioFrame(np.full(n, value, np.int16), rate)


def hear(party: Party, n: int = N) -> list[int]:
    """The distinct values heard in one tick."""
    return sorted({int(value) for value in party.pull(n).samples})


def trio() -> tuple[Mixer, Party, Party, Party]:
    mixer = Mixer()
    return mixer, mixer.add(8000), mixer.add(8000), mixer.add(8000)


def say(*speech: tuple[Party, int]) -> None:
    for party, value in speech:
        party.push(frame(value))


def test_each_hears_the_others_in_the_same_tick_and_never_itself() -> None:
    _, a, b, c = trio()
    for tick in range(5):
        say((a, 100 + tick), (b, 20), (c, 3))
        assert (hear(a), hear(b), hear(c)) == ([23], [103 + tick], [120 + tick])


def test_whoever_says_nothing_hears_all() -> None:
    _, a, b, c = trio()
    say((a, 100), (b, 20))
    assert (hear(a), hear(b), hear(c)) == ([20], [100], [120])
    assert (hear(a), hear(b), hear(c)) == ([0], [0], [0])


def test_a_gap_delays_nobody() -> None:
    _, a, b, c = trio()
    for tick in range(10):
        say((b, 7))
        if tick % 3:
            say((a, tick))
        assert hear(a) == [7]
        assert hear(c) == [7 + (tick if tick % 3 else 0)]
        assert hear(b) == [tick if tick % 3 else 0]


def test_loud_sums_saturate_and_mix_minus_is_exact_all_the_same() -> None:
    mixer = Mixer()
    a, b, c, d = (mixer.add(8000) for _ in range(4))
    say((a, 30000), (b, 30000), (c, -32768))
    assert (hear(a), hear(b), hear(c), hear(d)) == ([-2768], [-2768], [32767], [27232])


def test_mute_deaf_and_gain() -> None:
    _, a, b, c = trio()
    a.muted, b.deaf, c.gain = True, True, 2.5
    say((a, 100), (b, 20), (c, 4))
    assert (hear(a), hear(b), hear(c)) == ([30], [0], [20])
    a.muted, b.deaf, c.gain = False, False, 1.0
    say((a, 100), (b, 20), (c, 4))
    assert (hear(a), hear(b), hear(c)) == ([24], [104], [120])


def test_gain_saturates_too() -> None:
    _, a, b, _ = trio()
    a.gain = 100.0
    say((a, 30000))
    assert hear(b) == [32767]


def test_a_whisper_is_heard_by_one_only() -> None:
    _, a, b, c = trio()
    a.whisper_to = b
    say((a, 100), (b, 20), (c, 3))
    assert (hear(a), hear(b), hear(c)) == ([23], [103], [20])


def test_a_whisper_to_one_who_left_is_heard_by_nobody() -> None:
    mixer, a, b, c = trio()
    a.whisper_to = b
    mixer.remove(b)
    say((a, 100), (c, 3))
    assert (hear(a), hear(b), hear(c)) == ([3], [0], [0])


def test_music_for_those_on_hold_and_who_is_alone() -> None:
    ramp = np.arange(1, 1601, dtype=np.int16)
    mixer = Mixer(SampleSource(ramp, 8000, repeat=None))
    a = mixer.add(8000)
    assert (a.pull(N).samples == ramp[:160]).all()
    b, c = mixer.add(8000), mixer.add(8000)
    say((a, 100), (b, 20), (c, 3))
    assert (hear(a), hear(b), hear(c)) == ([23], [103], [120])
    a.on_hold = b.on_hold = True
    say((a, 100), (b, 20), (c, 3))
    assert (a.pull(N).samples == ramp[160:320]).all()
    assert (b.pull(N).samples == ramp[160:320]).all()
    assert hear(c) == [0]


def test_music_that_ends_or_fails_is_silence() -> None:
    class Broken:
        def pull(self, n: int) -> AudioFrame | None:
            raise OSError("no such song")

    for music in (SampleSource(np.ones(100, np.int16), 8000), Broken()):
        party = (mixer := Mixer(music)).add(8000)
        party.pull(N)
        assert hear(party) == [0]
        assert mixer.music is None


def test_music_of_another_rate() -> None:
    mixer = Mixer(ToneSource(44100, (440.0,), level_dbov=-10.0))
    party = mixer.add(8000)
    heard = np.concatenate([party.pull(N).samples for _ in range(50)])[800:].astype(float)
    assert loudest_hz(heard, 8000) == pytest.approx(440, abs=5)


def test_who_leaves_is_silent_and_hears_silence() -> None:
    mixer, a, b, c = trio()
    say((a, 100), (b, 20), (c, 3))
    mixer.remove(a)
    mixer.remove(a)
    assert (hear(a), hear(b), hear(c)) == ([0], [3], [20])
    assert mixer.parties == (b, c)


def test_who_joins_later_or_comes_back_is_in_step_at_once() -> None:
    mixer, a, b, c = trio()
    for tick in range(1, 40):
        say((a, tick), (b, 1000))
        hear(a)
        if tick in (1, 2, 38, 39):  # c does not listen in between
            assert hear(c) == [1000 + tick]
        hear(b)
        if tick == 20:
            late = mixer.add(8000)
        if tick >= 21:
            assert hear(late) == [1000 + tick]
    assert a.dropped == b.dropped == 0


def test_parties_of_10_ms_among_those_of_20() -> None:
    mixer = Mixer()
    long, short, other = mixer.add(8000), mixer.add(8000), mixer.add(8000)
    heard: dict[Party, list[Samples]] = {long: [], short: [], other: []}
    for tick in range(200):
        if tick % 2 == 0:
            long.push(frame(1000 + tick // 2))
        short.push(frame(tick + 1, 80))
        if tick % 2 == 0:
            heard[long].append(long.pull(160).samples)
            heard[other].append(other.pull(160).samples)
        heard[short].append(short.pull(80).samples)
    of_short = np.concatenate(heard[long])[::80]
    assert (of_short[:4] == [1, 0, 2, 3]).all()  # once there was nothing, then all comes, 10 ms later
    assert (np.diff(of_short[2:]) == 1).all()
    of_long = np.concatenate(heard[short])[::80]
    assert (of_long == 1000 + np.arange(200) // 2).all()


def test_what_waits_without_need_is_let_go_after_a_second() -> None:
    _, a, b, _ = trio()
    say((a, 1), (a, 1), (a, 1))  # a burst: 40 ms too much
    for _ in range(120):
        hear(b)
        say((a, 1))
    assert a.dropped == 2 * N
    assert a.feed.held == N


def test_levels() -> None:
    _, a, b, _ = trio()
    assert a.level_dbov == QUIETEST_DBOV
    a.push(AudioFrame(dtmf_key("5", 8000, level_dbov=-20.0), 8000))
    assert a.level_dbov == pytest.approx(-17.0, abs=0.2)  # two tones
    b.push(frame(0))
    assert b.level_dbov == QUIETEST_DBOV


def test_wrong_sizes_and_rates() -> None:
    mixer = Mixer()
    with pytest.raises(BadAudio, match="blocks of 10 ms"):
        mixer.add(8000).pull(100)
    with pytest.raises(BadAudio, match="11025"):
        mixer.add(11025)


def loudest_hz(samples: NDArray[Any], rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * rate / len(samples)


def test_parties_of_different_rates_hear_each_other() -> None:
    mixer = Mixer()
    narrow, wide, other = mixer.add(8000), mixer.add(16000), mixer.add(16000)
    tones = {narrow: 500.0, wide: 900.0}
    sources = {
        party: ToneSource(party.sample_rate_hz, (hz,), level_dbov=-20.0) for party, hz in tones.items()
    }
    heard: dict[Party, list[Samples]] = {narrow: [], wide: [], other: []}
    for _ in range(60):
        for party, source in sources.items():
            block = source.pull(party.sample_rate_hz // 50)
            assert block is not None
            party.push(block)
        for party, blocks in heard.items():
            blocks.append(party.pull(party.sample_rate_hz // 50).samples)
    joined = {party: np.concatenate(blocks)[party.sample_rate_hz // 5 :] for party, blocks in heard.items()}
    assert loudest_hz(joined[narrow], 8000) == pytest.approx(900, abs=5)
    assert loudest_hz(joined[wide], 16000) == pytest.approx(500, abs=5)
    for party, hz in ((narrow, 500.0), (wide, 900.0)):  # nothing of oneself
        time = np.arange(len(joined[party])) / party.sample_rate_hz
        own = abs(np.mean(joined[party] * np.exp(-2j * np.pi * hz * time)))
        assert own < 5.0
    assert {round(loudest_hz(joined[other], 16000) / 10) * 10} <= {500, 900}
    spectrum = np.abs(np.fft.rfft(joined[other].astype(float)))
    bins = [round(hz * len(joined[other]) / 16000) for hz in (500, 900)]
    assert spectrum[bins[0]] == pytest.approx(spectrum[bins[1]], rel=0.1)


def test_a_codec_change_in_mid_conference() -> None:
    _, a, b, c = trio()
    say((a, 100), (b, 20), (c, 3))
    for party in (a, b, c):
        hear(party)
    a.sample_rate_hz = 16000
    for _ in range(30):
        a.push(frame(100, 320, 16000))
        say((b, 20), (c, 3))
        of_a, of_b, of_c = hear(a, 320), hear(b), hear(c)
    assert np.allclose(of_a, 23, atol=1)
    assert np.allclose(of_b, 103, atol=1)
    assert np.allclose(of_c, 120, atol=1)


def test_one_whose_two_directions_have_different_rates() -> None:
    _, a, b, c = trio()
    for _ in range(30):
        a.push(frame(100, 320, 16000))
        say((b, 20))
        assert hear(a) == [20]
        of_b, of_c = hear(b), hear(c)
    assert np.allclose(of_b, 100, atol=1)
    assert np.allclose(of_c, 120, atol=1)


@given(st.lists(st.lists(st.integers(-32768, 32767), min_size=4, max_size=4), min_size=1, max_size=6))
def test_mix_minus_is_the_sum_of_the_others(ticks: list[list[int]]) -> None:
    mixer = Mixer()
    parties = [mixer.add(8000) for _ in range(4)]
    for values in ticks:
        say(*zip(parties, values, strict=True))
        for party, value in zip(parties, values, strict=True):
            assert hear(party) == [max(-32768, min(32767, sum(values) - value))]


class Person:
    """At this machine: says a value, and keeps what is heard."""

    def __init__(self, says: int = 0) -> None:
        self.party: Party
        self.says = says
        self.heard: list[tuple[int, list[int]]] = []

    def pull(self, n: int) -> AudioFrame:
        return frame(self.says, n, self.party.sample_rate_hz)

    def push(self, frame: AudioFrame) -> None:
        values = sorted({int(value) for value in frame.samples})
        self.heard.append((len(frame.samples) * 1000 // frame.sample_rate_hz, values))


def add_person(mixer: Mixer, says: int) -> Person:
    person = Person(says)
    person.party = mixer.add_local(person, person)
    return person


def test_who_has_no_stream_speaks_and_hears_in_the_same_tick_as_the_others() -> None:
    mixer, a, b, c = trio()
    person = add_person(mixer, 1000)
    for _ in range(5):
        say((a, 100), (b, 20), (c, 3))
        assert (hear(a), hear(b), hear(c)) == ([1023], [1103], [1120])
    assert person.heard == [(20, [123])] * 5
    mixer.remove(person.party)
    say((a, 100))
    assert hear(b) == [100]
    assert len(person.heard) == 5


def test_who_has_no_stream_rests_while_nobody_has_one() -> None:
    mixer = Mixer()
    ann, ben = add_person(mixer, 1), add_person(mixer, 10)
    other = mixer.add(8000)
    say((other, 100))
    assert hear(other) == [11]
    mixer.remove(other)
    assert (ann.heard, ben.heard) == ([(20, [110])], [(20, [101])])


def test_who_has_no_stream_has_the_highest_rate_of_those_who_have() -> None:
    mixer, a, *_ = trio()
    person = add_person(mixer, 1000)
    assert person.party.sample_rate_hz == 8000
    wide = mixer.add(48000)
    for _ in range(30):
        say((a, 100))
        of_a, of_wide = hear(a), hear(wide, 960)
    assert person.party.sample_rate_hz == 48000
    assert np.allclose(of_a, 1000, atol=1)
    assert np.allclose(of_wide, 1100, atol=1)
    assert np.allclose(person.heard[-1][1], 100, atol=1)
    mixer.remove(wide)
    for _ in range(5):
        say((a, 100))
        assert hear(a) == [1000]
    assert person.heard[-1] == (20, [100])


def test_parties_out_of_step_take_a_person_along_block_by_block() -> None:
    mixer, a, b, _ = trio()
    person = add_person(mixer, 1000)
    for _ in range(10):
        a.push(frame(100, 80))
        b.push(frame(20))
        assert hear(a, 80) in ([1000], [1020])
        hear(b)
        a.push(frame(100, 80))
        hear(a, 80)
    assert sum(ms for ms, _ in person.heard) == 200
    assert person.party.dropped == 0


def test_a_person_whose_loudspeaker_fails_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    mixer, a, b, _ = trio()
    person = add_person(mixer, 1000)

    def fail(frame: AudioFrame) -> None:
        raise RuntimeError("it is broken")

    person.push = fail  # type: ignore[method-assign]
    say((a, 100))
    assert hear(b) == [1100]
    assert "it is broken" in caplog.text
    say((a, 100))
    assert hear(b) == [100]
