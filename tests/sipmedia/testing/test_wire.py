"""sipmedia/testing/wire.py: a second opinion on what packets hold."""

import numpy as np
import pytest

from media.codec import registry
from media.rtp.packet import RtpPacket
from sipmedia.simulation import Datagram
from sipmedia.testing.wire import Wire, _decode

HERE, THERE = ("10.0.0.1", 4000), ("10.0.0.2", 4000)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
def test_the_two_g711_decoders_agree_on_every_code(codec: str) -> None:
    codes = bytes(range(256))
    assert np.array_equal(_decode(codec, codes, False), registry.get(codec).make_decoder().decode(codes))


def feed(wire: Wire, *parts: tuple[int, bytes], payload_type: int = 0) -> None:
    for number, (timestamp, payload) in enumerate(parts):
        packet = RtpPacket(payload_type, number, timestamp & 0xFFFFFFFF, 7, payload)
        wire("bob", Datagram(0.0, HERE, THERE, bytes(packet)))


def test_sound_is_put_together_by_timestamps_over_their_end() -> None:
    wire = Wire()
    loud, start = b"\x00" * 160, 2**32 - 160
    feed(wire, (start, loud), (start + 480, loud), (start + 160, loud))
    sound = wire.sound(THERE, "PCMU", 0)
    assert sound is not None
    assert len(sound.samples) == 640
    assert [bool(sound.samples[at]) for at in (0, 160, 320, 480)] == [True, True, False, True]


def test_what_it_cannot_read_it_does_not_guess_at() -> None:
    wire = Wire()
    feed(wire, (0, b"\x00" * 160))
    assert wire.sound(THERE, "G722", 9) is None
    assert wire.sound(THERE, "PCMU", 8) is None
    assert wire.sound(HERE, "PCMU", 0) is None


def test_l16_both_ways_round() -> None:
    wire = Wire()
    feed(wire, (0, b"\x01\x02" * 320), payload_type=96)
    right, swapped = wire.sound(THERE, "L16", 96), wire.sound(THERE, "L16", 96, swapped=True)
    assert right is not None
    assert swapped is not None
    assert (right.samples[0], swapped.samples[0]) == (0x0102, 0x0201)


def test_sip_and_rtcp_are_no_sound() -> None:
    wire = Wire()
    for data in (b"INVITE sip:bob@10.0.0.2 SIP/2.0\r\n", b"\x80\xc8" + bytes(26), b""):
        wire("bob", Datagram(0.0, HERE, THERE, data))
    assert wire.packets(THERE) == []
