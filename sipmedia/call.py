"""One call, from the first INVITE to the last statistics.

A :class:`Call` translates: what the INVITE usage reports becomes its state and events, the application's
verbs become methods of the usage, and session descriptions are handed on by :class:`OfferAnswer`.
Everything here runs on the asyncio loop; sound itself is the media thread's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from dialog import events as sip
from dialog.status import reason_phrase
from dialog.usage.invite import InviteUsage
from media import MediaError
from sipmedia.answering import AnsweringCall
from sipmedia.changing import settled
from sipmedia.config import PhoneConfig
from sipmedia.descriptions import Descriptions
from sipmedia.emitter import Emitter
from sipmedia.errors import CallEnded, CallFailed
from sipmedia.events import (
    Answered,
    Ended,
    EndedBy,
    Held,
    Party,
    Progress,
    Redirected,
    Resumed,
    Ringing,
)
from sipmedia.identity import Identified, Identities
from sipmedia.keypad import Keypad
from sipmedia.milestones import Milestones
from sipmedia.modification import Modifications
from sipmedia.offer_answer import OfferAnswer, refusal
from sipmedia.parties import CallState
from sipmedia.reason import failure_of, reason_header, reason_text, reason_words, unusable
from sipmedia.service_events import InfoReceived
from sipmedia.silence import SilenceGuard
from sipmedia.trace import CallTrace


class Call(AnsweringCall, Identified):
    """A call of a :class:`~sipmedia.Softphone`: made by ``phone.dial``, or handed to ``incoming_call``.

    Its events are listed in :mod:`sipmedia.events`; ``ended`` comes once for every call, as the last.
    Not for construction by applications.
    """

    def __init__(
        self,
        usage: InviteUsage,
        media: OfferAnswer,
        config: PhoneConfig,
        trace: CallTrace,
        *,
        incoming: bool,
        owner: Emitter,
        on_over: Callable[[Call], None],
    ) -> None:
        milestones = Milestones(self, trace)
        keypad = Keypad(self, milestones, config.inband_dtmf)
        silence = SilenceGuard(self, milestones, config)
        super().__init__(media, milestones, owner, keypad, silence)
        self.trace = trace
        self.usage = usage
        self.incoming = incoming
        self.state = CallState.RINGING if incoming else CallState.CALLING
        self.ended_by: EndedBy | None = None
        self.reason = ""
        self.status = 0
        self._config = config
        self._on_over = on_over
        self._modifications = Modifications(self, media)
        self._descriptions = Descriptions(self, media, self._modifications)
        self._parts = (milestones, keypad, silence, self._modifications, self._descriptions)
        self.identities = Identities(usage, incoming=incoming)
        self._loop = asyncio.get_running_loop()
        self._up: asyncio.Future[None] = self._loop.create_future()
        self._confirmed: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._goodbye: asyncio.Future[None] = self._loop.create_future()  # the far end knows that it is over
        self._timer: asyncio.TimerHandle | None = None
        self._answered_at: float | None = None
        self._ended_at: float | None = None

    def __repr__(self) -> str:
        way = "from" if self.incoming else "to"
        return f"<Call {way} {self.remote_uri} {self.state.value}>"

    # --- what it is ---

    @property
    def duration(self) -> float:
        """Seconds since the answer (until the end); 0.0 when it was never answered."""
        if self._answered_at is None:
            return 0.0
        return (self._ended_at or self._loop.time()) - self._answered_at

    # --- verbs ---

    async def answered(self) -> None:
        """Wait until the call is answered, by whoever is called.

        Cancelling the wait for an outgoing call cancels the call. :raises CallFailed: when it never is.
        """
        try:
            await settled(self._up)
        except asyncio.CancelledError:
            if not self.incoming and not self._up.done():
                self._hang_up("local")
            raise
        self._up.result()

    async def ended(self) -> Ended:
        """Wait until the call is over; gives what the ``ended`` event says. Cancelling changes nothing."""
        await settled(self._ended)
        return self._end_event()

    async def hangup(self, reason: str = "") -> None:
        """End the call whatever its state: CANCEL, 603 or BYE. Harmless when it is over.

        ``reason`` is told to the far end in words (RFC 3326).
        Returns when the far end has confirmed, or after a second (``close_timeout``) all the same.
        """
        self._hang_up("local", reason)
        await asyncio.wait([self._goodbye], timeout=self._config.close_timeout)
        self.drop()
        await self.ended()

    # --- for the phone ---

    @property
    def itself(self) -> Call:
        """This call."""
        return self

    def give_up_after(self, seconds: float | None) -> None:
        """End the call when nobody has answered by then."""
        if seconds is not None:
            self._timer = self._loop.call_later(seconds, self._nobody_answered)

    def close(self) -> None:
        """Begin to end the call because the phone closes."""
        self._hang_up("closed")

    def give_up(self, reason: str) -> None:
        """End the answered call because the far end seems to be gone, and tell it why."""
        if self.state is CallState.ANSWERED:
            self.usage.bye(reason_header(408, reason))
            self._finish("timeout", None, reason)

    def drop(self) -> None:
        """Wait no longer for the far end to confirm the end."""
        if not self._goodbye.done():
            self._goodbye.set_result(None)
            self._on_over(self)
            self._release()

    async def over(self) -> None:
        """Wait until nothing is left to be done for this call."""
        await settled(self._goodbye)
        await settled(self._ended)

    # --- what the INVITE usage reports ---

    def handle(self, event: sip.UsageEvent) -> None:
        """Take the usage's event; called by the phone, in the order in which they happened."""
        match event:
            case sip.Progress():
                self._on_progress(event)
            case sip.Redirected():
                self.emit("redirected", Redirected(self, event.target, event.status))
            case sip.CallAnswered():
                self._on_answered(event)
            case sip.CallConfirmed():
                self._on_confirmed()
            case sip.InfoReceived():
                self._keypad.take_info(event.content_type, event.body)
                self.emit("info", InfoReceived(self, event.content_type, event.body))
            case sip.CallFailed():
                self._on_failed(event)
            case sip.CallCancelled():
                words = reason_words(event.reason) or reason_phrase(487)
                self._finish("remote", CallFailed(487, words, "cancelled"))
                self.drop()
            case sip.CallEnded():
                words = reason_words(event.reason)
                self._finish(event.by, CallFailed(487, words, "media"), words)
                self.drop()
            case _:
                self._descriptions.handle(event)

    def _on_progress(self, event: sip.Progress) -> None:
        if self.state is CallState.ENDED:
            return
        self.identities.note(event.response)
        if event.status == 199:
            self._media.early.end(event.early_dialog)  # RFC 6228: this branch is over, not the call
            return
        self.state = CallState.RINGING
        if event.status == 180:
            self.emit("ringing", Ringing(self))
        else:
            self.emit("progress", Progress(self, event.status, event.reason))

    def _on_answered(self, event: sip.CallAnswered) -> None:
        if not self.incoming:
            if event.response is not None:
                self.identities.note(event.response)
            self._descriptions.settle(event.early_dialog)

    def _on_confirmed(self) -> None:
        _resolve(self._confirmed)
        if self.state is CallState.ENDED:
            return
        if self._media.agreed:
            self._set_up()
        else:
            self.no_media()

    def no_media(self) -> None:
        """It was answered, but with nothing that we can hear or say."""
        self.usage.bye(reason_header(488))
        self._finish("local", unusable(self._descriptions.error))

    def _on_failed(self, event: sip.CallFailed) -> None:
        by: EndedBy = _FAILED_BY[event.cause]
        self._finish(by, failure_of(event))
        self.drop()

    # --- state ---

    def _set_up(self) -> None:
        """The call is answered and its sound agreed upon."""
        if self._up.done():
            return
        self._stop_timer()
        self.state = CallState.ANSWERED
        self._answered_at = self._loop.time()
        self._up.set_result(None)
        self.emit("answered", Answered(self, self.codec))
        self._modifications.compare(self._media.wish)

    def _hang_up(self, by: EndedBy, reason: str = "") -> None:
        if self.state is CallState.ENDED:
            return
        header = reason_text(reason) if reason else None
        if self.state is CallState.ANSWERED or self._answering:
            self.usage.bye(header)
        elif self.incoming:
            self._reject(603 if by == "local" else 503, None, by)
            return
        else:
            self.usage.cancel(header)
        failure = CallFailed(487, reason_phrase(487), "closed" if by == "closed" else "cancelled")
        self._finish(by, failure)

    def cannot_offer(self, error: MediaError) -> None:
        """The INVITE that was held back will never leave."""
        self.usage.cancel()
        self._finish("local", CallFailed(refusal(error).status, str(error), "media"))

    def _nobody_answered(self) -> None:
        if self.incoming:
            self._reject(480, None, "timeout")
            return
        self.usage.cancel()
        self._finish("timeout", CallFailed(408, reason_phrase(408), "timeout"))

    def _finish(self, by: EndedBy, failure: CallFailed | None, reason: str = "") -> None:
        """The call is over for us; ``ended`` follows when its media is closed."""
        if self.state is CallState.ENDED:
            return
        self._stop_timer()
        self._descriptions.wake()
        _resolve(self._confirmed)  # whoever waits to change the call must not wait for ever
        self.state = CallState.ENDED
        self.ended_by = by
        self._ended_at = self._loop.time()
        self._modifications.done(CallEnded("the call ended before the change was agreed upon"))
        if not self._up.done():
            failure = failure or CallFailed(487, reason_phrase(487), "cancelled")
            self.status, self.reason = failure.status, failure.reason
            self._up.set_exception(failure)
            self._up.exception()  # nobody need wait for it
        else:
            self.reason = reason
        self._close_media()

    def _silent(self) -> None:
        self.emit("ended", self._end_event())
        self._ended.set_result(None)
        self._release()

    def _end_event(self) -> Ended:
        return Ended(self, self.ended_by or "local", self.status, self.reason, self.duration)

    def _release(self) -> None:
        """Nothing is to come any more, from the far end or from our media: see :meth:`CallPart.release`."""
        if self._goodbye.done() and self._ended.done():
            for part in self._parts:
                part.release()
            self._media.release()

    def on_hold(self, held: bool, by: Party) -> None:
        """A hold began or ended."""
        if held:
            self.emit("held", Held(self, by))
        else:
            self.emit("resumed", Resumed(self, by))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


_FAILED_BY: dict[str, EndedBy] = {
    "rejected": "remote",
    "timeout": "timeout",
    "transport": "transport",
    "cancelled": "local",
    "no_ack": "timeout",
    "no_description": "local",
}
