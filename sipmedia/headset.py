"""A headset: the microphone and the loudspeaker through which a person takes part in calls.

async with Softphone(Account("sip:alice@192.0.2.1")) as phone, Headset() as headset:
    call = await phone.call("sip:bob@192.0.2.2")
    await headset.talk(call)
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from media import InvalidState
from media.audio.country_tones import ToneKind, country_tone
from media.audio.echo_cancellation import VoiceSettings
from media.audio.graph import AudioSource
from media.device.backends import NULL
from media.device.base import Backend, DeviceInfo
from media.device.capture import CaptureLine
from media.device.choosing import Wish
from media.device.line import LineStatistics
from media.device.metering import SILENT_AFTER_S
from media.device.playback import PlaybackLine
from media.device.pump import Pump
from media.device.ring_tone import ring_tone
from media.device.talk import TalkPath
from media.runtime import current_runtime
from sipmedia.async_with import AsyncWith
from sipmedia.device_events import (
    Clipping,
    DeviceLost,
    DeviceOpened,
    DirectionName,
    Levels,
    MicrophoneSilent,
)
from sipmedia.device_side import DeviceSide, Line, WhenLost
from sipmedia.emitter import Emitter
from sipmedia.seat import session_of

if TYPE_CHECKING:
    from sipmedia.call import Call
    from sipmedia.events import Ended
    from sipmedia.service_events import Replaced, Transferred

LEVELS_EVERY_S = 0.1
_UNHEARD_EVERY_S = 0.5
"""How often one looks when nobody listens to the levels."""
_CLIPPING_EVERY_S = 1.0
_TONE_RATE_HZ = 16000


class Headset(Emitter, AsyncWith):
    """Microphone and loudspeaker for one call or conference at a time; an async context manager.

    ``input`` and ``output`` name the devices: an index, a name or a part of it, "NAME, HOST API",
    ``None`` for the system's; ``"null"`` (silence) and ``"file:NAME.wav"`` work without any. ``ring`` is
    where :meth:`ring` is heard, by default the loudspeaker. ``voice`` says what is done to the microphone's
    sound. ``when_lost``: wait for a device that disappears, or take the default one meanwhile.
    ``sample_rate_hz``: of the devices, by default 48000 or the next that they run at. ``duplex``: where both
    are one device, let one stream do both directions.

    Its events are listed in :mod:`sipmedia.device_events`. A device that disappears does not end the call.
    """

    def __init__(
        self,
        input: Wish = None,
        output: Wish = None,
        *,
        ring: Wish = None,
        voice: VoiceSettings | None = None,
        when_lost: WhenLost = "wait",
        sample_rate_hz: int | None = None,
        duplex: bool = False,
        backend: Backend | None = None,
    ) -> None:
        super().__init__()
        self._input, self._output, self._ring = input, output, ring
        self._voice = voice or VoiceSettings()
        self._when_lost: WhenLost = when_lost
        self._sample_rate_hz = sample_rate_hz
        self._duplex = duplex
        self._backend = backend
        self._path = TalkPath(self._voice)
        self._latencies = {"input": 0.0, "output": 0.0}
        self._call: Call | None = None
        self._leave: Callable[[], None] | None = None
        self._ringing: Pump | None = None
        self._ring_side: DeviceSide | None = None
        self._watch: asyncio.Task[None] | None = None
        self._microphone: DeviceSide | None = None
        self._loudspeaker: DeviceSide | None = None

    # --- life ---

    async def open(self) -> None:
        """Open both devices; ``async with`` does it. Harmless when they are open.

        Raises what is wrong: :class:`media.device.errors.DeviceError`, or :class:`media.BadAudio` for a file.
        """
        if self._microphone is not None:
            return
        self._voice.check()
        self._microphone = self._side("input", self._input)
        self._loudspeaker = self._side("output", self._output)
        try:
            await self._loudspeaker.open(self._output)
            await self._microphone.open(self._input)
        except BaseException:
            await self.aclose()
            raise
        self._watch = asyncio.ensure_future(self._look_after())

    start = open

    async def aclose(self) -> None:
        """Leave the call, which goes on in silence, and close the devices. May be called twice."""
        self.detach()
        await self.stop_ringing()
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        sides = self._microphone, self._loudspeaker
        self._microphone = self._loudspeaker = None
        for side in sides:
            if side is not None:
                await side.close()
        await self.close_handlers()

    # --- what it is ---

    @property
    def input(self) -> DeviceInfo | None:
        """The microphone that is open; ``None`` while it is lost."""
        return _info(self._microphone)

    @property
    def output(self) -> DeviceInfo | None:
        """The loudspeaker that is open; ``None`` while it is lost."""
        return _info(self._loudspeaker)

    @property
    def path(self) -> TalkPath:
        """Where its sound passes: a source and a sink for something other than a call."""
        return self._path

    @property
    def call(self) -> Call | None:
        """The call it takes part in; ``None`` in a conference."""
        return self._call

    @property
    def voice_engine(self) -> str:
        """What cleans the microphone's sound: "webrtc", "ducking" or "off"."""
        return self._path.settings.engine

    def statistics(self) -> dict[str, LineStatistics | None]:
        """What became of the sound of "input" and "output" since their devices were opened."""
        return {
            "input": None if self._microphone is None else self._microphone.statistics(),
            "output": None if self._loudspeaker is None else self._loudspeaker.statistics(),
        }

    # --- calls ---

    def attach(self, call: Call) -> None:
        """Take part in a call that has sound, in place of the one before; until it ends or :meth:`detach`.

        What the call plays (``call.play``) is sent in place of the microphone meanwhile. While the call is in
        a conference or a bridge, or another headset was attached to it later, this one only listens; it
        speaks again when they are gone.
        :raises InvalidCallState: before there is media. :raises CallEnded: when the call is over.
        """
        if call is self._call:
            return
        session = session_of(call)

        handlers: dict[str, Callable[..., None]] = {
            "ended": self._left,
            "transferred": self._follow,
            "replaced": self._follow,
        }

        def leave() -> None:
            for name, handler in handlers.items():
                call.remove_listener(name, handler)
            session.remove_sink(self._path)
            session.remove_source(self._path)

        self.occupy(leave)
        self._call = call
        self._path.rate_hz = lambda: session.rate
        session.add_sink(self._path)
        session.add_source(self._path)
        for name, handler in handlers.items():
            call.on(name, handler)

    def occupy(self, leave: Callable[[], None]) -> None:
        """Leave where it is and stop ringing, for a place of another kind: that of a conference.

        ``leave`` is called once, when it leaves that: by :meth:`detach`, :meth:`attach` or :meth:`aclose`.
        """
        self.detach()
        self._silence_ring()  # at once: two cannot push into one loudspeaker
        if self._ring_side is not None:
            self.spawn(self.stop_ringing(), "closing the ring device")
        self._leave = leave

    def detach(self) -> None:
        """Take part no longer; the call goes on in silence. Harmless where it takes no part."""
        leave, self._leave, self._call = self._leave, None, None
        if leave is not None:
            leave()

    async def talk(self, call: Call) -> Ended:
        """Take part in the call until it is over; gives its end."""
        self.attach(call)
        return await call.ended()

    def _follow(self, event: Transferred | Replaced) -> None:
        """The call goes on as another one, and so do we."""
        self.attach(event.successor)

    def _left(self, _: Ended) -> None:
        self.detach()

    # --- in mid-call ---

    @property
    def muted(self) -> bool:
        """Whether the far end hears silence in place of the microphone."""
        return self._path.muted

    @muted.setter
    def muted(self, muted: bool) -> None:
        self._path.muted = muted

    @property
    def gain(self) -> float:
        """What the microphone's samples are multiplied with; 1.0 leaves them as they are."""
        return self._path.gain

    @gain.setter
    def gain(self, gain: float) -> None:
        self._path.gain = _factor(gain)

    @property
    def volume(self) -> float:
        """What the samples to be heard are multiplied with; 1.0 leaves them as they are."""
        return self._path.volume

    @volume.setter
    def volume(self, volume: float) -> None:
        self._path.volume = _factor(volume)

    async def use_input(self, wish: Wish) -> None:
        """Change to another microphone. When it cannot be opened that is raised, and the old one stays.

        Before :meth:`open` it is only noted.
        """
        if self._microphone is not None:
            await self._microphone.open(wish, "changed")
        self._input = wish

    async def use_output(self, wish: Wish) -> None:
        """Change to another loudspeaker. When it cannot be opened that is raised, and the old one stays.

        Before :meth:`open` it is only noted.
        """
        if self._loudspeaker is not None:
            await self._loudspeaker.open(wish, "changed")
        self._output = wish

    # --- ringing ---

    async def ring(self, sound: AudioSource | None = None) -> None:
        """Ring on the ring device until :meth:`stop_ringing`, :meth:`attach` or the end of ``sound``.

        ``sound``: of 16 kHz, by default a ring of ours. Raises as :meth:`open` for a device that fails, and
        :class:`media.InvalidState` while the headset is not open.
        """
        if self._microphone is None:
            raise InvalidState("the headset is not open: `async with Headset()`, or await headset.open()")
        await self.stop_ringing()
        ring = self._ring
        if ring is None and self._leave is None:
            sink = self._path
        else:
            sink = TalkPath()
            self._ring_side = self._side("ring", ring, sink)
            await self._ring_side.open(self._output if ring is None else ring)
        source = sound or ring_tone(_TONE_RATE_HZ)
        self._ringing = Pump(current_runtime(), source, sink, _TONE_RATE_HZ)

    async def play_tone(self, kind: ToneKind, country: str = "us") -> None:
        """Let the person hear a network's tone ("ringback", "busy", ...) until :meth:`stop_ringing`."""
        await self.ring(country_tone(country, kind, _TONE_RATE_HZ))

    async def stop_ringing(self) -> None:
        """Be silent; harmless when it does not ring."""
        self._silence_ring()
        side, self._ring_side = self._ring_side, None
        if side is not None:
            await side.close()

    def _silence_ring(self) -> None:
        pump, self._ringing = self._ringing, None
        if pump is not None:
            pump.stop()

    # --- inside ---

    def _side(self, name: DirectionName, wish: Wish, path: TalkPath | None = None) -> DeviceSide:
        path = path or self._path

        def set_line(line: Line | None, latency_s: float) -> None:
            if name in self._latencies:
                self._latencies[name] = latency_s
                self._path.delay_s = sum(self._latencies.values())
            if name == "input":
                assert line is None or isinstance(line, CaptureLine)
                path.capture = line
                path.microphone.restart()
            else:
                assert line is None or isinstance(line, PlaybackLine)
                path.playback = line

        def other_wish() -> Wish:
            other = self._loudspeaker if name == "input" else self._microphone
            return None if other is None else other.wish

        return DeviceSide(
            name,
            wish,
            backend=self._backend,
            sample_rate_hz=self._sample_rate_hz,
            when_lost=self._when_lost,
            with_reference=name == "output" and self._voice.engine != "off",
            other_wish=other_wish if self._duplex and path is self._path else None,
            set_line=set_line,
            tell=self._tell,
        )

    def _tell(self, event: DeviceOpened | DeviceLost) -> None:
        self.emit("device_opened" if isinstance(event, DeviceOpened) else "device_lost", event)

    async def _look_after(self) -> None:
        """Levels, warnings, and devices that stop without a word."""
        told_silent, clipped, clipped_told_s = False, 0, _CLIPPING_EVERY_S
        while True:
            pause_s = LEVELS_EVERY_S if self.has_listeners("levels") else _UNHEARD_EVERY_S
            await asyncio.sleep(pause_s)
            for side in (self._microphone, self._loudspeaker, self._ring_side):
                if side is not None:
                    side.check()
            levels = Levels(self._path.microphone.take(), self._path.loudspeaker.take())
            if self.has_listeners("levels"):
                self.emit("levels", levels)
            silent_s = 0.0 if self._input == NULL else levels.microphone.silent_s  # that one is meant
            if silent_s >= SILENT_AFTER_S and not told_silent:
                self.emit("microphone_silent", MicrophoneSilent(silent_s))
            told_silent = silent_s >= SILENT_AFTER_S
            clipped += levels.microphone.clipped
            clipped_told_s += pause_s
            if clipped and clipped_told_s >= _CLIPPING_EVERY_S:
                self.emit("clipping", Clipping(clipped))
                clipped, clipped_told_s = 0, 0.0


def _factor(value: float) -> float:
    """What samples may be multiplied with: nothing is silence, and what is no number changes nothing."""
    return max(0.0, value) if math.isfinite(value) else 1.0


def _info(side: DeviceSide | None) -> DeviceInfo | None:
    return None if side is None or side.open_device is None else side.open_device.info
