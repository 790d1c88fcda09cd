"""A phone of ours whose cards' clock is wrong: PortAudio opens them at another rate than we are told.

    python -m benchmarks.audio_phone DEVICE PPM SECONDS [URI]      calls URI, or answers one call; prints JSON

PulseAudio converts from the true rate to the one asked for, so 48005 Hz taken for 48000 is a clock that is
104 parts in a million fast. The first ten of SECONDS are left out of what is counted, CPU included.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from dataclasses import asdict, replace
from typing import Any

from media import ManagerConfig
from media.audio.echo_cancellation import VoiceSettings
from media.device.base import DeviceInfo, Opening
from media.device.portaudio import PortAudioBackend
from media.device.system_stream import PortAudioStream
from sipmedia import Account, Call, Headset, IncomingCall, Softphone

RATE_HZ = 48000
_SETTLED_S = 10.0
"""Who is at the card has come, and the margins have found out how it calls."""


class WrongClock(PortAudioBackend):
    """Devices that run `ppm` parts in a million fast, and say that they run at 48 kHz."""

    def __init__(self, ppm: float) -> None:
        super().__init__()
        self._true_hz = round(RATE_HZ * (1 + ppm * 1e-6))

    def open(self, device: DeviceInfo, opening: Opening) -> PortAudioStream:
        """As asked, a little faster."""
        block_s = round(opening.block_s * RATE_HZ) / self._true_hz
        stream = super().open(device, replace(opening, sample_rate_hz=self._true_hz, block_s=block_s))
        stream.sample_rate_hz = RATE_HZ
        return stream


async def talk(call: Call, headset: Headset, seconds: float) -> None:
    """Take part for so long; prints what it took and what became of the sound."""
    headset.attach(call)
    await asyncio.sleep(_SETTLED_S)
    before, wall, cpu = headset.statistics(), time.monotonic(), time.process_time()
    await asyncio.sleep(seconds - _SETTLED_S)
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    after = headset.statistics()
    lines: dict[str, Any] = {}
    for way, last in after.items():
        first = before[way]
        if first is not None and last is not None:
            lines[way] = asdict(last) | {
                "new_underruns": last.underruns - first.underruns,
                "new_skipped_ms": last.skipped_ms - first.skipped_ms,
                "new_xruns": last.xruns - first.xruns,
            }
    print(json.dumps({"cpu_percent": 100 * cpu / wall, "seconds": wall, **lines}), flush=True)


async def main(device: str, ppm: float, seconds: float, uri: str | None) -> None:
    """One call."""
    voice = VoiceSettings(echo_cancellation=os.environ.get("BENCH_AEC") == "on")
    duplex = os.environ.get("BENCH_DUPLEX") == "on"
    backend = WrongClock(ppm) if ppm else None
    media = ManagerConfig(default_audio_codecs=(os.environ.get("BENCH_CODEC", "PCMU"),))
    async with (
        Softphone(Account("sip:bench@127.0.0.1"), bind="127.0.0.1:0", media=media) as phone,
        Headset(device, device, voice=voice, duplex=duplex, backend=backend) as headset,
    ):
        gc.collect()
        gc.freeze()  # as the commands do
        if uri is not None:
            call = await phone.call(uri)
            await talk(call, headset, seconds)
            await call.hangup()
            return
        called: asyncio.Future[Call] = asyncio.get_running_loop().create_future()

        async def answer(event: IncomingCall) -> None:
            await event.call.answer()
            called.set_result(event.call)

        phone.on("incoming_call", answer)
        print(f"listening on 127.0.0.1:{phone.address[1]}", flush=True)
        call = await called
        talking = asyncio.ensure_future(talk(call, headset, seconds))
        await call.ended()
        await asyncio.wait([talking], timeout=1)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    asyncio.run(
        main(arguments[0], float(arguments[1]), float(arguments[2]), arguments[3] if arguments[3:] else None)
    )
