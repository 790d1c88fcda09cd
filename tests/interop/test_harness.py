"""The harness itself: an ear that cannot tell sounds apart, or a relay that loses nothing, proves nothing."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.interop.harness import sound
from tests.interop.harness.parties import Party, free_port, listens
from tests.interop.harness.process import PeerProcess, PeerTimeout
from tests.interop.harness.relay import Copies, Relay, lose_first, pass_all, repeat


def test_match_finds_the_sound_and_only_it() -> None:
    mine, theirs = sound.tune(1), sound.tune(2)
    late = np.concatenate([np.zeros(1234, np.int16), mine])
    assert sound.match(late, mine).correlation > 0.99
    assert sound.match(late, theirs).correlation < 0.5


def test_match_counts_only_what_is_audible() -> None:
    assert sound.match(np.zeros(16000, np.int16), sound.tune(1)) == sound.Match(0.0, 0.0)


def test_a_sound_with_every_fifth_packet_missing_is_not_accepted() -> None:
    mine = sound.tune(1)
    broken = mine.reshape(-1, 160).copy()
    broken[::5] = 0
    with pytest.raises(AssertionError, match="heard"):
        sound.assert_heard(broken.ravel(), mine, at_least_s=1)


def test_mu_law_of_known_samples() -> None:
    assert sound.mu_law(np.array([0, 32767, -32768], np.int16)) == bytes([0xFF, 0x80, 0x00])


def test_wav_comes_back(tmp_path: Path) -> None:
    path = sound.write_wav(tmp_path / "a.wav", sound.tune(3, 1.0))
    assert np.array_equal(sound.read_wav(path), sound.tune(3, 1.0))


def exchange(relay_party: Party, copies: Copies, sent: list[bytes]) -> Iterator[bytes]:
    """What arrives upstream of a relay when `sent` goes in."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as upstream,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near,
    ):
        upstream.bind((relay_party.host, free_port(relay_party.host)))
        upstream.settimeout(0.5)
        near.bind((relay_party.host, 0))
        with Relay(relay_party.address, upstream.getsockname(), copies):
            for data in sent:
                near.sendto(data, relay_party.address)
            while True:
                try:
                    yield upstream.recv(100)
                except TimeoutError:
                    return


def test_relay_passes_loses_and_repeats(addresses: Iterator[Party]) -> None:
    sent = [b"ACK sip:x SIP/2.0\r\nCSeq: 1 ACK\r\n\r\n", b"BYE sip:x SIP/2.0\r\nCSeq: 2 BYE\r\n\r\n"]
    assert list(exchange(next(addresses), pass_all, sent)) == sent
    assert list(exchange(next(addresses), lose_first("ACK"), sent)) == sent[1:]
    assert list(exchange(next(addresses), lose_first("ACK"), [sent[0], *sent])) == sent
    assert list(exchange(next(addresses), repeat("BYE", 3), sent)) == [sent[0], *[sent[1]] * 3]


def test_a_listening_port_is_seen(addresses: Iterator[Party]) -> None:
    party = next(addresses)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        assert not listens(party.address)
        taken.bind(party.address)
        assert listens(party.address)


def test_a_process_is_ended_with_its_block(tmp_path: Path) -> None:
    code = "import time; print('up'); time.sleep(60)"
    with PeerProcess("sleeper", [sys.executable, "-c", code], tmp_path) as process:
        process.wait_for("up")
        with pytest.raises(PeerTimeout, match="still runs"):
            process.wait(0.1)
    assert not process.running


def test_a_process_that_ends_early_is_told(tmp_path: Path) -> None:
    with (
        PeerProcess("failing", [sys.executable, "-c", "print('no such file')"], tmp_path) as process,
        pytest.raises(PeerTimeout, match="no such file"),
    ):
        process.wait_for("ready")
