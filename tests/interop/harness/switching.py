"""A program that talks through one card, changes to another in mid-call, and hangs up: run with a SIP URI."""

from __future__ import annotations

import asyncio
import sys

from media.audio.echo_cancellation import VoiceSettings
from media.device.errors import DeviceError
from sipmedia import Headset, Softphone


async def main(uri: str) -> None:
    voice = VoiceSettings(echo_cancellation=False)
    async with Softphone(bind="127.0.0.1:0") as phone, Headset("phone_a", "phone_a", voice=voice) as headset:
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
        print("switched", flush=True)
        await asyncio.sleep(6)
        await call.hangup()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
