"""media/statistics.py: what the engine counted, in the words of the contract."""

from media.rtp.statistics import RemoteReport, StreamStatistics
from media.statistics import MediaStats, media_stats


def test_nothing_counted() -> None:
    assert media_stats(StreamStatistics(), None) == MediaStats()
    assert media_stats(StreamStatistics(), "PCMU").mos is None


def test_counts() -> None:
    counted = StreamStatistics(
        packets_sent=10,
        bytes_sent=1600,
        packets_received=95,
        bytes_received=15200,
        packets_lost=5,
        packets_late=1,
        packets_duplicate=2,
        packets_reordered=3,
        discarded_foreign=1,
        discarded_garbage=2,
        discarded_overflow=3,
        fraction_lost=0.05,
        jitter_ms=1.5,
        rtt_ms=40.0,
        remote_report=RemoteReport(0.25, 7, 3.5, 0.0),
        dtmf_sent=1,
        dtmf_received=2,
        ssrc=5,
        remote_ssrc=6,
    )
    stats = media_stats(counted, "PCMU")
    assert (stats.packets_sent, stats.packets_received, stats.packets_lost) == (10, 95, 5)
    assert (stats.packet_loss_rate, stats.jitter, stats.rtt) == (0.05, 1.5, 40.0)
    assert (stats.packets_late, stats.packets_duplicate, stats.packets_reordered) == (1, 2, 3)
    assert stats.packets_discarded == 6
    assert (stats.remote_packet_loss_rate, stats.remote_jitter) == (0.25, 3.5)
    assert (stats.codec, stats.ssrc, stats.remote_ssrc) == ("PCMU", 5, 6)
    assert stats.mos is not None


def test_opinion_falls_with_loss_and_delay() -> None:
    def score(lost: int = 0, late: int = 0, rtt: float | None = None) -> float:
        counted = StreamStatistics(packets_received=100, packets_lost=lost, packets_late=late, rtt_ms=rtt)
        mos = media_stats(counted, "PCMU").mos
        assert mos is not None
        return mos

    assert 4.3 < score() < 4.5
    assert score() > score(lost=5) > score(lost=5, late=5) > score(lost=50)
    assert score() > score(rtt=500.0) > score(rtt=2000.0)
    assert score(lost=100000) >= 1.0
