"""Phones around a hub in virtual time, each humming a tone of its own; and a person with a sound card."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import numpy as np

from media.audio.tones import ToneSource
from media.device.virtual import VirtualCard
from media.frame import AudioFrame, Samples
from sipmedia import Account, Call, Dtmf, IncomingCall, Softphone
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
