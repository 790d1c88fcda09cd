"""The media driver: carries commands in and events out of the engine, and ticks it on time.

`MediaDriver.step(now)` is all it does; a `Ticker` calls it (the media thread, or the virtual loop of a
simulation). Handles may be used from any thread: what they ask is queued, done before the next tick, and
nobody waits for it.

The clock has absolute deadlines, so a late tick does not delay the next one. After a delay up to
`MAX_CATCH_UP` ticks are made up at once, so the far end gets all its packets; what is beyond that is left
out (timestamps go on as time does) and counted.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from media.audio.graph import AudioSink, AudioSource
from media.audio.jitter_buffer import JitterBuffer
from media.datagram import BATCH
from media.dtmf.telephone_event import MAX_DURATION_MS, MIN_DURATION_MS, check_digits
from media.engine import BLOCK_MS, Engine
from media.errors import BadDigits, InvalidState
from media.events import StreamClosed, StreamEvent
from media.forwarding import Forwarder
from media.plan import Address, StreamPlan
from media.ports import RtpSockets
from media.rtp.statistics import StreamStatistics
from media.runtime import DatagramSocket, Runtime, Ticker
from media.stream import Stream

_log = logging.getLogger(__name__)

MAX_CATCH_UP = 3
"""Ticks made up at once: a burst of 60 ms is within what jitter buffers take."""
_MORE_BATCHES = 39
"""Read from one socket in one tick after the first: 640 datagrams in all, all that the kernel keeps for us.

What is left behind keeps the kernel's buffer full, and a caller whose packets come in step with our ticks,
as they do, would lose each of them and not only its share.
"""
_PAIR_S = 2 * BLOCK_MS / 1000


@dataclass(frozen=True, slots=True)
class DriverStatistics:
    """How well the clock was kept; times in ms."""

    ticks: int
    late_ticks: int
    """Began more than 10 ms after their time."""
    skipped_ms: int
    """Left out, because we were later than could be made up."""
    worst_late_ms: float
    streams: int


class StreamHandle:
    """One open stream, as its owner sees it; every method from any thread, none waits."""

    __slots__ = ("_driver", "_final", "_plan", "_sockets", "_stream")

    def __init__(
        self,
        driver: "MediaDriver",
        sockets: RtpSockets,
        plan: StreamPlan | None,
        buffer: JitterBuffer | None,
    ) -> None:
        self._driver = driver
        self._sockets = sockets
        self._plan = plan
        self._final: StreamStatistics | None = None
        runtime = driver.runtime
        self._stream = Stream(
            self,
            random=runtime.random,
            now=runtime.monotonic(),
            wall_offset=driver.wall_offset,
            send_rtp=sockets.rtp.send,
            send_rtcp=sockets.rtp.send if sockets.rtcp is None else sockets.rtcp.send,
            emit=driver.emit,
            buffer=buffer,
        )

    def update(self, plan: StreamPlan | None) -> None:
        """From the next tick on go by `plan` (None: receive and send nothing, keep the ports)."""
        self._plan = plan
        self._driver.do(lambda: self._driver.update_stream(self._stream, plan))

    def close(self) -> None:
        """Send RTCP BYE, close the sockets, then report `StreamClosed`; may be called twice."""
        self._driver.do(lambda: self._driver.close_stream(self))

    def send_dtmf(self, digits: str, duration_ms: int = 100) -> None:
        """Queue telephone-events (RFC 4733); `BadDigits`, or `InvalidState` if they were not negotiated."""
        plan = self._plan
        if plan is None or plan.telephone_event_send is None:
            raise InvalidState("telephone-event was not negotiated, so no DTMF can be sent on this stream")
        check_digits(digits)
        if not MIN_DURATION_MS <= duration_ms <= MAX_DURATION_MS:
            raise BadDigits(
                f"a digit lasts {MIN_DURATION_MS} to {MAX_DURATION_MS} ms, not {duration_ms}; 100 is usual"
            )
        self._driver.do(lambda: self._stream.outbound.send_digits(digits, duration_ms))

    def send_raw(self, payload: bytes) -> None:
        """One payload, sent as it is in the next slot in place of a frame of the source."""
        self._driver.do(lambda: self._stream.outbound.send_raw(payload))

    def set_source(self, source: AudioSource | None) -> None:
        """Where what we send comes from."""
        self._driver.do(lambda: self._stream.outbound.set_source(source))

    def add_sink(self, sink: AudioSink) -> None:
        """Give `sink` every frame that is received (played out)."""
        self._driver.do(lambda: self._stream.inbound.add_sink(sink))

    def remove_sink(self, sink: AudioSink) -> None:
        """No more of it."""
        self._driver.do(lambda: self._stream.inbound.remove_sink(sink))

    def add_tap(self, sink: AudioSink) -> None:
        """Give `sink` every frame that is sent."""
        self._driver.do(lambda: self._stream.outbound.add_tap(sink))

    def remove_tap(self, sink: AudioSink) -> None:
        """No more of it."""
        self._driver.do(lambda: self._stream.outbound.remove_tap(sink))

    def forward_to(self, other: "StreamHandle", on_misfit: Callable[[], None] | None = None) -> Forwarder:
        """Send on, undecoded, what is received as what `other` of the same driver sends.

        Give `other` a source that has little to send: what it sends by itself comes first. `on_misfit` is
        called on the media thread at the first packet of a codec that `other` does not send.
        """
        forwarder = Forwarder(self._stream, other.stream, on_misfit)
        self._driver.do(lambda: self._stream.inbound.set_forwarder(forwarder))
        return forwarder

    def stop_forwarding(self) -> None:
        """Send it on no more."""
        self._driver.do(lambda: self._stream.inbound.set_forwarder(None))

    def watch_silence(self, timeout_s: float | None) -> None:
        """Report `StreamSilent` when nothing came for so long that should have; None: never."""
        self._stream.silence.timeout_s = timeout_s

    def set_stun_listener(self, listener: Callable[[bytes, Address], None] | None) -> None:
        """Give STUN messages (RFC 7983) that come on either socket to `listener`, on the media thread."""
        self._driver.do(lambda: self._stream.set_stun_listener(listener))

    def send_datagram(self, data: bytes, destination: Address, *, rtcp: bool = False) -> None:
        """Send something that is no media from the RTP socket, or from that of RTCP if there is one."""
        sock = self._sockets.rtcp if rtcp else self._sockets.rtp
        if sock is not None:
            self._driver.do(lambda: _send(sock, data, destination))

    @property
    def has_rtcp_socket(self) -> bool:
        """Whether RTCP has a socket of its own."""
        return self._sockets.rtcp is not None

    def source_failed(self, error: Exception) -> None:
        """Report that something that was played raised (media thread); `StreamFailed` follows."""
        self._stream.failed("a source of sent audio", error)

    def statistics(self) -> StreamStatistics:
        """What was counted so far; after `close` the final counts."""
        return self._final or self._stream.statistics(self._sockets.send_errors)

    def finish(self) -> StreamStatistics:
        """It is closed; for the driver. These are its last figures."""
        self._final = self.statistics()
        self._stream.release()
        return self._final

    @property
    def stream(self) -> Stream:
        """The engine's side; for the driver."""
        return self._stream

    @property
    def sockets(self) -> RtpSockets:
        """The sockets it took over; for the driver."""
        return self._sockets


def _send(sock: DatagramSocket, data: bytes, destination: Address) -> None:
    sock.send(data, destination)


class MediaDriver:
    """Owns the streams and their sockets; `on_event` is called on the media thread and must not block."""

    def __init__(self, runtime: Runtime, on_event: Callable[[StreamEvent], None]) -> None:
        self.runtime = runtime
        self.wall_offset = runtime.wall() - runtime.monotonic()
        self._on_event = on_event
        self._engine = Engine()
        self.emit = self._engine.events.append
        self._handles: dict[StreamHandle, None] = {}
        self._commands: deque[Callable[[], None]] = deque()
        self._ticker: Ticker | None = None
        self._stopping = False
        self._idle = True
        self._deadline = 0.0
        self._ticks = self._late_ticks = self._skipped_ms = 0
        self._worst_late = 0.0

    # --- from any thread ---

    def start(self) -> None:
        """Begin to tick; harmless when running."""
        if self._ticker is None:
            self._stopping = False
            self._ticker = self.runtime.start_ticker(self)
            self._ticker.wake()

    def stop(self) -> None:
        """Close all streams (with their events) and end; harmless when stopped."""
        ticker = self._ticker
        if ticker is not None:
            self._stopping = True
            ticker.stop()
            self._ticker = None

    def open_stream(
        self,
        sockets: RtpSockets,
        plan: StreamPlan | None,
        *,
        source: AudioSource | None = None,
        sinks: Sequence[AudioSink] = (),
        jitter_buffer: JitterBuffer | None = None,
    ) -> StreamHandle:
        """Take over `sockets` and begin to send and receive by `plan` (None: once it is updated).

        `jitter_buffer` replaces the usual one, for another delay or a strictly fixed one. Raises
        `InvalidState` before `start` and after `stop`.
        """
        if self._ticker is None:
            raise InvalidState("the media driver is not running; call start() first")
        handle = StreamHandle(self, sockets, plan, jitter_buffer)
        handle.stream.outbound.set_source(source)
        for sink in sinks:
            handle.stream.inbound.add_sink(sink)
        self.do(lambda: self._open(handle, plan))
        return handle

    def do(self, command: Callable[[], None]) -> None:
        """Have `command` run on the media thread before the next tick."""
        self._commands.append(command)
        # While it ticks it looks into the queue often enough; only an idle thread must be woken.
        if self._idle and self._ticker is not None:
            self._ticker.wake()

    def statistics(self) -> DriverStatistics:
        """How well the clock was kept so far."""
        return DriverStatistics(
            self._ticks, self._late_ticks, self._skipped_ms, self._worst_late * 1000, len(self._handles)
        )

    # --- on the media thread ---

    def step(self, now: float) -> float | None:
        """Run commands, read what came, tick if it is time; returns the next deadline."""
        self._run_commands()
        if self._stopping:
            for handle in list(self._handles):
                self.close_stream(handle)
        if not self._handles:
            self._deliver()
            return self._rest()
        if self._idle:  # the clock begins anew
            self._idle = False
            self._deadline = now
        if now >= self._deadline:
            self._read(now)
            self._tick(now)
        self._deliver()
        return self._deadline

    def update_stream(self, stream: Stream, plan: StreamPlan | None) -> None:
        """Swap the plan of an open stream."""
        if not stream.closed:
            self._engine.update(stream, plan)

    def close_stream(self, handle: StreamHandle) -> None:
        """Say goodbye, close the sockets, report."""
        if handle not in self._handles:
            return
        del self._handles[handle]
        stream, sockets, ticker = handle.stream, handle.sockets, self._ticker
        self._engine.remove_stream(stream, self.runtime.monotonic())
        if ticker is not None:
            ticker.unwatch(sockets.rtp)
            if sockets.rtcp is not None:
                ticker.unwatch(sockets.rtcp)
        sockets.close()
        self.emit(StreamClosed(handle, handle.finish()))

    def _open(self, handle: StreamHandle, plan: StreamPlan | None) -> None:
        self._handles[handle] = None
        self._engine.add_stream(handle.stream, plan)
        ticker, sockets = self._ticker, handle.sockets
        assert ticker is not None
        ticker.watch(sockets.rtp, (handle.stream, sockets.rtp, False))
        if sockets.rtcp is not None:
            ticker.watch(sockets.rtcp, (handle.stream, sockets.rtcp, True))

    def _rest(self) -> float | None:
        """Nothing is open: sleep until a command comes."""
        self._idle = True
        # One that was queued before it could see that we are idle did not wake us.
        return self.runtime.monotonic() if self._commands else None

    def _run_commands(self) -> None:
        commands = self._commands
        for _ in range(len(commands)):
            try:
                commands.popleft()()
            except Exception:  # one stream's mishap must not keep the others' commands from being done
                _log.exception("a command to the media driver failed")

    def _read(self, now: float) -> None:
        ticker = self._ticker
        if ticker is None:
            return
        receive = self._engine.receive
        for stream, socket, rtcp in ticker.ready():
            datagrams = socket.receive(now)
            receive(stream, datagrams, rtcp=rtcp)
            if len(datagrams) >= BATCH:  # a flood: what is ours may be behind it
                for _ in range(_MORE_BATCHES):
                    datagrams = socket.receive(now)
                    receive(stream, datagrams, rtcp=rtcp)
                    if len(datagrams) < BATCH:
                        break

    def _tick(self, now: float) -> None:
        engine = self._engine
        late = now - self._deadline
        if late > self._worst_late:
            self._worst_late = late
        if late > 0.01:
            self._late_ticks += 1
            if late > MAX_CATCH_UP * _PAIR_S:
                pairs = int(late / _PAIR_S)
                engine.skip(pairs)
                self._skipped_ms += pairs * 2 * BLOCK_MS
                self._deadline += pairs * _PAIR_S
        while self._deadline <= now:
            blocks = engine.period_blocks
            engine.tick(self._deadline)
            self._ticks += 1
            self._deadline += blocks * BLOCK_MS / 1000

    def _deliver(self) -> None:
        events = self._engine.events
        if not events:
            return
        pending = events[:]
        events.clear()
        for event in pending:
            try:
                self._on_event(event)
            except Exception:  # the edge to user handlers
                _log.exception("the handler of media events failed on %r", event)
