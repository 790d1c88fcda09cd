"""Streams of two engines talking to each other through a network that does its worst."""

import random
import struct
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.audio.graph import Echo, SampleSource
from media.codec import g711, get, libopus
from media.errors import CodecUnavailable
from media.events import DtmfReceived, FirstMedia, RtcpBye, RtcpReport, SourceLocked, StreamFailed
from media.frame import AudioFrame
from media.plan import MediaDirection
from media.rtcp.packet import Goodbye, ReceiverReport, SenderReport, parse_compound
from media.rtp.packet import RtpPacket
from tests.media.helpers.wire import A, B, Collector, Noise, Pair, Party, perfect, place_of, plan, talk

MID_CALL = 100
INTRUDER = ("203.0.113.66", 6666)


def sent_by(party: Party) -> Noise:
    source = party.stream.outbound._source
    assert isinstance(source, Noise)
    return source


class TestSound:
    def test_a_clean_link_is_sample_exact(self) -> None:
        pair = talk()
        pair.run(10)
        heard = pair.b.heard.samples
        assert len(heard) > 9.9 * 8000
        assert place_of(heard, sent_by(pair.a).samples) == 0
        statistics = pair.b.stream.statistics()
        assert (statistics.packets_lost, statistics.frames_concealed, statistics.packets_late) == (0, 0, 0)

    @pytest.mark.parametrize(("name", "payload_type"), [("PCMA", 8), ("G722", 9), ("L16", 96)])
    def test_every_codec_carries_sound(self, name: str, payload_type: int) -> None:
        codec = get(name)
        pair = talk(codec=codec, payload_type=payload_type)
        pair.run(1)
        assert {frame.sample_rate_hz for frame in pair.b.heard.frames} == {codec.sample_rate_hz}
        assert len(pair.b.heard.samples) > 0.9 * codec.sample_rate_hz

    @pytest.mark.parametrize("ptime_ms", [10, 20, 30, 40, 60])
    def test_every_ptime_is_sample_exact_whatever_the_other_side_uses(self, ptime_ms: int) -> None:
        pair = talk(ptime_ms=ptime_ms)
        pair.run(3)
        heard = pair.b.heard.samples
        assert len(heard) > 2.8 * 8000
        assert place_of(heard, sent_by(pair.a).samples) == 0

    def test_echo_delay_does_not_grow(self) -> None:
        pair = talk()
        echo = Echo()
        pair.b.stream.inbound.add_sink(echo)
        pair.b.stream.outbound.set_source(echo)
        pair.run(2)
        early = place_of(sent_by(pair.a).sent[50], pair.a.heard.samples) - 50 * 160
        pair.run(58)
        late = place_of(sent_by(pair.a).sent[2900], pair.a.heard.samples) - 2900 * 160
        assert early == late == 0
        delay = 1 - len(pair.a.heard.samples) / len(sent_by(pair.a).samples)
        assert delay * 60 < 0.07  # two ways and two buffers

    def test_what_is_lost_is_counted_and_stood_in_for(self) -> None:
        pair = talk(lambda n, data: [] if n % 10 == 5 else [(0.004, data)])
        pair.run(10)
        statistics = pair.b.stream.statistics()
        assert statistics.packets_lost == 50
        assert statistics.fraction_lost == pytest.approx(0.1, abs=0.01)
        assert statistics.frames_concealed == 50
        assert len(pair.b.heard.samples) > 9.9 * 8000

    def test_duplicates_and_disorder_change_nothing_that_is_heard(self) -> None:
        def network(n: int, data: bytes) -> Iterable[tuple[float, bytes]]:
            return [(0.004 + 0.003 * (n % 3), data), (0.006, data)]

        pair = talk(network)
        pair.run(5)
        assert place_of(pair.b.heard.samples, sent_by(pair.a).samples) == 0
        statistics = pair.b.stream.statistics()
        assert statistics.packets_duplicate == pytest.approx(250, abs=3)
        assert (statistics.packets_late, statistics.packets_lost) == (0, 0)

    def test_sound_comes_back_at_once_after_a_gap_of_a_second(self) -> None:
        pair = talk(lambda n, data: [] if 100 <= n < 150 else [(0.004, data)])
        pair.run(2.9)
        before = len(pair.b.heard.frames)
        pair.run(0.2)
        assert len(pair.b.heard.frames) - before == pytest.approx(5, abs=1)
        source = sent_by(pair.a)
        assert place_of(pair.b.heard.frames[-1].samples, source.samples) >= 150 * 160

    def test_a_pause_of_the_sender_stands_in_the_timestamps(self) -> None:
        pair = talk()
        noise = Noise(pauses=range(50, 100))
        pair.a.stream.outbound.set_source(noise)
        pair.run(3)
        timestamps = [frame.timestamp for frame in pair.b.heard.frames]
        spoken = [frame for frame in pair.b.heard.frames if place_of(frame.samples, noise.samples) >= 0]
        assert len(spoken) == pytest.approx(100, abs=2)
        assert spoken[-1].timestamp - spoken[0].timestamp == pytest.approx(149 * 160, abs=320)
        assert timestamps == sorted(timestamps)

    @pytest.mark.parametrize("jump", ["sequence", "timestamp", "ssrc", "everything"])
    def test_a_sender_that_starts_anew_is_heard_again(self, jump: str) -> None:
        pair = talk()
        pair.run(2)
        sender = pair.a.stream.outbound.sender
        if jump in ("sequence", "everything"):
            sender.sequence_number = (sender.sequence_number + 30000) % 65536
        if jump in ("timestamp", "everything"):
            sender.timestamp = (sender.timestamp + 2**31 - 5) % 2**32
        if jump in ("ssrc", "everything"):
            sender.ssrc ^= 0xFFFF
        pair.run(0.6)
        pair.b.heard.frames.clear()
        pair.run(1)
        heard = pair.b.heard.samples
        assert len(heard) == 8000
        assert place_of(heard, sent_by(pair.a).samples) > 0

    def test_nothing_is_decoded_while_nobody_listens(self) -> None:
        pair = talk()
        pair.b.stream.inbound.remove_sink(pair.b.heard)
        pair.run(1)
        assert pair.b.stream.statistics().packets_received == 50 - 1
        assert pair.b.stream.buffer.spurts == 0
        pair.b.stream.inbound.add_sink(pair.b.heard)
        pair.run(1)
        assert place_of(pair.b.heard.samples, sent_by(pair.a).samples) > 0

    def test_taps_hear_what_is_sent(self) -> None:
        pair = talk()
        tap = Collector()
        pair.a.stream.outbound.add_tap(tap)
        pair.run(0.2)
        pair.a.stream.outbound.remove_tap(tap)
        pair.run(0.2)
        assert np.array_equal(tap.samples, sent_by(pair.a).samples[: 10 * 160])

    def test_raw_payloads_take_a_slot_each(self) -> None:
        pair = talk()
        pair.run(0.1)
        pair.a.stream.outbound.send_raw(b"\x11" * 160)
        pulls = sent_by(pair.a).pulls
        pair.step()
        assert sent_by(pair.a).pulls == pulls
        pair.run(0.2)
        raw = g711.MU_LAW_DECODE[np.full(160, 0x11)]
        assert place_of(raw, pair.b.heard.samples) > 0


class TestPlans:
    def numbers(self, party: Party) -> list[RtpPacket]:
        return [RtpPacket.parse(data) for rtcp, data, _ in party.out if not rtcp]

    def test_hold_and_resume_keep_ssrc_numbers_and_time(self) -> None:
        party = Party(A, plan(B))
        party.stream.outbound.set_source(Noise())
        for tick in range(30):
            if tick == 10:
                party.engine.update(party.stream, plan(B, direction=MediaDirection.INACTIVE))
            if tick == 20:
                party.engine.update(party.stream, plan(B))
            party.engine.tick(tick * 0.02)
        packets = self.numbers(party)
        assert len(packets) == 20
        assert len({packet.ssrc for packet in packets}) == 1
        first = packets[0].sequence_number
        assert [packet.sequence_number - first for packet in packets] == list(range(20))
        assert (packets[10].timestamp - packets[0].timestamp) % 2**32 == 20 * 160
        assert [packet.marker for packet in packets] == [n in (0, 10) for n in range(20)]

    def test_a_refreshed_session_costs_not_a_sample(self) -> None:
        pair = talk()
        pair.run(1)
        for party, to in ((pair.a, B), (pair.b, A)):
            party.engine.update(party.stream, plan(to))
        pair.run(1)
        assert len(pair.b.heard.frames) == pytest.approx(99, abs=1)
        assert place_of(pair.b.heard.samples, sent_by(pair.a).samples) == 0

    def test_a_refresh_in_the_middle_of_a_digit_neither_loses_nor_doubles_it(self) -> None:
        pair = talk()
        pair.run(1)
        pair.a.stream.outbound.send_digits("7", 100)
        pair.run(0.06)
        for party, to in ((pair.a, B), (pair.b, A)):
            party.engine.update(party.stream, plan(to))
        pair.run(1)
        assert [e.digit for e in pair.b.events(DtmfReceived) if isinstance(e, DtmfReceived)] == ["7"]

    def test_a_held_party_hears_nothing_and_its_packets_are_counted(self) -> None:
        pair = talk()
        pair.b.engine.update(pair.b.stream, plan(A, direction=MediaDirection.SENDONLY))
        pair.run(1)
        assert pair.b.heard.frames == []
        assert pair.b.stream.statistics().packets_received == 49

    def test_a_codec_change_in_mid_call(self) -> None:
        pair = talk()
        pair.run(1)
        ssrc = pair.a.stream.statistics().ssrc
        codec = get("G722")
        pair.a.engine.update(pair.a.stream, plan(B, codec, 9))
        pair.b.engine.update(pair.b.stream, plan(A, codec, 9))
        pair.a.stream.outbound.set_source(Noise(rate=16000))
        pair.run(1)
        assert pair.b.heard.frames[-1].sample_rate_hz == 16000
        assert pair.a.stream.statistics().ssrc == ssrc == pair.b.stream.statistics().remote_ssrc
        assert len(pair.b.heard.frames) > 97

    def test_without_a_plan_nothing_is_sent_or_believed(self) -> None:
        party = Party(A, None)
        party.stream.outbound.set_source(Noise())
        party.receive(bytes.fromhex("800000010000000200000003") + bytes(160), B, 1.0)
        party.engine.tick(1.0)
        assert party.out == []
        assert party.stream.statistics().discarded_garbage == 1

    def test_audio_of_another_rate_is_refused_once(self) -> None:
        pair = talk()
        pair.a.stream.outbound.set_source(Noise(rate=16000))
        pair.run(1)
        failures = pair.a.events(StreamFailed)
        assert len(failures) == 1
        assert "16000 Hz" in str(failures[0])
        assert pair.b.heard.frames == []


def packet(number: int, ssrc: int, *, payload_type: int = 0, base: int = 5000) -> bytes:
    header = struct.pack("!BBHII", 0x80, payload_type, (base + number) % 65536, base + number * 160, ssrc)
    return header + bytes([0x22]) * 160


INTRUSION = g711.MU_LAW_DECODE[0x22]


class TestSources:
    def test_first_media_and_the_lock_are_reported_and_media_goes_there(self) -> None:
        nat = ("198.51.100.1", 7777)
        party = Party(A, plan(B))
        party.stream.outbound.set_source(Noise())
        party.receive(packet(0, 9), nat, 1.0)
        party.receive(packet(1, 9), nat, 1.02)
        party.engine.tick(1.04)
        assert [event.source for event in party.events(FirstMedia) if isinstance(event, FirstMedia)] == [nat]
        assert len(party.events(SourceLocked)) == 1
        assert party.out[0][2] == nat

    @pytest.mark.parametrize("copied", [True, False])
    @pytest.mark.parametrize("silence", [0.0, 1.0, 60.0])
    def test_an_intruder_is_never_heard(self, copied: bool, silence: float) -> None:
        pair = talk()
        pair.run(1)
        ssrc = pair.a.stream.outbound.sender.ssrc if copied else 77
        if silence:
            pair.a.stream.outbound.set_source(None)
            pair.run(silence)
        pair.b.heard.frames.clear()
        for number in range(50):
            pair.b.receive(packet(number, ssrc), INTRUDER, pair.now)
            pair.step()
        assert place_of(np.full(8, INTRUSION), pair.b.heard.samples) == -1
        statistics = pair.b.stream.statistics()
        assert statistics.discarded_foreign == 50
        assert statistics.source == A
        assert pair.b.stream.outbound.destination == A

    def test_a_nat_that_rebinds_keeps_its_sound(self) -> None:
        pair = talk()
        pair.run(1)
        pair.a.address = ("198.51.100.1", 50123)
        pair.run(0.3)
        pair.b.heard.frames.clear()
        pair.run(1)
        assert place_of(pair.b.heard.samples, sent_by(pair.a).samples) > 0
        assert pair.b.stream.statistics().source == pair.a.address
        assert pair.b.stream.outbound.destination == pair.a.address

    def test_signalling_moves_the_media(self) -> None:
        pair = talk()
        pair.run(1)
        elsewhere = ("192.0.2.99", 9000)
        pair.b.engine.update(pair.b.stream, plan(elsewhere))
        assert pair.b.stream.outbound.destination == elsewhere
        pair.b.receive(packet(0, 5), elsewhere, pair.now)
        assert pair.b.stream.statistics().source == elsewhere

    def test_one_unparsable_packet_does_not_kill_the_receive_path(self) -> None:
        pair = talk()
        pair.run(1)
        garbage = [
            b"",
            b"\x80",
            b"\xff" * 500,
            bytes.fromhex("bf00") + bytes(10),
            packet(1, 1, payload_type=99),
        ]
        for data in garbage:
            pair.b.receive(data, A, pair.now)
            pair.b.receive(data, A, pair.now, rtcp=True)
        pair.run(1)
        assert place_of(pair.b.heard.samples, sent_by(pair.a).samples) == 0
        assert pair.b.stream.statistics().discarded_garbage == 2 * len(garbage)

    def test_a_payload_type_nobody_negotiated_never_reaches_a_decoder(self) -> None:
        party = Party(A, plan(B))
        for number in range(10):
            party.receive(packet(number, 5, payload_type=8), B, 1.0 + number * 0.02)
            party.engine.tick(1.02 + number * 0.02)
        assert party.heard.frames == []
        assert party.stream.statistics().source is None

    @settings(deadline=None, max_examples=50)
    @given(st.lists(st.tuples(st.binary(max_size=60), st.booleans()), max_size=20))
    def test_any_bytes_do_no_harm(self, datagrams: list[tuple[bytes, bool]]) -> None:
        party = Party(A, plan(B))
        for index, (data, rtcp) in enumerate(datagrams):
            party.receive(data, B, 1.0 + index, rtcp=rtcp)
            party.receive(bytes(packet(index, 7))[:13] + data, B, 1.0 + index)
            party.engine.tick(1.02 + index)
        assert party.events(StreamFailed) == []


class TestDtmf:
    @pytest.mark.parametrize("lost", [set[int](), {50, 51}, {55, 56, 57}])
    def test_digits_arrive_once_each_whatever_two_or_three_packets_are_lost(self, lost: set[int]) -> None:
        pair = talk(lambda n, data: [] if n in lost else [(0.004, data)])
        pair.run(1)
        pair.a.stream.outbound.send_digits("12#", 100)
        pair.run(2)
        digits = [event for event in pair.b.events(DtmfReceived) if isinstance(event, DtmfReceived)]
        assert [event.digit for event in digits] == ["1", "2", "#"]
        if not lost:
            assert {event.duration_ms for event in digits} == {100}
        assert pair.b.stream.statistics().dtmf_received == 3
        assert pair.a.stream.statistics().dtmf_sent == 3
        pair.b.heard.frames.clear()
        pair.run(1)
        assert place_of(pair.b.heard.samples, sent_by(pair.a).samples) > 0  # sound goes on


class TestRtcp:
    def test_both_report_loss_jitter_and_round_trip(self) -> None:
        pair = talk(lambda n, data: [] if n % 20 == 0 and n else [(0.004, data)])
        pair.b.stream.outbound.set_source(Noise(2))
        pair.run(30)
        ours, theirs = pair.a.stream.statistics(), pair.b.stream.statistics()
        assert ours.rtcp_packets_sent == pytest.approx(7, abs=4)
        assert ours.rtcp_packets_received == pytest.approx(theirs.rtcp_packets_sent, abs=1)
        assert ours.remote_report is not None
        assert ours.remote_report.fraction_lost == pytest.approx(0.05, abs=0.02)
        assert ours.rtt_ms == pytest.approx(28, abs=20)  # 4 ms each way, and up to a tick to be read
        assert pair.a.events(RtcpReport)

    def test_goodbye_is_reported(self) -> None:
        pair = talk()
        pair.run(1)
        pair.a.engine.remove_stream(pair.a.stream, pair.now)
        assert len(pair.a.out) == 1
        pair.b.receive(pair.a.out[0][1], (A[0], A[1] + 1), pair.now, rtcp=True)
        assert len(pair.b.events(RtcpBye)) == 1

    def test_who_said_goodbye_is_reported_on_no_more(self) -> None:
        pair = talk()
        pair.run(12)
        due = pair.b.stream.control.reporter.interval.deadline
        pair.a.engine.remove_stream(pair.a.stream, pair.now)
        pair.b.receive(pair.a.out[-1][1], (A[0], A[1] + 1), pair.now, rtcp=True)
        assert pair.b.stream.control.reporter.interval.deadline < due
        pair.b.engine.remove_stream(pair.b.stream, pair.now)
        report = parse_compound(pair.b.out[-1][1])[0]
        assert isinstance(report, ReceiverReport)
        assert report.blocks == ()

    def test_reduced_size_is_taken_when_it_was_agreed_upon(self) -> None:
        goodbye = bytes(Goodbye((1,)))
        for agreed in (False, True):
            party = Party(A, replace(plan(B), rtcp_reduced_size=agreed))
            party.receive(goodbye, (B[0], B[1] + 1), 1.0, rtcp=True)
            assert party.stream.statistics().discarded_garbage == (not agreed)
            assert len(party.events(RtcpBye)) == agreed

    def test_an_ssrc_that_another_has_is_given_up(self) -> None:
        """RFC 3550 section 8.2: BYE under the old one, and numbers go on under the new."""
        pair = talk()
        pair.run(1)
        stream = pair.a.stream
        ssrc, number = stream.outbound.sender.ssrc, stream.outbound.sender.sequence_number
        for index in (1, 2):
            packet = RtpPacket(0, 100 + index, 160 * index, ssrc, b"\x55" * 160)
            pair.a.receive(bytes(packet), B, pair.now)
        pair.a.out.clear()
        pair.a.engine.tick(pair.now)
        goodbyes = [data for rtcp, data, _ in pair.a.out if rtcp]
        assert len(goodbyes) == 1
        assert parse_compound(goodbyes[0])[-1] == Goodbye((ssrc,))
        fresh = stream.outbound.sender.ssrc
        assert fresh != ssrc
        assert stream.outbound.sender.sequence_number == number + 1
        report = parse_compound(stream.control.reporter.report(pair.now, None, "a", 0))[0]
        assert isinstance(report, SenderReport)
        assert (report.ssrc, report.info.packets) == (fresh, 0)

    def test_an_echo_of_our_own_packets_is_heard_after_one_change(self) -> None:
        party = Party(A, plan(B))
        party.stream.outbound.set_source(Noise())
        ssrcs = set()
        for tick in range(100):
            party.out.clear()
            party.engine.tick(tick * 0.02)
            for rtcp, data, _ in party.out:
                if not rtcp:
                    ssrcs.add(RtpPacket.parse(data).ssrc)
                    party.receive(data, B, tick * 0.02)
        assert len(ssrcs) == 2
        assert party.stream.statistics().packets_received >= 98

    def test_a_goodbye_from_elsewhere_is_refused(self) -> None:
        pair = talk()
        pair.run(1)
        pair.a.engine.remove_stream(pair.a.stream, pair.now)
        pair.b.receive(pair.a.out[0][1], INTRUDER, pair.now, rtcp=True)
        assert pair.b.events(RtcpBye) == []
        assert pair.b.stream.statistics().discarded_foreign == 1

    def test_who_never_sent_anything_says_no_goodbye(self) -> None:
        party = Party(A, plan(B))
        party.engine.remove_stream(party.stream, 1.0)
        assert party.out == []

    def test_muxed_reports_go_by_the_rtp_socket(self) -> None:
        party = Party(A, plan(B, mux=True))
        party.stream.outbound.set_source(Noise())
        for tick in range(300):
            party.engine.tick(tick * 0.02)
        other = Party(B, plan(A, mux=True))
        for rtcp, data, destination in party.out:
            assert (rtcp, destination) == (False, B)
            other.receive(data, A, 5.0)
        assert other.stream.statistics().rtcp_packets_received >= 1
        assert other.stream.statistics().discarded_garbage == 0


class Broken:
    """Raises when used."""

    def push(self, frame: AudioFrame) -> None:
        raise RuntimeError("sink broke")

    def pull(self, n: int) -> AudioFrame | None:
        raise RuntimeError("source broke")


class TestFaults:
    def test_a_sink_that_raises_is_taken_off_and_the_others_hear_on(self) -> None:
        pair = talk()
        pair.b.stream.inbound.add_sink(Broken())
        pair.run(1)
        assert len(pair.b.events(StreamFailed)) == 1
        assert len(pair.b.heard.frames) == pytest.approx(49, abs=1)

    def test_a_source_that_raises_is_taken_off_and_receiving_goes_on(self) -> None:
        pair = talk()
        pair.b.stream.outbound.set_source(Broken())
        pair.b.stream.outbound.add_tap(Broken())
        pair.run(1)
        assert [
            str(event.error) for event in pair.b.events(StreamFailed) if isinstance(event, StreamFailed)
        ] == ["source broke"]
        assert len(pair.b.heard.frames) == pytest.approx(49, abs=1)

    def test_a_tap_that_raises_is_taken_off(self) -> None:
        pair = talk()
        pair.a.stream.outbound.add_tap(Broken())
        pair.run(1)
        assert len(pair.a.events(StreamFailed)) == 1
        assert len(pair.b.heard.frames) == pytest.approx(49, abs=1)


def test_a_minute_of_a_bad_network_is_heard_throughout() -> None:
    state = np.random.default_rng(4)

    def network(n: int, data: bytes) -> Iterable[tuple[float, bytes]]:
        if state.random() < 0.03:
            return []
        return [(float(state.uniform(0.002, 0.05)), data)]

    pair = talk(network)
    pair.run(60)
    statistics = pair.b.stream.statistics()
    assert len(pair.b.heard.frames) > 2900
    assert statistics.packets_lost == pytest.approx(90, abs=40)
    assert statistics.packets_late < 60
    assert statistics.jitter_ms == pytest.approx(15, abs=8)
    assert statistics.buffer_target_ms < 120


def test_statistics_know_both_ways() -> None:
    pair = Pair(Party(A, plan(B), 1), Party(B, plan(A), 2), perfect, perfect)
    pair.a.stream.outbound.set_source(Noise())
    pair.run(MID_CALL * 0.02)
    a, b = pair.a.stream.statistics(send_errors=3), pair.b.stream.statistics()
    assert (a.packets_sent, a.bytes_sent, a.send_errors) == (100, 16000, 3)
    assert (b.packets_received, b.bytes_received) == (99, 99 * 160)
    assert b.last_activity > 101
    assert a.ssrc == b.remote_ssrc
    assert b.source == A


def has_opus() -> bool:
    try:
        libopus.load()
    except CodecUnavailable:
        return False
    return True


CODECS = [("PCMU", 0), ("PCMA", 8), ("G722", 9), ("L16", 96), *([("opus", 97)] if has_opus() else [])]
operations = st.one_of(
    st.tuples(
        st.just("plan"),
        st.sampled_from(CODECS),
        st.sampled_from([10, 20, 30, 40, 60]),
        st.sampled_from(MediaDirection),
        st.booleans(),
        st.booleans(),
    ),
    st.tuples(
        st.sampled_from(["no plan", "digits", "raw", "skip", "listen", "deaf", "lose", "hush", "report"])
    ),
    st.tuples(st.just("run"), st.integers(1, 20)),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(operations, max_size=25))
def test_whatever_order_of_plans_and_wishes_nothing_fails_and_sound_comes_back(
    steps: list[tuple[Any, ...]],
) -> None:
    state = {"lose": 0}

    def network(n: int, data: bytes) -> Iterable[tuple[float, bytes]]:
        state["lose"] -= 1
        return [] if state["lose"] >= 0 else [(0.004, data)]

    pair = talk(network)
    for what, *details in steps:
        outbound, inbound = pair.a.stream.outbound, pair.b.stream.inbound
        if what == "plan":
            (name, number), ptime_ms, direction, events, pauses = details
            codec = get(name)
            ptime_ms = ptime_ms if ptime_ms in codec.ptimes_ms else 20
            ours = plan(B, codec, number, ptime_ms=ptime_ms, direction=direction, events=events)
            theirs = plan(A, codec, number, ptime_ms=20, direction=direction.reversed, events=events)
            noise = 13 if pauses and codec.clock_rate_hz == 8000 else None
            pair.a.engine.update(pair.a.stream, replace(ours, comfort_noise_send=noise))
            pair.b.engine.update(pair.b.stream, replace(theirs, comfort_noise_receive=noise))
            outbound.set_source(Noise(rate=codec.sample_rate_hz))
        elif what == "no plan":
            pair.a.engine.update(pair.a.stream, None)
        elif what == "digits":
            outbound.send_digits("1", 60)
        elif what == "raw":
            outbound.send_raw(bytes(160))
        elif what == "skip":
            pair.a.engine.skip(3)
        elif what == "listen":
            inbound.remove_sink(pair.b.heard)
            inbound.add_sink(pair.b.heard)
        elif what == "deaf":
            inbound.remove_sink(pair.b.heard)
        elif what == "lose":
            state["lose"] = 3
        elif what == "hush":
            sent = pair.a.stream.plan
            rate = 8000 if sent is None or sent.send_codec is None else sent.send_codec.sample_rate_hz
            outbound.set_source(SampleSource(np.zeros(rate, np.int16), rate))
        elif what == "report":
            outbound.packets_lost(0.1)
        else:
            pair.run(details[0] * 0.02)
    pair.a.engine.update(pair.a.stream, plan(B))
    pair.b.engine.update(pair.b.stream, plan(A))
    pair.a.stream.outbound.set_source(Noise(9))
    pair.b.stream.inbound.remove_sink(pair.b.heard)
    pair.b.stream.inbound.add_sink(pair.b.heard)
    pair.run(2)
    pair.b.heard.frames.clear()
    pair.run(0.5)
    assert place_of(pair.b.heard.samples[-800:], sent_by(pair.a).samples) > 0
    assert pair.a.events(StreamFailed) == pair.b.events(StreamFailed) == []


def test_voip_metrics_tell_the_sender_how_it_is_heard() -> None:
    draw = random.Random(4)

    def network(_: int, data: bytes) -> Iterable[tuple[float, bytes]]:
        return [] if draw.random() < 0.1 else [(0.004, data)]

    a = Party(A, plan(B), 1)
    b = Party(B, replace(plan(A), rtcp_xr=True), 2)
    a.stream.outbound.set_source(Noise())
    pair = Pair(a, b, network)
    pair.run(30)
    metrics = a.stream.statistics().remote_metrics
    assert metrics is not None
    assert metrics.ssrc == a.stream.outbound.sender.ssrc
    assert metrics.loss_rate == pytest.approx(0.1, abs=0.03)
    assert metrics.burst_density > metrics.gap_density > 0
    assert metrics.mos_conversation is not None
    assert 2.5 < metrics.mos_conversation < 4
    assert b.stream.statistics().remote_metrics is None
