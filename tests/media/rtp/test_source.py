"""Whom to believe: learning, locking, intruders, NAT rebinding."""

import pytest

from media.rtp.source import Source, Verdict, plausible

PEER = ("192.0.2.1", 4000)
NAT = ("198.51.100.7", 61000)
INTRUDER = ("203.0.113.9", 4000)


def judge(
    source: Source,
    address: tuple[str, int],
    ssrc: int,
    number: int,
    silent_s: float = 0.02,
    continues: bool = False,
) -> Verdict:
    return source.judge(address, ssrc, number, silent_s=silent_s, continues=continues)


def locked() -> Source:
    source = Source(PEER)
    assert judge(source, PEER, 1, 10) is Verdict.NEW_SOURCE
    return source


def test_the_signalled_address_is_believed_at_once() -> None:
    source = locked()
    assert (source.address, source.ssrc) == (PEER, 1)
    assert judge(source, PEER, 1, 11) is Verdict.ACCEPTED


def test_another_address_needs_two_packets_in_sequence() -> None:
    source = Source(PEER)
    assert judge(source, NAT, 1, 10) is Verdict.PROBATION
    assert judge(source, NAT, 1, 12) is Verdict.PROBATION
    assert judge(source, INTRUDER, 2, 13) is Verdict.PROBATION
    assert judge(source, NAT, 1, 13) is Verdict.NEW_SOURCE
    assert source.address == NAT


def test_the_signalled_address_takes_over_from_one_that_was_quicker() -> None:
    source = Source(PEER)
    judge(source, INTRUDER, 2, 10)
    assert judge(source, INTRUDER, 2, 11) is Verdict.NEW_SOURCE
    assert judge(source, PEER, 1, 50) is Verdict.NEW_SOURCE
    assert judge(source, INTRUDER, 2, 12) is Verdict.FOREIGN


@pytest.mark.parametrize("silent_s", [0.02, 1.0, 60.0, 3600.0])
@pytest.mark.parametrize("ssrc", [1, 2])
def test_an_intruder_is_refused_with_any_ssrc_and_after_any_silence(silent_s: float, ssrc: int) -> None:
    source = locked()
    for number in range(10, 200):
        assert judge(source, INTRUDER, ssrc, number, silent_s) is Verdict.FOREIGN
    assert source.address == PEER


def test_a_rebinding_that_continues_moves_after_two_packets() -> None:
    source = locked()
    assert judge(source, NAT, 1, 14, 0.08, True) is Verdict.PROBATION
    assert judge(source, NAT, 1, 15, 0.1, True) is Verdict.MOVED
    assert source.address == NAT


def test_no_rebinding_while_the_old_address_still_sends() -> None:
    source = locked()
    for number in range(11, 50):
        assert judge(source, INTRUDER, 1, number, 0.02, True) is Verdict.FOREIGN


def test_signalling_names_another_address() -> None:
    source = locked()
    source.name(NAT)
    assert judge(source, PEER, 1, 11) is Verdict.ACCEPTED  # until the new one sends
    assert judge(source, NAT, 5, 900) is Verdict.NEW_SOURCE
    assert judge(source, PEER, 1, 12) is Verdict.FOREIGN


def test_a_new_ssrc_at_the_locked_address_needs_two_in_sequence() -> None:
    source = locked()
    assert judge(source, PEER, 9, 100) is Verdict.PROBATION
    assert judge(source, PEER, 1, 12) is Verdict.ACCEPTED
    assert judge(source, PEER, 9, 101) is Verdict.NEW_SOURCE
    assert source.ssrc == 9


def test_candidates_are_few_whatever_comes() -> None:
    source = Source()
    for port in range(1000):
        judge(source, ("192.0.2.9", port), port, 7)
    assert len(source._candidates) <= 16


@pytest.mark.parametrize(
    ("steps", "units", "elapsed", "expected"),
    [
        (1, 160, 0.02, True),
        (5, 800, 0.1, True),
        (1, 8000, 1.0, True),  # silence with the clock running
        (1, 160, 30.0, True),  # silence with the clock stopped
        (0, 0, 0.02, False),
        (65535, 160, 0.02, False),
        (20000, 160, 1.0, False),
        (1, 123456789, 1.0, False),
        (5000, 800000, 100.0, True),  # sent on through a long outage
        (5000, 800000, 10.0, False),
        (6000, 800000, 100.0, False),
        (5000, 160, 100.0, False),
    ],
)
def test_plausible(steps: int, units: int, elapsed: float, expected: bool) -> None:
    assert plausible(steps, units, elapsed, 8000) is expected
