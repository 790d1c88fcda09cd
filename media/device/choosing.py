"""Which device is meant: by number, name, part of a name, host API, or none in particular."""

from collections.abc import Callable, Sequence

from media.device.base import DeviceInfo, Direction
from media.device.errors import AmbiguousDevice, DeviceNotFound, NoDevice

DEFAULT = "default"

Wish = int | str | None
"""A device's index, (part of) its name, ", HOST API" after it if need be; None or "default": the system's."""


def choose(devices: Sequence[DeviceInfo], wish: Wish, direction: Direction) -> DeviceInfo:
    """The device that is meant.

    A number is an index. A name is compared as it is, then without regard to case, then as a part of names;
    the first comparison that finds something decides. Among several, the one of the default host API is taken
    if it is alone. Raises `NoDevice`, `DeviceNotFound`, `AmbiguousDevice`.
    """
    able = [device for device in devices if device.does(direction)]
    if not able:
        raise NoDevice(direction)
    text = "" if wish is None else str(wish).strip()
    if text in ("", DEFAULT):
        named = [device for device in able if device.is_default(direction)]
        return (named or able)[0]
    if text.isdecimal():
        for device in able:
            if device.index == int(text):
                return device
        raise DeviceNotFound(text, direction, able)
    found = _named(able, text)
    if not found:
        raise DeviceNotFound(text, direction, able)
    if len(found) > 1:
        usual = {device.host_api for device in able if device.is_default(direction)}
        here = [device for device in found if device.host_api in usual]
        if len(here) != 1:
            raise AmbiguousDevice(text, direction, found)
        found = here
    return found[0]


def _named(devices: Sequence[DeviceInfo], text: str) -> list[DeviceInfo]:
    low = text.lower()
    comparisons: tuple[Callable[[DeviceInfo], bool], ...] = (
        lambda device: text in (device.name, device.full_name),
        lambda device: low in (device.name.lower(), device.full_name.lower()),
        lambda device: low in device.full_name.lower(),
        lambda device: all(word in device.full_name.lower() for word in low.split()),
    )
    for fits in comparisons:
        found = [device for device in devices if fits(device)]
        if found:
            return found
    return []
