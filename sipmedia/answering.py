"""Taking a call that comes in, or refusing it."""

from __future__ import annotations

import asyncio

from dialog.status import reason_phrase
from media import MediaError
from sipmedia.changing import settled
from sipmedia.config import PhoneConfig
from sipmedia.descriptions import Descriptions
from sipmedia.errors import CallFailed, InvalidCallState
from sipmedia.events import EndedBy, Ringing
from sipmedia.offer_answer import refusal
from sipmedia.parties import CallState
from sipmedia.reason import reason_header
from sipmedia.transfer import TransferringCall


class AnsweringCall(TransferringCall):
    """The part of a :class:`~sipmedia.call.Call` that decides about one that rings here."""

    incoming: bool
    _config: PhoneConfig
    _descriptions: Descriptions
    _up: asyncio.Future[None]
    """Done when it is answered, by whoever is called, or never will be."""
    _answering = False
    _rung = False

    def ring(self) -> None:
        """Tell the caller that it rings (180); the phone does so itself unless configured otherwise."""
        self._need_unanswered("ring")
        self._rung = True
        self.usage.ring()
        self.emit("ringing", Ringing(self.itself))

    def progress(self) -> None:
        """Send early media: a 183 with our description, so that the caller hears us before we answer.

        A caller who can acknowledge it (PRACK) gets our answer so, or our offer if it made none.

        :raises InvalidCallState: also when the caller made no offer and could not acknowledge ours. May raise
            :class:`media.MediaError`.
        """
        self._need_unanswered("send early media")
        if self._media.session is None and not self.usage.can_offer_early:
            raise InvalidCallState("the caller made no offer, so no early media can be sent: answer instead")
        self._rung = True  # a 180 after the 183 would tell the caller to stop listening to us
        late_offer = self._media.session is None or self._media.offering
        self.usage.progress(self._media.early_offer() if late_offer else self._media.answer())

    async def answer(self) -> None:
        """Take the incoming call; returns when sound can flow.

        That is at once when the caller made the offer, and with the ACK when it is ours.
        :raises InvalidCallState: when it is no incoming call that still rings.
        :raises CallFailed: when no sound could be agreed upon, or a late answer never came.
        """
        self._need_unanswered("answer")
        self._stop_timer()
        if self._media.offering:  # in early media: the answer is on its way, in a PRACK
            await self._descriptions.answered()
            if self.state is CallState.ENDED:
                self._up.result()
            self._need_unanswered("answer")
        late_offer = self._media.session is None
        try:
            await self._media.gather()
            self._need_unanswered("answer")
            self._answering = True
            body = self._media.offer() if late_offer else self._media.answer()
        except MediaError as error:
            self.refuse_media(error)
        else:
            self.usage.accept(body)
            if not late_offer:
                self._set_up()
        await settled(self._up)
        self._up.result()

    def reject(self, status: int = 603, reason: str | None = None) -> None:
        """Refuse the incoming call: 603 declines, 486 is busy; any final status from 300 on will do."""
        self._need_unanswered("reject")
        self._reject(status, reason)

    # --- for the phone ---

    def refuse(self, status: int) -> None:
        """Reject for a reason of the phone's own; nothing happens when it is too late for that."""
        if self._undecided:
            self._reject(status, None)

    def abandon(self) -> None:
        """Who was to serve the call failed, and it would stay up in silence: 500, or BYE when answered."""
        if self._undecided:
            self._reject(500, None)
        elif self.state is CallState.ANSWERED or self._answering:
            self.usage.bye(reason_header(500))
            self._finish("local", None, reason_phrase(500))

    def ring_unless_taken(self) -> None:
        """Ring, if the application has not answered, refused or rung already."""
        if self._undecided and not self._rung:
            self.ring()

    # --- for the call ---

    def drop(self) -> None:
        """Wait no longer for the far end to confirm the end."""
        raise NotImplementedError

    def _set_up(self) -> None:
        raise NotImplementedError

    def _stop_timer(self) -> None:
        raise NotImplementedError

    def _finish(self, by: EndedBy, failure: CallFailed | None, reason: str = "") -> None:
        raise NotImplementedError

    def _reject(
        self,
        status: int,
        reason: str | None,
        by: EndedBy = "local",
        headers: list[tuple[str, str]] | None = None,
    ) -> None:
        self.usage.reject(status, reason, headers or [])
        self._finish(by, CallFailed(status, reason or reason_phrase(status)))
        self.drop()

    def refuse_media(self, error: MediaError) -> None:
        """No sound can be agreed upon with this caller."""
        refused = refusal(error)
        self.report(error, "an incoming call was refused")
        self._reject(refused.status, None, "local", [refused.warning(self._config.user_agent or "phone")])

    @property
    def _undecided(self) -> bool:
        return self.incoming and self.state is CallState.RINGING and not self._answering

    def _need_unanswered(self, verb: str) -> None:
        if not self._undecided:
            kind = "an incoming" if self.incoming else "an outgoing"
            raise InvalidCallState(f"cannot {verb} {kind} call that is {self.state.value}")
