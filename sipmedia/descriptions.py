"""The session descriptions of one call: which offer, answer or preview is for whom.

``dialog`` says what a body is and in which early dialog it stands. Here it is told by the state of the call
what becomes of it: the first offer, an answer, a branch's early media, or a change of a call that is up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from dialog import events as sip
from media import MediaError
from sipmedia.errors import ModificationFailed
from sipmedia.modification import Modifications
from sipmedia.offer_answer import OfferAnswer, refusal
from sipmedia.parties import CallState
from sipmedia.parts import CallPart

if TYPE_CHECKING:
    from sipmedia.call import Call


class Descriptions(CallPart):
    """Takes the events of a call's usage that carry or want a description."""

    def __init__(self, call: Call, media: OfferAnswer, modifications: Modifications) -> None:
        super().__init__(call)
        self._media = media
        self._modifications = modifications
        self.error: MediaError | None = None
        """Why nothing could be agreed upon; it counts when the call is confirmed."""
        self._waiting: asyncio.Future[None] | None = None

    def handle(self, event: sip.UsageEvent) -> None:
        """Take the event; those that are about something else are left alone."""
        modifications = self._modifications
        match event:
            case sip.SessionPreview():
                self._on_preview(event)
            case sip.SessionOffer():
                self._on_offer(event)
            case sip.SessionAnswer():
                self._on_answer(event)
            case sip.OfferWanted():
                modifications.answer(event.usage, self._media.offer)
            case sip.OfferNotAnswered():
                modifications.unanswered()
            case sip.RefreshWanted():
                modifications.refresh(event.usage)
            case sip.ModifyAccepted():
                modifications.done(None)
            case sip.ModifyFailed() if not event.ends_call:  # else CallEnded comes next, and says why
                modifications.done(ModificationFailed(event.status, event.reason))

    def settle(self, early_dialog: str) -> None:
        """Ours is answered, in this early dialog: its session is the call's."""
        self._try(lambda: self._media.early.settle(early_dialog))

    async def answered(self) -> None:
        """Wait until an offer of ours before the answer is answered, or the call ends."""
        self._waiting = self._waiting or asyncio.get_running_loop().create_future()
        await asyncio.wait([self._waiting])

    def wake(self) -> None:
        """Whoever waits need not wait any more."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.set_result(None)

    def _on_preview(self, event: sip.SessionPreview) -> None:
        if self.call.state is CallState.ENDED:
            return
        try:
            self._media.early.preview(event.early_dialog, event.body)
        except MediaError as error:  # binding nobody: there is no early media then, and the call goes on
            self.call.report(error, "early media that cannot be used")

    def _on_answer(self, event: sip.SessionAnswer) -> None:
        if self.call.state is CallState.ANSWERED:
            self._modifications.take_answer(event.body)
        elif event.usage.branch is None:  # an early dialog's, in a reliable response: others may answer, too
            self._try(lambda: self._media.early.answer(event.early_dialog, event.body))
        else:
            self._try(lambda: self._media.take_answer(event.body))
            self.wake()

    def _on_offer(self, event: sip.SessionOffer) -> None:
        call, media, usage = self.call, self._media, event.usage
        if call.state is CallState.ANSWERED:
            self._modifications.answer(usage, lambda: media.answer_to(event.body))
        elif usage.branch is None:
            try:
                body = media.early.answer_to(event.early_dialog, event.body)
            except MediaError as error:
                call.report(error, "an offer in an early dialog")
                usage.reject_offer(refusal(error).status, event.early_dialog)
            else:
                usage.answer_offer(body, event.early_dialog)
        elif not call.incoming:
            # Ours was a late offer: theirs came with the 200, our answer goes with the ACK.
            self._try(lambda: usage.answer_offer(media.answer_to(event.body)))
            if self.error is not None:
                call.no_media()
        elif media.session is not None:  # a PRACK or UPDATE before we have answered
            self._modifications.answer(usage, lambda: media.answer_to(event.body))
        else:
            try:
                media.take_offer(event.body)
            except MediaError as error:
                call.refuse_media(error)

    def _try(self, step: Callable[[], None]) -> None:
        """Do what may fail for media's reasons; a failure counts when the call is confirmed."""
        try:
            step()
        except MediaError as error:
            self.error = error
