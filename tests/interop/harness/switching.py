"""A program that talks through one card, changes to another in mid-call, and hangs up.

Run with a SIP URI, and "duplex" if one stream shall do both directions.
"""

from __future__ import annotations

import asyncio
import sys

from media.audio.echo_cancellation import VoiceSettings
from media.device.errors import DeviceError
from media.device.portaudio import portaudio
from sipmedia import Headset, Softphone


async def main(uri: str, duplex: bool) -> None:
    voice = VoiceSettings(echo_cancellation=False)
    async with (
        Softphone(bind="127.0.0.1:0") as phone,
        Headset("phone_a", "phone_a", voice=voice, duplex=duplex) as headset,
    ):
        print(f"streams: {portaudio().streams}", flush=True)
        call = await phone.call(uri)
        headset.attach(call)
        print("talking", flush=True)
        await asyncio.sleep(2)
        await headset.use_input("phone_spare")
        await headset.use_output("phone_spare")
        try:
            await headset.use_input("kitchen")
        except DeviceError as error:
            print(error, flush=True)
        print(f"switched, streams: {portaudio().streams}", flush=True)
        await asyncio.sleep(6)
        await call.hangup()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], "duplex" in sys.argv))
