"""A headset in calls, in virtual time: sound both ways, devices lost and changed, warnings."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from media.audio.echo_cancellation import VoiceSettings
from media.audio.synthesis import speech
from media.device.base import DeviceInfo, Opening
from media.device.errors import DeviceBusy, DeviceFailed, DeviceNotFound, NoDevice, RateRefused
from media.device.virtual import VirtualBackend, VirtualCard, VirtualStream
from media.frame import Samples
from sipmedia import Account, Call, Headset, IncomingCall, Softphone
from sipmedia.simulation import Network, Simulation

OFF = VoiceSettings(echo_cancellation=False)
RATE = 48000


@dataclass
class Human:
    """Speaks into a card and hears what it plays."""

    said: Samples
    heard: list[Samples] = field(default_factory=list)
    place: int = 0

    def speak(self, n: int, rate_hz: int) -> Samples:
        assert rate_hz == RATE
        start, self.place = self.place, self.place + n
        return np.take(self.said, np.arange(start, start + n), mode="wrap")

    def hear(self, samples: Samples, _rate_hz: int) -> None:
        self.heard.append(samples.copy())

    def card(self, name: str, **settings: Any) -> VirtualCard:
        return VirtualCard(name, self.speak, self.hear, **settings)

    def sound(self, start_s: float = 0.0, end_s: float | None = None) -> Samples:
        whole = np.concatenate(self.heard) if self.heard else np.zeros(0, np.int16)
        return whole[int(start_s * RATE) : None if end_s is None else int(end_s * RATE)]


def human(seed: int, pitch_hz: float = 130.0) -> Human:
    random = Network(seed).random("human")
    return Human(speech(RATE, 6.0, random, pitch_hz=pitch_hz))


def likeness(heard: Samples, said: Samples) -> float:
    """The best correlation of a piece of what was heard with what was said, whatever the delay."""
    piece = heard[: 2 * RATE : 6].astype(float)  # 8 kHz is enough
    whole = np.tile(said, 2)[::6].astype(float)
    piece -= piece.mean()
    size = 1 << (len(piece) + len(whole)).bit_length()
    products = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(piece, size)), size)
    products = products[: len(whole) - len(piece)]
    energies = np.convolve(whole**2, np.ones(len(piece)), "valid")[: len(products)]
    return float(np.max(products / np.sqrt(np.maximum(energies, 1) * max(1.0, float(piece @ piece)))))


def run(main: Coroutine[Any, Any, None], limit: float = 120.0) -> None:
    network = Network(1)
    network.link(network.host("10.0.0.1"), network.host("10.0.0.2"), delay=0.01)
    Simulation(network).run(main, limit=limit)


@asynccontextmanager
async def calling() -> AsyncIterator[tuple[Call, Call]]:
    """Two phones in a call: the caller's call and the callee's."""
    async with (
        Softphone(Account("sip:alice@10.0.0.1"), bind="10.0.0.1:5060") as alice,
        Softphone(Account("sip:bob@10.0.0.2"), bind="10.0.0.2:5060") as bob,
    ):
        answered: asyncio.Future[Call] = asyncio.get_running_loop().create_future()

        async def answer(event: IncomingCall) -> None:
            await event.call.answer()
            answered.set_result(event.call)

        bob.on("incoming_call", answer)
        call = await alice.call("sip:bob@10.0.0.2")
        yield call, await answered
        await call.hangup()


def headset(*cards: VirtualCard, **settings: Any) -> tuple[Headset, VirtualBackend]:
    backend = VirtualBackend(list(cards))
    settings.setdefault("voice", OFF)
    return Headset(backend=backend, **settings), backend


def collected(set_: Headset, *names: str) -> list[Any]:
    events: list[Any] = []
    for name in names:
        set_.on(name, events.append)
    return events


def test_two_people_hear_each_other() -> None:
    async def main() -> None:
        anna, ben = human(1, 210), human(2, 110)
        hers, _ = headset(anna.card("hers", clock_ppm=100))
        his, _ = headset(ben.card("his", clock_ppm=-50))
        async with calling() as (call, other), hers, his:
            hers.attach(call)
            talk = asyncio.ensure_future(his.talk(other))
            await asyncio.sleep(8)
            await call.hangup()
            assert (await talk).by == "remote"
            assert his.call is None
        for listener, speaker in ((anna, ben), (ben, anna)):
            assert likeness(listener.sound(3), speaker.said) > 0.9
        for statistics in (*hers.statistics().values(), *his.statistics().values()):
            assert statistics is None  # they are closed

    run(main())


@pytest.mark.slow
def test_minutes_without_gap_or_growing_delay() -> None:
    """Not followed, her clock would be 22 ms ahead in the end."""

    async def main() -> None:
        anna, ben = human(1, 210), human(2, 110)
        hers, _ = headset(anna.card("hers", clock_ppm=100))
        his, _ = headset(ben.card("his"))
        async with calling() as (call, other), hers, his:
            hers.attach(call)
            his.attach(other)
            await asyncio.sleep(20)
            early = [hers.statistics(), his.statistics()]
            await asyncio.sleep(220)
            late = [hers.statistics(), his.statistics()]
        for before, after in zip(early, late, strict=True):
            for way in ("input", "output"):
                first, last = before[way], after[way]
                assert first is not None
                assert last is not None
                assert last.underruns == first.underruns <= 1
                assert last.skipped_ms == first.skipped_ms
                assert abs(last.delay_ms - first.delay_ms) <= 10

    run(main(), limit=700)


def test_a_device_that_is_pulled_out_and_put_back() -> None:
    async def main() -> None:
        anna, ben = human(1, 210), human(2, 110)
        hers, backend = headset(anna.card("desk"), human(3).card("other"), input="desk", output="desk")
        his, _ = headset(ben.card("his"))
        events = collected(hers, "device_lost", "device_opened")
        async with calling() as (call, other), his, hers:
            hers.attach(call)
            his.attach(other)
            await asyncio.sleep(3)
            backend.unplug("desk")
            await asyncio.sleep(4)
            assert hers.input is None
            assert call.state.value == "answered"
            backend.plug_in("desk")
            await asyncio.sleep(8)
            assert hers.input is not None
            assert hers.input.name == "desk"
        lost = [str(event) for event in events if type(event).__name__ == "DeviceLost"]
        assert len(lost) == 2
        assert any("microphone lost: desk (it stopped); the far end hears silence" in text for text in lost)
        assert [event.because for event in events if type(event).__name__ == "DeviceOpened"] == [
            "opened", "opened", "returned", "returned",
        ]  # fmt: skip
        assert not ben.sound(5.0, 6.5).any()
        assert likeness(ben.sound(12.5), anna.said) > 0.9

    run(main())


def test_the_default_stands_in_when_that_is_wished() -> None:
    async def main() -> None:
        spare, anna = human(3), human(1)
        hers, backend = headset(
            spare.card("built-in"), anna.card("desk"), input="desk", output="desk", when_lost="default"
        )
        events = collected(hers, "device_opened")
        async with hers:
            backend.unplug("desk")
            await asyncio.sleep(2)
            assert hers.input is not None
            assert hers.input.name == "built-in"
        assert [event.because for event in events] == ["opened", "opened", "replaced", "replaced"]

    run(main())


def test_a_device_that_stops_without_a_word_is_noticed() -> None:
    async def main() -> None:
        hers, backend = headset(human(1).card("desk"))
        events = collected(hers, "device_lost")
        async with hers:
            backend.opened[0].close()  # behind its back
            await asyncio.sleep(3)
            assert [event.reason for event in events] == ["no sound moved for 2 s"]
            assert hers.output is not None

    run(main())


def test_changing_devices_in_mid_call() -> None:
    async def main() -> None:
        anna, aside, ben = human(1, 210), human(3, 160), human(2, 110)
        hers, _ = headset(anna.card("desk"), aside.card("room", rates_hz=(RATE,)))
        his, _ = headset(ben.card("his"))
        async with calling() as (call, other), his, hers:
            hers.attach(call)
            his.attach(other)
            await asyncio.sleep(4)
            await hers.use_input("room")
            await hers.use_output("room")
            with pytest.raises(DeviceNotFound, match="no microphone 'kitchen'"):
                await hers.use_input("kitchen")
            assert hers.input is not None
            assert hers.input.name == "room"
            await asyncio.sleep(4)
        assert likeness(ben.sound(5.5), aside.said) > 0.9
        assert likeness(aside.sound(1.0), ben.said) > 0.9

    run(main())


def test_mute_gain_and_volume() -> None:
    async def main() -> None:
        anna, ben = human(1, 210), human(2, 110)
        hers, _ = headset(anna.card("hers"))
        his, _ = headset(ben.card("his"))
        async with calling() as (call, other), his, hers:
            hers.attach(call)
            his.attach(other)
            await asyncio.sleep(3)
            hers.muted = True
            await asyncio.sleep(3)
            hers.muted, hers.gain, hers.volume = False, 0.5, 0.25
            await asyncio.sleep(7)
        loudness = [np.abs(ben.sound(*part).astype(float)).mean() for part in ((1, 3), (4, 6), (7.5, 12.5))]
        assert loudness[1] == 0
        assert 0.3 < loudness[2] / loudness[0] < 0.75
        assert np.abs(anna.sound(7.5).astype(int)).max() < 0.35 * np.abs(anna.sound(0, 6).astype(int)).max()

    run(main())


def test_levels_clipping_and_a_silent_microphone() -> None:
    async def main() -> None:
        loud = Human(np.tile(np.repeat(np.array([32767, -32768], np.int16), 80), 300))
        dead = Human(np.zeros(RATE, np.int16))
        hers, _ = headset(loud.card("loud"))
        his, _ = headset(dead.card("dead"))
        hers_events = collected(hers, "clipping", "levels", "microphone_silent")
        his_events = collected(his, "microphone_silent")
        async with calling() as (call, other), his, hers:
            hers.attach(call)
            his.attach(other)
            await asyncio.sleep(12)
        kinds = [type(event).__name__ for event in hers_events]
        assert 8 <= kinds.count("Clipping") <= 14
        assert 100 < kinds.count("Levels") < 130
        assert "MicrophoneSilent" not in kinds
        assert [str(event)[:38] for event in his_events] == ["your microphone is silent: nothing at "]

    run(main())


@pytest.mark.parametrize(
    ("cards", "wishes", "error"),
    [
        ([], {}, NoDevice),
        ([VirtualCard("speaker", loudspeaker=lambda _s, _r: None)], {}, NoDevice),
        ([human(1).card("desk")], {"input": "dusk"}, DeviceNotFound),
        ([human(1).card("desk", trouble="another program has it")], {}, DeviceBusy),
        ([human(1).card("desk", rates_hz=(RATE,))], {"sample_rate_hz": 8000}, RateRefused),
    ],
)
def test_what_cannot_be_opened_is_said(
    cards: list[VirtualCard], wishes: dict[str, Any], error: type[Exception]
) -> None:
    async def main() -> None:
        hers, backend = headset(*cards, **wishes)
        with pytest.raises(error):
            await hers.open()
        assert all(stream.closed for stream in backend.opened)

    run(main())


def test_a_device_that_never_opens_is_given_up() -> None:
    class Stuck(VirtualBackend):
        def open(self, *arguments: Any, **settings: Any) -> Any:
            threading.Event().wait(0.5)
            return super().open(*arguments, **settings)

    async def main() -> None:
        backend = Stuck([human(1).card("desk")])
        with pytest.raises(DeviceFailed, match=r"'desk' could not be opened: it did not answer within"):
            await Headset("desk", "desk", backend=backend, voice=OFF).open()
        await asyncio.sleep(1)
        assert all(stream.closed for stream in backend.opened)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sipmedia.device_side._OPENS_IN_S", 0.05)
        asyncio.run(main())


def test_rings_on_another_device_until_it_takes_part() -> None:
    async def main() -> None:
        anna, bell = human(1), human(3)
        hers, _ = headset(anna.card("hers"), VirtualCard("bell", loudspeaker=bell.hear), ring="bell")
        async with calling() as (call, _other), hers:
            await hers.ring()
            await asyncio.sleep(1.5)
            rung = len(bell.heard)
            hers.attach(call)
            await asyncio.sleep(1)
            assert len(bell.heard) <= rung + 3
        assert np.abs(bell.sound().astype(int)).max() > 3000
        assert not anna.sound(0, 1.4).any()

    run(main())


def test_ringback_is_heard_in_the_headset() -> None:
    async def main() -> None:
        anna = human(1)
        hers, _ = headset(anna.card("hers"))
        async with hers:
            await hers.play_tone("ringback")
            await asyncio.sleep(1)
            await hers.stop_ringing()
        assert np.abs(anna.sound().astype(int)).max() > 1000

    run(main())


def test_echo_of_a_room_does_not_come_back() -> None:
    pytest.importorskip("pywebrtc_audio")

    class Room(Human):
        """A loudspeaker that its own microphone hears, 60 ms later."""

        def speak(self, n: int, rate_hz: int) -> Samples:
            start, self.place = self.place, self.place + n
            heard = self.sound()
            back = np.zeros(n, np.int16)
            known = heard[max(0, start - 2880) : max(0, start + n - 2880)]
            back[: len(known)] = known * 0.4
            return back

    async def talked(settings: VoiceSettings) -> float:
        anna, room = human(1, 210), Room(np.zeros(1, np.int16))
        hers, _ = headset(anna.card("hers"))
        his, _ = headset(room.card("his"), voice=settings)
        async with calling() as (call, other), his, hers:
            hers.attach(call)
            his.attach(other)
            await asyncio.sleep(10)
        return float(np.sqrt((anna.sound(6.5).astype(float) ** 2).mean()))

    levels: list[float] = []

    async def main() -> None:
        levels.append(await talked(OFF))

    async def cleaned() -> None:
        levels.append(await talked(VoiceSettings(echo_cancellation=True)))

    run(main())
    run(cleaned())
    assert levels[0] > 300
    assert 20 * np.log10(levels[0] / max(levels[1], 0.1)) > 30


def test_without_the_engine_it_is_half_duplex(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("media.audio.echo_cancellation.find_spec", lambda _name: None)
    assert VoiceSettings().engine == "off"
    assert VoiceSettings(echo_cancellation=True).engine == "ducking"
    check: Callable[[], None] = VoiceSettings(noise_suppression=True).check
    with pytest.raises(Exception, match=r"noise suppression needs pywebrtc-audio: pip install"):
        check()


@pytest.mark.parametrize(
    ("duplex", "output", "asked"),
    [(True, "desk", [True, True]), (True, "other", [False, False]), (False, "desk", [False, False])],
)
def test_one_stream_is_asked_for_where_both_directions_are_one_device(
    duplex: bool, output: str, asked: list[bool]
) -> None:
    openings: list[bool] = []

    class Watched(VirtualBackend):
        def open(self, device: DeviceInfo, opening: Opening) -> VirtualStream:
            openings.append(opening.duplex)
            return super().open(device, opening)

    async def main() -> None:
        backend = Watched([human(1).card("desk"), human(2).card("other")])
        async with Headset("desk", output, ring="desk", voice=OFF, duplex=duplex, backend=backend) as set_:
            assert openings == asked
            await set_.ring()
            assert openings == [*asked, False]
            await set_.use_output("desk")
            assert openings[-1] is duplex

    run(main())
