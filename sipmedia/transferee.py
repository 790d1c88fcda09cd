"""A phone that is asked to call somebody else, and one whose call another one takes the place of."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dialog import service_events as sip
from dialog.usage.invite import InviteUsage
from dialog.usage.refer import Referral
from media.errors import MediaError
from media.handover import hand_over
from sipmedia.errors import CallFailed, SipMediaError
from sipmedia.parties import CallState
from sipmedia.service_events import Replaced, Transferred, TransferRequested
from sipmedia.subscriptions import SubscribingPhone
from sipmedia.transfer import TransferRequest

if TYPE_CHECKING:
    from sipmedia.account import Account
    from sipmedia.call import Call
    from sipmedia.config import PhoneConfig

GOODBYE_WITHIN = 2.0
"""Seconds that we leave the transferor to end the first call itself, as RFC 5589 has it."""


class TransferringPhone(SubscribingPhone):
    """The part of a :class:`~sipmedia.Softphone` that is transferred, and transferred to."""

    config: PhoneConfig

    def __init__(self) -> None:
        super().__init__()
        self._followed: set[Call | None] = set()
        """Calls whose far end waits for another call of ours."""

    def dial(
        self,
        target: str,
        account: Account | None = None,
        *,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Call:
        """Place a call; as much of :meth:`Softphone.dial` as is needed here."""
        raise NotImplementedError

    # --- transferee ---

    def handle_service(self, event: sip.ServiceEvent) -> None:
        """Give an event to whom it is for."""
        if isinstance(event, sip.IncomingRefer):
            self._on_refer(event)
        else:
            super().handle_service(event)

    def _on_refer(self, event: sip.IncomingRefer) -> None:
        if event.source.method != "INVITE":
            event.source.reject(501)  # we make calls for others, and nothing else
            return
        call = None if event.usage is None else self._call_of(event.usage)
        request = TransferRequest(self, event.source, call)
        told = TransferRequested(call, request)
        if call is not None:
            call.emit("transfer_requested", told)
        self.emit("transfer_requested", told)
        # After the first step of coroutine handlers, which may decide.
        asyncio.get_running_loop().call_soon(self._decide_transfer, request)

    def _decide_transfer(self, request: TransferRequest) -> None:
        if request.decided:
            return
        if request.call in self._followed:
            request.reject(491)  # one after the other
            return
        if request.call is None or request.call.state is CallState.ENDED or not self.config.accept_transfers:
            request.reject(603)
            return
        try:
            request.accept()
        except (SipMediaError, MediaError) as error:
            self.report(error, f"being transferred to {request.target}")

    def follow_transfer(self, referral: Referral, call: Call | None) -> Call:
        """Place the call that a transferor wants, and tell it how that fares."""
        headers = []
        if referral.replaces is not None:
            headers += [("Replaces", str(referral.replaces)), ("Require", "replaces")]
        if referral.referred_by is not None:
            headers.append(("Referred-By", referral.referred_by))
        try:
            successor = self.dial(str(referral.target), self._account_of(call), headers=headers)
        except (SipMediaError, MediaError):
            referral.reject(603)
            raise
        referral.accept()
        successor.on("ringing", lambda _: referral.progress(180, "Ringing"))
        successor.on("progress", lambda event: referral.progress(event.status, event.reason))
        self.spawn(self._see_through(referral, call, successor), "following a transfer")
        return successor

    async def _see_through(self, referral: Referral, call: Call | None, successor: Call) -> None:
        if call is not None:
            self._followed.add(call)
            call.successor = successor
        try:
            await successor.answered()
        except CallFailed as failed:
            if call is not None:
                call.successor = None
            referral.finish(failed.status, failed.reason)
            return
        except asyncio.CancelledError:
            referral.finish(487, "Request Terminated")
            raise
        finally:
            self._followed.discard(call)
        referral.finish(200, "OK")
        if call is None:
            return
        _move_sound(call, successor)
        call.emit("transferred", Transferred(call, successor))
        await asyncio.wait([asyncio.ensure_future(call.ended())], timeout=GOODBYE_WITHIN)
        if call.state is not CallState.ENDED:
            await call.hangup()

    def _account_of(self, call: Call | None) -> Account | None:
        """The identity that the far end knows us by, if it is one of ours."""
        if call is None:
            return None
        return next((account for account in self.accounts if account.uri == call.local_uri), None)

    # --- target ---

    def take_place(self, usage: InviteUsage, call: Call) -> None:
        """``call`` has a Replaces: answer it, and let it take the place of the call of ``usage``."""
        old = self._call_of(usage)
        if old is None or not self.config.accept_transfers:
            call.refuse(481 if old is None else 603)
            return
        self.spawn(self._replace(old, call), "taking a call in the place of another")

    async def _replace(self, old: Call, call: Call) -> None:
        try:
            await call.answer()
        except CallFailed:
            return  # it has been told why; the first call goes on
        old.successor = call
        _move_sound(old, call)
        old.emit("replaced", Replaced(old, call))
        await old.hangup()


def _move_sound(old: Call, new: Call) -> None:
    if old.session is not None and new.session is not None:
        hand_over(old.session, new.session)
