"""``sipmedia devices``: what microphones and loudspeakers there are, whether they work, and which to use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from rich.table import Table

from media import MediaError
from media.audio.echo_cancellation import VoiceSettings
from media.audio.graph import SampleSource
from media.device.base import DeviceInfo, Direction
from media.device.choosing import choose
from media.device.errors import DeviceError
from media.device.metering import FLOOR_DBFS, Level
from media.device.portaudio import portaudio
from media.device.probe import RATE_HZ, DelayProbe
from media.device.pump import Pump
from media.device.talk import TalkPath
from media.runtime import current_runtime
from sipmedia.cli.device_choice import DeviceChoice, OnOff, save_choice, saved_choice
from sipmedia.cli.exits import Exit, failed
from sipmedia.cli.output import Output
from sipmedia.cli.stopping import Stop, first_of, stop_by_signal
from sipmedia.cli.talking import Talker, bar
from sipmedia.device_side import on_device_thread
from sipmedia.headset import Headset

_LOOK_S = 0.1
_TONE_HZ = 440.0


async def show_devices(choice: DeviceChoice, out: Output) -> Exit:
    """List all devices, and say which ones a call would use."""
    try:
        devices = await on_device_thread(portaudio().devices)
        used = choice.completed(saved_choice())
    except DeviceError as error:
        return failed(error, out)
    chosen = {
        name: _chosen(devices, wish, direction)
        for name, wish, direction in (
            ("input", used.input, Direction.INPUT),
            ("output", used.output, Direction.OUTPUT),
            ("ring", used.ring, Direction.OUTPUT),
        )
        if name != "ring" or wish is not None
    }
    for device in devices:
        uses = [name for name, index in chosen.items() if index == device.index]
        out.event("device", **_fields(device), used_for=uses)
    if devices and not out.as_json:
        out.show(_table(devices, chosen))
    for name, index in chosen.items():
        if isinstance(index, str):
            out.event("unusable", f"{name}: {index}", direction=name, reason=index)
    out.summary(exit_code=Exit.TALKED, devices=len(devices))
    return Exit.TALKED


async def save_devices(choice: DeviceChoice, out: Output) -> Exit:
    """Remember a choice that can be used."""
    try:
        await on_device_thread(choice.check)
        path = save_choice(choice)
    except MediaError as error:
        return failed(error, out)
    words = f"saved in {path}"
    if not choice.explicit:
        words += ": nothing, so from now on the system's devices are used"
    out.event("saved", words, file=str(path))
    return Exit.TALKED


async def test_devices(choice: DeviceChoice, out: Output, seconds: float) -> Exit:
    """Play a tone, and show how loud the microphone is."""
    async with _opened(choice, out) as (talker, stop):
        if talker is None:
            return Exit.DEVICE
        path = talker.headset.path
        t = np.arange(RATE_HZ) / RATE_HZ
        tone = (6000 * np.sin(2 * np.pi * _TONE_HZ * t) * np.hanning(RATE_HZ)).astype(np.int16)
        out.event("tone", "you should hear a tone now; then speak")
        ear = DelayProbe(current_runtime(), _deaf(path), talk_through=True)
        pump = Pump(current_runtime(), SampleSource(tone, RATE_HZ, repeat=2), path, RATE_HZ)
        loudest = await _watch(path, stop, max(seconds, 2.0), out)
        pump.stop()
        ear.stop()
        statistics = talker.headset.statistics()
    out.status("")
    if loudest.peak_dbfs <= FLOOR_DBFS:
        words = "the microphone gave nothing at all: it is muted, or the wrong one"
    else:
        words = f"the microphone's loudest moment: {abs(loudest.peak_dbfs):.0f} dB below full scale"
    if loudest.clipped:
        words += "; it is too loud and distorts"
    out.event("tested", words, microphone=loudest, statistics=statistics)
    return Exit.TALKED


async def hear_yourself(choice: DeviceChoice, out: Output, seconds: float) -> Exit:
    """Measure how long sound takes from the loudspeaker to the microphone, then play what is said."""
    choice = replace(choice, aec=OnOff.OFF)  # it would take out the very sound that is sought
    async with _opened(choice, out) as (talker, stop):
        if talker is None:
            return Exit.DEVICE
        path = talker.headset.path
        out.event("measuring", "measuring with chirps: let the microphone hear the loudspeaker")
        probe = DelayProbe(current_runtime(), path)
        await first_of(stop.asked, timeout=seconds)
        probe.stop()
        delays = probe.delays_ms()[1:]
        median = float(np.median(delays)) if delays else None
        if median is None:
            words = "no chirp came back: the microphone does not hear the loudspeaker (a headset does not)"
        else:
            words = (
                f"from us to the loudspeaker, through the air and back: {median:.0f} ms "
                f"({min(delays):.0f} to {max(delays):.0f})"
            )
        out.event("loopback", words, delay_ms=median, delays_ms=delays)
        if not stop.asked.done():
            out.event("talk_through", f"now you hear yourself for {seconds:.0f} s: speak (Ctrl-C ends it)")
            mirror = DelayProbe(current_runtime(), path, talk_through=True)
            await _watch(path, stop, seconds, out)
            mirror.stop()
    out.status("")
    return Exit.TALKED


@asynccontextmanager
async def _opened(choice: DeviceChoice, out: Output) -> AsyncIterator[tuple[Talker | None, Stop]]:
    """The headset of a choice; None, and why is told, when it cannot be opened."""
    with stop_by_signal(out) as stop:
        talker: Talker | None = None
        try:
            used = choice.completed(saved_choice())
            voice = VoiceSettings(echo_cancellation=used.aec is OnOff.ON)
            headset = Headset(used.input, used.output, ring=used.ring, voice=voice)
            talker = Talker(headset, out)
            await headset.open()
        except MediaError as error:
            talker = None
            failed(error, out)
        try:
            yield talker, stop
        finally:
            if talker is not None:
                await talker.headset.aclose()


async def _watch(path: TalkPath, stop: Stop, seconds: float, out: Output) -> Level:
    """Show the microphone's level for so long; gives the loudest of it."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    loudest = Level(FLOOR_DBFS, FLOOR_DBFS, 0, 0.0)
    while loop.time() < end and not stop.asked.done():
        await first_of(stop.asked, timeout=_LOOK_S)
        level = path.microphone.take()
        loudest = Level(
            max(loudest.peak_dbfs, level.peak_dbfs),
            max(loudest.rms_dbfs, level.rms_dbfs),
            loudest.clipped + level.clipped,
            level.silent_s,
        )
        out.status(f"          microphone {bar(level)}")
    return loudest


def _deaf(path: TalkPath) -> TalkPath:
    """Another path to the same microphone, and to no loudspeaker."""
    other = TalkPath()
    other.capture, other.microphone = path.capture, path.microphone
    return other


def _chosen(devices: list[DeviceInfo], wish: str | None, direction: Direction) -> int | str:
    """The index of what a wish means, or why it means nothing."""
    try:
        return choose(devices, wish, direction).index
    except DeviceError as error:
        return str(error)


def _fields(device: DeviceInfo) -> dict[str, Any]:
    return {
        "index": device.index,
        "device": device.name,
        "host_api": device.host_api,
        "input_channels": device.input_channels,
        "output_channels": device.output_channels,
        "default_rate_hz": device.default_rate_hz,
        "default_input": device.default_input,
        "default_output": device.default_output,
    }


def _table(devices: list[DeviceInfo], chosen: dict[str, int | str]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("No.", "Name", "Host API", "In", "Out", "Rate", "Used for"):
        table.add_column(heading, justify="right" if heading in ("No.", "In", "Out", "Rate") else "left")
    words = {"input": "microphone", "output": "loudspeaker", "ring": "ringing"}
    for device in devices:
        uses = [words[name] for name, index in chosen.items() if index == device.index]
        table.add_row(
            str(device.index), device.name, device.host_api,
            str(device.input_channels or "-"), str(device.output_channels or "-"),
            str(device.default_rate_hz), ", ".join(uses),
        )  # fmt: skip
    return table
