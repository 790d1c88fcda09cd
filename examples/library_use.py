"""Example 7: a program of your own that calls and answers, in thirty lines.

The function `call_bob` below is the whole program; the example prints it, runs it, and shows what it gave.
"""

import asyncio
import inspect

import numpy as np

from examples.kit import ExampleFailed, _, example, rule, say, show
from sipmedia import Account, IncomingCall, Softphone

SAMPLE_RATE_HZ = 8000  # PCMU, which both offer first


async def call_bob() -> tuple[bytes, str]:
    """Alice calls Bob, presses two keys and buzzes; gives the sound and the keys that Bob heard."""
    heard = bytearray()
    digits: list[str] = []
    bob = Softphone(Account("sip:bob@127.0.0.1"), bind="127.0.0.1:0")
    alice = Softphone(Account("sip:alice@127.0.0.1"), bind="127.0.0.1:0")

    async def answer(event: IncomingCall) -> None:
        event.call.on("dtmf", lambda dtmf: digits.append(dtmf.digit))
        await event.call.answer()
        async for frame in event.call.frames():
            heard.extend(frame.to_bytes())

    async with bob, alice:
        bob.on("incoming_call", answer)
        host, port = bob.address
        call = await alice.call(f"sip:bob@{host}:{port}")
        await call.send_dtmf("42")
        call.write((b"\x00\x10" * 10 + b"\x00\xf0" * 10) * 200)  # half a second of a buzz
        await call.drain()
        await asyncio.sleep(0.2)  # the last packets are on their way
        await call.hangup()
    return bytes(heard), "".join(digits)


@example(7, "📚", "The library in thirty lines")
def library_use() -> None:
    """Print the program, run it, and show what Bob heard."""
    say("📚 The library in thirty lines")
    rule(30)
    say()
    show(inspect.getsource(call_bob))
    say("🚀 Running it...")
    heard, digits = asyncio.run(call_bob())
    loud = int((abs(np.frombuffer(heard, "<i2").astype(int)) > 1000).sum()) / SAMPLE_RATE_HZ
    say("   🎵 Bob heard {seconds:.2f} s of sound", seconds=loud)
    say("   🔢 Bob received the keys: {digits}", digits=" ".join(digits))
    if loud < 0.4 or digits != "42":
        raise ExampleFailed(_("Bob did not hear what Alice sent"))
    say("✅ Done")
