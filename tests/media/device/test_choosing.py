"""Which device is meant."""

import pytest

from media.device.base import DeviceInfo, Direction
from media.device.choosing import choose
from media.device.errors import AmbiguousDevice, DeviceNotFound, NoDevice

CARDS = [
    DeviceInfo(0, "HDA Intel PCH", "ALSA", 2, 2, 48000),
    DeviceInfo(1, "Jabra EVOLVE 20", "ALSA", 1, 2, 48000),
    DeviceInfo(2, "Jabra EVOLVE 30", "ALSA", 1, 2, 48000),
    DeviceInfo(3, "Webcam", "ALSA", 1, 0, 16000),
    DeviceInfo(4, "pulse", "ALSA", 32, 32, 44100, True, True),
    DeviceInfo(5, "Speakers", "Windows WASAPI", 0, 2, 48000),
    DeviceInfo(6, "Speakers", "MME", 0, 2, 48000),
    DeviceInfo(7, "Jabra", "JACK", 2, 2, 48000),
]
IN, OUT = Direction.INPUT, Direction.OUTPUT


@pytest.mark.parametrize(
    ("wish", "direction", "index"),
    [
        (None, IN, 4),
        ("default", OUT, 4),
        ("", OUT, 4),
        (3, IN, 3),
        ("3", IN, 3),
        ("Webcam", IN, 3),
        ("webcam", IN, 3),
        ("cam", IN, 3),
        ("evolve 30", OUT, 2),
        ("Jabra", IN, 7),  # exact before part
        ("Speakers, MME", OUT, 6),
        ("speakers mme", OUT, 6),
        ("intel", OUT, 0),
    ],
)
def test_finds(wish: int | str | None, direction: Direction, index: int) -> None:
    assert choose(CARDS, wish, direction).index == index


def test_an_ambiguous_name_lists_what_fits() -> None:
    with pytest.raises(AmbiguousDevice, match=r"1 'Jabra EVOLVE 20, ALSA', 2 'Jabra EVOLVE 30, ALSA'"):
        choose(CARDS, "evolve", IN)
    with pytest.raises(AmbiguousDevice, match="Windows WASAPI") as caught:
        choose(CARDS, "Speakers", OUT)
    assert [device.index for device in caught.value.devices] == [5, 6]


def test_one_of_the_default_host_api_is_preferred() -> None:
    cards = [*CARDS, DeviceInfo(8, "Speakers", "ALSA", 0, 2, 48000)]
    assert choose(cards, "Speakers", OUT).index == 8


@pytest.mark.parametrize("wish", ["Speakers", "5", "nothing like it", "99"])
def test_what_cannot_record_is_no_microphone(wish: str) -> None:
    with pytest.raises(DeviceNotFound, match="no microphone") as caught:
        choose(CARDS, wish, IN)
    assert "3 'Webcam'" in str(caught.value)


def test_no_device_at_all_says_what_to_do() -> None:
    with pytest.raises(NoDevice, match="has no loudspeaker"):
        choose([CARDS[3]], None, OUT)


def test_without_a_default_the_first_is_taken() -> None:
    assert choose(CARDS[:3], None, OUT).index == 0
