"""The media driver: carries commands in and events out of the engine, and ticks it on time.

`MediaDriver.step(now)` is all it does; a `Ticker` calls it (the media thread, or the virtual loop of a
simulation). Handles may be used from any thread: what they ask is queued, done before the next tick, and
nobody waits for it.
"""

from collections.abc import Callable, Sequence

from media.audio.graph import AudioSink, AudioSource
from media.events import StreamEvent
from media.plan import StreamPlan
from media.ports import RtpSockets
from media.rtp.statistics import StreamStatistics
from media.runtime import Runtime


class StreamHandle:
    """One open stream, as its owner sees it; every method from any thread, none waits."""

    def update(self, plan: StreamPlan | None) -> None:
        """From the next tick on go by `plan` (None: receive and send nothing, keep the ports)."""

    def close(self) -> None:
        """Send RTCP BYE, close the sockets, then report `StreamClosed`; may be called twice."""

    def send_dtmf(self, digits: str, duration_ms: int = 100) -> None:
        """Queue telephone-events; ValueError for what is no digit, `InvalidState` if not negotiated."""

    def send_raw(self, payload: bytes) -> None:
        """One payload, sent as it is in the next slot in place of a frame of the source."""

    def set_source(self, source: AudioSource | None) -> None:
        """Where what we send comes from."""

    def add_sink(self, sink: AudioSink) -> None:
        """Give `sink` every frame that is received (played out)."""

    def remove_sink(self, sink: AudioSink) -> None:
        """No more of it."""

    def add_tap(self, sink: AudioSink) -> None:
        """Give `sink` every frame that is sent."""

    def remove_tap(self, sink: AudioSink) -> None:
        """No more of it."""

    def statistics(self) -> StreamStatistics:
        """What was counted so far; after `close` the final counts."""
        raise NotImplementedError


class MediaDriver:
    """Owns the streams and their sockets; `on_event` is called on the media thread and must not block."""

    def __init__(self, runtime: Runtime, on_event: Callable[[StreamEvent], None]) -> None:
        raise NotImplementedError

    def start(self) -> None:
        """Begin to tick; harmless when running."""

    def stop(self) -> None:
        """Close all streams (with their events) and end; harmless when stopped."""

    def open_stream(
        self,
        sockets: RtpSockets,
        plan: StreamPlan | None,
        *,
        source: AudioSource | None = None,
        sinks: Sequence[AudioSink] = (),
    ) -> StreamHandle:
        """Take over `sockets` and begin to send and receive by `plan` (None: once it is updated)."""
        raise NotImplementedError
