"""Changes of a call that is up: hold, resume, other codecs, and the same asked by the far end (RFC 3261 s14).

One at a time: ours wait for each other here; that ours and theirs do not meet is dialog's affair (491).
Whatever is refused, by either side, leaves the session as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from dialog.errors import LocalProtocolError
from dialog.status import reason_phrase
from dialog.usage.invite import InviteUsage
from media import MediaError
from sipmedia.errors import CallEnded, ModificationFailed, SipMediaError
from sipmedia.offer_answer import OfferAnswer, Wish, refusal
from sipmedia.parts import CallPart

if TYPE_CHECKING:
    from sipmedia.call import Call


class Modifications(CallPart):
    """Carries changes of one call, and tells it when a hold begins or ends."""

    def __init__(self, call: Call, media: OfferAnswer) -> None:
        super().__init__(call)
        self._media = media
        self._pending: asyncio.Future[None] | None = None
        self._before = media.wish
        self._unusable: MediaError | None = None
        self._held_by_remote = False
        self._ours_waits: InviteUsage | None = None

    async def ask(
        self, usage: InviteUsage, *, held: bool | None = None, codecs: tuple[str, ...] | None = None
    ) -> None:
        """Send a re-INVITE for it and wait for the outcome. Cancelling the wait does not take it back.

        :raises ModificationFailed: when it is refused. :raises CallEnded: when the call ends meanwhile.
        """
        while self._pending is not None:
            await asyncio.wait([self._pending])
        if usage.over:
            raise CallEnded("the call ended before it could be changed")
        media = self._media
        if media.offering:  # they wanted an offer, and their ACK with the answer is on its way
            raise ModificationFailed(491, reason_phrase(491))
        self._before = media.wish
        media.wish = replace(
            media.wish,
            held=media.wish.held if held is None else held,
            codecs=media.wish.codecs if codecs is None else codecs,
        )
        try:
            body = media.offer()
        except MediaError:
            media.wish = self._before
            raise
        try:
            usage.reinvite(body)
        except LocalProtocolError as error:  # theirs is under way: as if they had answered 491
            media.wish = self._before
            media.rollback()
            raise ModificationFailed(491, reason_phrase(491)) from error
        pending = self._pending = asyncio.get_running_loop().create_future()
        await asyncio.wait([pending])
        pending.result()

    def refresh(self, usage: InviteUsage) -> None:
        """Offer again what was said last, so that the session does not expire; it changes nothing. A change
        that is under way refreshes as well."""
        if self._pending is not None or self._media.offering:
            return
        self._before = self._media.wish
        try:
            usage.refresh(self._media.refresh())
        except LocalProtocolError:  # theirs is under way, and refreshes as well
            self._media.rollback()
        else:
            self._pending = asyncio.get_running_loop().create_future()

    def take_answer(self, body: bytes) -> None:
        """Their answer to our offer inside the call: in a 200, or in the ACK when they wanted an offer."""
        theirs, self._ours_waits = self._ours_waits, None
        try:
            self._media.take_answer(body)
        except MediaError as error:
            if self._pending is not None and theirs is None:
                self._unusable = error  # what becomes of it is said with ModifyAccepted
            else:
                self._media.rollback()
        else:
            if self._pending is None or theirs is not None:
                self.compare(self._media.wish)
        if theirs is not None:
            theirs.replace_offer(self._media.offer())

    def unanswered(self) -> None:
        """They wanted an offer and did not answer it: all is as it was, and ours that waits is made anew."""
        theirs, self._ours_waits = self._ours_waits, None
        self._media.rollback()
        if theirs is not None:
            theirs.replace_offer(self._media.offer())

    def done(self, error: SipMediaError | None) -> None:
        """Our re-INVITE has its outcome; also called, with the reason, when the call ends."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        unusable, self._unusable = self._unusable, None
        if error is None and unusable is not None:
            error = ModificationFailed(488, str(unusable))
        if error is None:
            pending.set_result(None)
            self.compare(self._before)
            return
        self._media.wish = self._before
        if isinstance(error, ModificationFailed) and self._ours_waits is None:
            self._media.rollback()
        self._ours_waits = None
        pending.set_exception(error)
        pending.exception()  # whoever asked may have been cancelled: that is no lost error

    def answer(self, usage: InviteUsage, make: Callable[[], bytes]) -> None:
        """The far end wants a change: give it what ``make`` makes, or refuse and stay as we are.

        An offer of ours that waits for its turn after glare steps back for it, and is made anew.
        """
        media = self._media
        waiting = self._pending is not None
        wish = media.wish
        if waiting:
            media.rollback()
            media.wish = self._before
        try:
            body = make()
        except MediaError as error:
            usage.reject_offer(refusal(error).status)
        else:
            usage.answer_offer(body)
            self.compare(media.wish)
        if not waiting:
            return
        media.wish = wish
        if media.offering:  # they wanted an offer: ours can be made when the ACK has brought their answer
            self._ours_waits = usage
        else:
            usage.replace_offer(media.offer())

    def compare(self, before: Wish) -> None:
        """Say what has become of hold since ``before`` (ours) and since the last comparison (theirs)."""
        if self._media.wish.held != before.held:
            self.call.on_hold(self._media.wish.held, "local")
        if self._media.held_by_remote != self._held_by_remote:
            self._held_by_remote = self._media.held_by_remote
            self.call.on_hold(self._held_by_remote, "remote")
