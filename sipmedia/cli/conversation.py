"""What ``call`` and ``answer`` share: settings, leading a conversation, and saying what was heard."""

from __future__ import annotations

import asyncio
import io
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

from media import BadAudio, ManagerConfig, MediaStats, PortRange
from media.dtmf.telephone_event import check_digits
from media.files import FilePlayback, FileRecorder
from media.frame import AudioFrame
from sipmedia.call import Call
from sipmedia.cli.accounts import AccountOptions
from sipmedia.cli.addresses import complete
from sipmedia.cli.device_choice import DeviceChoice
from sipmedia.cli.exits import Exit
from sipmedia.cli.keys import HELP, Keys, keyboard
from sipmedia.cli.output import Output
from sipmedia.config import PhoneConfig, format_address, parse_port_range
from sipmedia.errors import CallEnded, CallFailed
from sipmedia.events import Dtmf, Ended, Held, MediaStarted, Resumed
from sipmedia.trace import render_svg, render_text

if TYPE_CHECKING:
    from sipmedia.cli.talking import Talker


@dataclass(frozen=True, slots=True)
class Settings:
    """The options that both commands have."""

    bind: str
    rtp_ports: str
    play: Path | None
    record: Path | None
    stereo: bool
    dtmf: str
    duration: float | None
    codecs: tuple[str, ...]
    trace: Path | None
    media_timeout: float | None = 30.0
    devices: DeviceChoice = field(default_factory=DeviceChoice)
    account: AccountOptions = field(default_factory=AccountOptions)
    keys: bool | None = None
    """Whether keys typed during a call do something; ``None``: when somebody sits at a terminal."""

    def phone_config(self) -> PhoneConfig:
        """How the phone behaves: a call whose far end is gone is hung up."""
        return PhoneConfig(media_timeout=self.media_timeout, hangup_on_media_timeout=True)

    def manager_config(self) -> ManagerConfig:
        """Ports and codecs for the media manager; raises what is wrong with them."""
        ports = PortRange(*parse_port_range(self.rtp_ports))
        if self.codecs:
            return ManagerConfig(rtp_port_range=ports, default_audio_codecs=self.codecs)
        return ManagerConfig(rtp_port_range=ports)


class Ear:
    """Measures what is heard; a sink of the media thread."""

    moves_with_call = True

    def __init__(self) -> None:
        self.samples = 0
        self.rate = 8000
        self._energy = 0.0

    def push(self, frame: AudioFrame) -> None:
        """Take a frame."""
        samples = frame.samples.astype(np.float32)
        self.samples += len(samples)
        self.rate = frame.sample_rate_hz
        self._energy += float(np.dot(samples, samples))

    @property
    def level_dbov(self) -> float | None:
        """Mean level against full scale; ``None`` when only digital silence was heard."""
        if not self.samples or self._energy < self.samples:  # less than one step on average
            return None
        return float(10 * np.log10(self._energy / self.samples / 32768.0**2))


class Stop:
    """Ctrl-C, or the system's wish that we end: :attr:`asked` is done then."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.asked: asyncio.Future[None] = self._loop.create_future()

    def ask(self, *_: int | FrameType | None) -> None:
        """A signal came (any thread's context)."""
        self._loop.call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        if not self.asked.done():
            self.asked.set_result(None)


@contextmanager
def stop_by_signal() -> Iterator[Stop]:
    """While it lasts SIGINT and SIGTERM ask to stop instead of breaking off."""
    stop = Stop()
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
        call, settings = self.call, self._settings
        session = call.session
        assert session is not None  # it is answered
        session.add_sink(self.ear)
        self._out.event("answered", f"answered, {call.codec or 'no audio'}", codec=call.codec)
        recording = None
        if settings.record is not None:
            path = numbered(settings.record, self._number)
            recording = call.record(path, layout="stereo" if settings.stereo else "received")
        if echo:
            call.echo()
        elif self._talker is not None:
            self._talker.join(call)
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
        self._report_end(await self.call.ended())
        if recording is not None:
            result = await recording.stop()
            self._out.event(
                "recorded", f"recorded {result.duration:.1f} s into {result.path}",
                file=result.path, duration=result.duration, error=result.error,
            )  # fmt: skip
        return self._verdict()

    @asynccontextmanager
    async def _keys(self) -> AsyncIterator[None]:
        """While it lasts keys do what they are for, if they are wanted."""
        wanted = self._settings.keys
        if wanted is None:
            wanted = sys.stdin.isatty() and not self._out.as_json
        if not (wanted and self.has_keyboard):
            yield
            return
        domain = self.call.local_uri.partition("@")[2]
        keys = Keys(
            self.call,
            self._out,
            talker=self._talker,
            complete=lambda target: complete(target, domain),
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

    def _verdict(self) -> Exit:
        if self.call.ended_by == "timeout":
            return Exit.PEER_GONE
        audio = self.audio
        if audio is None or audio.packets_received:
            return Exit.TALKED
        streams = self.call.session.streams if self.call.session is not None else ()
        receives = any(stream.direction.receives for stream in streams)
        return Exit.NO_AUDIO if receives or not streams else Exit.TALKED

    @property
    def audio(self) -> MediaStats | None:
        """The statistics of the call's audio."""
        statistics = self.call.statistics()
        return statistics.media.get("audio") if statistics is not None else None

    def _report_end(self, ended: Ended) -> None:
        who = {"local": "we hung up", "remote": f"{self.call.remote_name} hung up"}.get(
            ended.by, f"the call ended ({ended.by})"
        )
        self._out.event(
            "ended",
            f"{who} after {ended.duration:.1f} s",
            by=ended.by,
            reason=ended.reason,
            duration=ended.duration,
        )
        audio = self.audio
        if audio is None or not audio.packets_received:
            self._out.event("heard", "heard nothing: no sound packets came", packets=0)
            return
        level = self.ear.level_dbov
        loudness = "silence only" if level is None else f"{level:.0f} dB below full scale".replace("-", "")
        quality = f", MOS {audio.mos:.1f}" if audio.mos is not None else ""
        seconds = self.ear.samples / self.ear.rate
        self._out.event(
            "heard",
            f"heard {seconds:.1f} s of sound, {loudness}; {audio.packets_received} packets, "
            f"{audio.packets_lost} lost, {audio.packets_late} late{quality}",
            packets=audio.packets_received,
            lost=audio.packets_lost,
            late=audio.packets_late,
            level_dbov=level,
            mos=audio.mos,
        )

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


def summary_of(call: Call) -> dict[str, object]:
    """What the last line for scripts says of a call."""
    return {
        "call_id": call.call_id,
        "from": call.remote_uri if call.incoming else call.local_uri,
        "to": call.local_uri if call.incoming else call.remote_uri,
        "status": call.status,
        "reason": call.reason,
        "ended_by": call.ended_by,
        "duration": call.duration,
        "statistics": call.statistics(),
    }


def save_trace(call: Call, path: Path, out: Output) -> None:
    """Write the ladder: a picture, or text when the file's name ends in .txt."""
    text = render_text(call.trace) if path.suffix == ".txt" else render_svg(call.trace)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:  # it could be when the call began
        out.error(f"{path} cannot be written: {error.strerror}")
        return
    out.event("trace", f"ladder saved to {path}", file=str(path))


def check_settings(settings: Settings) -> None:
    """Find out before anybody's phone rings what would fail once it is answered.

    Raises BadAudio for files that cannot be played or written, BadDigits for what is no key.
    """
    if settings.dtmf:
        check_digits(settings.dtmf)
    if settings.play is not None:
        FilePlayback(settings.play, 8000, _at_once).close()
    for path in (settings.record, settings.trace):
        if path is not None:
            _check_writable(path)
    if settings.record is not None:
        nowhere = _Nowhere(settings.record)
        FileRecorder(nowhere, 8000, _at_once, format=settings.record.suffix[1:] or None).close()


class _Nowhere(io.BytesIO):
    """Stands in for a file, to learn whether its kind can be written."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.name = str(path)


def _check_writable(path: Path) -> None:
    folder = path.absolute().parent
    if not folder.is_dir():
        raise BadAudio(f"{path} cannot be written: there is no folder {folder}")
    existed = path.exists()
    try:
        path.open("ab").close()  # what is there stays until the call is answered
    except OSError as error:
        raise BadAudio(f"{path} cannot be written: {error.strerror}; choose another path") from error
    if not existed:
        path.unlink()


def _at_once(work: Callable[[], object]) -> None:
    work()


async def first_of(*futures: asyncio.Future[Any], timeout: float | None = None) -> None:
    """Wait until one of them is done, at most ``timeout`` seconds; none is cancelled."""
    await asyncio.wait(futures, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)


def numbered(path: Path, number: int) -> Path:
    """The path for the n-th call: the first has it as it is, then ``name-2.wav`` and so on."""
    return path if number == 1 else path.with_name(f"{path.stem}-{number}{path.suffix}")
