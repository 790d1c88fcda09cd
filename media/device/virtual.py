"""Sound cards that are programs: a null device, and whatever else plays or records by itself.

Their clock is a ticker of the media runtime, so they run in real time beside real calls and in virtual time
inside a simulation. A clock may be wrong on purpose, as those of real cards are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from media.device.base import DeviceInfo, Direction, Opening
from media.device.errors import DeviceBusy, DeviceFailed, RateRefused
from media.frame import Samples
from media.runtime import Runtime, Ticker, current_runtime

Microphone = Callable[[int, int], Samples]
"""Gives so many samples at so many Hz."""
Loudspeaker = Callable[[Samples, int], None]
"""Takes samples of so many Hz; what it keeps it must copy."""


@dataclass
class VirtualCard:
    """One device of a `VirtualBackend`. Without `microphone` or `loudspeaker` it lacks that direction.

    Its clock runs `clock_ppm` parts in a million fast. `rates_hz` is what it runs at. `trouble` says why it
    cannot be opened now ("" when it can). `on_close` is called when a stream of it was closed.
    """

    name: str
    microphone: Microphone | None = None
    loudspeaker: Loudspeaker | None = None
    clock_ppm: float = 0.0
    rates_hz: Sequence[int] = (48000, 44100, 32000, 24000, 16000, 8000)
    latency_s: float = 0.0
    plugged_in: bool = True
    trouble: str = ""
    on_close: Callable[[], None] | None = None


def null_card(name: str = "null") -> VirtualCard:
    """A device that hears nothing and says nothing."""
    return VirtualCard(name, lambda n, _rate_hz: np.zeros(n, np.int16), lambda _samples, _rate_hz: None)


class VirtualBackend:
    """Opens virtual cards. The first card is the default of its directions."""

    name = "virtual"

    def __init__(self, cards: Sequence[VirtualCard], runtime: Runtime | None = None) -> None:
        self.cards = list(cards)
        self._runtime = runtime
        self.opened: list[VirtualStream] = []
        self.refreshes = 0
        self._listed: list[VirtualCard] = [card for card in self.cards if card.plugged_in]

    def devices(self) -> list[DeviceInfo]:
        """Those that were plugged in when one last looked."""
        return self._list(self._listed)

    def _list(self, cards: Sequence[VirtualCard]) -> list[DeviceInfo]:
        infos, first = [], {Direction.INPUT: True, Direction.OUTPUT: True}
        for index, card in enumerate(cards):
            hears, speaks = card.microphone is not None, card.loudspeaker is not None
            infos.append(
                DeviceInfo(
                    index,
                    card.name,
                    "virtual",
                    int(hears),
                    int(speaks),
                    card.rates_hz[0],
                    hears and first[Direction.INPUT],
                    speaks and first[Direction.OUTPUT],
                )
            )
            first[Direction.INPUT] &= not hears
            first[Direction.OUTPUT] &= not speaks
        return infos

    def open(self, device: DeviceInfo, opening: Opening) -> "VirtualStream":
        """See `media.device.base.Backend`."""
        card = next((card for card in self._listed if card.name == device.name), None)
        if card is None or not card.plugged_in:
            raise DeviceFailed(device.name, "it is gone")
        if card.trouble:
            raise DeviceBusy(card.name, card.trouble)
        rate_hz = opening.sample_rate_hz or card.rates_hz[0]
        if rate_hz not in card.rates_hz:
            raise RateRefused(card.name, rate_hz)
        stream = VirtualStream(card, opening, rate_hz, self._runtime or current_runtime())
        self.opened.append(stream)
        return stream

    @property
    def streams(self) -> int:
        """None: `refresh` ends nothing."""
        return 0

    def peek(self) -> list[DeviceInfo]:
        """What is plugged in now."""
        return self._list([card for card in self.cards if card.plugged_in])

    def refresh(self) -> None:
        """Look again."""
        self.refreshes += 1
        self._listed = [card for card in self.cards if card.plugged_in]

    def unplug(self, name: str) -> None:
        """A device disappears; its streams end."""
        for card in self.cards:
            if card.name == name:
                card.plugged_in = False
        for stream in self.opened:
            if stream.card.name == name:
                stream.fail()

    def plug_in(self, name: str) -> None:
        """It comes back; seen after `refresh`."""
        for card in self.cards:
            if card.name == name:
                card.plugged_in = True


class VirtualStream:
    """A running virtual device: a block every `block_s` seconds of its own clock."""

    xruns = 0

    def __init__(
        self,
        card: VirtualCard,
        opening: Opening,
        sample_rate_hz: int,
        runtime: Runtime,
    ) -> None:
        self.card = card
        self.direction = opening.direction
        self.sample_rate_hz = sample_rate_hz
        self.latency_s = card.latency_s
        self._block = np.zeros(round(opening.block_s * sample_rate_hz), np.int16)
        self._period = len(self._block) / sample_rate_hz / (1 + card.clock_ppm * 1e-6)
        self.on_block = opening.on_block
        self._on_stopped = opening.on_stopped
        self._due = runtime.monotonic() + self._period
        self._closed = False
        self._ticker: Ticker | None = runtime.start_ticker(self)
        self._ticker.wake()

    def step(self, now: float) -> float | None:
        """What is due by now; for the ticker."""
        if self._closed:
            return None
        while self._due <= now:
            self._due += self._period
            self._move()
        return self._due

    def close(self) -> None:
        """See `media.device.base.DeviceStream`."""
        self._closed = True
        ticker, self._ticker = self._ticker, None
        if ticker is not None:
            ticker.stop()
            if self.card.on_close is not None:
                self.card.on_close()

    @property
    def closed(self) -> bool:
        """Whether it has ended."""
        return self._closed

    def fail(self) -> None:
        """End by itself, as when a plug is pulled."""
        if not self._closed:
            self._closed = True
            self._on_stopped()

    def _move(self) -> None:
        card, block = self.card, self._block
        if self.direction is Direction.OUTPUT:
            self.on_block(block.data)
            if card.loudspeaker is not None:
                card.loudspeaker(block, self.sample_rate_hz)
        elif card.microphone is not None:
            self.on_block(card.microphone(len(block), self.sample_rate_hz).data)
