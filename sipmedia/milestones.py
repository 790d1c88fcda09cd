"""What a call's media reports, told to the call's trace and to its listeners."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from media import MediaSession, SdpNegotiated, SessionClosed, SessionState, SessionUpdated
from media.events import SessionError
from media.frame import AudioFrame
from sipmedia.config import format_address
from sipmedia.events import Dtmf, DtmfMethod, MediaStarted
from sipmedia.parts import CallPart

if TYPE_CHECKING:
    from sipmedia.call import Call
    from sipmedia.trace import CallTrace
    from sipmedia.trace.record import Direction


class Milestones(CallPart):
    """Follows the sessions of one call: its own, and those forked from it for early media."""

    def __init__(self, call: Call, trace: CallTrace) -> None:
        super().__init__(call)
        self._trace = trace
        self._loop = asyncio.get_running_loop()
        self._heard = False
        self._said = False
        self._closing_at: float | None = None

    def pressed(self, digits: str, duration_ms: int) -> None:
        """We press keys."""
        self._tell("sent", f"key{'s' * (len(digits) > 1)} {digits} pressed", f"{duration_ms} ms each")

    def key(self, digit: str, duration_ms: int, method: DtmfMethod) -> None:
        """The far end pressed a key."""
        how = {"rfc4733": "", "info": ", by INFO", "inband": ", in the sound"}[method]
        self._tell("received", f"key {digit} pressed", f"{duration_ms} ms{how}")
        self.call.emit("dtmf", Dtmf(self.call, digit, duration_ms, method))

    def lost(self, silent_s: float) -> None:
        """Nothing comes from the far end any more."""
        self._tell("received", "nothing heard any more", f"for {silent_s:.0f} s")

    def closing(self) -> None:
        """The session is about to be closed."""
        self._closing_at = self._loop.time()

    def closed(self, event: SessionClosed) -> None:
        """It was, and these are its last figures."""
        audio = event.statistics.media["audio"]
        at = self._closing_at if self._closing_at is not None else self._loop.time()
        self._trace.media_ended(at, audio.packets_sent, audio.packets_received)

    def negotiated(self, event: SdpNegotiated) -> None:
        """Offer and answer met."""
        session = event.session
        if event.codec is None or session.state is not SessionState.ACTIVE:
            return
        self._trace.media_started(self._loop.time(), event.codec)
        if not self._said and self._trace.limit:
            session.add_tap(_FirstFrame(self._loop, self, session))

    def failed(self, event: SessionError) -> None:
        """Something of the application's raised, or was refused."""
        if event.what:  # what is refused is told by who asked for it
            self.call.report(event.error, f"{event.what} failed and was taken off")

    def updated(self, event: SessionUpdated) -> None:
        """Something changed; here only the first sound counts."""
        if event.what != "first_media" or self._heard:
            return
        self._heard = True
        source = event.session.statistics().network.source
        codec = event.session.codec
        origin = f" from {format_address(*source)}" if source is not None else ""
        self._tell("received", "first sound heard", f"{codec or 'sound'}{origin}")
        self.call.emit("media", MediaStarted(self.call, codec, source))

    def first_sent(self, session: MediaSession, tap: _FirstFrame) -> None:
        """The first frame has left."""
        session.remove_tap(tap)
        if self._said:
            return
        self._said = True
        stream = next(iter(session.streams), None)
        if stream is not None:
            self._tell("sent", "first sound sent", f"{stream.codec}, a packet every {stream.ptime_ms} ms")

    def _tell(self, direction: Direction, label: str, detail: str) -> None:
        self._trace.milestone(self._loop.time(), direction, label, detail)


class _FirstFrame:
    """A tap that waits for the first frame that is sent."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, milestones: Milestones, session: MediaSession
    ) -> None:
        self._loop = loop
        self._milestones = milestones
        self._session = session
        self._seen = False

    def push(self, frame: AudioFrame) -> None:
        """Media thread: tell the loop, once."""
        if self._seen:
            return
        self._seen = True
        try:
            self._loop.call_soon_threadsafe(self._milestones.first_sent, self._session, self)
        except RuntimeError:  # the loop is closed already
            pass
