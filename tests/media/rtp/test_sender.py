"""Numbers, timestamps and markers of what we send."""

import random

from media.rtp.packet import RtpPacket
from media.rtp.sender import Sender


def sender() -> Sender:
    return Sender(random.Random(3))


def test_numbers_go_up_and_timestamps_are_time() -> None:
    s = sender()
    first = RtpPacket.parse(s.packet(0, b"a"))
    s.advance(160)
    s.pause()
    s.advance(160)
    second = RtpPacket.parse(s.packet(0, b"b"))
    assert second.sequence_number == first.sequence_number + 1
    assert (second.timestamp - first.timestamp) % 2**32 == 320
    assert second.ssrc == first.ssrc
    assert (s.packets, s.bytes) == (2, 2)


def test_the_marker_begins_a_talkspurt() -> None:
    s = sender()
    markers = [RtpPacket.parse(s.packet(0, b"x")).marker for _ in range(3)]
    s.pause()
    markers.append(RtpPacket.parse(s.packet(0, b"x")).marker)
    assert markers == [True, False, False, True]


def test_everything_wraps() -> None:
    s = sender()
    s.sequence_number, s.timestamp = 65535, 2**32 - 80
    s.packet(0, b"")
    s.advance(160)
    packet = RtpPacket.parse(s.packet(0, b""))
    assert (packet.sequence_number, packet.timestamp) == (0, 80)


def test_an_event_packet_carries_its_own_timestamp_and_sound_after_it_a_marker() -> None:
    s = sender()
    s.packet(0, b"")
    event = RtpPacket.parse(s.event_packet(101, b"\1\0\0\0", 1234, True))
    assert (event.payload_type, event.timestamp, event.marker) == (101, 1234, True)
    assert RtpPacket.parse(s.packet(0, b"")).marker


def test_a_packet_that_began_earlier() -> None:
    s = sender()
    s.timestamp = 100
    assert RtpPacket.parse(s.packet(0, b"", 160)).timestamp == 2**32 - 60
