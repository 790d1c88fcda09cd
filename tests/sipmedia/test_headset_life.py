"""Opening, closing and using a headset in whatever order it comes to a program's mind."""

import asyncio
import math

import pytest

from media import InvalidState
from media.audio.echo_cancellation import VoiceSettings
from media.device.pump import Pump
from media.device.virtual import VirtualBackend, null_card
from media.frame import AudioFrame
from media.runtime import current_runtime
from sipmedia import Headset
from sipmedia.device_events import DeviceOpened
from tests.sipmedia.kit import run


class Nobody:
    """Hears nothing."""

    def push(self, frame: AudioFrame) -> None:
        pass


def headset() -> tuple[Headset, VirtualBackend]:
    backend = VirtualBackend([null_card("desk"), null_card("Jabra")])
    return Headset(backend=backend, voice=VoiceSettings(echo_cancellation=False)), backend


def open_cards(backend: VirtualBackend) -> list[str]:
    return [stream.card.name for stream in backend.opened if not stream.closed]


def test_opened_twice_closed_twice_opened_again() -> None:
    async def test() -> None:
        set_, backend = headset()
        await set_.open()
        await set_.open()
        assert open_cards(backend) == ["desk", "desk"]
        await set_.aclose()
        await set_.aclose()
        assert open_cards(backend) == []
        assert set_.input is None
        await set_.use_input("Jabra")  # for the next time
        async with set_:
            assert set_.input is not None
            assert set_.input.name == "Jabra"
        assert open_cards(backend) == []

    run(test())


def test_a_device_changed_to_is_kept_when_it_is_opened_again() -> None:
    async def test() -> None:
        set_, _ = headset()
        async with set_:
            await set_.use_output("Jabra")
        async with set_:
            assert set_.output is not None
            assert set_.output.name == "Jabra"

    run(test())


def test_it_rings_only_while_it_is_open() -> None:
    async def test() -> None:
        set_, backend = headset()
        with pytest.raises(InvalidState, match="not open"):
            await set_.ring()
        async with set_:
            await set_.ring()
        with pytest.raises(InvalidState, match="not open"):
            await set_.ring()
        assert open_cards(backend) == []

    run(test())


def test_it_rings_where_it_is_heard_now() -> None:
    async def test() -> None:
        set_, backend = headset()
        opened: list[DeviceOpened] = []
        async with set_:
            set_.on("device_opened", opened.append)
            await set_.use_output("Jabra")
            set_.occupy(lambda: None)  # somewhere else: what rings must not get in between
            await set_.ring()
            assert (opened[-1].direction, opened[-1].device.name) == ("ring", "Jabra")
        assert open_cards(backend) == []

    run(test())


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_gain_that_is_no_number_changes_nothing(value: float) -> None:
    set_, _ = headset()
    set_.gain = set_.volume = value
    assert (set_.gain, set_.volume) == (1.0, 1.0)


def test_the_silence_that_was_asked_for_is_no_cause_for_a_warning() -> None:
    async def test() -> None:
        async with Headset("null", "null", voice=VoiceSettings(echo_cancellation=False)) as set_:
            warnings: list[object] = []
            set_.on("microphone_silent", warnings.append)
            pump = Pump(current_runtime(), set_.path, Nobody(), 8000)  # as a call would
            await asyncio.sleep(8)
            pump.stop()
            assert warnings == []

    run(test())
