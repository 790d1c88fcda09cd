"""Opus and comfort noise between two media managers in virtual time."""

import asyncio
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from media import ManagerConfig, MediaManager, MediaSession, SessionConstraints
from media.audio.graph import SampleSource
from media.audio.synthesis import speech
from media.codec import libopus, registry
from media.codec.base import Codec
from media.codec.opus import OpusEncoder, OpusSettings, opus
from media.errors import CodecUnavailable
from media.events import DtmfDigitReceived, SessionError
from media.frame import AudioFrame, Samples
from media.statistics import MediaStats
from sipmedia.simulation import Network, Simulation

try:
    libopus.load()
except CodecUnavailable as missing:
    pytest.skip(str(missing), allow_module_level=True)

A, B = "10.0.0.1", "10.0.0.2"


@dataclass
class Listener:
    """What one side heard."""

    frames: list[AudioFrame] = field(default_factory=list)

    def push(self, frame: AudioFrame) -> None:
        self.frames.append(frame)

    @property
    def samples(self) -> Samples:
        return np.concatenate([frame.samples for frame in self.frames])

    def gaps(self) -> int:
        """Frames that do not begin where the one before them ended."""
        ends = [frame.timestamp + len(frame.samples) for frame in self.frames]
        return sum(frame.timestamp != end for frame, end in zip(self.frames[1:], ends, strict=False))


@dataclass
class Result:
    heard: Listener
    sent: MediaStats
    received: MediaStats
    digits: list[str]
    durations_ms: list[int]


def one_way(
    sound: Samples,
    *,
    codecs: tuple[str, ...] = ("opus",),
    seconds: float | None = None,
    digits: str = "",
    ptime: int = 20,
    config: dict[str, Any] | None = None,
    change: Callable[[str], str] = str,
    **link: Any,
) -> Result:
    """Play `sound` from one manager to another; `change` is what happens to the offer on its way."""

    async def main() -> Result:
        settings = {"default_audio_codecs": codecs, "default_ptime": ptime, **(config or {})}
        managers = [MediaManager(ManagerConfig(default_local_ip=host, **settings)) for host in (A, B)]
        for manager in managers:
            manager.start()
        a, offer = managers[0].create_offer()
        b: MediaSession = managers[1].create_session_from_sdp(change(offer))
        a.set_remote_answer(b.create_answer())
        heard, keys = Listener(), list[DtmfDigitReceived]()
        b.add_sink(heard)
        b.on("dtmf_received", keys.append)
        a.set_source(SampleSource(sound, a.rate))
        b.set_source(SampleSource(sound, b.rate))  # RTCP has somebody to report on, both ways
        if digits:
            await asyncio.sleep(1)
            a.send_dtmf(digits)
        await asyncio.sleep(seconds or len(sound) / a.rate + 0.5)
        stats = [session.statistics().media["audio"] for session in (a, b)]
        for manager in managers:
            manager.stop()
        return Result(
            heard, stats[0], stats[1], [key.digit for key in keys], [key.duration_ms for key in keys]
        )

    network = Network(seed=5)
    network.link(network.host(A), network.host(B), **{"delay": 0.02, **link})
    simulation = Simulation(network)
    simulation.capture.points = "none"
    return simulation.run(main(), limit=600.0)


def likeness(heard: Samples, sent: Samples, rate: int) -> float:
    """The mean over 100 ms segments of the best correlation within 300 ms after where they belong."""
    size, reach = rate // 10, rate * 3 // 10
    found = []
    for at in range(0, min(len(sent), len(heard)) - size - reach, size):
        segment, around = sent[at : at + size].astype(float), heard[at : at + size + reach].astype(float)
        if np.std(segment) < 300:
            continue
        products = np.correlate(around, segment, "valid")
        energies = np.convolve(around**2, np.ones(size), "valid")
        found.append(float(np.max(products / np.sqrt(energies * (segment @ segment) + 1))))
    return float(np.mean(found))


@pytest.fixture
def wideband() -> Any:
    """Opus at 16 kHz, to spare the tests' time; what was registered comes back."""
    before = registry.get("opus")
    yield lambda **settings: registry.register(opus(OpusSettings(sample_rate_hz=16000, **settings)))
    registry.register(before)


@pytest.mark.parametrize("ptime", [10, 20, 40, 60])
def test_opus_is_heard(ptime: int) -> None:
    sound = speech(48000, 2.0, random.Random(1))
    result = one_way(sound, ptime=ptime)
    assert likeness(result.heard.samples, sound, 48000) > 0.8
    assert abs(result.sent.packets_sent - 2000 / ptime) < 3
    assert result.heard.gaps() == 0


@pytest.mark.parametrize("ptime", [20, 60])
def test_what_is_lost_is_recovered(ptime: int, wideband: Callable[..., Codec]) -> None:
    sound = speech(16000, 12.0, random.Random(2))
    likenesses = []
    for fec in (True, False):
        wideband(inband_fec=fec, bitrate=32000)
        result = one_way(sound, loss=0.1, ptime=ptime)
        assert 0.05 < result.received.packet_loss_rate < 0.16
        likenesses.append(likeness(result.heard.samples, sound, 16000))
    assert likenesses[0] > likenesses[1] + 0.01


def test_the_reported_loss_reaches_the_encoder(
    wideband: Callable[..., Codec], monkeypatch: pytest.MonkeyPatch
) -> None:
    wideband()
    told = []
    monkeypatch.setattr(OpusEncoder, "set_packet_loss", lambda self, fraction: told.append(fraction))
    one_way(speech(16000, 30.0, random.Random(3)), loss=0.2)
    reported = [fraction for fraction in told if fraction != OpusSettings().expected_loss]
    assert reported
    assert 0.1 < np.mean(reported) < 0.3


def test_pauses_cost_next_to_nothing_and_are_no_losses(wideband: Callable[..., Codec]) -> None:
    wideband(dtx=True)
    spoken = speech(16000, 1.0, random.Random(4))
    sound = np.concatenate((spoken, np.zeros(16000 * 4, np.int16), spoken))
    result = one_way(sound)
    assert result.sent.packets_sent < 50 + 50 + 50
    assert result.heard.gaps() == 0
    assert result.received.packets_lost == 0
    assert likeness(result.heard.samples, sound, 16000) > 0.75
    assert np.abs(result.heard.samples[16000 * 2 : 16000 * 4]).max() < 500


def only_8000(offer: str) -> str:
    """The offer of a device that has telephone-event at 8000 Hz only."""
    lines = [line for line in offer.splitlines() if ":101 " not in line]
    return "\r\n".join(line.replace(" 101", "") if line.startswith("m=") else line for line in lines) + "\r\n"


def without_pcmu(offer: str) -> str:
    """The offer after somebody on its way struck the first codec out."""
    return offer.replace("RTP/AVP 0 ", "RTP/AVP ")


@pytest.mark.parametrize(
    ("codecs", "change"), [(("opus",), str), (("opus",), only_8000), (("PCMU", "opus"), without_pcmu)]
)
def test_keys_beside_opus(
    codecs: tuple[str, ...], change: Callable[[str], str], wideband: Callable[..., Codec]
) -> None:
    wideband()
    sound = speech(16000, 4.0, random.Random(5))
    result = one_way(sound, codecs=codecs, digits="19*D", change=change)
    assert result.digits == list("19*D")
    assert all(90 <= duration <= 120 for duration in result.durations_ms)
    assert result.received.jitter < 1


def noise(level: float, seconds: float, rate: int) -> Samples:
    return np.random.default_rng(1).normal(0, level, int(rate * seconds)).astype(np.int16)


@pytest.mark.parametrize(("codec", "rate"), [("PCMU", 8000), ("G722", 16000)])
def test_comfort_noise_stands_for_pauses(codec: str, rate: int) -> None:
    spoken = speech(rate, 1.0, random.Random(6))
    sound = noise(60, 10, rate)
    sound[2 * rate : 3 * rate] += spoken
    config = {"comfort_noise": True, "silence_suppression": True}
    result = one_way(sound, codecs=(codec,), config=config)
    assert result.sent.packets_sent < 150
    assert result.heard.gaps() == 0
    assert result.received.packets_lost == 0
    heard = result.heard.samples
    for second in (1, 5, 8):
        level = np.std(heard[second * rate : (second + 1) * rate].astype(float))
        below_4k = 60 if rate == 8000 else 60 / np.sqrt(2)
        assert abs(20 * np.log10(level / below_4k)) < 3
    assert likeness(heard[: 4 * rate], np.concatenate((np.zeros(2 * rate, np.int16), spoken)), rate) > 0.9


def test_without_agreement_pauses_are_sent() -> None:
    sound = noise(60, 3, 8000)
    result = one_way(sound, codecs=("PCMU",), config={"silence_suppression": True})
    assert result.sent.packets_sent >= 150


def test_keys_in_a_pause(wideband: Callable[..., Codec]) -> None:
    config = {"comfort_noise": True, "silence_suppression": True}
    result = one_way(noise(60, 4, 8000), codecs=("PCMU",), config=config, digits="42")
    assert result.digits == list("42")


def test_a_lost_description_is_replaced_by_the_next() -> None:
    config = {"comfort_noise": True, "silence_suppression": True}
    result = one_way(noise(60, 12, 8000), codecs=("PCMU",), config=config, loss=0.2)
    assert result.heard.gaps() == 0
    heard = result.heard.samples[3 * 8000 : 11 * 8000]
    assert abs(20 * np.log10(np.std(heard.astype(float)) / 60)) < 3


def test_the_codec_changes_in_mid_call() -> None:
    """Opus, PCMU, and Opus again: nothing fails, the sound goes on at each one's rate."""

    async def main() -> tuple[list[int], list[SessionError]]:
        managers = [
            MediaManager(ManagerConfig(host, default_audio_codecs=("opus", "PCMU"), idle="silence"))
            for host in (A, B)
        ]
        failures: list[SessionError] = []
        for manager in managers:
            manager.start()
            manager.on("session_error", failures.append)
        a, offer = managers[0].create_offer()
        b = managers[1].create_session_from_sdp(offer)
        a.set_remote_answer(b.create_answer())
        heard = Listener()
        b.add_sink(heard)
        await asyncio.sleep(1)
        for codec in ("PCMU", "opus"):
            b.set_remote_offer(a.create_offer(SessionConstraints(audio_codecs=(codec,))))
            a.set_remote_answer(b.create_answer())
            assert a.codec == b.codec == codec
            await asyncio.sleep(1)
        for manager in managers:
            manager.stop()
        return [frame.sample_rate_hz for frame in heard.frames], failures

    network = Network(seed=1, delay=0.02)
    network.host(A), network.host(B)
    rates, failures = Simulation(network).run(main(), limit=60.0)
    assert not failures
    assert [rate for rate, _ in itertools.groupby(rates)] == [48000, 8000, 48000]
    assert len(rates) > 130
