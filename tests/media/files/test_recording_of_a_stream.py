"""A recorder on a real stream: both directions in one time, whatever sources come and go."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import soundfile

from media.audio.graph import Echo, Playlist, SampleSource
from media.codec import get
from media.files import FileRecorder
from media.plan import Address, MediaDirection, StreamPlan
from media.stream import Stream

BOB = ("127.0.0.1", 4002)
ALICE = ("127.0.0.1", 4000)


def now(work: Callable[[], object]) -> None:
    work()


def plan_to(address: Address, codec_name: str = "PCMU") -> StreamPlan:
    codec = get(codec_name)
    number = codec.static_payload_type
    assert number is not None
    return StreamPlan(
        send_codec=codec,
        send_payload_type=number,
        receive_codecs={number: codec},
        telephone_event_send=None,
        telephone_event_receive=None,
        direction=MediaDirection.SENDRECV,
        ptime_ms=20,
        remote_rtp=address,
        remote_rtcp=None,
        cname="somebody",
    )


class Call:
    """Alice, who is recorded, and Bob, who sends everything back; a wire without delay."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self.time = 0.0
        self.alice = self._stream(1, lambda data: self.bob.receive_rtp(data, ALICE, self.time))
        self.bob = self._stream(2, lambda data: self.alice.receive_rtp(data, BOB, self.time))
        self.playlist = Playlist()
        self.alice.outbound.set_source(self.playlist)
        echo = Echo()
        self.bob.inbound.add_sink(echo)
        self.bob.outbound.set_source(echo)

    def _stream(self, seed: int, carry: Callable[[bytes], None]) -> Stream:
        return Stream(
            self,
            random=Random(seed),
            now=0.0,
            wall_offset=0.0,
            send_rtp=lambda data, address: carry(data),
            send_rtcp=lambda data, address: None,
            emit=self.events.append,
        )

    def negotiate(self, codec_name: str) -> None:
        self.alice.update(plan_to(BOB, codec_name))
        self.bob.update(plan_to(ALICE, codec_name))

    def run(self, ticks: int) -> None:
        for _ in range(ticks):
            self.time += 0.02
            self.alice.play(self.time)
            self.bob.play(self.time)
            self.alice.send(self.time)
            self.bob.send(self.time)


def heard_from(samples: np.ndarray[tuple[int], np.dtype[np.int16]], value: int) -> tuple[int, int]:
    """Where the constant sound begins and first ends, in ms of 8 kHz."""
    here = np.abs(samples.astype(int) - value) < 0.05 * value
    begin = int(np.argmax(here))
    return round(begin / 8), round((begin + int(np.argmin(here[begin:]))) / 8)


def test_both_directions_in_one_time(tmp_path: Path) -> None:
    call = Call()
    call.negotiate("PCMU")
    recorder = FileRecorder(tmp_path / "call.wav", 8000, now)
    call.alice.outbound.add_tap(recorder.sent)
    call.alice.inbound.add_sink(recorder.received)
    call.run(100)  # two seconds in which nobody says anything
    call.playlist.play(SampleSource(np.full(4000, 4000, np.int16), 8000))
    call.run(50)
    call.playlist.play(SampleSource(np.full(4000, 8000, np.int16), 8000))
    call.run(50)
    call.negotiate("G722")
    call.playlist.play(SampleSource(np.full(8000, 12000, np.int16), 16000))
    call.run(50)
    recorder.close()
    samples, _ = soundfile.read(tmp_path / "call.wav", dtype="int16")
    sent, received = samples[:, 0], samples[:, 1]
    assert heard_from(sent, 4000) == (0, 500)
    assert heard_from(sent, 8000) == (1000, 1500)
    begin, end = heard_from(sent, 12000)
    assert abs(begin - 2000) < 30
    assert abs(end - 2500) < 30
    for value in (4000, 8000):
        begin, end = heard_from(received, value)
        delay = begin - heard_from(sent, value)[0]
        assert 0 < delay <= 60
        assert 500 <= end - begin <= 520  # and then concealment fades it
    assert not [event for event in call.events if "Failed" in type(event).__name__]
