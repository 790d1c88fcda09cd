"""Conferences and bridges in virtual time: who hears whom, in which codec, and how late."""

import asyncio
from typing import Any

import numpy as np
import pytest

from media import MediaManager
from media.audio.graph import SampleSource
from media.audio.tones import ToneSource
from sipmedia import (
    Bridge,
    Call,
    Conference,
    InvalidCallState,
    Softphone,
    bridge,
)
from tests.sipmedia.kit.meeting import Ear, simulate


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
