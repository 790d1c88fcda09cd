"""Playing a source to a loudspeaker without a call: the ring, the tone one hears while it rings, a test."""

from collections.abc import Callable

from media.audio.graph import AudioSink, AudioSource
from media.runtime import Runtime, Ticker

_BLOCK_S = 0.02


class Pump:
    """Gives a sink what a source has, 20 ms at a time, until the source ends or `stop`.

    `on_end` is called once, on the pump's thread, when the source has ended by itself.
    """

    def __init__(
        self,
        runtime: Runtime,
        source: AudioSource,
        sink: AudioSink,
        sample_rate_hz: int,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self._source = source
        self._sink = sink
        self._n = round(_BLOCK_S * sample_rate_hz)
        self._on_end = on_end
        self._over = False
        self._due = runtime.monotonic()
        self._ticker: Ticker | None = runtime.start_ticker(self)
        self._ticker.wake()

    def step(self, now: float) -> float | None:
        """What is due; for the ticker."""
        while not self._over and self._due <= now:
            self._due += _BLOCK_S
            frame = self._source.pull(self._n)
            if frame is None:
                self._over = True
                if self._on_end is not None:
                    self._on_end()
                break
            self._sink.push(frame)
        return None if self._over else self._due

    def stop(self) -> None:
        """No more of it; when this returns nothing is pushed any more. May be called twice."""
        self._over = True
        ticker, self._ticker = self._ticker, None
        if ticker is not None:
            ticker.stop()
