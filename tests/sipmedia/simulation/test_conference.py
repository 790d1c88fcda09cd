"""Conferences and bridges in virtual time: who hears whom, in which codec, and how late."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import numpy as np
import pytest

from media import MediaManager
from media.audio.echo_cancellation import VoiceSettings
from media.audio.graph import SampleSource
from media.audio.tones import ToneSource
from media.device.virtual import VirtualBackend, VirtualCard
from media.frame import AudioFrame, Samples
from sipmedia import (
    Account,
    Bridge,
    Call,
    Conference,
    Dtmf,
    Headset,
    IncomingCall,
    InvalidCallState,
    Softphone,
    bridge,
)
from sipmedia.simulation import Network, Simulation


def amplitude(samples: Samples, rate_hz: int, hz: float) -> float:
    time = np.arange(len(samples)) / rate_hz
    return float(abs(np.mean(samples * np.exp(-2j * np.pi * hz * time)))) * 2


class Ear:
    """Keeps what a call hears."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.frames: list[tuple[float, AudioFrame]] = []
        self.keys: list[tuple[str, str]] = []
        assert call.session is not None
        call.session.add_sink(self)
        call.on("dtmf", self.on_key)

    def on_key(self, event: Dtmf) -> None:
        self.keys.append((event.digit, event.method))

    def push(self, frame: AudioFrame) -> None:
        self.frames.append((asyncio.get_running_loop().time(), frame))

    def loudness(self, hz: float, last: float = 1.0) -> float:
        """The amplitude of a tone in the last second."""
        frames = [frame for _, frame in self.frames[-round(last * 50) :]]
        rate = frames[-1].sample_rate_hz
        samples = np.concatenate([frame.samples for frame in frames if frame.sample_rate_hz == rate])
        return amplitude(samples, rate, hz)

    def hears(self, *tones: float, among: tuple[float, ...] = (500.0, 700.0, 1100.0)) -> bool:
        loud = {hz for hz in among if self.loudness(hz) > 800}
        quiet = {hz for hz in among if self.loudness(hz) < 60}
        return loud == set(tones) and quiet == set(among) - loud


Test = Callable[[Softphone, list[Call], list[Ear]], Awaitable[None]]


async def meet(test: Test, codecs: list[str], **dial: Any) -> None:
    """One phone at the hub calls a phone for each codec; each says a tone of its own."""
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(Softphone(Account("sip:hub@10.0.0.1"), bind="10.0.0.1:5060"))
        ears: list[Ear] = []
        calls: list[Call] = []
        for i, codec in enumerate(codecs):
            address = f"10.0.0.{i + 2}"
            phone = await stack.enter_async_context(
                Softphone(Account(f"sip:p{i}@{address}"), bind=f"{address}:5060")
            )

            async def answer(event: IncomingCall) -> None:
                await event.call.answer()
                ears.append(Ear(event.call))

            phone.on("incoming_call", answer)
            calls.append(await hub.call(f"sip:p{i}@{address}", codecs=[codec], **dial))
        await asyncio.sleep(0.5)
        for ear, hz in zip(ears, (500.0, 700.0, 1100.0), strict=False):
            ear.call.play(ToneSource(ear.call.rate, (hz,), level_dbov=-20.0))
        await test(hub, calls, ears)
        for call in calls:
            await call.hangup()


def simulate(test: Test, codecs: list[str], **link: Any) -> Simulation:
    network = Network(seed=1, **link)
    for i in range(len(codecs) + 1):
        network.host(f"10.0.0.{i + 1}")
    sim = Simulation(network)
    sim.run(meet(test, codecs), limit=300)
    assert sim.open_sockets() == []
    return sim


@pytest.mark.parametrize("codecs", [["PCMU"] * 3, ["PCMU", "G722", "PCMA"]])
def test_three_hear_each_other_and_not_themselves(codecs: list[str]) -> None:
    async def test(hub: Softphone, calls: list[Call], ears: list[Ear]) -> None:
        with Conference() as conference:
            parties = [conference.add(call) for call in calls]
            assert conference.calls == tuple(calls)
            assert conference.add(calls[0]) is parties[0] is conference[calls[0]]
            await asyncio.sleep(3)
            assert ears[0].hears(700.0, 1100.0)
            assert ears[1].hears(500.0, 1100.0)
            assert ears[2].hears(500.0, 700.0)
            assert parties[1].level_dbov == pytest.approx(-20, abs=1)
            parties[0].muted = True
            parties[1].whisper_to = parties[2]
            await asyncio.sleep(3)
            assert ears[0].hears(1100.0)
            assert ears[1].hears(1100.0)
            assert ears[2].hears(700.0)
            parties[0].muted, parties[1].whisper_to = False, None
            await calls[2].hangup()
            assert conference.calls == tuple(calls[:2])
            await asyncio.sleep(3)
            assert ears[0].hears(700.0)
            assert ears[1].hears(500.0)
            assert all(party.dropped == 0 for party in parties[:2])
        await asyncio.sleep(3)
        assert ears[0].hears()

    simulate(test, codecs, delay=0.01)


class Person:
    """Hums into the microphone of a card, and hears its loudspeaker."""

    def __init__(self, hz: float) -> None:
        self._tone = ToneSource(48000, (hz,), level_dbov=-20.0)
        self.heard: list[Samples] = []
        self.card = VirtualCard("desk", self.hum, self.hear, rates_hz=(48000,), clock_ppm=80)

    def hum(self, n: int, _rate_hz: int) -> Samples:
        frame = self._tone.pull(n)
        assert frame is not None
        return frame.samples

    def hear(self, samples: Samples, _rate_hz: int) -> None:
        self.heard.append(samples.copy())

    def hears(self, *tones: float) -> bool:
        second = np.concatenate(self.heard[-100:])
        loud = {hz for hz in (500.0, 700.0, 1100.0) if amplitude(second, 48000, hz) > 600}
        return loud == set(tones)


@pytest.mark.parametrize("codecs", [["PCMU"] * 2, ["G722", "PCMA"]])
def test_a_person_with_a_headset_takes_part(codecs: list[str]) -> None:
    async def test(hub: Softphone, calls: list[Call], ears: list[Ear]) -> None:
        person = Person(1100.0)
        async with Headset(
            backend=VirtualBackend([person.card]), voice=VoiceSettings(echo_cancellation=False)
        ) as headset:
            headset.attach(calls[0])
            await asyncio.sleep(2)
            assert ears[0].hears(1100.0)
            conference = Conference()
            party = conference.add(headset)
            assert (headset.call, conference.headsets, conference[headset]) == (None, (headset,), party)
            assert conference.add(headset) is party
            for call in calls:
                conference.add(call)
            await asyncio.sleep(3)
            before = headset.statistics()
            await asyncio.sleep(2)
            assert ears[0].hears(700.0, 1100.0)
            assert ears[1].hears(500.0, 1100.0)
            assert person.hears(500.0, 700.0)
            after = headset.statistics()
            for way in ("input", "output"):
                first, last = before[way], after[way]
                assert first is not None
                assert last is not None
                assert (last.underruns, last.skipped_ms) == (first.underruns, first.skipped_ms)
                assert last.delay_ms < 45
            assert party.dropped == 0
            conference.remove(calls[0])
            headset.muted = True
            await asyncio.sleep(3)
            assert ears[1].hears()
            assert person.hears(700.0)
            headset.muted = False
            headset.attach(calls[1])  # and out of the conference
            assert (headset.call, conference.headsets) == (calls[1], ())
            conference.remove(calls[1])
            headset.attach(calls[0])
            await asyncio.sleep(3)
            assert ears[0].hears(1100.0)
            assert person.hears(500.0)
            conference.add(headset)
            conference.close()
            assert (conference.headsets, conference.calls) == ((), ())
            conference.remove(headset)  # harmless
            conference.add(headset)
        assert conference.headsets == ()  # it was closed

    simulate(test, codecs)


def test_codecs_change_in_mid_conference() -> None:
    async def test(hub: Softphone, calls: list[Call], ears: list[Ear]) -> None:
        conference = Conference()
        for call in calls:
            conference.add(call)
        await asyncio.sleep(2)
        await calls[0].use_codecs("G722")
        await asyncio.sleep(3)
        assert calls[0].codec == "G722"
        assert ears[0].hears(700.0, among=(700.0,))
        assert ears[1].hears(500.0, among=(500.0, 700.0))

    simulate(test, ["PCMU", "PCMU"])


def test_music_for_who_is_alone_and_on_hold(tmp_path: Any) -> None:
    import soundfile

    time = np.arange(8000 * 2) / 8000
    soundfile.write(tmp_path / "m.wav", (3000 * np.sin(2 * np.pi * 1500 * time)).astype(np.int16), 8000)

    async def test(hub: Softphone, calls: list[Call], ears: list[Ear]) -> None:
        conference = Conference(music=tmp_path / "m.wav")
        conference.add(calls[0])
        await asyncio.sleep(3)
        every = (500.0, 700.0, 1500.0)
        assert ears[0].hears(1500.0, among=every)
        party = conference.add(calls[1])
        await asyncio.sleep(3)
        assert ears[0].hears(700.0, among=every)
        party.on_hold = True
        await asyncio.sleep(3)
        assert ears[0].hears(among=every)
        assert ears[1].hears(1500.0, among=every)

    simulate(test, ["PCMU", "PCMU"])


def test_mixing_takes_no_time() -> None:
    """From mouth to ear it is what two buffers take; the mixer in between adds no tick."""

    async def test(hub: Softphone, calls: list[Call], ears: list[Ear]) -> None:
        conference = Conference()
        for call in calls:
            conference.add(call)
        for ear in ears:
            ear.call.stop_playing()
        await asyncio.sleep(2)
        loop = asyncio.get_running_loop()
        said = loop.time()
        ears[0].call.play(SampleSource(np.full(8000, 5000, np.int16), 8000))
        await asyncio.sleep(1)
        heard = next(time for time, frame in ears[1].frames if time > said and frame.samples.max() > 4000)
        assert heard - said < 0.13

    simulate(test, ["PCMU", "PCMU", "PCMU"])


def test_a_bridge_sends_packets_on_and_transcodes_when_codecs_part() -> None:
    async def test(hub: Softphone, calls: list[Call], ears: list[Ear]) -> None:
        joined = bridge(*calls)
        assert not joined.transcodes
        await asyncio.sleep(3)
        assert ears[0].hears(700.0)
        assert ears[1].hears(500.0)
        await ears[0].call.send_dtmf("12")
        await asyncio.sleep(1)
        assert ears[1].keys == [("1", "rfc4733"), ("2", "rfc4733")]
        await calls[0].use_codecs("G722")
        assert joined.transcodes
        await asyncio.sleep(3)
        assert ears[1].hears(500.0)
        assert ears[0].hears(700.0, among=(700.0,))
        await ears[1].call.send_dtmf("9#")
        await asyncio.sleep(1)
        assert [key for key, _ in ears[0].keys] == ["9", "#"]
        await calls[0].use_codecs("PCMU")
        assert not joined.transcodes
        await asyncio.sleep(3)
        assert ears[0].hears(700.0)
        assert ears[1].hears(500.0)
        joined.close()
        joined.close()
        await asyncio.sleep(3)
        assert ears[0].hears()
        assert ears[1].hears()

    simulate(test, ["PCMU", "PCMU"], delay=0.01)


@pytest.mark.parametrize("codecs", [["PCMU", "PCMA"], ["PCMU", "G722"]])
def test_a_bridge_between_codecs(codecs: list[str]) -> None:
    async def test(hub: Softphone, calls: list[Call], ears: list[Ear]) -> None:
        joined = Bridge(*calls)
        assert joined.transcodes
        await asyncio.sleep(3)
        assert ears[0].hears(700.0)
        assert ears[1].hears(500.0)
        await calls[0].hangup()
        assert joined.closed
        await asyncio.sleep(2)
        assert ears[1].hears()

    simulate(test, codecs, delay=0.01)


def test_a_bridge_hides_no_loss_and_adds_no_buffer() -> None:
    async def test(hub: Softphone, calls: list[Call], ears: list[Ear]) -> None:
        with bridge(*calls):
            await asyncio.sleep(20)
        near = calls[0].statistics()
        far = ears[1].call.statistics()
        assert near is not None
        assert far is not None
        lost = near.media["audio"].packets_lost
        assert lost > 10
        assert far.media["audio"].packets_lost >= lost

    simulate(test, ["PCMU", "PCMU"], loss=0.03)


def test_a_bridge_transcodes_when_one_side_sends_another_codec_than_we_do() -> None:
    async def test(hub: Softphone, calls: list[Call], ears: list[Ear]) -> None:
        joined = bridge(*calls)
        await asyncio.sleep(1)
        joined._on_misfit()  # as the media thread would tell
        await asyncio.sleep(3)
        assert joined.transcodes
        assert ears[0].hears(700.0)
        assert ears[1].hears(500.0)

    simulate(test, ["PCMU", "PCMU"], delay=0.01)


def test_announcements_into_a_bridge() -> None:
    async def test(hub: Softphone, calls: list[Call], ears: list[Ear]) -> None:
        with bridge(*calls):
            await asyncio.sleep(1)
            await calls[1].play(ToneSource(8000, (1500.0,), level_dbov=-20.0, duration_s=2.0))
            among = (500.0, 700.0, 1500.0)
            assert ears[0].hears(700.0, among=among)
            assert ears[1].hears(1500.0, among=among)
            await asyncio.sleep(3)
            assert ears[1].hears(500.0, among=among)

    simulate(test, ["PCMU", "PCMU"], delay=0.01)


def test_calls_of_two_managers_are_refused() -> None:
    async def test(hub: Softphone, calls: list[Call], ears: list[Ear]) -> None:
        conference = Conference()
        conference.add(calls[0])
        with pytest.raises(InvalidCallState, match="share one"):
            conference.add(ears[0].call)
        with pytest.raises(InvalidCallState, match="share one"):
            bridge(calls[0], ears[0].call)
        assert conference.calls == (calls[0],)
        assert isinstance(calls[0].media_manager, MediaManager)

    simulate(test, ["PCMU"])
