"""All streams of a manager, one tick. Pure.

The tick's period is 20 ms, or 10 ms while the packet time of some stream is no multiple of 20; streams that
work in blocks of 20 ms then do so at every other tick.
"""

import logging
from collections.abc import Callable, Sequence

from media.events import StreamEvent
from media.plan import Address, StreamPlan
from media.silence import LOOK_EVERY_S
from media.stream import Stream

_log = logging.getLogger(__name__)
BLOCK_MS = 10

Datagrams = Sequence[tuple[bytes, Address, float]]


class Engine:
    """Ticks its streams and keeps the failure of one from the others.

    `events` collects what they report; whoever drives the engine takes it from there.
    """

    def __init__(self) -> None:
        self.events: list[StreamEvent] = []
        self.emit: Callable[[StreamEvent], object] = self.events.append
        self.blocks = 0
        """Time in blocks of 10 ms; even ones are everybody's."""
        self._long: list[Stream] = []
        self._short: list[Stream] = []
        self._look_at = 0.0

    @property
    def streams(self) -> list[Stream]:
        """All that are open."""
        return self._short + self._long

    @property
    def period_blocks(self) -> int:
        """Blocks until the next tick."""
        return 1 if self._short or self.blocks % 2 else 2

    def add_stream(self, stream: Stream, plan: StreamPlan | None) -> None:
        """Tick it from now on."""
        stream.update(plan)
        (self._short if stream.block_ms == BLOCK_MS else self._long).append(stream)

    def update(self, stream: Stream, plan: StreamPlan | None) -> None:
        """Swap its plan between two ticks."""
        self._remove(stream)
        self.add_stream(stream, plan)

    def remove_stream(self, stream: Stream, now: float) -> None:
        """Say goodbye for it and tick it no more."""
        self._remove(stream)
        stream.close(now)

    def receive(self, stream: Stream, datagrams: Datagrams, *, rtcp: bool = False) -> None:
        """Datagrams that came for a stream: data, source, time of arrival."""
        receive = stream.receive_rtcp if rtcp else stream.receive_rtp
        for data, source, arrival in datagrams:
            try:
                receive(data, source, arrival)
            except Exception as error:
                self._failed(stream, "receiving a packet", error)

    def tick(self, now: float) -> None:
        """Play and send what is due at `now`, the time this tick was meant for."""
        due = self._long if not self._short else self._short
        if self._short and not self.blocks % 2:
            due = self.streams
        elif not self._short and self.blocks % 2:
            due = []
        for stream in due:
            try:
                stream.play(now)
            except Exception as error:
                self._failed(stream, "playing", error)
        for stream in due:
            try:
                stream.send(now)
            except Exception as error:
                self._failed(stream, "sending", error)
        self.blocks += self.period_blocks
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            for stream in self.streams:
                stream.look(now)

    def skip(self, pairs: int) -> None:
        """Leave out so many times 20 ms: media clocks go on, nothing is played or sent."""
        for stream in self._long:
            stream.skip(pairs)
        for stream in self._short:
            stream.skip(2 * pairs)
        self.blocks += 2 * pairs

    def _remove(self, stream: Stream) -> None:
        for group in (self._short, self._long):
            if stream in group:
                group.remove(stream)

    def _failed(self, stream: Stream, what: str, error: Exception) -> None:
        """The edge of a stream: whatever went wrong in it is its own affair."""
        if not stream.failures:
            _log.error("a stream failed while %s; it goes on", what, exc_info=error)
        stream.failed(what, error)
