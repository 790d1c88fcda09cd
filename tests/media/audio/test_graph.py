"""Echo, playlist, samples in memory, tee."""

import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.audio.graph import Echo, Playlist, SampleSource, Tee
from media.errors import BadAudio
from media.frame import AudioFrame, Samples

RATE = 8000


def ramp(n: int, start: int = 0) -> Samples:
    return np.arange(start, start + n).astype(np.int16)


class Collector:
    def __init__(self) -> None:
        self.frames: list[AudioFrame] = []

    def push(self, frame: AudioFrame) -> None:
        self.frames.append(frame)


class TestEcho:
    def test_what_comes_in_goes_out(self) -> None:
        echo = Echo()
        assert echo.pull(160) is None
        for i in range(5):
            frame = AudioFrame(ramp(160, i), RATE, i * 160)
            echo.push(frame)
            assert echo.pull(160) is frame
            assert echo.pull(160) is None

    def test_a_burst_does_not_become_delay(self) -> None:
        echo = Echo()
        for i in range(10):
            echo.push(AudioFrame(ramp(160, i * 160), RATE, i * 160))
        frame = echo.pull(160)
        assert frame is not None
        assert frame.samples[0] == 9 * 160
        assert echo.dropped == 9 * 160

    def test_two_at_once_are_kept(self) -> None:
        echo = Echo()
        for i in range(2):
            echo.push(AudioFrame(ramp(160, i * 160), RATE, i * 160))
        frames = [echo.pull(160), echo.pull(160)]
        assert [f.samples[0] for f in frames if f is not None] == [0, 160]
        assert echo.dropped == 0

    @given(st.lists(st.integers(1, 500), min_size=1, max_size=30), st.integers(1, 500), st.integers(1, 4))
    def test_other_packet_sizes_in_than_out(self, sizes: list[int], n: int, pulls: int) -> None:
        """All that comes out is what came in, in order, less what was counted as dropped."""
        echo, position, out = Echo(), 0, []
        for size in sizes:
            echo.push(AudioFrame(ramp(size, position), RATE, position))
            position += size
            for _ in range(pulls):
                frame = echo.pull(n)
                if frame is not None:
                    assert len(frame.samples) == n
                    assert frame.samples[0] == frame.timestamp
                    out.append(frame.samples)
        heard = np.concatenate(out) if out else ramp(0)
        assert (np.diff(heard) > 0).all()
        missing = position - len(heard) - echo.dropped
        assert missing >= 0
        if out:
            assert np.count_nonzero(np.diff(heard) > 1) <= len(out)


class TestSampleSource:
    @pytest.mark.parametrize(("length", "blocks"), [(320, 2), (321, 3), (1, 1), (0, 0)])
    def test_once(self, length: int, blocks: int) -> None:
        source = SampleSource(ramp(length, 1), RATE)
        frames = [source.pull(160) for _ in range(blocks)]
        assert source.pull(160) is None
        played = np.concatenate([frame.samples for frame in frames if frame is not None] or [ramp(0)])
        assert len(played) == blocks * 160
        assert np.array_equal(played[:length], ramp(length, 1))
        assert not played[length:].any()
        assert [frame.timestamp for frame in frames if frame is not None] == [160 * i for i in range(blocks)]

    def test_repeats(self) -> None:
        source = SampleSource(ramp(100), RATE, repeat=3)
        first, second = source.pull(160), source.pull(160)
        assert source.pull(160) is None
        assert first is not None
        assert second is not None
        played = np.concatenate((first.samples, second.samples))
        assert np.array_equal(played[:300], np.tile(ramp(100), 3))
        endless = SampleSource(ramp(7), RATE, repeat=None)
        for _ in range(100):
            assert endless.pull(160) is not None


class TestPlaylist:
    def test_in_turn_then_the_fallback(self) -> None:
        done: list[tuple[str, bool]] = []
        playlist = Playlist(SampleSource(ramp(160, 7), RATE, repeat=None))
        playlist.play(SampleSource(ramp(160, 1000), RATE), lambda completed: done.append(("a", completed)))
        playlist.play(SampleSource(ramp(0), RATE), lambda completed: done.append(("empty", completed)))
        playlist.play(SampleSource(ramp(160, 2000), RATE), lambda completed: done.append(("b", completed)))
        assert playlist.playing
        starts = []
        for _ in range(4):
            frame = playlist.pull(160)
            assert frame is not None
            starts.append(int(frame.samples[0]))
        assert starts == [1000, 2000, 7, 7]
        assert done == [("a", True), ("empty", True), ("b", True)]
        assert not playlist.playing

    def test_nothing_to_play(self) -> None:
        assert Playlist().pull(160) is None

    def test_stop(self) -> None:
        done: list[bool] = []
        playlist = Playlist()
        for _ in range(3):
            playlist.play(SampleSource(ramp(800), RATE), done.append)
        assert playlist.pull(160) is not None
        assert playlist.stop() == 3
        assert playlist.stop() == 0
        assert done == [False] * 3
        assert playlist.pull(160) is None

    def test_each_callback_once_whatever_the_threads_do(self) -> None:
        playlist = Playlist()
        calls = [0] * 2000
        stopping = threading.Event()

        def stop() -> None:
            while not stopping.is_set():
                playlist.stop()

        thread = threading.Thread(target=stop)
        thread.start()

        def played(index: int) -> Callable[[bool], None]:
            def count(completed: bool) -> None:
                calls[index] += 1

            return count

        for index in range(2000):
            playlist.play(SampleSource(ramp(160), RATE), played(index))
            playlist.pull(160)
            playlist.pull(160)
        stopping.set()
        thread.join()
        playlist.stop()
        assert calls == [1] * 2000


def test_tee() -> None:
    tap = Collector()
    tee = Tee(SampleSource(ramp(320), RATE), tap)
    frames = [tee.pull(160), tee.pull(160), tee.pull(160)]
    assert frames[2] is None
    assert tap.frames == frames[:2]


def test_what_is_played_first_comes_before_the_rest_which_goes_on_afterwards() -> None:
    playlist = Playlist()
    done: list[str] = []
    playlist.play(SampleSource(np.arange(1, 9, dtype=np.int16), 8000), lambda _: done.append("long"))
    heard = [playlist.pull(2)]
    playlist.play(SampleSource(np.full(4, 50, np.int16), 8000), lambda _: done.append("short"), first=True)
    heard += [playlist.pull(2) for _ in range(5)]
    assert [frame.samples.tolist() for frame in heard if frame] == [
        [1, 2],
        [50, 50],
        [50, 50],
        [3, 4],
        [5, 6],
        [7, 8],
    ]
    assert playlist.pull(2) is None
    assert done == ["short", "long"]


def test_samples_can_be_sought() -> None:
    source = SampleSource(np.arange(100, dtype=np.int16), 100, repeat=2)
    assert source.duration_s == 1.0
    source.seek(0.5)
    assert source.position_s == 0.5
    frame = source.pull(60)
    assert frame is not None
    assert frame.samples.tolist() == [*range(50, 100), *range(10)]
    source.seek(99.0)
    frame = source.pull(4)
    assert frame is not None
    assert frame.samples.tolist() == [99, 0, 0, 0]
    assert source.pull(4) is None
    with pytest.raises(BadAudio):
        source.seek(-0.1)
