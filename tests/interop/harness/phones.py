"""Phones of both kinds in one test: ours in this process, registered with the proxy, and the peers' programs.

The questions are the same for both: does it hear that sound now, which keys came, is its call over?
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from dialog.tls_settings import TlsSettings
from sipmedia import Account, Call, IncomingCall, Softphone
from sipmedia.account import Transport

from . import sound
from .baresip import Baresip
from .kamailio import Kamailio, password
from .linphone import Linphone
from .parties import Party
from .process import PeerTimeout

Peer = Baresip | Linphone
PATIENCE_S = 20.0
_LISTEN_S = 2.2
_PIECE_S = 0.2


async def until(condition: Callable[[], object], what: str, timeout_s: float = PATIENCE_S) -> None:
    """Return once `condition()` is true. :raises PeerTimeout: naming `what` was waited for."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise PeerTimeout(f"waited {timeout_s} s for {what}")
        await asyncio.sleep(0.05)


class OurPhone:
    """A Softphone that answers every call, says `sound` in all of them, and remembers what happened."""

    def __init__(self, softphone: Softphone, user: str, says: sound.Samples) -> None:
        self.softphone = softphone
        self.user = user
        self.says = says
        self.calls: list[Call] = []
        self.keys = ""
        softphone.on("incoming_call", self._incoming)

    async def _incoming(self, event: IncomingCall) -> None:
        await event.call.answer()
        self._begin(event.call)

    def _begin(self, call: Call) -> None:
        self.calls.append(call)
        call.on("dtmf", self._key)
        call.play(self.says, repeat=None)

    def _key(self, event: Any) -> None:
        self.keys += event.digit

    async def call(self, uri: str) -> Call:
        """Call, and talk when it is answered."""
        call = await asyncio.wait_for(self.softphone.call(uri), PATIENCE_S)
        self._begin(call)
        return call

    async def called(self, count: int = 1) -> Call:
        """The call numbered `count`, once it is there."""
        await until(lambda: len(self.calls) >= count, f"call {count} at {self.user}")
        return self.calls[count - 1]


@asynccontextmanager
async def registered(
    proxy: Kamailio, party: Party, says: sound.Samples, transport: Transport = "udp", **settings: Any
) -> AsyncIterator[OurPhone]:
    """A phone of ours, registered with the proxy under a new name."""
    user = proxy.new_user()
    account = Account(
        proxy.uri(user),
        password=password(user),
        register=True,
        outbound_proxy=proxy.address(transport),
        transport=transport,
    )
    trust = TlsSettings(authorities=proxy.authority)
    ways = ("udp", "tcp", "tls")
    async with Softphone(account, bind=party.bind, transports=ways, tls=trust, **settings) as softphone:
        phone = OurPhone(softphone, user, says)
        await asyncio.wait_for(softphone.registrations[0].registered(), PATIENCE_S)
        yield phone


async def assert_hears(call: Call, said: sound.Samples) -> None:
    """From now on we hear that sound, clearly, for two seconds."""

    async def collect() -> sound.Samples:
        parts: list[sound.Samples] = []
        async for frame in call.frames():
            if parts or np.abs(frame.samples).max() > 200:
                parts.append(frame.samples)
            if sum(map(len, parts)) >= _LISTEN_S * sound.RATE_HZ:
                break
        return np.concatenate([np.zeros(0, np.int16), *parts])

    heard = await asyncio.wait_for(collect(), PATIENCE_S)
    await asyncio.to_thread(sound.assert_heard, heard, said, 1.5, piece_s=_PIECE_S)


async def both_hear(one: Call, one_says: sound.Samples, other: Call, other_says: sound.Samples) -> None:
    """Each hears the other, at the same time."""
    await asyncio.gather(assert_hears(one, other_says), assert_hears(other, one_says))


async def assert_packets(peer: Peer) -> None:
    """What we know of baresip 1.0 after a hold: it plays on, but records no more. linphone records it."""
    if isinstance(peer, Baresip):
        since = len(peer.output())
        await until(lambda: peer.receives(since), "packets to arrive at baresip")


async def assert_heard(peer: Peer, said: sound.Samples) -> None:
    """The peer's call is over, or soon; of the last three seconds that it heard, one at least was that sound.

    What linphone keeps of a call on a busy machine has holes and shifts, which are its own.
    """
    await until(peer.hung_up, f"{peer.name} to hang up")

    def clear_s() -> float:
        heard = peer.sound_so_far()
        piece = round(_PIECE_S * sound.RATE_HZ)
        loud = np.flatnonzero(np.abs(heard) > 200)
        end = int(loud[-1]) if len(loud) else 0
        starts = range(max(0, end - 3 * sound.RATE_HZ), end - piece, piece)
        matches = [sound.match(heard[at : at + piece], said, piece_s=_PIECE_S) for at in starts]
        return sum(match.correlation > 0.9 for match in matches) * _PIECE_S

    try:
        await until(lambda: clear_s() >= 1, "the recording to be written", 5)
    except PeerTimeout:
        raise AssertionError(f"{peer.name} heard {clear_s():.1f} s of it at the end") from None
