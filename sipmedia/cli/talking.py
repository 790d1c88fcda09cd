"""A person in a call of the command line: the headset, what happens to it, and how loud it is."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from media import MediaError
from media.device.errors import DeviceError
from media.device.metering import Level
from sipmedia.call import Call
from sipmedia.cli.device_choice import automatic, saved_choice
from sipmedia.cli.output import Output
from sipmedia.cli.quiet import quiet_c_libraries
from sipmedia.cli.settings import Settings
from sipmedia.device_events import Clipping, DeviceLost, DeviceOpened, Levels, MicrophoneSilent
from sipmedia.device_side import on_device_thread
from sipmedia.headset import Headset

_BAR = 16
_SHOWN_DB = 60.0
_LEVELS_EACH = 10
"""A script gets one line of levels a second."""


def wants_headset(settings: Settings, out: Output, *, echo: bool = False, attended: bool = True) -> bool:
    """Whether a person is to talk: devices were named, or nothing else is to be said and somebody is there.

    ``attended``: what answers calls by itself must not open a microphone to whoever calls, unless told to.
    """
    if settings.devices.explicit:
        return True
    return attended and automatic() and not (out.as_json or echo or settings.play or settings.dtmf)


@asynccontextmanager
async def talking(
    settings: Settings, out: Output, *, echo: bool = False, attended: bool = True
) -> AsyncIterator[Talker | None]:
    """The headset of a call, opened; None when none is wanted, or there is none and none was named.

    Raises `DeviceError` when what was named cannot be used.
    """
    wanted = wants_headset(settings, out, echo=echo, attended=attended)
    talker = await _opened(settings, out) if wanted else None
    if talker is not None:
        gc.collect()
        gc.freeze()  # all that is here stays: looking at it in mid-call would be heard (docs/performance.md)
    try:
        yield talker
    finally:
        if talker is not None:
            await talker.headset.aclose()
            out.status("")


async def _opened(settings: Settings, out: Output) -> Talker | None:
    choice = settings.devices.completed(saved_choice())
    headset = Headset(choice.input, choice.output, ring=choice.ring, voice=choice.voice)
    talker = Talker(headset, out)
    try:
        await on_device_thread(settings.devices.check)  # what was named is told of before what was not
        await headset.open()
    except DeviceError as error:
        if settings.devices.explicit:
            raise
        out.event("no_devices", f"without microphone and loudspeaker: {error}", reason=str(error))
        return None
    engine = headset.voice_engine
    if engine == "ducking":
        words = "echo: the microphone is off while the far end speaks (pip install '.[aec]' does better)"
        out.event("echo", words, engine=engine)
    elif engine == "webrtc":
        out.event("echo", "echo cancellation is on", engine=engine)
    return talker


class Talker:
    """A headset whose events are told as the command tells all others."""

    def __init__(self, headset: Headset, out: Output) -> None:
        quiet_c_libraries()
        self.headset = headset
        self.shows_levels = True
        self._out = out
        self._levels = 0
        headset.on("device_opened", self._on_opened)
        headset.on("device_lost", self._on_lost)
        headset.on("microphone_silent", self._on_silent)
        headset.on("clipping", self._on_clipping)
        headset.on("levels", self._on_levels)
        headset.on("error", out.trouble)

    def join(self, call: Call) -> None:
        """Let the person take part, if that is not so already."""
        self.headset.attach(call)

    def leave(self) -> None:
        """The call is over."""
        self.headset.detach()
        self._out.status("")

    async def ringback(self) -> None:
        """It rings at the far end: let the person hear that, unless the network lets them hear it."""
        if self.headset.call is None:
            try:
                await self.headset.play_tone("ringback")
            except MediaError as error:
                self._out.error(str(error))

    async def ring(self) -> None:
        """Somebody calls."""
        try:
            await self.headset.ring()
        except MediaError as error:
            self._out.error(str(error))

    def _on_opened(self, event: DeviceOpened) -> None:
        self._out.event(
            "device_opened", str(event),
            direction=event.direction, device=event.device.name, host_api=event.device.host_api,
            sample_rate_hz=event.sample_rate_hz, latency_ms=1000 * event.latency_s, because=event.because,
        )  # fmt: skip

    def _on_lost(self, event: DeviceLost) -> None:
        self._out.event(
            "device_lost",
            str(event),
            direction=event.direction,
            device=event.device.name,
            reason=event.reason,
        )

    def _on_silent(self, event: MicrophoneSilent) -> None:
        self._out.event("microphone_silent", str(event), seconds=event.seconds)

    def _on_clipping(self, event: Clipping) -> None:
        self._out.event("clipping", str(event), samples=event.samples)

    def _on_levels(self, event: Levels) -> None:
        if self.headset.call is None:
            return
        if self.shows_levels:
            self._out.status(f"          you {bar(event.microphone)}  they {bar(event.loudspeaker)}")
        self._levels += 1
        if self._levels % _LEVELS_EACH == 0:
            self._out.event("levels", microphone=event.microphone, loudspeaker=event.loudspeaker)


def bar(level: Level) -> str:
    """A level to look at: full at 0 dB, empty at -60."""
    filled = round(_BAR * max(0.0, 1 + level.rms_dbfs / _SHOWN_DB))
    mark = "!" if level.clipped else " "
    return "█" * filled + "·" * (_BAR - filled) + f"{level.rms_dbfs:5.0f} dB{mark}"
