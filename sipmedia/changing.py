"""What is asked of the far end of a call that is up: hold, resume, other codecs, INFO."""

from __future__ import annotations

import asyncio
from typing import Any

from dialog.usage.invite import InviteUsage
from sipmedia.errors import CallEnded, InvalidCallState
from sipmedia.modification import Modifications
from sipmedia.parties import CallState, Parties
from sipmedia.playback import Playback
from sipmedia.sound import CallSound, Playable


class ChangingCall(Parties, CallSound):
    """The part of a :class:`~sipmedia.call.Call` that sends requests inside the call."""

    state: CallState
    _modifications: Modifications
    _confirmed: asyncio.Future[None]
    """Done when re-INVITEs are allowed, and when the call is over."""
    _music: Playback | None = None

    @property
    def held(self) -> bool:
        """Whether we put the call on hold."""
        return self._media.wish.held

    @property
    def held_by_remote(self) -> bool:
        """Whether the far end put us on hold."""
        return self._media.held_by_remote

    async def hold(self, *, music: Playable | None = None) -> None:
        """Put the far end on hold: we may send, and ask it not to (RFC 3264 s8.4). Harmless when held.

        ``music`` is played to it over and over (a source: until it ends) in place of what we say, until
        :meth:`resume`.

        :raises ModificationFailed: when the far end refuses. :raises CallEnded: when the call is not up.
        """
        if not self.held:
            await self._modifications.ask(await self._confirmed_usage("hold it"), held=True)
        if music is not None and self.held:
            self._stop_music()
            self._music = self.play(music, repeat=None, first=True)

    async def resume(self) -> None:
        """End our hold; raises as :meth:`hold` does."""
        if self.held:
            await self._modifications.ask(await self._confirmed_usage("resume it"), held=False)
            self._stop_music()

    async def use_codecs(self, *names: str) -> None:
        """Ask for other codecs, best first; raises as :meth:`hold` does, and :class:`media.UnknownCodec`."""
        await self._modifications.ask(await self._confirmed_usage("change its codecs"), codecs=names)

    async def info(self, content_type: str, body: bytes) -> None:
        """Send an INFO request (RFC 6086 s2: of the kind without a package).

        :raises InvalidCallState: before the call is answered. :raises CallEnded: when it is over.
        """
        (await self._confirmed_usage("send INFO")).info(content_type, body)

    # --- for the call ---

    def _stop_music(self) -> None:
        if self._music is not None:
            self._music.stop()
            self._music = None

    async def _confirmed_usage(self, doing: str) -> InviteUsage:
        self._need_up(doing)
        await settled(self._confirmed)
        self._need_up(doing)
        return self.usage

    def _need_up(self, doing: str) -> None:
        if self.state is CallState.ENDED:
            raise CallEnded(f"the call is over: cannot {doing}")
        if self.state is not CallState.ANSWERED:
            raise InvalidCallState(f"the call is not answered yet: cannot {doing}")


async def settled(future: asyncio.Future[Any]) -> None:
    """Wait for it; unlike awaiting it, this neither cancels it with us nor raises what it holds."""
    if not future.done():
        await asyncio.wait([future])
