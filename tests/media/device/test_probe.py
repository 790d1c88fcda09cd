"""Measuring the delay, over a virtual card whose microphone hears its loudspeaker."""

import asyncio

import numpy as np
import pytest

from media.device.base import Direction, Opening
from media.device.capture import CaptureLine
from media.device.playback import PlaybackLine
from media.device.probe import DelayProbe
from media.device.pump import Pump
from media.device.ring_tone import ring_tone
from media.device.talk import TalkPath
from media.device.virtual import VirtualBackend, VirtualCard
from media.frame import Samples
from media.runtime import current_runtime
from sipmedia.simulation import Simulation

AIR = 2400
"""Samples of 48 kHz from the loudspeaker to the microphone: 50 ms."""


class Room:
    """What was played is heard a little later."""

    def __init__(self, gain: float) -> None:
        self._gain = gain
        self.played: list[Samples] = [np.zeros(AIR, np.int16)]
        self._heard = 0

    def hear(self, n: int, _rate_hz: int) -> Samples:
        sound = np.concatenate(self.played)
        start, self._heard = self._heard, self._heard + n
        out = np.zeros(n, np.int16)
        part = sound[start : start + n]
        out[: len(part)] = part * self._gain
        return out

    def play(self, samples: Samples, _rate_hz: int) -> None:
        self.played.append(samples.copy())


def path_in(room: Room) -> TalkPath:
    """Both lines of the room's card, running."""
    backend = VirtualBackend([VirtualCard("room", room.hear, room.play)])
    (device,) = backend.devices()
    clock = current_runtime().monotonic
    path = TalkPath()
    path.capture, path.playback = CaptureLine(48000, 0.01, clock), PlaybackLine(48000, 0.01, clock)
    backend.open(device, Opening(Direction.OUTPUT, path.playback.fill, lambda: None))
    backend.open(device, Opening(Direction.INPUT, path.capture.write, lambda: None))
    return path


@pytest.mark.parametrize(("gain", "found"), [(0.3, True), (0.0, False)])
def test_the_delay_is_found_if_the_microphone_hears_it(gain: float, found: bool) -> None:
    async def main() -> list[float]:
        probe = DelayProbe(current_runtime(), path_in(Room(gain)))
        await asyncio.sleep(4)
        probe.stop()
        return probe.delays_ms()

    delays = Simulation(seed=1).run(main())
    if not found:
        assert delays == []
        return
    assert len(delays) >= 5
    assert 50 < np.median(delays) < 130  # 50 ms of air, and our buffers both ways
    assert max(delays[1:]) - min(delays[1:]) < 2


def test_a_pump_plays_until_it_is_stopped() -> None:
    async def main() -> Samples:
        room = Room(0.0)
        pump = Pump(current_runtime(), ring_tone(16000), path_in(room), 16000)
        await asyncio.sleep(1.5)
        pump.stop()
        pump.stop()
        await asyncio.sleep(0.5)
        return np.concatenate(room.played)

    played = np.abs(Simulation(seed=1).run(main()).astype(int))
    assert played[4800:48000].max() > 5000  # it rings for a second
    assert played[60000:].max() == 0
