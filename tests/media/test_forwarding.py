"""Packets sent on without decoding: numbers, timestamps, losses, and what is said in between."""

import itertools
import random
from collections.abc import Iterable

import numpy as np

from media.codec import g711, g722
from media.engine import Engine
from media.events import DtmfReceived
from media.forwarding import Filler, Forwarder
from media.frame import AudioFrame
from media.plan import Address, MediaDirection
from media.rtp.packet import RtpPacket
from media.stream import Stream
from tests.media.helpers.wire import Collector, plan

NEAR: Address = ("192.0.2.1", 4000)
FAR: Address = ("192.0.2.2", 5000)


class Gap:
    """A source with nothing to send but `spurt` frames now and then."""

    def __init__(self) -> None:
        self.spurt = 0

    def pull(self, n: int) -> AudioFrame | None:
        if not self.spurt:
            return None
        self.spurt -= 1
        return AudioFrame(np.zeros(n, np.int16), 8000)


class Switch:
    """One engine whose stream towards NEAR is sent on to FAR."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.out: list[RtpPacket] = []
        self.near, self.far = self.stream(NEAR), self.stream(FAR)
        self.local = Gap()
        self.far.outbound.set_source(self.local)
        self.misfits = 0
        self.forwarder = Forwarder(self.near, self.far, self.count)
        self.near.inbound.set_forwarder(self.forwarder)
        self.now = 0.0

    def count(self) -> None:
        self.misfits += 1

    def stream(self, remote: Address) -> Stream:
        stream = Stream(
            remote,
            random=random.Random(remote[1]),
            now=0.0,
            wall_offset=0.0,
            send_rtp=lambda data, _: self.out.append(RtpPacket.parse(data)) if remote == FAR else None,
            send_rtcp=lambda data, _: None,
            emit=self.engine.emit,
        )
        self.engine.add_stream(stream, plan(remote))
        return stream

    def tick(self, packets: Iterable[RtpPacket] = ()) -> None:
        for packet in packets:
            self.engine.receive(self.near, [(bytes(packet), NEAR, self.now)])
        self.engine.tick(self.now)
        self.now += 0.02


def said(n: int, *, sequence: int = 65530, timestamp: int = 0xFFFFFF00) -> list[RtpPacket]:
    noise = np.random.default_rng(1).integers(0, 255, (n, 160), dtype=np.uint8)
    return [
        RtpPacket(
            0, (sequence + i) & 0xFFFF, (timestamp + 160 * i) & 0xFFFFFFFF, 7, noise[i].tobytes(), not i
        )
        for i in range(n)
    ]


def test_payloads_gaps_and_distances_stay() -> None:
    switch = Switch()
    packets = said(60)
    for i in range(60):
        switch.tick([] if i in (20, 21, 40) else [packets[i]])
    kept = [packet for i, packet in enumerate(packets) if i not in (20, 21, 40)]
    # until the peer is believed (two in sequence) nothing is taken
    taken = kept[len(kept) - len(switch.out) :]
    assert len(taken) >= 58 - 3
    assert [packet.payload for packet in switch.out] == [packet.payload for packet in taken]
    for field, modulus in (("sequence_number", 1 << 16), ("timestamp", 1 << 32)):
        before = [getattr(packet, field) for packet in taken]
        after = [getattr(packet, field) for packet in switch.out]
        assert len({(b - a) % modulus for a, b in zip(before, after, strict=True)}) == 1
    assert {packet.ssrc for packet in switch.out} == {switch.far.outbound.sender.ssrc}


def test_reordered_packets_stay_reordered_and_duplicates_go() -> None:
    switch = Switch()
    packets = said(20)
    order = [*range(8), 9, 8, 8, *range(10, 20)]
    for i in order:
        switch.tick([packets[i]])
    numbers = [packet.sequence_number for packet in switch.out]
    steps = [(b - a + 4) % 65536 - 4 for a, b in itertools.pairwise(numbers)]
    assert sorted(set(steps)) == [-1, 1, 2]
    assert len(set(numbers)) == len(numbers)


def test_an_announcement_comes_first_and_numbers_go_on() -> None:
    switch = Switch()
    for i, packet in enumerate(said(60)):
        if i == 30:
            switch.local.spurt = 10
        switch.tick([packet])
    numbers = [packet.sequence_number for packet in switch.out]
    assert all((b - a) % 65536 == 1 for a, b in itertools.pairwise(numbers))
    silent = [not any(np.frombuffer(packet.payload, np.uint8) != 0xFF) for packet in switch.out]
    assert sum(silent) == 10
    stamps = [packet.timestamp for packet in switch.out]
    assert all((b - a) % 2**32 <= 480 for a, b in itertools.pairwise(stamps))


def test_keys_are_sent_on_and_reported() -> None:
    switch = Switch()
    packets = said(20)
    for packet in packets[:10]:
        switch.tick([packet])
    start = packets[10].timestamp
    for i in range(8):
        end = 0x80 if i > 4 else 0
        payload = bytes((5, end | 10)) + (160 * min(i + 1, 5)).to_bytes(2, "big")
        number = (packets[10].sequence_number + i) & 0xFFFF
        switch.tick([RtpPacket(101, number, start, 7, payload, not i)])
    events = [packet for packet in switch.out if packet.payload_type == 101]
    assert len(events) == 8
    assert [packet.marker for packet in events] == [True] + [False] * 7
    assert len({packet.timestamp for packet in events}) == 1
    assert [event.digit for event in switch.engine.events if isinstance(event, DtmfReceived)] == ["5"]


def test_another_codec_is_a_misfit() -> None:
    switch = Switch()
    switch.engine.update(switch.far, plan(FAR, g722.G722, 9))
    for packet in said(10):
        switch.tick([packet])
    assert switch.out == []
    assert switch.misfits == 1
    assert switch.forwarder.misfits > 5


def test_taps_hear_what_is_sent_on() -> None:
    switch = Switch()
    tap, sink = Collector(), Collector()
    switch.far.outbound.add_tap(tap)
    switch.near.inbound.add_sink(sink)
    packets = said(30)
    for packet in packets:
        switch.tick([packet])
    decoder = g711.PCMU.make_decoder()
    sent = np.concatenate([decoder.decode(packet.payload) for packet in switch.out])
    assert (tap.samples == sent).all()
    stamps = [frame.timestamp for frame in tap.frames]
    assert set(np.diff(stamps)) == {160}
    assert sink.samples.any()


def test_nothing_is_sent_on_while_held() -> None:
    switch = Switch()
    switch.engine.update(switch.far, plan(FAR, direction=MediaDirection.RECVONLY))
    for packet in said(10):
        switch.tick([packet])
    assert switch.out == []
    switch.engine.update(switch.far, plan(FAR))
    switch.engine.update(switch.near, plan(NEAR, direction=MediaDirection.SENDONLY))
    for packet in said(10, sequence=65540 & 0xFFFF, timestamp=1600 - 256):
        switch.tick([packet])
    assert switch.out == []


def test_silence_is_sent_while_nothing_comes() -> None:
    """A peer behind a NAT may wait to hear us before it says anything."""
    switch = Switch()
    switch.far.outbound.set_source(Filler(switch.forwarder))
    for _ in range(30):
        switch.tick()
    assert len(switch.out) == 20
    assert {packet.payload for packet in switch.out} == {b"\xff" * 160}
    packets = said(20)
    for packet in packets:
        switch.tick([packet])
    speech = [packet.payload for packet in switch.out[20:] if packet.payload != b"\xff" * 160]
    assert speech == [packet.payload for packet in packets[-len(speech) :]]
    assert len(speech) >= 17
    numbers = [packet.sequence_number for packet in switch.out]
    assert all((b - a) % 65536 == 1 for a, b in itertools.pairwise(numbers))
