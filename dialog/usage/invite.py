"""A call: one INVITE dialog usage, from either side (RFC 3261 sections 13 to 15).

`InviteUsage` is what the application holds. The machines are beside it: `Caller` and `Callee` for the first
INVITE, `Modifying` for re-INVITEs, `Bye` for the end. Methods called when the call does
not allow them raise LocalProtocolError with a sentence that says why; nothing is sent then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from dialog.address import NameAddr
from dialog.dialog import Dialog
from dialog.errors import LocalProtocolError, ParseError
from dialog.events import CallEnded, EndedBy, IncomingCall, InfoReceived, SessionOffer, UsageEvent
from dialog.incoming import IncomingRequest
from dialog.inspection import session_body
from dialog.message import Request, Response
from dialog.status import reason_phrase
from dialog.transaction.client import ClientTransaction
from dialog.uri import SipUri
from dialog.usage.callee import Callee
from dialog.usage.caller import Caller, check_before_answer
from dialog.usage.ending import Bye
from dialog.usage.modify import check_confirmed
from dialog.usage.modifying import Modifying
from dialog.usage.sharing import Sharer, Sharers
from dialog.usage.state import Role, UsageState

if TYPE_CHECKING:
    from dialog.core import Core

__all__ = ["InviteUsage", "Role", "UsageState"]


class InviteUsage:
    """One call. `request` is its first INVITE, `role` which side of it we are."""

    __slots__ = (
        "_callee",
        "_caller",
        "_held_bye",
        "_modifying",
        "call_id",
        "core",
        "dialog",
        "peer_allows",
        "request",
        "role",
        "sharers",
        "state",
    )

    def __init__(self, core: Core, role: Role, request: Request) -> None:
        self.core = core
        self.role = role
        self.request = request
        self.call_id = request.call_id
        self.state = UsageState.CALLING
        self.peer_allows: frozenset[str] = frozenset() if role is Role.UAC else request.allowed_methods
        """Methods that the peer's Allow names: in its INVITE, or in the 2xx to ours; empty before that."""
        self.dialog: Dialog | None = None
        """The dialog of the call: the callee's from the start, the caller's from the 2xx on."""
        self._caller: Caller | None = None
        self._callee: Callee | None = None
        self.sharers = Sharers()
        """Other usages of the call's dialog; while there are any, the dialog outlives the call."""
        self._modifying = Modifying(self)
        self._held_bye: str | None = None
        core.add_usage(self)

    @classmethod
    def calling(
        cls,
        core: Core,
        target: str,
        from_: NameAddr | str,
        body: bytes | None,
        content_type: str,
        headers: Sequence[tuple[str, str]],
    ) -> InviteUsage:
        """Send an INVITE; called by the core."""
        try:
            uri = SipUri.parse(target)
            sender = from_ if isinstance(from_, NameAddr) else NameAddr.parse(from_, "From")
        except ParseError as error:
            raise LocalProtocolError(f"cannot call {target!r} as {from_}: {error.reason}") from error
        core.check_length(body or b"")
        fields = [
            ("Max-Forwards", "70"),
            ("From", str(sender.with_tag(core.new_tag()))),
            ("To", f"<{uri}>"),
            ("Call-ID", core.new_call_id()),
            ("CSeq", f"{core.new_sequence()} INVITE"),
            *core.client_headers,
            *core.capabilities,
            *headers,
        ]
        if body:
            fields.append(("Content-Type", content_type))
        request = Request("INVITE", uri, fields, body or b"")
        usage = cls(core, Role.UAC, request)
        usage._caller = Caller(usage, request, offered=bool(body))
        return usage

    @classmethod
    def called(
        cls, core: Core, incoming: IncomingRequest, replaces: InviteUsage | None = None
    ) -> InviteUsage:
        """Take an INVITE, which may be meant to take the place of a call; called by the core."""
        request = incoming.request
        body = session_body(request, core.config)
        usage = cls(core, Role.UAS, request)
        dialog = Dialog.from_request(request, incoming.to_tag, core.new_sequence())
        dialog.flow = incoming.flow
        usage.establish(dialog)
        usage._callee = Callee(usage, incoming, dialog, offered=bool(body))
        core.emit(IncomingCall(usage, request, replaces))
        if body:
            core.emit(SessionOffer(usage, body, request.content_type or ""))
        return usage

    # What the application may ask.

    @property
    def local_uri(self) -> NameAddr:
        """Our side, as the INVITE named it."""
        return (self.request.from_ if self.role is Role.UAC else self.request.to).with_tag(None)

    @property
    def remote_uri(self) -> NameAddr:
        """The other side, as the INVITE named it."""
        return (self.request.to if self.role is Role.UAC else self.request.from_).with_tag(None)

    @property
    def early_dialogs(self) -> list[str]:
        """Remote tags of the branches a call of ours has so far."""
        return [] if self._caller is None else self._caller.early_dialogs

    # What the application may do.

    def cancel(self, reason: str | None = None) -> None:
        """Caller: give up before the answer; CallFailed follows. `reason` is a Reason header value.

        Nothing happens when the call is over or ending already.
        """
        caller = self._as_caller("cancel")
        _check_line(reason)
        check_before_answer(self.state)
        if self.state not in (UsageState.ENDING, UsageState.ENDED):
            self.core.act()
            caller.cancel(reason)

    def ring(self, status: int = 180) -> None:
        """Callee: a provisional response without a body."""
        callee = self._unanswered("ring")
        self.core.act()
        callee.progress(status)

    def progress(self, body: bytes, status: int = 183) -> None:
        """Callee: a provisional response with a preview of our answer, for early media."""
        callee = self._unanswered("send early media")
        self.core.check_length(body)
        self.core.act()
        callee.progress(status, body)

    def accept(self, body: bytes) -> None:
        """Callee: answer the call; `body` is our answer, or our offer if the caller made none."""
        callee = self._unanswered("accept")
        _check_body(body)
        self.core.check_length(body)
        self.core.act()
        callee.accept(body)

    def reject(
        self, status: int = 486, reason: str | None = None, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Callee: refuse the call with a final response (300 to 699). No event follows: the call is over."""
        callee = self._unanswered("reject")
        if not 300 <= status <= 699:
            raise LocalProtocolError(f"{status} does not refuse a call: use 300 to 699")
        self.core.act()
        callee.reject(status, reason, headers)
        self._close()

    def bye(self, reason: str | None = None) -> None:
        """End the call; CallEnded follows when the peer has confirmed it, or will not.

        A caller not yet answered cancels. A callee that has answered must not send BYE before the ACK came
        (section 15): it is held until then. Nothing happens when the call is over or ending already.
        """
        _check_line(reason)
        if self.state in (UsageState.ENDING, UsageState.ENDED):
            return
        if self.state in (UsageState.CALLING, UsageState.RINGING):
            if self.role is Role.UAS:
                raise LocalProtocolError("a call that is not answered is refused with reject(), not bye()")
            self.cancel(reason)
            return
        self.core.act()
        self.hang_up(reason)

    def reinvite(self, body: bytes | None) -> None:
        """Offer a changed session, or (None) ask for an offer; ModifyAccepted or ModifyFailed follows."""
        check_confirmed(self.state)
        self._modifying.reinvite(body or b"")

    def answer_offer(self, body: bytes) -> None:
        """Answer a SessionOffer that came in a re-INVITE or in a 2xx; or give the offer of an OfferWanted."""
        _check_body(body)
        self.core.check_length(body)
        if self._caller is not None and self.state is UsageState.ANSWERED:
            self.core.act()
            self._caller.answer_offer(body)
        else:
            self._modifying.answer_offer(body)

    def reject_offer(self, status: int = 488) -> None:
        """Refuse a SessionOffer. That of a re-INVITE leaves the call as it was; that of a 2xx ends it by BYE,
        for a 2xx cannot be refused."""
        late = self._caller is not None and self.state is UsageState.ANSWERED
        if late or self._modifying.offered_in_2xx:
            self.bye(f'SIP;cause={status};text="{reason_phrase(status)}"')
        else:
            self._modifying.reject_offer(status)

    def replace_offer(self, body: bytes) -> None:
        """What a re-INVITE of ours that waits to be tried again after glare (491) shall offer instead.

        For an application that answered the peer's offer meanwhile, and whose own is out of date by that.
        """
        _check_body(body)
        self._modifying.replace_offer(body)

    def info(self, content_type: str, body: bytes) -> None:
        """Send an INFO in the call's dialog."""
        check_confirmed(self.state)
        self.core.check_length(body)
        self.core.act()
        dialog = self.confirmed_dialog
        headers = [("Content-Type", content_type)] if body else []
        request = dialog.request("INFO", dialog.next_sequence(), headers, body)
        self.core.send_request(request, self, dialog.next_hop, otherwise=dialog.flow)

    # What the core gives.

    def receive_request(self, incoming: IncomingRequest) -> None:
        """A request in one of our dialogs, other than ACK and CANCEL."""
        request = incoming.request
        dialog = self.dialog
        if dialog is not None and not dialog.accepts_sequence(request):
            incoming.respond(500, "CSeq Out Of Order")
            return
        sharer = self.sharers.find(request)
        if sharer is not None:
            sharer.receive_request(incoming)
        elif self.state is UsageState.ENDED:
            incoming.respond(481)  # only what shares the dialog is left of it (RFC 5057 section 5.1)
        elif request.method == "BYE":
            self._receive_bye(incoming)
        elif request.method == "INVITE":
            self._receive_reinvite(incoming)
        elif request.method == "INFO":
            self._receive_info(incoming)
        else:
            self._receive_other(incoming)

    def receive_ack(self, ack: Request) -> None:
        """An ACK in our dialog: of the first INVITE or of a re-INVITE, as its CSeq says."""
        if self._callee is not None and self._callee.awaits_ack:
            self._callee.on_ack(ack)
        self._modifying.on_ack(ack)

    def on_response(self, transaction: ClientTransaction, response: Response) -> None:
        """The answer to an INFO: only a peer that does not know the dialog matters (section 12.2.1.2)."""
        if response.status == 481:
            self.dialog_is_gone(481, "remote")

    def on_failure(
        self, transaction: ClientTransaction | None, cause: Literal["timeout", "transport"]
    ) -> None:
        """An INFO was not answered."""
        self.dialog_is_gone(408 if cause == "timeout" else 503, cause)

    # What the machines of this call share.

    @property
    def confirmed_dialog(self) -> Dialog:
        """The dialog, where there must be one."""
        assert self.dialog is not None
        return self.dialog

    @property
    def modify_busy_in(self) -> bool:
        """A re-INVITE of the peer is unanswered, or waits for the ACK with its answer."""
        return self._modifying.busy_in

    def establish(self, dialog: Dialog) -> None:
        """This is the call's dialog."""
        self.dialog = dialog
        self.core.add_dialog(dialog.key, self)

    def hang_up(self, reason: str | None) -> None:
        """Send BYE, now or as soon as it is allowed."""
        if self._caller is not None and self.state is UsageState.ANSWERED:
            self._caller.refuse_late_offer()
        must_wait = self._callee is not None and self._callee.awaits_ack
        self.state = UsageState.ENDING
        self._held_bye = reason
        self._modifying.stop()
        if not must_wait:
            self.send_held_bye()

    def send_held_bye(self) -> None:
        """The ACK came (or never will): the BYE may go."""
        Bye(self.core, self.confirmed_dialog, self._held_bye, self._bye_done)

    def send_last_bye(self, reason: str) -> None:
        """Send a BYE whose outcome nobody waits for."""
        Bye(self.core, self.confirmed_dialog, reason, self._bye_done)

    def dialog_is_gone(self, status: int, cause: Literal["remote", "timeout", "transport"]) -> None:
        """The peer does not know the dialog, or does not answer: BYE, and the call is over."""
        if self.state is not UsageState.CONFIRMED:
            return
        self.send_last_bye(f'SIP;cause={status};text="{reason_phrase(status)}"')
        by: EndedBy = "timeout" if status == 408 else cause
        if cause != "remote":  # a 481 is about this usage alone (RFC 5057 section 5.1)
            self.sharers.dialog_is_gone(status, cause)
        self.finish(CallEnded(self, by, reason_phrase(status)))

    def leave(self, sharer: Sharer) -> None:
        """A usage that shares the dialog is over; the last one of all takes the dialog with it."""
        self.sharers.remove(sharer)
        if self.state is UsageState.ENDED:
            self._release_dialog()

    def finish(self, event: UsageEvent) -> None:
        """The call is over; only the first reason counts."""
        if self.state is not UsageState.ENDED:
            self._close()
            self.core.emit(event)

    # Inside.

    def _close(self) -> None:
        self.state = UsageState.ENDED
        self._modifying.stop()
        if self._callee is not None:
            # Lingering transactions remember their bytes, not the call: 32 s of calls would be a lot to keep.
            self._callee.release()
            self._callee = None
        self._release_dialog()
        self.core.remove_usage(self)

    def _release_dialog(self) -> None:
        if self.dialog is not None and not self.sharers:
            self.core.remove_dialog(self.dialog.key)

    def _bye_done(self) -> None:
        self.finish(CallEnded(self, "local", self._held_bye or ""))

    def _receive_bye(self, incoming: IncomingRequest) -> None:
        incoming.respond(200)
        reason = incoming.request.headers.get("Reason") or ""
        if self.dialog is None:
            return  # a branch not yet answered: its final response decides
        if self._callee is not None and self._callee.on_bye(reason):
            return
        if self._caller is not None and self.state is UsageState.ANSWERED:
            self._caller.refuse_late_offer()
        self.finish(CallEnded(self, "local" if self.state is UsageState.ENDING else "remote", reason))

    def _receive_reinvite(self, incoming: IncomingRequest) -> None:
        """Section 14.2, and RFC 5407 3.1 for what crosses."""
        if self._is_unanswered_callee() or self._modifying.unanswered:
            seconds = self.core.random.randrange(11)
            incoming.respond(500, "Another INVITE In Progress", (("Retry-After", str(seconds)),))
        elif self._cannot_take_offer():
            incoming.respond(491)
        elif self.state in (UsageState.ENDING, UsageState.ENDED):
            incoming.respond(481)
        else:
            self.confirmed_dialog.refresh_target(incoming.request)
            self._modifying.receive(incoming)

    def _is_unanswered_callee(self) -> bool:
        return self.role is Role.UAS and self.state in (UsageState.CALLING, UsageState.RINGING)

    def _cannot_take_offer(self) -> bool:
        """An offer of one side is unanswered already."""
        if self.dialog is None or (self.role is Role.UAC and self.state is UsageState.ANSWERED):
            return True
        if self._modifying.busy_out or self._modifying.awaits_ack:
            return True
        return self._callee is not None and self._callee.awaits_answer

    def _receive_info(self, incoming: IncomingRequest) -> None:
        """RFC 6086: an INFO of a package we never offered gets 469; one of old (DTMF relay) is taken."""
        request = incoming.request
        if "Info-Package" in request.headers:
            incoming.respond(469, None, (("Recv-Info", ""),))
            return
        incoming.respond(200)
        self.core.emit(InfoReceived(self, request.content_type or "", request.body))

    def _receive_other(self, incoming: IncomingRequest) -> None:
        """What the core was told to do with this method in a call; a NOTIFY that nobody awaits gets 481."""
        handler = self.core.call_handlers.get(incoming.request.method)
        if handler is None:
            incoming.respond(481)
        else:
            handler(self, incoming)

    def _as_caller(self, verb: str) -> Caller:
        if self._caller is None:
            raise LocalProtocolError(f"only the caller can {verb} a call")
        return self._caller

    def _unanswered(self, verb: str) -> Callee:
        if self.role is Role.UAC:
            raise LocalProtocolError(f"only the callee can {verb}")
        if self.state in (UsageState.ANSWERED, UsageState.CONFIRMED):
            raise LocalProtocolError(f"cannot {verb}: the call was answered already")
        if self._callee is None or self.state is UsageState.ENDING:
            raise LocalProtocolError(f"cannot {verb}: the call is over")
        return self._callee


def _check_line(reason: str | None) -> None:
    if reason is not None and ("\r" in reason or "\n" in reason):
        raise LocalProtocolError(f"a Reason must be one line: {reason!r}")


def _check_body(body: bytes) -> None:
    if not body:
        raise LocalProtocolError("an accepted INVITE must carry a session description: the body is empty")
