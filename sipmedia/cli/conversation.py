"""An answered call of ``call`` or ``answer``, led as the settings say."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sipmedia.call import Call
from sipmedia.cli.addresses import dialable
from sipmedia.cli.exits import Exit
from sipmedia.cli.keyboard import keyboard
from sipmedia.cli.keys import HELP, Keys
from sipmedia.cli.outcome import Ear, numbered, tell_outcome, tell_recorded, verdict
from sipmedia.cli.output import Output
from sipmedia.cli.settings import Settings
from sipmedia.cli.stopping import Stop, first_of
from sipmedia.cli.talking import Talker
from sipmedia.config import format_address
from sipmedia.errors import CallEnded, CallFailed
from sipmedia.events import Dtmf, Held, MediaStarted, Resumed
from sipmedia.parties import CallState
from sipmedia.playback import CallRecording


class Conversation:
    """One answered call led by the settings: keys, a file, a recording, then goodbye."""

    def __init__(
        self,
        call: Call,
        settings: Settings,
        out: Output,
        stop: Stop,
        number: int = 1,
        talker: Talker | None = None,
    ) -> None:
        self.call = call
        self._talker = talker
        self.ear = Ear()
        self._settings = settings
        self._out = out
        self._stop = stop
        self._number = number
        self.has_keyboard = True
        """False when another call has it."""
        self._keyboard: Keys | None = None
        self._listen(call)

    async def talk(self, *, echo: bool = False, hang_up_after_playing: bool) -> Exit:
        """Lead the call until it ends, then say what was heard; the exit code it deserves."""
        call = self.call
        self._out.event("answered", f"answered, {call.codec or 'no audio'}", codec=call.codec)
        recording = None
        if call.state is not CallState.ENDED:  # some hang up in the moment in which they answer
            recording = self._begin(echo)
        work = asyncio.ensure_future(self._say(hang_up_after_playing))
        try:
            async with self._keys():
                await self._until_over(work)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            if self._talker is not None:
                self._talker.leave()
            await self._hang_up()
        await tell_outcome(self.call, self.ear, self._out)
        code = verdict(self.call)
        if recording is not None:
            recorded = await recording.stop()
            tell_recorded(recorded, self._out)
            if code is Exit.TALKED and (recorded.error or recorded.samples_dropped):
                return Exit.NOT_RECORDED
        return code

    def _begin(self, echo: bool) -> CallRecording | None:
        """Listen, and connect what is to be heard with what hears; gives the recording that was asked for."""
        call, settings = self.call, self._settings
        assert call.session is not None  # it is answered
        call.session.add_sink(self.ear)
        recording = None
        if settings.record is not None:
            path = numbered(settings.record, self._number)
            recording = call.record(path, layout="stereo" if settings.stereo else "received")
        if echo:
            call.echo()
        elif self._talker is not None:
            self._talker.join(call)
        return recording

    @asynccontextmanager
    async def _keys(self) -> AsyncIterator[None]:
        """While it lasts keys do what they are for, if they are wanted."""
        wanted = self._settings.keys
        if wanted is None:
            wanted = sys.stdin.isatty() and not self._out.as_json
        if not (wanted and self.has_keyboard):
            yield
            return
        domain = self.call.local_uri.partition("@")[2] if self._settings.account.given else ""
        keys = Keys(
            self.call,
            self._out,
            talker=self._talker,
            complete=lambda target: dialable(target, domain),
            recording=numbered(Path("call.wav"), self._number),
        )
        self._out.event("keys", HELP)
        self._keyboard = keys
        running = asyncio.ensure_future(keys.run())
        try:
            with keyboard(keys.press):
                yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def _say(self, hang_up_after_playing: bool) -> None:
        settings, call = self._settings, self.call
        if call.state is CallState.ENDED:
            return
        if settings.dtmf:
            self._out.event("dtmf_sent", f"pressing {settings.dtmf}", digits=settings.dtmf)
            await call.send_dtmf(settings.dtmf)
        if settings.play is not None:
            self._out.event("playing", f"playing {settings.play}", file=str(settings.play))
            completed = await call.play(settings.play)
            self._out.event("played", "played to its end" if completed else "", completed=completed)
        if not (hang_up_after_playing and (settings.play or settings.dtmf) and settings.duration is None):
            await self._ended()

    async def _ended(self) -> None:
        """Wait until the call is over, and so are those that took its place."""
        while True:
            call = self.call
            await call.ended()
            successor = call.successor
            if successor is None:
                return
            try:
                await successor.answered()
            except CallFailed:
                return
            self._go_on_with(successor)

    def _go_on_with(self, call: Call) -> None:
        """The far end has connected us with somebody else."""
        if call is self.call:
            return
        self.call = call
        self._listen(call)
        if self._keyboard is not None:
            self._keyboard.lead(call)
        self._out.event("transferred", f"the call goes on with {call.remote_name}", to=call.remote_uri)

    async def _hang_up(self) -> None:
        call: Call | None = self.call
        while call is not None:
            await call.hangup()
            call = call.successor

    def _listen(self, call: Call) -> None:
        call.on("media", self._on_media)
        call.on("dtmf", self._on_dtmf)
        call.on("held", self._on_held)
        call.on("resumed", self._on_resumed)

    async def _until_over(self, work: asyncio.Future[None]) -> None:
        """Until there is nothing left to say, the time is up, the far end hangs up, or Ctrl-C."""
        over = asyncio.ensure_future(self._ended())
        try:
            await first_of(work, over, self._stop.asked, timeout=self._settings.duration)
        finally:
            over.cancel()
        if work.done():
            try:
                work.result()
            except CallEnded:
                pass  # the far end hung up while we spoke

    def _on_media(self, event: MediaStarted) -> None:
        source = format_address(*event.source) if event.source else ""
        self._out.event("media", f"first sound heard from {source}", source=source, codec=event.codec)

    def _on_dtmf(self, event: Dtmf) -> None:
        self._out.event(
            "dtmf",
            f"key {event.digit} ({event.duration_ms} ms)",
            digit=event.digit,
            duration_ms=event.duration_ms,
        )

    def _on_held(self, event: Held) -> None:
        self._out.event("held", "put on hold", by=event.by)

    def _on_resumed(self, event: Resumed) -> None:
        self._out.event("resumed", "no longer on hold", by=event.by)
