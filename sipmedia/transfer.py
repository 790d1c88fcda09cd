"""Transferring a call (RFC 5589): asking the far end to call somebody else, and being asked.

Blind: ``await call.transfer("sip:carol@example.org")``. Attended, with Carol on another call of ours:
``await call.transfer_to(other)``; the far end then takes our place in that call (Replaces). Both put the far
end on hold first, and come back to the call when nothing comes of it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dialog import service_events as sip
from dialog.address import NameAddr
from dialog.dialog import Dialog
from dialog.errors import LocalProtocolError
from dialog.replaces import Replaces
from dialog.usage.invite import InviteUsage
from dialog.usage.refer import Refer, Referral
from media.errors import MediaError
from sipmedia.changing import ChangingCall
from sipmedia.errors import CallEnded, InvalidAddress, InvalidCallState, SipMediaError, TransferFailed
from sipmedia.parties import CallState
from sipmedia.service_events import TransferProgress

if TYPE_CHECKING:
    from sipmedia.call import Call
    from sipmedia.services import ServicePhone
    from sipmedia.transferee import TransferringPhone


_NO_REFER = (405, 420, 501)
"""Answers of a far end that does not know REFER, or not what it needs for it."""

TOLD_WITHIN = 10.0
"""Seconds that we wait for the outcome of a transfer when the call it was asked for in is over."""


@dataclass(frozen=True, slots=True)
class TransferOutcome:
    """A transfer that came about: ``status`` is what the called party answered with.

    It is 0 when the far end took the transfer on and tells nothing of it (``known`` is False): as was asked,
    or because it hung up before.
    """

    status: int
    reason: str

    @property
    def known(self) -> bool:
        """Whether the far end told how it went."""
        return self.status != 0


class TransferringCall(ChangingCall):
    """The part of a :class:`~sipmedia.call.Call` that moves it to somebody else."""

    services: ServicePhone
    successor: Call | None = None
    """The call that takes the place of this one, while it is placed for the far end and from then on."""
    _transfer: asyncio.Future[sip.ReferEnded] | None = None
    _refer: Refer | None = None

    async def transfer(
        self, target: str, *, hold: bool = True, follow: bool = True, hang_up: bool = True
    ) -> TransferOutcome:
        """Ask the far end to call ``target`` in our place, and hang up when it has.

        ``transfer_progress`` tells how it fares. ``hold``: put the far end on hold meanwhile, as is usual.
        ``follow`` False asks not to be told (RFC 4488): we then hang up once the far end has said that it
        will try. Cancelling the wait changes nothing but the waiting.

        :raises TransferFailed: when the far end will not, or its call came to nothing; ours goes on, resumed.
        :raises InvalidAddress: for a URI that cannot be called. :raises CallEnded: when the call is over.
        :raises InvalidCallState: before it is answered, or while a transfer is under way.
        """
        return await self._refer_to(target, None, hold=hold, follow=follow, hang_up=hang_up)

    async def transfer_to(self, other: Call, *, hold: bool = True, follow: bool = True) -> TransferOutcome:
        """Connect the far end of this call with that of ``other``, a call of ours that is answered, too.

        Both calls are over when it worked. Raises as :meth:`transfer` does, and leaves both up then. One of
        ours that still rings is given up, and the far end is asked to call there itself. A far end that does
        not know REFER is left alone: that of ``other`` is asked instead.
        """
        if other is self:
            raise InvalidCallState("a call cannot be connected with itself")
        self._need_up("transfer it")
        if other.state in (CallState.CALLING, CallState.RINGING) and not other.incoming:
            await other.hangup()  # RFC 5589 section 7.6: who rings cannot be replaced
            return await self.transfer(other.remote_uri, hold=hold, follow=follow)
        usage = await other._confirmed_usage("connect it with another")
        try:
            outcome = await self._refer_into(usage, hold=hold, follow=follow)
        except TransferFailed as failed:
            if failed.taken or failed.status not in _NO_REFER or self.state is not CallState.ANSWERED:
                raise
            # RFC 5589 section 7.4: the other one may know how.
            outcome = await other._refer_into(self.usage, hold=hold, follow=follow)
            await self.itself.hangup()
        await other.hangup()
        return outcome

    async def _refer_into(self, usage: InviteUsage, *, hold: bool, follow: bool) -> TransferOutcome:
        """Have our far end take our place in the call of ``usage``."""
        dialog = usage.confirmed_dialog
        target, replaces = _reach(dialog), Replaces.naming(dialog)
        return await self._refer_to(target, replaces, hold=hold, follow=follow, hang_up=True)

    async def message(self, text: str | bytes, *, content_type: str = "text/plain;charset=utf-8") -> None:
        """Send a message to the far end within the call (RFC 3428 section 4), and wait until it is delivered.

        :raises RequestFailed: when it is not. :raises InvalidCallState: before the call is answered.
        """
        usage = await self._confirmed_usage("send a message")
        body = text.encode() if isinstance(text, str) else text
        await self.services.message_in(usage, body, content_type)

    # --- for the phone ---

    def take_refer(self, event: sip.ServiceEvent) -> None:
        """What becomes of our REFER."""
        match event:
            case sip.ReferProgress():
                self.emit("transfer_progress", TransferProgress(self.itself, event.status, event.reason))
            case sip.ReferEnded():
                if event.outcome == "done":
                    self.emit("transfer_progress", TransferProgress(self.itself, event.status, event.reason))
                if self._transfer is not None and not self._transfer.done():
                    self._transfer.set_result(event)

    # --- inside ---

    async def _refer_to(
        self,
        target: str,
        replaces: Replaces | None,
        *,
        hold: bool,
        follow: bool,
        hang_up: bool,
    ) -> TransferOutcome:
        usage = await self._confirmed_usage("transfer it")
        if self._transfer is not None:
            raise InvalidCallState("a transfer of this call is under way already")
        self._transfer = asyncio.get_running_loop().create_future()
        held = hold and not self.held
        try:
            if held:
                held = await self._try_hold()
            self._need_up("transfer it")
            try:
                self._refer = usage.core.services.refer(
                    usage, target, replaces=replaces, referred_by=usage.local_uri, followed=follow
                )
            except LocalProtocolError as error:
                raise InvalidAddress(str(error)) from error
            self.services.watch(self._refer, self.take_refer)
            outcome = self._judge(await self._outcome(self._transfer))
        except (SipMediaError, LocalProtocolError):
            if held and self.state is CallState.ANSWERED:
                await self._try_resume()
            raise
        finally:
            if self._refer is not None:
                self.services.forget(self._refer)
            self._refer = self._transfer = None
        if hang_up:
            await self.itself.hangup()
        return outcome

    async def _outcome(self, transfer: asyncio.Future[sip.ReferEnded]) -> sip.ReferEnded:
        """What became of our REFER. The call may end before that is told, but not long before."""
        over = asyncio.ensure_future(self.itself.ended())
        try:
            either: list[asyncio.Future[Any]] = [transfer, over]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not transfer.done() and self.itself.ended_by != "closed":
                await asyncio.wait([transfer], timeout=TOLD_WITHIN)
        finally:
            over.cancel()
        if transfer.done():
            return transfer.result()
        if self.itself.ended_by == "remote" and self._refer is not None:
            # Many a transferee hangs up at once, and what it tells then gets lost with the call.
            return sip.ReferEnded(self._refer, "unknown", 0, "the far end hung up")
        raise CallEnded("the call ended before it was told what became of its transfer")

    def _judge(self, ended: sip.ReferEnded) -> TransferOutcome:
        if ended.outcome == "done" and ended.status < 300:
            return TransferOutcome(ended.status, ended.reason)
        if ended.outcome == "untold" or (ended.outcome == "unknown" and self.state is CallState.ENDED):
            return TransferOutcome(0, ended.reason)
        raise TransferFailed(ended.status, ended.reason, taken=ended.outcome == "done")

    async def _try_hold(self) -> bool:
        """Put it on hold; a far end that will not be held can be transferred all the same."""
        try:
            await self.hold()
        except CallEnded:
            raise
        except (SipMediaError, MediaError) as error:
            self.report(error, "holding a call before its transfer")
            return False
        return True

    async def _try_resume(self) -> None:
        try:
            await self.resume()
        except (SipMediaError, MediaError) as error:
            self.report(error, "resuming a call whose transfer failed")


class TransferRequest:
    """The far end's wish that we call somebody else: part of :class:`TransferRequested`.

    ``target`` is the URI to call; ``attended`` whether that one waits in a call, which we are to take over;
    ``referred_by`` is who says to want it (RFC 3892), ``None`` when it does not say.
    """

    def __init__(self, phone: TransferringPhone, referral: Referral, call: Call | None) -> None:
        self.target = str(referral.target)
        self.attended = referral.replaces is not None
        self.referred_by = referral.referred_by
        self.call = call
        self.decided = False
        self._phone = phone
        self._referral = referral

    def accept(self) -> Call:
        """Call the target; the call, not answered yet. How it fares is told to who wanted it.

        When it is answered it goes on with the sound of the first call, which then ends.

        :raises InvalidCallState: when it was decided. :raises InvalidAddress: for a target that cannot be
            called; it is rejected then. May raise :class:`media.MediaError`.
        """
        self._decide()
        return self._phone.follow_transfer(self._referral, self.call)

    def reject(self, status: int = 603) -> None:
        """Say no; the call goes on. :raises InvalidCallState: when it was decided."""
        self._decide()
        self._referral.reject(status)

    def _decide(self) -> None:
        if self.decided:
            raise InvalidCallState("the transfer was accepted or rejected already")
        self.decided = True


def _reach(dialog: Dialog) -> str:
    """Where the party of a call is reached by somebody else.

    Its Contact, when we reach it there ourselves. Behind proxies a Contact is often good for them alone; the
    address it was called by leads through them, and Replaces finds the right phone.
    """
    if dialog.route_set:
        return str(NameAddr.parse(dialog.remote, "To").uri)
    return str(dialog.remote_target)
