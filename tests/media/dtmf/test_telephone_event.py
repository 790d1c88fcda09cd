"""RFC 4733 events: what is sent, and that each digit arrives exactly once whatever is lost."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.dtmf.telephone_event import (
    DIGITS,
    MAX_SEGMENT,
    DtmfDigit,
    EventPacket,
    TelephoneEventReceiver,
    TelephoneEventSender,
    check_digits,
)
from media.errors import BadDigits, BadPacket

SLOT = 160


def packets_of(
    digits: str, duration_ms: int = 100, *, start: int = 1000, clock_rate_hz: int = 8000
) -> list[tuple[float, EventPacket]]:
    """What a sender makes of the digits in 20 ms slots, with the time of each packet."""
    sender = TelephoneEventSender(clock_rate_hz)
    sender.send(digits, duration_ms)
    slot = clock_rate_hz // 50
    packets = []
    index = 0
    while sender.busy:
        packet = sender.poll(start + index * slot, slot)
        if packet is not None:
            packets.append((index * 0.02, packet))
        index += 1
        assert index < 100_000
    return packets


def digits_from(packets: list[tuple[float, EventPacket]], *, clock_rate_hz: int = 8000) -> list[DtmfDigit]:
    """What a receiver makes of packets at their times, expiring every 20 ms and at the end."""
    receiver = TelephoneEventReceiver(clock_rate_hz)
    digits: list[DtmfDigit] = []
    last = 0.0
    for now, packet in packets:
        last = max(last, now)
        digits += receiver.expire(last)
        digits += receiver.receive(*packet, last)
    digits += receiver.expire(last + receiver.timeout_s + 0.001)
    assert not receiver.open
    return digits


def keys(digits: list[DtmfDigit]) -> str:
    return "".join(digit.digit for digit in digits)


def test_one_digit_on_the_wire() -> None:
    packets = [packet for _, packet in packets_of("5")]
    assert [packet.payload.hex() for packet in packets] == [
        "050a00a0",
        "050a0140",
        "050a01e0",
        "050a0280",
        "058a0320",
        "058a0320",
        "058a0320",
    ]
    assert {packet.timestamp for packet in packets} == {1000}
    assert [packet.marker for packet in packets] == [True] + [False] * 6


def test_every_key_has_its_code() -> None:
    assert [p.payload[0] for _, p in packets_of(DIGITS) if p.marker] == list(range(17))
    assert keys(digits_from(packets_of(DIGITS))) == DIGITS


def test_digits_are_apart_by_a_pause_and_a_new_timestamp() -> None:
    starts = [(now, packet.timestamp) for now, packet in packets_of("77") if packet.marker]
    # five slots of tone, three of pause
    assert starts == [(0.0, 1000), (pytest.approx(0.16), 1000 + 8 * SLOT)]


@pytest.mark.parametrize("clock_rate_hz", [8000, 16000, 48000])
def test_duration_and_volume(clock_rate_hz: int) -> None:
    packets = packets_of("9", 220, clock_rate_hz=clock_rate_hz)
    assert digits_from(packets, clock_rate_hz=clock_rate_hz) == [DtmfDigit("9", 220, -10)]


def test_small_letters_are_keys() -> None:
    assert check_digits("a*d!") == "A*D!"


@pytest.mark.parametrize("digits", ["12x", "", "1 2"])
def test_no_key(digits: str) -> None:
    sender = TelephoneEventSender()
    with pytest.raises(BadDigits):
        sender.send(digits)
    assert not sender.busy


@pytest.mark.parametrize("duration_ms", [0, 39, 60_001])
def test_impossible_duration(duration_ms: int) -> None:
    with pytest.raises(BadDigits, match="40 to 60000 ms"):
        TelephoneEventSender().send("1", duration_ms)


def test_count_and_clear() -> None:
    sender = TelephoneEventSender()
    sender.send("123", 1000)
    assert sender.poll(0, SLOT) is not None
    sender.clear()
    packets = [sender.poll(SLOT * i, SLOT) for i in range(1, 10)]
    assert [packet is not None for packet in packets] == [True] * 3 + [False] * 6
    assert sender.digits_sent == 1
    assert not sender.busy


class TestLongDigit:
    """Section 2.5.1.3: more than 0xFFFF units go in segments."""

    def test_segments_on_the_wire(self) -> None:
        packets = [packet for _, packet in packets_of("1", 20_000, start=(1 << 32) - 100)]
        timestamps = list(dict.fromkeys(packet.timestamp for packet in packets))
        start = (1 << 32) - 100
        assert timestamps == [(start + i * MAX_SEGMENT) % (1 << 32) for i in range(3)]
        assert sum(packet.marker for packet in packets) == 1
        ends = [packet for packet in packets if packet.payload[1] & 0x80]
        assert len(ends) == 3
        assert {packet.timestamp for packet in ends} == {timestamps[-1]}
        last_of_first = [p for p in packets if p.timestamp == timestamps[0]][-1]
        assert int.from_bytes(last_of_first.payload[2:], "big") == MAX_SEGMENT

    def test_segments_are_one_digit(self) -> None:
        assert digits_from(packets_of("1", 20_000)) == [DtmfDigit("1", 20_000, -10)]

    def test_a_boundary_packet_lost(self) -> None:
        packets = packets_of("1", 9_000)
        for lost in range(405, 415):
            assert digits_from(packets[:lost] + packets[lost + 2 :]) == [DtmfDigit("1", 9_000, -10)]


def test_any_two_packets_lost() -> None:
    packets = packets_of("3#3")
    for lost in combinations(range(len(packets)), 2):
        kept = [packet for index, packet in enumerate(packets) if index not in lost]
        assert keys(digits_from(kept)) == "3#3", lost


def test_all_end_packets_lost() -> None:
    packets = [(now, packet) for now, packet in packets_of("42") if not packet.payload[1] & 0x80]
    receiver = TelephoneEventReceiver()
    digits = [digit for now, packet in packets for digit in receiver.receive(*packet, now)]
    assert digits == [DtmfDigit("4", 80, -10)]  # because the next began
    now = packets[-1][0]
    assert receiver.expire(now + 0.2) == ()
    assert receiver.expire(now + 0.26) == (DtmfDigit("2", 80, -10),)
    assert receiver.receive(*packets[-1][1], now + 0.3) == ()


def test_only_one_packet_left() -> None:
    packets = packets_of("8")
    for packet in packets:
        assert keys(digits_from([packet])) == "8"


@settings(max_examples=200)
@given(st.data())
def test_lost_doubled_and_reordered(data: st.DataObject) -> None:
    """Any two packets lost, each repeated or not, and neighbours out of order within 60 ms."""
    digits = data.draw(st.text(DIGITS, min_size=1, max_size=5))
    packets = packets_of(digits, data.draw(st.sampled_from([40, 100, 180])))
    lost = data.draw(st.sets(st.integers(0, len(packets) - 1), max_size=2))
    late = data.draw(st.lists(st.integers(0, 3), min_size=len(packets), max_size=len(packets)))
    twice = data.draw(st.sets(st.integers(0, len(packets) - 1), max_size=4))
    arriving = [
        (now + 0.02 * late[index] + 0.001 * copy, packet)
        for index, (now, packet) in enumerate(packets)
        if index not in lost
        for copy in range(1 + (index in twice))
    ]
    arriving.sort(key=lambda item: item[0])
    received = keys(digits_from(arriving))
    assert sorted(received) == sorted(digits)


@given(st.lists(st.tuples(st.binary(max_size=8), st.integers(0, (1 << 32) - 1), st.booleans()), max_size=30))
def test_any_bytes(packets: list[tuple[bytes, int, bool]]) -> None:
    receiver = TelephoneEventReceiver()
    reported = 0
    for payload, timestamp, marker in packets:
        try:
            reported += len(receiver.receive(payload, timestamp, marker, 0.0))
        except BadPacket:
            assert len(payload) < 4
    reported += len(receiver.expire(1.0))
    assert reported <= len({timestamp for _, timestamp, _ in packets})
    assert not receiver.open


def test_other_events_are_no_digits() -> None:
    receiver = TelephoneEventReceiver()
    assert receiver.receive(bytes([36, 0x80, 0, 160]), 0, True, 0.0) == ()  # CNG, a fax machine calling
    assert not receiver.open
