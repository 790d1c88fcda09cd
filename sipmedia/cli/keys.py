"""Keys pressed during a call of the command line: hold, mute, transfer, record, hang up, and the dial pad."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from media import MediaError
from sipmedia.call import Call
from sipmedia.cli.outcome import tell_recorded
from sipmedia.cli.output import Output
from sipmedia.cli.talking import Talker
from sipmedia.errors import SipMediaError
from sipmedia.playback import CallRecording

HELP = "keys: h hold or resume, m mute, t transfer, r record, q hang up, 0-9 * # dial"
_DIGITS = "0123456789*#ABCD"
_ESCAPE, _BACKSPACES, _ENTERS = "\x1b", "\b\x7f", "\r\n"


class Keys:
    """What each key does in one call. `press` is given characters, whatever they come from."""

    def __init__(
        self,
        call: Call,
        out: Output,
        *,
        talker: Talker | None = None,
        complete: Callable[[str], str] = str,
        recording: Path = Path("call.wav"),
    ) -> None:
        self._call = call
        self._out = out
        self._talker = talker
        self._complete = complete
        self._path = recording
        self._recording: CallRecording | None = None
        self._target: str | None = None
        self._work: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()

    def lead(self, call: Call) -> None:
        """From now on keys are for this call, which took the place of the other."""
        self._call = call

    def press(self, key: str) -> None:
        """A key was pressed; what it does is done in turn by `run`."""
        if self._target is not None:
            self._type(key)
        elif key == "h":
            self._work.put_nowait(self._hold)
        elif key == "m":
            self._work.put_nowait(self._mute)
        elif key == "t":
            self._target = ""
            self._show_levels(False)
            self._out.status("transfer to: ")
        elif key == "r":
            self._work.put_nowait(self._record)
        elif key == "q":
            self._work.put_nowait(self._call.hangup)
        elif key.upper() in _DIGITS and (key.isdigit() or key in "*#ABCD"):
            self._work.put_nowait(lambda: self._dial(key))
        elif key not in _ENTERS:
            self._out.event("keys", HELP)

    async def run(self) -> None:
        """Do what keys ask for, until cancelled; what fails is said, and the call goes on."""
        try:
            while True:
                action = await self._work.get()
                try:
                    await action()
                except (SipMediaError, MediaError) as error:
                    self._out.error(str(error))
        finally:
            if self._recording is not None:
                self._recording.close()

    def _type(self, key: str) -> None:
        """The address to transfer to is being typed."""
        target = self._target or ""
        if key in _ENTERS:
            self._target = None
            self._show_levels(True)
            self._out.status("")
            if target.strip():
                self._work.put_nowait(lambda: self._transfer(target.strip()))
        elif key == _ESCAPE:
            self._target = None
            self._show_levels(True)
            self._out.status("")
        else:
            self._target = target[:-1] if key in _BACKSPACES else target + key
            self._out.status(f"transfer to: {self._target}")

    def _show_levels(self, shown: bool) -> None:
        """Levels are shown where an address is typed."""
        if self._talker is not None:
            self._talker.shows_levels = shown

    async def _hold(self) -> None:
        await (self._call.resume() if self._call.held else self._call.hold())

    async def _mute(self) -> None:
        if self._call.muted:
            self._call.unmute()
        else:
            self._call.mute()
        words = "muted: the far end hears silence" if self._call.muted else "no longer muted"
        self._out.event("muted", words, muted=self._call.muted)

    async def _dial(self, key: str) -> None:
        self._out.event("dtmf_sent", f"pressing {key}", digits=key)
        await self._call.send_dtmf(key)

    async def _transfer(self, target: str) -> None:
        uri = self._complete(target)
        self._out.event("transferring", f"transferring to {uri}", to=uri)
        outcome = await self._call.transfer(uri)
        self._out.event("transferred", f"transferred: {outcome.status} {outcome.reason}", to=uri)

    async def _record(self) -> None:
        if self._recording is None:
            self._recording = self._call.record(self._path, layout="stereo")
            self._out.event("recording", f"recording into {self._path}", file=str(self._path))
            return
        recording, self._recording = self._recording, None
        tell_recorded(await recording.stop(), self._out)
