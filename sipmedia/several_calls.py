"""Several calls of one phone: switching between them, and not being disturbed by more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sipmedia.emitter import Emitter
from sipmedia.errors import InvalidCallState, SipMediaError
from sipmedia.parties import CallState

if TYPE_CHECKING:
    from dialog.usage.invite import InviteUsage
    from sipmedia.call import Call
    from sipmedia.config import PhoneConfig
    from sipmedia.sound import Playable


class SeveralCalls(Emitter):
    """The part of a :class:`~sipmedia.Softphone` that is about all of its calls."""

    config: PhoneConfig
    do_not_disturb: bool = False
    """While it is set, new calls are refused (``PhoneConfig.do_not_disturb_status``) and not shown."""

    _calls: dict[InviteUsage, Call]

    @property
    def calls(self) -> list[Call]:
        """The calls that are not over, oldest first."""
        return [call for call in self._calls.values() if call.state is not CallState.ENDED]

    @property
    def active_calls(self) -> list[Call]:
        """The answered calls that we have not put on hold."""
        return [call for call in self.calls if call.state is CallState.ANSWERED and not call.held]

    async def hold_all(self, *, but: Call | None = None, music: Playable | None = None) -> None:
        """Put all answered calls on hold, ``but`` for one; ``music`` is played to each of them.

        A call that cannot be held (its far end refuses, or it ends) is reported as ``error`` and left.
        """

        async def hold(call: Call) -> None:
            try:
                await call.hold(music=music)
            except SipMediaError as error:
                self.report(error, f"putting {call.remote_name} on hold")

        await asyncio.gather(*(hold(call) for call in self.active_calls if call is not but))

    async def switch_to(self, call: Call, *, music: Playable | None = None) -> None:
        """Talk to this one: hold the others, then answer it if it rings, or end its hold.

        :raises InvalidCallState: for a call of ours that nobody has answered yet. Raises as ``resume`` and
            ``answer`` do.
        """
        if not call.incoming and call.state in (CallState.CALLING, CallState.RINGING):
            raise InvalidCallState("nobody has answered this call yet")
        await self.hold_all(but=call, music=music)
        if call.state is CallState.RINGING:
            await call.answer()
        else:
            await call.resume()
