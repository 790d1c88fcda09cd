"""Reports of two parties on each other."""

import random

import pytest

from media.rtcp.packet import Goodbye, ReceiverReport, SenderReport, SourceDescription, parse_compound
from media.rtcp.report import Reporter
from media.rtp.receiver import Receiver
from media.rtp.sender import Sender


def reporter(seed: int) -> tuple[Sender, Reporter]:
    sender = Sender(random.Random(seed))
    return sender, Reporter(sender, random.Random(seed), 0.0, 1.7e9)


def test_a_sender_sends_sr_and_cname() -> None:
    sender, ours = reporter(1)
    sender.packet(0, bytes(160))
    packets = parse_compound(ours.report(10.0, None, "a@b", 777))
    assert isinstance(packets[0], SenderReport)
    info = packets[0].info
    assert (info.rtp, info.packets, info.octets) == (777, 1, 160)
    assert info.ntp / 2**32 == pytest.approx(10 + 1.7e9 + 2208988800)
    assert isinstance(packets[1], SourceDescription)
    assert packets[1].cnames == {sender.ssrc: "a@b"}


def test_who_sends_nothing_sends_rr_and_a_sender_becomes_one_after_two_intervals() -> None:
    sender, ours = reporter(1)
    assert isinstance(parse_compound(ours.report(1.0, None, "a", 0))[0], ReceiverReport)
    sender.packet(0, b"")
    kinds = [type(parse_compound(ours.report(t, None, "a", 0))[0]) for t in (5.0, 10.0, 15.0, 20.0)]
    assert kinds == [SenderReport, SenderReport, ReceiverReport, ReceiverReport]


def test_round_trip_from_lsr_and_dlsr() -> None:
    a_sender, a = reporter(1)
    b_sender, b = reporter(2)
    a_sender.packet(0, b"")
    b.receive(parse_compound(a.report(10.0, None, "a", 0)), 52, 10.030)
    receiver = Receiver(a_sender.ssrc, 8000)
    for n in (0, 1, 3):
        receiver.receive(n, 160 * n, n * 0.02)
    data = b.report(12.0, receiver, "b", 0)
    block = a.receive(parse_compound(data), len(data), 12.045)
    assert block is not None
    assert (block.ssrc, block.fraction_lost, block.cumulative_lost) == (a_sender.ssrc, 64, 1)
    assert a.rtt_s == pytest.approx(0.075, abs=0.001)
    assert b.rtt_s is None
    assert b_sender.packets == 0


def test_a_negative_round_trip_is_not_believed() -> None:
    a_sender, a = reporter(1)
    _, b = reporter(2)
    a_sender.packet(0, b"")
    b.receive(parse_compound(a.report(10.0, None, "a", 0)), 52, 10.0)
    data = b.report(12.0, Receiver(a_sender.ssrc, 8000), "b", 0)
    a.receive(parse_compound(data), len(data), 11.9)
    assert a.rtt_s is None


def test_goodbye_is_the_last_of_a_compound() -> None:
    sender, ours = reporter(1)
    packets = parse_compound(ours.goodbye(1.0, None, "a", 0))
    assert packets[-1] == Goodbye((sender.ssrc,))
    assert isinstance(packets[0], ReceiverReport)
