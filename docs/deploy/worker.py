"""A worker behind the proxy: answers every call, says something, and gives back what it hears.

    python worker.py 127.77.1.1:5060

SIGTERM lets it finish its calls: new ones are refused with 503, and the proxy gives them to another worker.
"""

import asyncio
import gc
import signal
import sys

from media import ManagerConfig, PortRange
from media.audio.synthesis import melody
from sipmedia import IncomingCall, Softphone

AT_ONCE = 100


async def work(bind: str) -> None:
    """Work until told to stop, and then until the last call is over."""
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)

    async def talk(event: IncomingCall) -> None:
        if stop.is_set() or len(phone.calls) > AT_ONCE:
            event.call.reject(503)
            return
        await event.call.answer()
        print("took a call", flush=True)
        await event.call.play(melody(8000)[:8000])
        event.call.echo()

    host = bind.rpartition(":")[0]
    media = ManagerConfig(default_local_ip=host, rtp_port_range=PortRange(20000, 29999))
    async with Softphone(bind=bind, media=media) as phone:
        phone.on("incoming_call", talk)
        gc.collect()
        gc.freeze()  # what is here now stays: the collector need not stop all calls to look at it
        print(f"working at {bind}", flush=True)
        await stop.wait()
        print("finishing", flush=True)
        while phone.calls:
            await asyncio.sleep(0.2)


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]))
